//! What a line costs as programs get longer: ordinary rounds, all alike, at several lengths.
//!
//! The rounds are made up, and forced like those of a replay, so that nothing but the length
//! differs: each appends a line, asks at the newest line and at others that stay the same, finds
//! there what it found before, and rescores one candidate that its first line refuses.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use jump_models::Tokenizer;
use serde::Serialize;

use super::{BenchError, Spread};
use crate::event::{
    CandidateReport, Change, ChosenPosition, Decoded, Infill, Judge, Round, TokenCounts,
};
use crate::generator::Generator;
use crate::mechanism::Mechanisms;
use crate::program::line_writer::LineEnd;
use crate::scheduler::Submission;
use crate::settings::{Mode, Settings};
use crate::task::{Observer, Solution, Task, TaskError};

const INFALLIBLE: &str = "a string can be written to";

/// Rounds of a task. The first runs the prompt and isn't measured.
const NUM_ROUNDS: usize = 11;

/// The candidate of every round: like no line of the programs.
const CANDIDATE: &str = "growth_bench_value = 12345\n";

/// What a round costs at one length.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// Lines of the programs at first.
    pub num_lines: usize,
    /// Their tokens on average.
    pub num_tokens: f64,
    /// Rounds that were measured in each repeat.
    pub num_rounds: usize,
    /// Tokens run in a round of `jump` on average.
    pub tokens_per_round: f64,
    /// Tokens run in a round on average if nothing is shared.
    pub unshared_tokens_per_round: f64,
    /// Of `jump`, of each repeat.
    pub seconds_per_round: Spread,
    /// Of plain generation, of each repeat.
    pub ar_seconds_per_round: Spread,
}

/// Tokens that a sequence needs to hold the longest of such programs, with an infill.
pub fn context_len(problems: &[Task], lengths: &[usize], tokenizer: &Tokenizer) -> usize {
    let longest = lengths.iter().max().copied().unwrap_or_default() + NUM_ROUNDS;
    let of = |first| tokenizer.encode(&source(problems, first, longest).concat()).len();
    (0..problems.len()).map(of).max().unwrap_or_default() + 64
}

/// Measures rounds of programs made of the lines of `problems`, one program for each.
///
/// # Errors
///
/// A step that failed, or `stop`.
pub fn measure(
    generator: &mut Generator,
    settings: &Settings,
    problems: &[Task],
    lengths: &[usize],
    num_repeats: usize,
    stop: &AtomicBool,
) -> Result<Vec<Point>, BenchError> {
    let mut runs: Vec<[Vec<Sums>; 2]> = lengths.iter().map(|_| Default::default()).collect();
    let k = settings.num_positions;
    let tasks: Vec<Vec<Submission>> =
        lengths.iter().map(|len| tasks(problems, *len, k, generator.tokenizer())).collect();
    for _ in 0..num_repeats {
        for ((tasks, len), runs) in tasks.iter().zip(lengths).zip(&mut runs) {
            for (mode, runs) in [Mode::Jump, Mode::Ar].into_iter().zip(runs) {
                let settings = Settings { mode, max_lines: len + NUM_ROUNDS, ..settings.clone() };
                runs.push(run(generator, settings, tasks, stop)?);
            }
        }
    }
    let mut points = Vec::new();
    for ((tasks, num_lines), [jump, ar]) in tasks.iter().zip(lengths).zip(runs) {
        let (max_lines, mechanisms) = (num_lines + NUM_ROUNDS, Mechanisms::none());
        let alone = Settings { mode: Mode::Jump, max_lines, mechanisms, ..settings.clone() };
        let unshared = run(generator, alone, tasks, stop)?;
        let prompts = tasks.iter().map(|submission| &submission.task.prompt);
        let num_tokens: usize = prompts.map(|text| generator.tokenizer().encode(text).len()).sum();
        points.push(Point {
            num_lines: *num_lines,
            num_tokens: num_tokens as f64 / tasks.len() as f64,
            num_rounds: jump[0].num_rounds,
            tokens_per_round: jump[0].tokens_per_round(),
            unshared_tokens_per_round: unshared.tokens_per_round(),
            seconds_per_round: Spread::of(jump.iter().map(Sums::seconds_per_round)),
            ar_seconds_per_round: Spread::of(ar.iter().map(Sums::seconds_per_round)),
        });
    }
    Ok(points)
}

/// The table.
pub fn table(points: &[Point]) -> String {
    let mut text = format!(
        "{:>6} {:>8} {:>7} {:>14} {:>16} {:>24} {:>24} {:>14}\n",
        "lines",
        "tokens",
        "rounds",
        "tokens/round",
        "nothing shared",
        "ms/round of jump",
        "ms/round of ar",
        "to the first"
    );
    for point in points {
        let ms = |spread: Spread| format!("{:.3}", spread.times(1e3));
        writeln!(
            text,
            "{:>6} {:>8.0} {:>7} {:>14.1} {:>16.1} {:>24} {:>24} {:>13.2}x",
            point.num_lines,
            point.num_tokens,
            point.num_rounds,
            point.tokens_per_round,
            point.unshared_tokens_per_round,
            ms(point.seconds_per_round),
            ms(point.ar_seconds_per_round),
            point.seconds_per_round.median / points[0].seconds_per_round.median,
        )
        .expect(INFALLIBLE);
    }
    text
}

