//! Deterministic simulation: from a seed, a whole schedule of tasks, over a model that costs
//! nothing. Whatever the scheduler does with a schedule, what comes of its tasks is what each gives
//! alone.
//!
//! `JUMP_SEED=n` replays the schedule of one seed; `JUMP_SCHEDULES=n` runs so many, from that seed
//! on or from the first.

mod coverage;
mod heard;
mod run;
mod schedule;
mod script;
mod scripted;
mod vocabulary;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use self::coverage::Coverage;
use self::run::Workshop;

/// Schedules of a run that asks for no number.
const NUM_SCHEDULES: u64 = 2000;

/// From this many on, everything must have happened.
const NUM_SCHEDULES_FOR_COVERAGE: u64 = 1000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

/// Runs every `stride`th seed of `seeds`, until one has failed here or elsewhere.
fn run_seeds(seeds: Range<u64>, stride: usize, has_failed: &AtomicBool) -> Coverage {
    let (mut workshop, mut coverage) = (Workshop::new(), Coverage::default());
    for seed in seeds.step_by(stride) {
        if has_failed.load(Ordering::Relaxed) {
            break;
        }
        let run = || run::run(seed, &mut workshop, &mut coverage);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            has_failed.store(true, Ordering::Relaxed);
            resume_unwind(panic);
        }
    }
    coverage
}

/// Runs seeds on all processors.
fn run_all(seeds: &Range<u64>) -> Coverage {
    let num_threads = thread::available_parallelism().map_or(1, usize::from);
    let has_failed = AtomicBool::new(false);
    thread::scope(|scope| {
        let spawn = |thread_idx| {
            let seeds = seeds.start + thread_idx..seeds.end;
            scope.spawn(|| run_seeds(seeds, num_threads, &has_failed))
        };
        let threads: Vec<_> = (0..num_threads as u64).map(spawn).collect();
        let mut all = Coverage::default();
        for thread in threads {
            all.merge(&thread.join().expect("its message says what failed"));
        }
        all
    })
}

#[test]
fn every_schedule_gives_what_its_tasks_give_alone() {
    let (seed, num_schedules) = (number("JUMP_SEED"), number("JUMP_SCHEDULES"));
    let first = seed.unwrap_or(0);
    if let (Some(_), None) = (seed, num_schedules) {
        println!("{:#?}", run::schedule(first, &Workshop::new()));
        run_seeds(first..first + 1, 1, &AtomicBool::new(false));
        return;
    }
    let num_schedules = num_schedules.unwrap_or(NUM_SCHEDULES);
    let began = Instant::now();
    let coverage = run_all(&(first..first + num_schedules));
    let rate = num_schedules as f64 / began.elapsed().as_secs_f64() * 60.0;
    println!("{num_schedules} schedules, {rate:.0} a minute\n{coverage}");
    let missing = coverage.missing();
    let is_enough = num_schedules >= NUM_SCHEDULES_FOR_COVERAGE;
    assert!(!is_enough || missing.is_empty(), "never happened: {missing:?}");
}

#[test]
fn a_seed_is_replayed_exactly() {
    let replay = |seed| {
        let mut coverage = Coverage::default();
        let num_tries = run::run(seed, &mut Workshop::new(), &mut coverage);
        (num_tries, coverage)
    };
    for seed in 0..8 {
        assert_eq!(replay(seed), replay(seed), "seed {seed}");
    }
}
