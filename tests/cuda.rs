//! The GPU's engine, whole, on the emulator: the numbers and the programs of the processor's, the
//! same bits however it runs, and what it may ask of a device.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jump_engine::{
    Engine, EngineSize, LanguageModel, NextToken, Outcome, ScoreTarget, SequenceId, Work,
};
use jump_kernels::cpu::Cpu;
use jump_kernels::cuda::attention_plan::Grouping;
use jump_kernels::cuda::{Cuda, CudaOptions, Determinism};
use jump_kernels::runtime::{Emulator, SharedRuntime};
use jump_kernels::{Backend, Sampling, ScoreKind, TokenId};
use jump_models::Checkpoint;
use jumpcoder::device::Device;
use jumpcoder::event::Round;
use jumpcoder::generator::{Generator, Limits, ModelChoice};
use jumpcoder::problem::{self, Source};
use jumpcoder::scheduler::Submission;
use jumpcoder::settings::Settings;
use jumpcoder::task::{Observer, Solution, TaskError};

use crate::counting::Counting;

const SIZE: EngineSize =
    EngineSize { max_rows: 512, context_len: 512, num_blocks: 256, max_kv_bytes: None };

fn emulator() -> SharedRuntime {
    Arc::new(Emulator::new().expect("it can be made"))
}

fn engine<B: Backend>(backend: B) -> Engine<B> {
    let checkpoint = Checkpoint::tiny().expect("the embedded model is whole");
    Engine::new(backend, &checkpoint, SIZE).expect("it fits")
}

fn emulated() -> Engine<Cuda> {
    engine(Cuda::new(emulator(), CudaOptions::default()))
}

/// Some hundred tokens: more than a span of keys.
fn tokens(len: usize) -> Vec<TokenId> {
    let checkpoint = Checkpoint::tiny().expect("the embedded model is whole");
    let text = "import math\n\n\ndef circle_area(radius):\n    \"\"\"Return the area.\"\"\"\n    \
                return math.pi * radius ** 2\n\n\n";
    let tokens = checkpoint.tokenizer.encode(text);
    tokens.iter().copied().cycle().take(len).collect()
}

/// The scores of all tokens but the first, run in chunks.
fn scores(
    engine: &mut dyn LanguageModel,
    tokens: &[TokenId],
    chunk_len: usize,
    score: ScoreKind,
) -> Vec<f32> {
    let sequence = engine.new_sequence();
    let mut scores = Vec::new();
    for (chunk_idx, chunk) in tokens.chunks(chunk_len).enumerate() {
        let work = scored(sequence, tokens, chunk_idx * chunk_len, chunk.len(), score);
        scores.extend(engine.step(&[work]).expect("it fits").remove(0).scores);
    }
    engine.release(sequence);
    scores
}

/// A work of `len` tokens from `start` on, whose every token's successor is scored.
fn scored(
    sequence: SequenceId,
    tokens: &[TokenId],
    start: usize,
    len: usize,
    score: ScoreKind,
) -> Work {
    let targets = (0..len).filter_map(|after| {
        tokens.get(start + after + 1).map(|&token| ScoreTarget { after, token })
    });
    Work {
        sequence,
        tokens: tokens[start..start + len].to_vec(),
        targets: targets.collect(),
        next: None,
        score,
        full_head: false,
    }
}

fn bits(scores: &[f32]) -> Vec<u32> {
    scores.iter().map(|score| score.to_bits()).collect()
}

#[test]
fn scores_are_the_processors_within_bfloat16() {
    let tokens = tokens(300);
    for score in [ScoreKind::Logit, ScoreKind::LogProb] {
        let expected = scores(&mut engine(Cpu::new()), &tokens, 512, score);
        let found = scores(&mut emulated(), &tokens, 512, score);
        let magnitude = expected.iter().fold(0.0_f32, |max, score| max.max(score.abs()));
        let errors = found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs());
        let (count, sum, max) = errors.fold((0, 0.0, 0.0_f32), |(count, sum, max), error| {
            (count + 1, sum + error, max.max(error))
        });
        // Five layers of values rounded to eight bits.
        let allowed = magnitude / 64.0;
        assert!(max <= allowed, "{score:?}: off by {max} of {magnitude}");
        let mean = sum / count as f32;
        assert!(mean <= allowed / 4.0, "{score:?}: off by {mean} on the average");
        assert!(max > 0.0, "the processor's arithmetic is another");
    }
}

/// The large products of the fast mode run on other kernels, with other bits.
#[test]
fn fast_scores_are_the_processors_too() {
    let tokens = tokens(300);
    let expected = scores(&mut engine(Cpu::new()), &tokens, 512, ScoreKind::Logit);
    let backend = Cuda::new(
        emulator(),
        CudaOptions { determinism: Determinism::Fast, ..CudaOptions::default() },
    );
    let found = scores(&mut engine(backend), &tokens, 512, ScoreKind::Logit);
    let magnitude = expected.iter().fold(0.0_f32, |max, score| max.max(score.abs()));
    for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (found - expected).abs() <= magnitude / 64.0,
            "{found}, not {expected}, at {place}"
        );
    }
}

#[test]
fn chunks_change_no_bit() {
    let tokens = tokens(300);
    let mut engine = emulated();
    let whole = scores(&mut engine, &tokens, 512, ScoreKind::Logit);
    for chunk_len in [100, 37] {
        let found = scores(&mut engine, &tokens, chunk_len, ScoreKind::Logit);
        assert_eq!(bits(&found), bits(&whole), "in chunks of {chunk_len}");
    }
    // Token by token, at the end: a graph is recorded, and replayed.
    let tail = engine.new_sequence();
    let mut found = Vec::new();
    for (start, len) in [(0, 280)].into_iter().chain((280..300).map(|start| (start, 1))) {
        let work = scored(tail, &tokens, start, len, ScoreKind::Logit);
        found.extend(engine.step(&[work]).expect("it fits").remove(0).scores);
    }
    assert_eq!(bits(&found), bits(&whole), "token by token");
    engine.release(tail);
}