/// `num_lines` lines of the problems' prompts, from the problem `first` on, in a circle.
fn source(problems: &[Task], first: usize, num_lines: usize) -> Vec<String> {
    let circle = problems.iter().cycle().skip(first);
    let lines = circle.flat_map(|problem| problem.prompt.lines());
    // A blank line at the end of a prompt wouldn't count.
    let lines = lines.filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("{line}\n")).take(num_lines).collect()
}

/// A program of `num_lines` lines from each problem on, and the rounds that append to it.
fn tasks(problems: &[Task], num_lines: usize, k: usize, tokenizer: &Tokenizer) -> Vec<Submission> {
    let task = |(task_idx, problem): (usize, &Task)| {
        let lines = source(problems, task_idx, num_lines + NUM_ROUNDS);
        let rounds = (0..NUM_ROUNDS).map(|place| round(place, &lines, num_lines, k, tokenizer));
        let (id, language) = (problem.id.clone(), problem.language.clone());
        let (prompt, stop) = (lines[..num_lines].concat(), Vec::new());
        let task = Task { id, sample: 0, prompt, language, stop };
        Submission { task_idx, task, recorded: Some(rounds.collect()) }
    };
    problems.iter().enumerate().map(task).collect()
}

/// A round that appends line `num_lines + place` of `lines`.
fn round(
    place: usize,
    lines: &[String],
    num_lines: usize,
    k: usize,
    tokenizer: &Tokenizer,
) -> Round {
    let newest = num_lines + place - 1;
    // Evenly over the program as it was at first, and the newest line.
    let staying = (1..k).map(|nth| num_lines * nth / k);
    let mut positions: Vec<usize> = staying.chain([newest]).collect();
    positions.dedup();
    // All but one find the line that is there already, which is no candidate.
    let text = |nth: usize, position: usize| if nth == 0 { CANDIDATE } else { &lines[position] };
    let infill = |(nth, &position): (usize, &usize)| Infill {
        position,
        text: text(nth, position).to_owned(),
        decoded: decoded(text(nth, position), tokenizer),
    };
    let next = &lines[newest + 1];
    Round {
        round: place,
        num_lines: newest + 1,
        positions: positions
            .iter()
            .map(|&position| ChosenPosition { position, score: 0.0 })
            .collect(),
        infills: positions.iter().enumerate().map(infill).collect(),
        next_line: next.trim_end_matches('\n').to_owned(),
        decoded: decoded(next, tokenizer),
        ended: false,
        candidates: vec![CandidateReport {
            position: positions[0],
            inserted: vec![CANDIDATE.to_owned()],
            by: Judge::Score,
            deltas: vec![Some(f64::NEG_INFINITY)],
            accepted: false,
            gain: 0.0,
        }],
        change: Change::Append { line: next.clone() },
        tokens: TokenCounts::default(),
        seconds: 0.0,
    }
}

fn decoded(line: &str, tokenizer: &Tokenizer) -> Decoded {
    let tokens = tokenizer.encode(line).iter().map(|token| token.0).collect();
    Decoded { tokens, num_lead_bytes: 0, end: Some(LineEnd::Complete) }
}

/// Sums over rounds.
#[derive(Default)]
struct Sums {
    num_rounds: usize,
    num_tokens: usize,
    seconds: f64,
    failure: Option<TaskError>,
}

impl Sums {
    fn tokens_per_round(&self) -> f64 {
        self.num_tokens as f64 / self.num_rounds.max(1) as f64
    }

    fn seconds_per_round(&self) -> f64 {
        self.seconds / self.num_rounds.max(1) as f64
    }
}

impl Observer for Sums {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, round: &Round) {
        if round.round > 0 {
            self.num_rounds += 1;
            self.num_tokens += round.tokens.num_run();
            self.seconds += round.seconds;
        }
    }

    fn finished(&mut self, _task: usize, result: &Result<Solution, TaskError>) {
        self.failure = self.failure.take().or_else(|| result.as_ref().err().cloned());
    }
}

fn run(
    generator: &mut Generator,
    settings: Settings,
    tasks: &[Submission],
    stop: &AtomicBool,
) -> Result<Sums, BenchError> {
    generator.change_settings(settings);
    let mut sums = Sums::default();
    generator.run(tasks.to_vec(), &mut sums, stop)?;
    if stop.load(Ordering::Relaxed) {
        return Err(BenchError::Interrupted);
    }
    sums.failure.take().map_or(Ok(sums), |failure| Err(BenchError::Task(failure)))
}
