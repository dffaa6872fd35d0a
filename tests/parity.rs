//! The same decisions as the authors' code, round by round: `golden/reference` holds what their
//! public implementation did with the embedded model. Every difference is printed; it needs an
//! excuse, and there may be few.

use std::sync::atomic::AtomicBool;

use jumpcoder::device::Device;
use jumpcoder::event::{CandidateReport, Infill, Judge, Round};
use jumpcoder::generator::{Generator, Limits, ModelChoice};
use jumpcoder::scheduler::Submission;
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
    let limits = Limits { concurrency: 8, ..Limits::default() };
    let mut generator = Generator::new(&ModelChoice::Tiny, None, &Device::Cpu, settings, limits)
        .expect("the model loads");
    let task = |problem: &GoldenProblem| Task {
        id: problem.task.clone(),
        sample: 0,
        prompt: problem.prompt.clone(),
        language: "python".to_owned(),
        stop: problem.stop.clone(),
    };
    let tasks: Vec<Task> = problems.iter().map(task).collect();
    let mut recorder = Recorder::new(tasks.len());
    let tasks = Submission::all(&tasks);
    generator.run(tasks, &mut recorder, &AtomicBool::new(false)).expect("no step fails");
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

/// Where a round differs from the reference's; `None` if it doesn't.
fn difference(golden: &GoldenRound, round: &Round) -> Option<String> {
    let positions: Vec<usize> = round.positions.iter().map(|chosen| chosen.position).collect();
    if round.num_lines != golden.lines.len() {
        return Some(format!("{} lines, not {}", round.num_lines, golden.lines.len()));
    }
    if positions != golden.positions {
        return Some(format!("positions {positions:?}, not {:?}", golden.positions));
    }
    if round.next_line.trim_end() != golden.next_line.trim_end() || round.ended != golden.ended {
        return Some(format!("next line {:?}, not {:?}", round.next_line, golden.next_line));
    }
    for Infill { position, text, .. } in &round.infills {
        let first_line = |text: &str| text.split('\n').next().unwrap_or_default().to_owned();
        let expected = &golden.infills[position];
        if first_line(text) != first_line(expected) {
            return Some(format!("infill {text:?} at {position}, not {expected:?}"));
        }
    }
    candidate_difference(golden, round)
}

/// The reference scores every candidate to its end; here scoring stops when the verdict is clear.
fn candidate_difference(golden: &GoldenRound, round: &Round) -> Option<String> {
    let is_decided_by_ast = round.candidates.iter().any(|c| c.by == Judge::Ast && c.accepted);
    for candidate in &round.candidates {
        let CandidateReport { position, inserted, deltas, accepted, by, .. } = candidate;
        let expected = golden.candidates.iter().find(|expected| expected.position == *position);
        let Some(expected) = expected else {
            return Some(format!("candidate {inserted:?} at {position} isn't the reference's"));
        };
        if *inserted != expected.inserted || *accepted != expected.accepted {
            let GoldenCandidate { inserted: other, accepted: verdict, .. } = expected;
            return Some(format!(
                "{inserted:?} at {position} by {by:?}: {accepted}, not {other:?}: {verdict}"
            ));
        }
        let near = |(found, expected): (&Option<f64>, &Option<f64>)| match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < NEAR,
            (found, expected) => found.is_none() && expected.is_none(),
        };
        if !deltas.iter().zip(&expected.deltas).all(near) {
            return Some(format!("deltas {deltas:?}, not {:?}", expected.deltas));
        }
    }
    let missing = golden
        .candidates
        .iter()
        .find(|expected| !round.candidates.iter().any(|found| found.position == expected.position));
    let missing = missing.filter(|_| !is_decided_by_ast);
    missing.map(|missing| format!("no candidate {:?} at {}", missing.inserted, missing.position))
}

/// Why a round may differ: two scores so near to each other, or an improvement so near to τ, that
/// float32 arithmetic in another order decides.
fn excuse(golden: &GoldenRound, threshold: f64) -> Option<String> {
    let mut scores: Vec<f64> = golden.first_scores.iter().flatten().copied().collect();
    scores.sort_by(f64::total_cmp);
    if let Some([a, b]) = scores.array_windows().find(|[a, b]| b - a < NEAR) {
        return Some(format!("first scores {a} and {b}"));
    }
    let deltas = golden.candidates.iter().flat_map(|candidate| &candidate.deltas).flatten();
    let mut near = deltas.filter(|delta| (**delta - threshold).abs() < NEAR);
    near.next().map(|delta| format!("a delta of {delta} beside a threshold of {threshold}"))
}

/// Compares a problem's rounds; gives how many were equal. A difference without an excuse fails,
/// and after one with an excuse the programs are different, so the rest can't be compared.
fn check_rounds(file: &str, problem: &GoldenProblem, rounds: &[Round]) -> usize {
    assert!(rounds.len() >= problem.rounds.len(), "{file} {}: too few rounds", problem.task);
    for (golden, round) in problem.rounds.iter().zip(rounds) {
        if let Some(difference) = difference(golden, round) {
            let place = format!("{file} {} round {}", problem.task, round.round);
            let excuse = excuse(golden, problem.tau)
                .unwrap_or_else(|| panic!("{place}: {difference}, without an excuse"));
            println!("{place}: {difference}, excused by {excuse}");
            return round.round;
        }
    }
    problem.rounds.len()
}

#[test]
fn jumping_decides_as_the_reference() {
    for file in FILES {
        let path = format!("golden/reference/{file}.json");
        let Some(problems) = shared_json::<Vec<GoldenProblem>>(&path) else { return };
        let recorder = run(&problems, Mode::Filtered);
        let (mut num_rounds, mut num_equal, mut num_programs) = (0, 0, 0);
        for (task, problem) in problems.iter().enumerate() {
            num_rounds += problem.rounds.len();
            num_equal += check_rounds(file, problem, &recorder.rounds[task]);
            let solution = solution(&recorder, task, problem);
            let keeps_ar = problem.filtered == "ar";
            let expected = if keeps_ar { &problem.ar } else { &problem.jump };
            num_programs += usize::from(solution.program == *expected);
        }
        println!("{file}: {num_equal} of {num_rounds} rounds, {num_programs} programs are equal");
        assert!(num_equal * 100 >= num_rounds * 98, "{file}: too many excuses");
        assert!(num_programs * 100 >= problems.len() * 98, "{file}: too many other programs");
    }
}
