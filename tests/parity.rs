//! The same decisions as the authors' code, round by round: `golden/reference` holds what their
//! public implementation did with the embedded model.

use std::sync::atomic::AtomicBool;

use jumpcoder::event::{CandidateReport, Change, Infill, Judge, Round};
use jumpcoder::generator::{Generator, Limits, ModelChoice};
use jumpcoder::settings::{Mode, Settings};
use jumpcoder::task::{Observer, Solution, Task, TaskError};
use serde::Deserialize;

use crate::shared::shared_json;

/// Scores that differ by less can fall on either side.
const NEAR: f64 = 1e-3;

#[derive(Deserialize)]
struct GoldenProblem {
    task: String,
    prompt: String,
    stop: Vec<String>,
    k: usize,
    tau: f64,
    max_lines: usize,
    ast_judge: bool,
    ar: String,
    jump: String,
    filtered: String,
    rounds: Vec<GoldenRound>,
}

#[derive(Deserialize)]
struct GoldenRound {
    lines: Vec<String>,
    first_scores: Vec<Option<f64>>,
    positions: Vec<usize>,
    infills: std::collections::BTreeMap<usize, String>,
    next_line: String,
    ended: bool,
    candidates: Vec<GoldenCandidate>,
}

#[derive(Deserialize)]
struct GoldenCandidate {
    position: usize,
    inserted: Vec<String>,
    deltas: Vec<Option<f64>>,
    accepted: bool,
}

/// What a run told of each task.
#[derive(Default)]
struct Recorder {
    rounds: Vec<Vec<Round>>,
    results: Vec<Option<Result<Solution, TaskError>>>,
}

impl Recorder {
    fn new(num_tasks: usize) -> Self {
        Self { rounds: vec![Vec::new(); num_tasks], results: vec![None; num_tasks] }
    }
}

impl Observer for Recorder {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, task: usize, round: &Round) {
        self.rounds[task].push(round.clone());
    }

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        self.results[task] = Some(result.clone());
    }
}

fn run(problems: &[GoldenProblem], mode: Mode) -> Recorder {
    let first = &problems[0];
    let settings = Settings {
        mode,
        num_positions: first.k,
        threshold: first.tau,
        max_lines: first.max_lines,
        ast_judge: first.ast_judge,
        reference_quirks: true,
        ..Settings::default()
    };
    let limits =
        Limits { concurrency: 8, prefill_chunk: None, kv_bytes: None, max_context: None };
    let mut generator =
        Generator::new(&ModelChoice::Tiny, None, settings, limits).expect("the model loads");
    let task = |problem: &GoldenProblem| Task {
        id: problem.task.clone(),
        sample: 0,
        prompt: problem.prompt.clone(),
        language: "python".to_owned(),
        stop: problem.stop.clone(),
    };
    let tasks: Vec<Task> = problems.iter().map(task).collect();
    let mut recorder = Recorder::new(tasks.len());
    generator.run(&tasks, &mut recorder, &AtomicBool::new(false)).expect("no step fails");
    assert_eq!(generator.num_live_blocks(), 0, "all blocks came back");
    recorder
}

fn solution<'a>(recorder: &'a Recorder, task: usize, problem: &GoldenProblem) -> &'a Solution {
    let result = recorder.results[task].as_ref().expect("every task ends");
    result.as_ref().unwrap_or_else(|e| panic!("{}: {e}", problem.task))
}

const FILES: [&str; 3] = ["humaneval-0-59", "humaneval-0-39-no-ast", "tiny-tasks"];

#[test]
fn plain_programs_are_the_references() {
    for file in FILES {
        let path = format!("golden/reference/{file}.json");
        let Some(problems) = shared_json::<Vec<GoldenProblem>>(&path) else { return };
        let recorder = run(&problems, Mode::Ar);
        for (task, problem) in problems.iter().enumerate() {
            assert_eq!(solution(&recorder, task, problem).program, problem.ar, "{}", problem.task);
        }
    }
}
