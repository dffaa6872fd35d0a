//! What jumping costs, and what each mechanism saves: one workload, run in several modes in turns.
//!
//! Modes that jump must all write the same programs; the report says whether they did. Times are
//! compared within a repeat, whose parts ran side by side, because machines are shared and noisy.

pub mod growth;
mod mode;
mod report;
mod spread;
mod tally;

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use thiserror::Error;

pub use self::mode::BenchMode;
pub use self::report::{ModeReport, Report};
pub use self::spread::Spread;
pub use self::tally::Tally;

use crate::generator::{Generator, GeneratorError};
use crate::mechanism::Mechanism;
use crate::scheduler::Submission;
use crate::settings::{Mode, Settings};
use crate::task::TaskError;

/// Tasks that are run before anything is measured.
const NUM_WARM_UP_TASKS: usize = 2;

/// What is run.
#[derive(Clone, Debug)]
pub struct Workload {
    /// For the modes that jump.
    pub jumping: Vec<Submission>,
    /// The same for plain generation.
    pub plain: Vec<Submission>,
}

impl Workload {
    /// The tasks of a mode.
    fn tasks(&self, mode: Mode) -> &[Submission] {
        if mode == Mode::Ar { &self.plain } else { &self.jumping }
    }
}

/// How it is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Measurements of each mode, at least one.
    pub num_repeats: usize,
    /// Run the modes in turns task by task, instead of run by run: for one task at a time.
    pub by_task: bool,
    /// Each is switched off alone, in a mode of its own.
    pub without: Vec<Mechanism>,
}

/// Why there is no measurement.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The generator broke off.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    /// A program of the bench itself failed.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The user broke off.
    #[error("interrupted; nothing is reported, since a mode may be missing")]
    Interrupted,
}

/// Measures. `tell` hears of each run that begins.
///
/// # Errors
///
/// A step that failed, or `stop`.
pub fn measure(
    generator: &mut Generator,
    settings: &Settings,
    workload: &Workload,
    plan: &Plan,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&str),
) -> Result<Report, BenchError> {
    let modes = BenchMode::all(settings, &plan.without);
    let mut tallies: Vec<Tally> = modes.iter().map(|_| Tally::default()).collect();
    let num_warm_up = workload.jumping.len().min(NUM_WARM_UP_TASKS);
    for mode in &modes {
        tell(&format!("warm-up: {}", mode.name));
        let tasks = &workload.tasks(mode.settings.mode)[..num_warm_up];
        run(generator, mode, tasks, stop)?;
    }
    let num_tasks = workload.jumping.len();
    let turn_len = if plan.by_task { 1 } else { num_tasks };
    for repeat in 1..=plan.num_repeats {
        tallies.iter_mut().for_each(Tally::begin_repeat);
        for first in (0..num_tasks).step_by(turn_len) {
            let turn = first..num_tasks.min(first + turn_len);
            for (mode, tally) in modes.iter().zip(&mut tallies) {
                let progress = format!("{}/{num_tasks}", turn.end);
                tell(&format!("repeat {repeat}/{}: {progress}, {}", plan.num_repeats, mode.name));
                let tasks = &workload.tasks(mode.settings.mode)[turn.clone()];
                tally.merge(run(generator, mode, tasks, stop)?);
            }
        }
    }
    Ok(Report::new(generator, modes, &tallies, plan))
}

/// Runs some tasks in a mode.
fn run(
    generator: &mut Generator,
    mode: &BenchMode,
    tasks: &[Submission],
    stop: &AtomicBool,
) -> Result<Tally, BenchError> {
    generator.change_settings(mode.settings.clone());
    let mut tally = Tally::of(tasks);
    let begin = Instant::now();
    let stats = generator.run(tasks.to_vec(), &mut tally, stop)?;
    tally.end(begin.elapsed(), stats);
    if stop.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(BenchError::Interrupted);
    }
    tally.count_committed(tasks, generator.tokenizer());
    Ok(tally)
}
