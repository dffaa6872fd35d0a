//! Sharing is invisible: how many tasks are in flight, how prompts are cut into chunks, on how many
//! threads, in how much memory, and what is shared at all: none of it changes a program.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use jump_kernels::ScoreKind;
use jump_models::{Checkpoint, FimTemplate, ModelShape, Tokenizer};
use jumpcoder::device::Device;
use jumpcoder::event::{Round, TokenCounts};
use jumpcoder::generator::{Generator, Limits, ModelChoice};
use jumpcoder::mechanism::{Mechanism, Mechanisms};
use jumpcoder::problem::{self, Source};
use jumpcoder::prompt_format::PromptFormat;
use jumpcoder::scheduler::{RunStats, Submission};
use jumpcoder::settings::{Mode, SamplingSettings, Settings};
use jumpcoder::task::{Insertion, Observer, Solution, Task, TaskError};

use crate::shared::shared_file;

/// The programs of a run with their insertions, by task, and the tokens that were run for them.
#[derive(Default)]
struct Programs(Vec<(usize, String, Vec<Insertion>)>, TokenCounts);

impl Observer for Programs {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, _round: &Round) {}

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        let solution = result.as_ref().expect("the examples can be written");
        self.0.push((task, solution.program.clone(), solution.insertions.clone()));
        self.1.add(&solution.tokens);
    }
}

/// The embedded examples; each several times if they are sampled.
fn tasks(num_samples: usize) -> Vec<Task> {
    let problems = problem::read(&Source::Examples).expect("the examples are embedded");
    let problems = problems.into_iter().map(|problem| {
        let text = problem.content.expect("the examples are whole");
        (problem.id, text)
    });
    let samples = |(id, text): (String, problem::ProblemText)| {
        (0..num_samples).map(move |sample| Task {
            id: id.clone(),
            sample,
            prompt: text.prompt.clone(),
            language: text.language.clone(),
            stop: text.stop.clone(),
        })
    };
    problems.flat_map(samples).collect()
}

/// In which way tasks are run.
#[derive(Clone, Copy, Debug)]
struct Way {
    concurrency: usize,
    chunk_len: usize,
    max_batched_tokens: Option<usize>,
    num_threads: usize,
    mechanisms: Mechanisms,
    /// Memory for keys and values.
    kv_bytes: Option<usize>,
}

/// One after the other, whole, on one thread, and nothing is shared.
const ALONE: Way = Way {
    concurrency: 1,
    chunk_len: usize::MAX,
    max_batched_tokens: None,
    num_threads: 1,
    mechanisms: Mechanisms::none(),
    kv_bytes: None,
};

/// Many at once, and everything is shared.
const TOGETHER: Way = Way {
    concurrency: 7,
    chunk_len: 64,
    max_batched_tokens: None,
    num_threads: 2,
    mechanisms: Mechanisms::all(),
    kv_bytes: None,
};

/// Tokens of a sequence where memory is limited.
const SHORT_CONTEXT: usize = 160;

/// As many blocks of 80 KiB as the sequences of one task may need: its program, its stem, and two
/// branches.
const LITTLE_MEMORY: usize = (4 * SHORT_CONTEXT / 16) * (80 << 10);
const MUCH_MEMORY: usize = 32 * LITTLE_MEMORY;

