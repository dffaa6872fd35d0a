//! Sharing is invisible: how many tasks are in flight, how prompts are cut into chunks, whether
//! infills are verified or decoded anew, and on how many threads: none of it changes a program.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use jumpcoder::event::Round;
use jumpcoder::generator::{Generator, Limits, ModelChoice};
use jumpcoder::problem::{self, Source};
use jumpcoder::settings::{Mode, SamplingSettings, Settings};
use jumpcoder::task::{Insertion, Observer, Solution, Task, TaskError};

/// The programs of a run with their insertions, by task.
#[derive(Default)]
struct Programs(Vec<(usize, String, Vec<Insertion>)>);

impl Observer for Programs {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, _round: &Round) {}

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        let solution = result.as_ref().expect("the examples can be written");
        self.0.push((task, solution.program.clone(), solution.insertions.clone()));
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

fn run(
    tasks: &[Task],
    settings: &Settings,
    concurrency: usize,
    chunk_len: usize,
    num_threads: usize,
) -> Programs {
    let limits =
        Limits { concurrency, prefill_chunk: Some(chunk_len), kv_bytes: None, max_context: None };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads).build();
    pool.expect("threads can be made").install(|| run_with(tasks, None, settings, limits))
}

fn run_with(
    tasks: &[Task],
    infilling: Option<&ModelChoice>,
    settings: &Settings,
    limits: Limits,
) -> Programs {
    let generator = Generator::new(&ModelChoice::Tiny, infilling, settings.clone(), limits);
    let mut generator = generator.expect("the models load");
    let mut programs = Programs::default();
    generator.run(tasks, &mut programs, &AtomicBool::new(false)).expect("no step fails");
    assert_eq!(generator.num_live_blocks(), 0, "all blocks came back");
    programs.0.sort_by_key(|(task, ..)| *task);
    programs
}

/// Tasks in flight, tokens of a chunk, threads, and whether infills are verified first.
type Way = (usize, usize, usize, bool);

/// Runs `tasks` alone, whole, on one thread, and in other ways, and compares.
fn check(tasks: &[Task], settings: &Settings, ways: &[Way]) -> Programs {
    let alone = run(tasks, settings, 1, usize::MAX, 1);
    assert_eq!(alone.0.len(), tasks.len());
    for &(concurrency, chunk_len, num_threads, speculative_infilling) in ways {
        let settings = Settings { speculative_infilling, ..settings.clone() };
        let found = run(tasks, &settings, concurrency, chunk_len, num_threads);
        let how = format!("{concurrency} at once, chunks of {chunk_len}, {num_threads} threads");
        for (alone, found) in alone.0.iter().zip(&found.0) {
            assert_eq!(alone, found, "{how}, speculative {speculative_infilling}");
        }
    }
    alone
}

#[test]
fn greedy_programs_are_the_same_however_they_run() {
    let ways = [(1, 1, 2, true), (7, 3, 1, true), (7, 64, 2, false), (1, usize::MAX, 2, false)];
    let settings = Settings { mode: Mode::Filtered, ..Settings::default() };
    let programs = check(&tasks(1), &settings, &ways);
    let num_insertions: usize = programs.0.iter().map(|(_, _, insertions)| insertions.len()).sum();
    assert!(num_insertions > 0, "the examples jump");
}

#[test]
fn sampled_programs_are_the_same_however_they_run() {
    let sampling = Some(SamplingSettings { temperature: 0.8, top_p: 0.95, seed: 7 });
    let settings = Settings { sampling, max_lines: 12, ..Settings::default() };
    let ways = [(7, 64, 2, true), (64, 64, 2, true), (64, 3, 1, false)];
    let programs = check(&tasks(8), &settings, &ways);
    let texts = programs.0.iter().map(|(_, text, _)| text);
    let distinct: std::collections::BTreeSet<&String> = texts.collect();
    assert!(distinct.len() > tasks(1).len(), "samples differ from each other");
}

#[test]
fn an_infilling_model_of_its_own_finds_the_same() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tiny");
    let infilling = ModelChoice::Directory(directory);
    let limits = Limits { concurrency: 4, prefill_chunk: None, kv_bytes: None, max_context: None };
    let (tasks, settings) = (tasks(1), Settings::default());
    let apart = run_with(&tasks, Some(&infilling), &settings, limits);
    assert_eq!(apart.0, run_with(&tasks, None, &settings, limits).0);
}