/// Forks of one stem, each with tokens of its own.
fn forks(engine: &mut dyn LanguageModel, num: usize, stem_len: usize) -> Vec<Work> {
    let tokens = tokens(stem_len + 20);
    let stem = engine.new_sequence();
    let work = Work { targets: Vec::new(), ..scored(stem, &tokens, 0, stem_len, ScoreKind::Logit) };
    engine.step(&[work]).expect("it fits");
    let works = (0..num).map(|idx| {
        let fork_len = stem_len - idx % 9;
        let sequence = engine.fork_at(stem, fork_len);
        let mut own = tokens[fork_len..fork_len + 5 + idx % 3].to_vec();
        own.rotate_left(idx % 4);
        let targets = own[1..].iter().enumerate();
        let targets = targets.map(|(after, &token)| ScoreTarget { after, token }).collect();
        let (next, score) = (Some(NextToken::greedy()), ScoreKind::Logit);
        Work { sequence, tokens: own, targets, next, score, full_head: false }
    });
    works.collect()
}

#[test]
fn neighbours_and_shared_prefixes_change_no_bit() {
    let run = |num_together: usize, grouping: Grouping| -> Vec<Outcome> {
        let options = CudaOptions { grouping, ..CudaOptions::default() };
        let mut engine = engine(Cuda::new(emulator(), options));
        let works = forks(&mut engine, 64, 300);
        let groups = works.chunks(num_together);
        groups.flat_map(|works| engine.step(works).expect("it fits")).collect()
    };
    let alone = run(1, Grouping::Off);
    for num_together in [7, 64] {
        for grouping in [Grouping::Off, Grouping::Always] {
            let found = run(num_together, grouping);
            assert_eq!(found, alone, "{num_together} at a time, {grouping:?}");
        }
    }
}

#[test]
fn every_kind_of_choice_is_the_same_among_others() {
    let tokens = tokens(40);
    let next = |key: u64, banned: &[u32]| NextToken {
        banned: banned.iter().copied().map(TokenId).collect(),
        sampling: key.checked_sub(1).map(|key| Sampling {
            temperature: 0.8,
            top_k: None,
            top_p: 0.95,
            key,
        }),
        ..NextToken::greedy()
    };
    let run = |num_together: usize| -> Vec<Outcome> {
        let mut engine = emulated();
        let works: Vec<Work> = (0..40)
            .map(|idx| {
                let banned: &[u32] = if idx % 3 == 0 { &[5, 200, 4095] } else { &[] };
                let score = [ScoreKind::Logit, ScoreKind::LogProb][idx % 2];
                let sequence = engine.new_sequence();
                let mut work = scored(sequence, &tokens, 0, 4 + idx % 5, score);
                work.next = Some(next(idx as u64 % 4, banned));
                work
            })
            .collect();
        works.chunks(num_together).flat_map(|works| engine.step(works).expect("it fits")).collect()
    };
    let alone = run(1);
    assert_eq!(run(40), alone);
    assert_eq!(run(7), alone);
}

#[test]
fn a_step_is_one_upload_one_download_and_no_allocation() {
    let runtime = Arc::new(Counting::new(emulator()));
    let mut engine = engine(Cuda::new(runtime.clone(), CudaOptions::default()));
    let before = runtime.counts();
    let tokens = tokens(120);
    let sequence = engine.new_sequence();
    for start in 0..12 {
        let work = scored(sequence, &tokens, start * 10, 10, ScoreKind::Logit);
        engine.step(&[work]).expect("it fits");
    }
    let after = runtime.counts();
    assert_eq!(after.allocations, before.allocations, "nothing is allocated after the start");
    assert_eq!(after.uploads - before.uploads, 12);
    assert_eq!(after.downloads - before.downloads, 12);
    assert!(after.replays > 0, "steps of one shape are recorded");
}

#[derive(Default)]
struct Programs(Vec<(usize, String, usize)>);

impl Observer for Programs {
    fn started(&mut self, _: usize, _: &[String]) {}

    fn round(&mut self, _: usize, _: &Round) {}

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        let solution = result.as_ref().expect("the examples are sound");
        self.0.push((task, solution.program.clone(), solution.insertions.len()));
    }
}

fn programs(device: &Device, concurrency: usize) -> Vec<(usize, String, usize)> {
    let problems = problem::read(&Source::Examples).expect("the examples are sound");
    let tasks = Submission::all(&problem::tasks(&problems, 1, None));
    let limits = Limits {
        concurrency,
        kv_bytes: Some(256 << 20),
        max_context: Some(512),
        ..Limits::default()
    };
    let settings = Settings::default();
    let generator = Generator::new(&ModelChoice::Tiny, None, device, settings, limits);
    let mut programs = Programs::default();
    let stop = AtomicBool::new(false);
    generator.expect("it fits").run(tasks, &mut programs, &stop).expect("no step fails");
    assert!(!stop.load(Ordering::SeqCst));
    programs.0.sort();
    programs.0
}

#[test]
fn programs_are_the_processors() {
    // The examples are short: what the branches share wouldn't pay to be grouped.
    let options = CudaOptions { grouping: Grouping::Always, ..CudaOptions::default() };
    let emulated = Device::Cuda { runtime: emulator(), options };
    let expected = programs(&Device::Cpu, 8);
    assert!(expected.iter().map(|(.., num_insertions)| num_insertions).sum::<usize>() > 0);
    assert!(expected.len() >= 5);
    assert_eq!(programs(&emulated, 8), expected);
}
