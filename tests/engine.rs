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
    let score = ScoreKind::Logit;
    Work { sequence, tokens, targets: Vec::new(), next, score, full_head: false }
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

/// A work of each kind in turn, on a sequence that holds some of the prompt: what follows there is
/// different for each, so that a work which saw another's keys and values would give other bits.
fn work_of_kind(kind: usize, sequence: SequenceId, prompt: &[TokenId]) -> Work {
    let mut tokens = prompt.to_vec();
    tokens.rotate_left(kind + 1);
    let mut work = work(sequence, &tokens);
    match kind % 4 {
        0 => work.next = None,
        1 => work.score = ScoreKind::LogProb,
        2 => work.next = Some(NextToken { draft_len: tokens.len() / 2, ..NextToken::greedy() }),
        _ => {}
    }
    let targets = tokens[1..].iter().enumerate();
    work.targets = targets.map(|(after, &token)| ScoreTarget { after, token }).collect();
    work
}

#[test]
fn forks_in_a_mixed_step_give_what_each_gives_alone() {
    let prompt = prompt();
    let fork_lens: Vec<usize> = (1..prompt.len()).step_by(3).collect();
    assert!(fork_lens.len() > 5, "forks at many places of a block");

    let mut together = engine(512);
    let stem = together.new_sequence();
    step_one(&mut together, Work { next: None, ..work(stem, &prompt) });
    let forks: Vec<SequenceId> =
        fork_lens.iter().map(|fork_len| together.fork_at(stem, *fork_len)).collect();
    let works = forks.iter().enumerate().map(|(kind, fork)| work_of_kind(kind, *fork, &prompt));
    let found = together.step(&works.collect::<Vec<_>>()).expect("it fits");

    for (kind, (fork_len, found)) in fork_lens.iter().zip(found).enumerate() {
        let mut alone = engine(64);
        let sequence = alone.new_sequence();
        step_one(&mut alone, Work { next: None, ..work(sequence, &prompt[..*fork_len]) });
        let expected = step_one(&mut alone, work_of_kind(kind, sequence, &prompt));
        assert_eq!(found, expected, "the fork at {fork_len}");
    }
    assert_eq!(together.tokens(stem), prompt, "the stem is as it was");
    let next = step_one(&mut together, work(stem, &prompt[..1])).next;
    let mut alone = engine(64);
    let sequence = alone.new_sequence();
    let expected = step_one(&mut alone, work(sequence, &[&prompt[..], &prompt[..1]].concat())).next;
    assert_eq!(next, expected, "so are its keys and values");
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
fn a_forced_choice_is_followed_and_scored() {
    let prompt = prompt();
    let mut engine = engine(64);
    let [first, second] = greedy(&mut engine, &prompt, 2)[..] else { panic!("two were wanted") };
    let other = TokenId(first.0 ^ 1);
    let sequence = engine.new_sequence();
    let mut forced = work(sequence, &[&prompt[..], &[other, second]].concat());
    forced.next =
        Some(NextToken { draft_len: 2, forced: vec![other, first], ..NextToken::greedy() });
    let next = step_one(&mut engine, forced).next.expect("it was wanted");
    assert_eq!((next.accepted.len(), next.accepted[0].token), (1, other), "the draft is right");
    assert_eq!(next.chosen.token, first, "then it is wrong");
    assert_eq!(engine.tokens(sequence).len(), prompt.len() + 1);

    let scored = engine.new_sequence();
    let mut target = Work { next: None, ..work(scored, &prompt) };
    target.targets = vec![ScoreTarget { after: prompt.len() - 1, token: other }];
    let by_dot_product = step_one(&mut engine, target.clone()).scores;
    assert_eq!(by_dot_product, [next.accepted[0].score]);
    target.sequence = engine.new_sequence();
    target.full_head = true;
    assert_eq!(step_one(&mut engine, target).scores, by_dot_product, "by the whole head");
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
