//! What a line costs as programs get longer: the same problems, each below more and more other
//! code.

use std::fmt::Write;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::{BenchError, Spread};
use crate::event::Round;
use crate::generator::Generator;
use crate::mechanism::Mechanisms;
use crate::scheduler::Submission;
use crate::settings::{Mode, Settings};
use crate::task::{Observer, Solution, Task, TaskError};

const INFALLIBLE: &str = "a string can be written to";

/// Lines that may be added to a prompt.
const MAX_NEW_LINES: usize = 12;

/// What a round costs at one length of the prompt.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// Lines of the prompts.
    pub num_lines: usize,
    /// Tokens of the prompts on average.
    pub num_tokens: f64,
    /// Rounds that were measured: all but the first of each problem, which runs the prompt.
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

/// Measures rounds of `problems` below `lengths` lines of code: the programs that the model writes
/// for the others.
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
    let programs = run(generator, settings.clone(), problems, stop)?.programs;
    let mut runs: Vec<[Vec<Rounds>; 2]> = lengths.iter().map(|_| Default::default()).collect();
    let tasks: Vec<Vec<Task>> =
        lengths.iter().map(|len| lengthened(problems, &programs, *len)).collect();
    for _ in 0..num_repeats {
        for ((tasks, len), runs) in tasks.iter().zip(lengths).zip(&mut runs) {
            for (mode, runs) in [Mode::Jump, Mode::Ar].into_iter().zip(runs) {
                let settings =
                    Settings { mode, max_lines: len + MAX_NEW_LINES, ..settings.clone() };
                runs.push(run(generator, settings, tasks, stop)?);
            }
        }
    }
    let mut points = Vec::new();
    for ((tasks, num_lines), [jump, ar]) in tasks.iter().zip(lengths).zip(runs) {
        let max_lines = num_lines + MAX_NEW_LINES;
        let mechanisms = Mechanisms::none();
        let alone = Settings { mode: Mode::Jump, max_lines, mechanisms, ..settings.clone() };
        let unshared = run(generator, alone, tasks, stop)?;
        let num_tokens = tasks.iter().map(|task| generator.tokenizer().encode(&task.prompt).len());
        let num_tokens: usize = num_tokens.sum();
        points.push(Point {
            num_lines: *num_lines,
            num_tokens: num_tokens as f64 / tasks.len() as f64,
            num_rounds: jump[0].num_rounds,
            tokens_per_round: jump[0].tokens_per_round(),
            unshared_tokens_per_round: unshared.tokens_per_round(),
            seconds_per_round: Spread::of(jump.iter().map(Rounds::seconds_per_round)),
            ar_seconds_per_round: Spread::of(ar.iter().map(Rounds::seconds_per_round)),
        });
    }
    Ok(points)
}

/// The table.
pub fn table(points: &[Point]) -> String {
    let mut text = format!(
        "{:>6} {:>8} {:>7} {:>14} {:>16} {:>22} {:>22} {:>12}\n",
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
            "{:>6} {:>8.0} {:>7} {:>14.1} {:>16.1} {:>22} {:>22} {:>11.2}x",
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

/// Each problem below the end of other code, so that its prompt has `len` lines.
fn lengthened(problems: &[Task], programs: &[String], len: usize) -> Vec<Task> {
    let lengthen = |(place, problem): (usize, &Task)| {
        let own: Vec<&str> = problem.prompt.trim_end().lines().collect();
        let others = programs.iter().cycle().skip(place + 1).take(programs.len().max(1) * 64);
        let mut above: Vec<&str> = Vec::new();
        for program in others.take_while(|program| !program.is_empty()) {
            if above.len() + own.len() >= len {
                break;
            }
            above.extend(program.lines());
        }
        let num_above = len.saturating_sub(own.len()).min(above.len());
        let lines = [&above[above.len() - num_above..], &own[own.len().saturating_sub(len)..]];
        Task { prompt: lines.concat().join("\n"), ..problem.clone() }
    };
    problems.iter().enumerate().map(lengthen).collect()
}

/// Sums over rounds.
#[derive(Default)]
struct Rounds {
    num_rounds: usize,
    num_tokens: usize,
    seconds: f64,
    programs: Vec<String>,
}

impl Rounds {
    fn tokens_per_round(&self) -> f64 {
        self.num_tokens as f64 / self.num_rounds.max(1) as f64
    }

    fn seconds_per_round(&self) -> f64 {
        self.seconds / self.num_rounds.max(1) as f64
    }
}

impl Observer for Rounds {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, round: &Round) {
        if round.round > 0 {
            self.num_rounds += 1;
            self.num_tokens += round.tokens.num_run();
            self.seconds += round.seconds;
        }
    }

    fn finished(&mut self, _task: usize, result: &Result<Solution, TaskError>) {
        self.programs.extend(result.as_ref().map(|solution| solution.program.clone()));
    }
}

fn run(
    generator: &mut Generator,
    settings: Settings,
    tasks: &[Task],
    stop: &AtomicBool,
) -> Result<Rounds, BenchError> {
    generator.change_settings(settings);
    let mut rounds = Rounds::default();
    generator.run(Submission::all(tasks), &mut rounds, stop)?;
    if stop.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(BenchError::Interrupted);
    }
    Ok(rounds)
}
