//! The engine's one verb: works of every kind in one step give what each gives alone, bit for bit;
//! drafts keep what the model would have written; a step that fails has changed nothing.

use jump_engine::{
    Engine, EngineError, EngineSize, LanguageModel, NextToken, Outcome, ScoreTarget, SequenceId,
    Work,
};
use jump_kernels::cpu::Cpu;
use jump_kernels::{ScoreKind, TokenId};
use jump_models::Checkpoint;

const PROGRAM: &str =
    "import math\n\n\ndef circle_area(radius):\n    \"\"\"Return the area.\"\"\"\n";

fn engine(num_blocks: usize) -> Engine<Cpu> {
    let checkpoint = Checkpoint::tiny().expect("the embedded model is whole");
    let size = EngineSize { max_rows: 256, context_len: 512, num_blocks, max_kv_bytes: None };
    Engine::new(Cpu::new(), &checkpoint, size).expect("the embedded model is whole")
}

fn prompt() -> Vec<TokenId> {
    let checkpoint = Checkpoint::tiny().expect("the embedded model is whole");
    checkpoint.tokenizer.encode(PROGRAM)
}

fn work(sequence: SequenceId, tokens: &[TokenId]) -> Work {
    let next = Some(NextToken::greedy());
    let tokens = tokens.to_vec();
    Work { sequence, tokens, targets: Vec::new(), next, score: ScoreKind::Logit }
}

fn step_one(engine: &mut Engine<Cpu>, work: Work) -> Outcome {
    engine.step(&[work]).expect("it fits").remove(0)
}

/// What the model writes after `prompt`, token by token.
fn greedy(engine: &mut Engine<Cpu>, prompt: &[TokenId], len: usize) -> Vec<TokenId> {
    let sequence = engine.new_sequence();
    let (mut written, mut run) = (Vec::new(), prompt.to_vec());
    while written.len() < len {
        let next = step_one(engine, work(sequence, &run)).next.expect("it was wanted");
        written.push(next.chosen.token);
        run = vec![next.chosen.token];
    }
    engine.release(sequence);
    written
}

/// Works of every kind over forks of one sequence of `prompt`.
fn mixed_work(engine: &mut Engine<Cpu>, prompt: &[TokenId]) -> Vec<Work> {
    let stem = engine.new_sequence();
    step_one(engine, Work { next: None, ..work(stem, prompt) });
    let mut works = Vec::new();
    for (fork_len, kind) in (1..prompt.len()).step_by(3).zip(0..) {
        let sequence = engine.fork_at(stem, fork_len);
        let tokens = &prompt[fork_len - 1..];
        let mut work = work(sequence, tokens);
        match kind % 4 {
            0 => work.next = None,
            1 => work.score = ScoreKind::LogProb,
            2 => work.next = Some(NextToken { draft_len: tokens.len() / 2, ..NextToken::greedy() }),
            _ => {}
        }
        let targets = tokens[1..].iter().enumerate();
        work.targets = targets.map(|(after, &token)| ScoreTarget { after, token }).collect();
        works.push(work);
    }
    engine.release(stem);
    works
}

#[test]
fn a_mixed_step_gives_what_each_work_gives_alone() {
    let prompt = prompt();
    let mut together = engine(512);
    let works = mixed_work(&mut together, &prompt);
    assert!(works.len() > 5, "works of every kind");
    let expected = together.step(&works).expect("it fits");
    let mut alone = engine(512);
    let works = mixed_work(&mut alone, &prompt);
    for (work, expected) in works.into_iter().zip(expected) {
        let sequence = work.sequence;
        assert_eq!(step_one(&mut alone, work), expected);
        alone.release(sequence);
    }
    assert_eq!(alone.num_live_blocks(), 0);
}

#[test]
fn a_draft_keeps_what_the_model_would_have_written() {
    let prompt = prompt();
    let mut engine = engine(64);
    let written = greedy(&mut engine, &prompt, 12);
    for num_right in [0, 1, 5, 11] {
        let mut draft = written[..11].to_vec();
        for wrong in &mut draft[num_right..] {
            wrong.0 ^= 1;
        }
        let sequence = engine.new_sequence();
        let mut work = work(sequence, &[&prompt[..], &draft].concat());
        work.next = Some(NextToken { draft_len: draft.len(), ..NextToken::greedy() });
        let next = step_one(&mut engine, work).next.expect("it was wanted");
        let accepted: Vec<TokenId> = next.accepted.iter().map(|chosen| chosen.token).collect();
        assert_eq!(accepted, written[..num_right]);
        assert_eq!(next.chosen.token, written[num_right]);
        assert_eq!(engine.tokens(sequence), [&prompt[..], &written[..num_right]].concat());
        engine.release(sequence);
    }
}

#[test]
fn a_failed_step_has_changed_nothing() {
    let prompt = prompt();
    let mut engine = engine(8);
    let sequence = engine.new_sequence();
    step_one(&mut engine, work(sequence, &prompt));
    let expected = greedy(&mut engine, &prompt, 3);
    let live = engine.num_live_blocks();
    let long: Vec<TokenId> = prompt.iter().copied().cycle().take(300).collect();
    let other = engine.new_sequence();
    let failures = [
        engine.step(&[work(sequence, &long[..120]), work(other, &long[..60])]),
        engine.step(&[work(sequence, &long[..257])]),
        engine.step(&[work(sequence, &[long.clone(), long].concat())]),
    ];
    assert!(matches!(failures[0], Err(EngineError::OutOfBlocks { .. })), "{:?}", failures[0]);
    assert!(matches!(failures[1], Err(EngineError::TooManyRows { .. })), "{:?}", failures[1]);
    assert!(matches!(failures[2], Err(EngineError::TooLong { .. })), "{:?}", failures[2]);
    assert_eq!(engine.tokens(sequence), prompt, "the sequence is as it was");
    assert_eq!(engine.num_live_blocks(), live);
    let last = prompt.len() - 1;
    engine.truncate(sequence, last);
    let next = step_one(&mut engine, work(sequence, &prompt[last..])).next;
    assert_eq!(next.expect("it was wanted").chosen.token, expected[0]);
}

#[test]
fn an_engine_that_would_not_fit_is_refused() {
    let checkpoint = Checkpoint::tiny().expect("the embedded model is whole");
    let max_kv_bytes = Some(1 << 20);
    let size = EngineSize { max_rows: 16, context_len: 64, num_blocks: 1000, max_kv_bytes };
    let refused = Engine::new(Cpu::new(), &checkpoint, size).err().expect("1,000 blocks of 80 KiB");
    let message = refused.to_string();
    assert!(message.contains("1000 KV blocks") && message.contains("1 MiB allowed"), "{message}");
}