fn run(tasks: &[Task], settings: &Settings, way: Way) -> (Programs, RunStats) {
    let limits = Limits {
        concurrency: way.concurrency,
        prefill_chunk: Some(way.chunk_len),
        kv_bytes: way.kv_bytes,
        max_context: way.kv_bytes.map(|_| SHORT_CONTEXT),
        max_batched_tokens: way.max_batched_tokens,
        memory_fraction: None,
    };
    let settings = Settings { mechanisms: way.mechanisms, ..settings.clone() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(way.num_threads).build();
    pool.expect("threads can be made").install(|| run_with(tasks, None, &settings, limits))
}

fn run_with(
    tasks: &[Task],
    infilling: Option<&ModelChoice>,
    settings: &Settings,
    limits: Limits,
) -> (Programs, RunStats) {
    let generator =
        Generator::new(&ModelChoice::Tiny, infilling, &Device::Cpu, settings.clone(), limits);
    let mut generator = generator.expect("the models load");
    let mut programs = Programs::default();
    let tasks = Submission::all(tasks);
    let stats = generator.run(tasks, &mut programs, &AtomicBool::new(false));
    assert_eq!(generator.num_live_blocks(), 0, "all blocks came back");
    programs.0.sort_by_key(|(task, ..)| *task);
    let stats = stats.expect("no step fails");
    if stats.num_preemptions == 0 {
        assert_eq!(programs.1.num_run(), stats.num_rows, "just what was run is counted");
    }
    (programs, stats)
}

/// Runs `tasks` alone and in other ways, and compares.
fn check(tasks: &[Task], settings: &Settings, ways: &[Way]) -> Programs {
    let (alone, _) = run(tasks, settings, ALONE);
    assert_eq!(alone.0.len(), tasks.len());
    for &way in ways {
        let (found, _) = run(tasks, settings, way);
        for (alone, found) in alone.0.iter().zip(&found.0) {
            assert_eq!(alone, found, "{way:?}");
        }
    }
    alone
}

#[test]
fn greedy_programs_are_the_same_however_they_run() {
    let ways = [
        Way { concurrency: 1, chunk_len: 1, ..TOGETHER },
        Way { chunk_len: 3, num_threads: 1, ..TOGETHER },
        Way { max_batched_tokens: Some(5), ..TOGETHER },
        TOGETHER,
    ];
    let settings = Settings { mode: Mode::Filtered, ..Settings::default() };
    let programs = check(&tasks(1), &settings, &ways);
    let num_insertions: usize = programs.0.iter().map(|(_, _, insertions)| insertions.len()).sum();
    assert!(num_insertions > 0, "the examples jump");
}

#[test]
fn no_mechanism_changes_a_program() {
    let without = |mechanism| Mechanisms::all().without(mechanism);
    let ways = Mechanism::ALL.map(|mechanism| Way { mechanisms: without(mechanism), ..TOGETHER });
    check(&tasks(1), &Settings::default(), &ways);
    let ways = ways.map(|way| Way { concurrency: 1, ..way });
    check(&tasks(1), &Settings { score: ScoreKind::LogProb, ..Settings::default() }, &ways);
}

#[test]
fn words_before_a_program_change_nothing_of_it() {
    let settings = |mode| Settings {
        prompt_format: PromptFormat::WizardCoder,
        mode,
        max_lines: 12,
        ..Settings::default()
    };
    let without_forks = Mechanisms::all().without(Mechanism::Fork);
    let ways = [TOGETHER, Way { mechanisms: without_forks, chunk_len: 5, ..TOGETHER }];
    let programs = check(&tasks(1), &settings(Mode::Filtered), &ways);
    assert!(programs.0.iter().all(|(_, text, _)| !text.contains("###") && !text.contains("```")));
}

#[test]
fn sampled_programs_are_the_same_however_they_run() {
    let sampling = Some(SamplingSettings { temperature: 0.8, top_k: None, top_p: 0.95, seed: 7 });
    let settings = Settings { sampling, max_lines: 12, ..Settings::default() };
    let ways = [
        TOGETHER,
        Way { concurrency: 64, ..TOGETHER },
        Way { concurrency: 64, chunk_len: 3, num_threads: 1, ..TOGETHER },
    ];
    let programs = check(&tasks(8), &settings, &ways);
    let texts = programs.0.iter().map(|(_, text, _)| text);
    let distinct: std::collections::BTreeSet<&String> = texts.collect();
    assert!(distinct.len() > tasks(1).len(), "samples differ from each other");
}

#[test]
fn samples_of_a_problem_share_its_prompt() {
    let sampling = Some(SamplingSettings { temperature: 0.8, top_k: None, top_p: 0.95, seed: 7 });
    let settings = Settings { sampling, mode: Mode::Ar, max_lines: 12, ..Settings::default() };
    let prompt_tokens = |num_samples| {
        let (programs, stats) = run(&tasks(num_samples), &settings, TOGETHER);
        assert_eq!(programs.0.len(), tasks(num_samples).len());
        stats.num_rows - programs.1.decode
    };
    let (one, eight) = (prompt_tokens(1), prompt_tokens(8));
    assert!(eight < one + one / 4, "{eight} rows for eight samples, {one} for one");
}

#[test]
fn little_memory_only_takes_longer() {
    let settings = Settings { num_positions: 2, ..Settings::default() };
    let little = Way { concurrency: 32, kv_bytes: Some(LITTLE_MEMORY), ..TOGETHER };
    let (programs, stats) = run(&tasks(1), &settings, little);
    assert!(stats.num_evictions > 0, "{stats:?}");
    let (alone, _) = run(&tasks(1), &settings, Way { kv_bytes: Some(MUCH_MEMORY), ..ALONE });
    assert_eq!(programs.0, alone.0);
}

#[test]
fn an_infilling_model_of_its_own_finds_the_same() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tiny");
    let infilling = ModelChoice::Path(directory);
    let limits = Limits { concurrency: 4, ..Limits::default() };
    let (tasks, settings) = (tasks(1), Settings::default());
    let (apart, _) = run_with(&tasks, Some(&infilling), &settings, limits);
    assert_eq!(apart.0, run_with(&tasks, None, &settings, limits).0.0);
}

