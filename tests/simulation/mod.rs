//! Deterministic simulation: from a seed, a whole schedule of tasks, over a model that costs
//! nothing. Whatever the scheduler does with a schedule, what comes of its tasks is what each gives
//! alone.
//!
//! `JUMP_SEED=n` replays the schedule of one seed, `JUMP_SCHEDULES=n` runs so many.

mod coverage;
mod heard;
mod run;
mod schedule;
mod script;
mod scripted;
mod vocabulary;

use std::thread;
use std::time::Instant;

use self::coverage::Coverage;
use self::run::Workshop;

/// Schedules of a run that asks for no number.
const NUM_SCHEDULES: u64 = 1500;

/// From this many on, everything must have happened.
const NUM_SCHEDULES_FOR_COVERAGE: u64 = 1000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

/// Runs every `stride`th seed from `first` on, below `end`.
fn run_seeds(first: u64, end: u64, stride: usize) -> Coverage {
    let (mut workshop, mut coverage) = (Workshop::new(), Coverage::default());
    for seed in (first..end).step_by(stride) {
        run::run(seed, &mut workshop, &mut coverage);
    }
    coverage
}

#[test]
fn every_schedule_gives_what_its_tasks_give_alone() {
    if let Some(seed) = number("JUMP_SEED") {
        run_seeds(seed, seed + 1, 1);
        return;
    }
    let num_schedules = number("JUMP_SCHEDULES").unwrap_or(NUM_SCHEDULES);
    let num_threads = thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    let coverage = thread::scope(|scope| {
        let spawn = |first| scope.spawn(move || run_seeds(first, num_schedules, num_threads));
        let threads: Vec<_> = (0..num_threads as u64).map(spawn).collect();
        let mut all = Coverage::default();
        for thread in threads {
            all.merge(&thread.join().expect("its message says what failed"));
        }
        all
    });
    let rate = num_schedules as f64 / began.elapsed().as_secs_f64() * 60.0;
    println!("{num_schedules} schedules, {rate:.0} a minute\n{coverage}");
    let missing = coverage.missing();
    let is_enough = num_schedules >= NUM_SCHEDULES_FOR_COVERAGE;
    assert!(!is_enough || missing.is_empty(), "never happened: {missing:?}");
}