/// A model of random weights that reads and writes in another vocabulary; `None`, with a visible
/// line, if its tokenizer isn't here.
fn random_model(tokenizer: &str) -> Option<Checkpoint> {
    let file = shared_file(&format!("tokenizers/{tokenizer}"))?;
    let text = std::fs::read(&file).expect("the file can be read");
    let tokenizer = Tokenizer::parse(&text, tokenizer).expect("it is supported");
    let fim = FimTemplate::find(&tokenizer);
    let shape = "tiny".parse::<ModelShape>().expect("a known name");
    let model = Checkpoint::tiny().expect("it is embedded");
    Some(Checkpoint { tokenizer, fim, ..model }.with_random_weights(shape, 7))
}

/// Newlines are parts of larger tokens there, or every text begins with a blank.
#[test]
fn other_vocabularies_share_as_well() {
    let tokenizers = [
        "starcoder/tokenizer.rebuilt.json",
        "qwen2.5-coder-constructed/tokenizer.json",
        "codellama-constructed/tokenizer.json",
        "mistral-v3-codestral/tokenizer.json",
    ];
    let settings = Settings { max_lines: 12, max_line_tokens: 6, ..Settings::default() };
    for name in tokenizers {
        let run = |way: Way| {
            let settings = Settings { mechanisms: way.mechanisms, ..settings.clone() };
            let limits = Limits {
                concurrency: way.concurrency,
                prefill_chunk: Some(way.chunk_len),
                ..Limits::default()
            };
            let generator = Generator::from_checkpoints(
                random_model(name)?,
                None,
                &Device::Cpu,
                settings,
                limits,
            );
            let mut programs = Programs::default();
            let tasks = Submission::all(&tasks(1)[..2]);
            let mut generator = generator.expect("the model fits");
            generator.run(tasks, &mut programs, &AtomicBool::new(false)).expect("no step fails");
            programs.0.sort_by_key(|(task, ..)| *task);
            Some(programs)
        };
        let (Some(alone), Some(together)) = (run(ALONE), run(TOGETHER)) else { continue };
        assert_eq!(together.0, alone.0, "{name}");
        let (reused, all) = (together.1.reused, together.1.reused + together.1.num_run());
        println!("{name}: {reused} of {all} tokens are reused, alone {}", alone.1.num_run());
        assert!(reused * 2 > all, "{name}: only {reused} of {all} tokens are reused");
    }
}
