//! Many problems at a time: problems and tokens a second as more of them share the passes.

use anyhow::Result;
use jump_models::Checkpoint;
use jumpcoder::task::{Solution, Task};
use serde::Serialize;

use crate::args::Args;
use crate::contestant::{Contestant, Totals, ar, is_same, jump};
use crate::spread::Spread;

/// What was measured at one width of one mode.
#[derive(Debug, Serialize)]
pub struct Point {
    name: &'static str,
    concurrency: usize,
    problems_per_second: Spread,
    committed_per_second: Spread,
    run_per_second: Spread,
    /// Are all programs those of the first width?
    is_same: bool,
}

/// Measures and prints: for each width, `ar` and `jump` in turns.
///
/// # Errors
///
/// An input that can't be read, or a run that failed.
pub fn measure(args: &Args) -> Result<Vec<Point>> {
    let tasks = args.tasks()?;
    let tokenizer = Checkpoint::tiny()?.tokenizer;
    println!("{} problems, {} repeats after a warm-up", tasks.len(), args.num_repeats);
    println!("median [min..max] a second; tokens in thousands\n");
    println!(
        "{:<5} {:>6}  {:<26} {:<24} {:<26} same programs",
        "mode", "width", "problems", "tokens committed", "tokens run"
    );
    let mut first: [Option<Vec<Solution>>; 2] = [None, None];
    let mut points = Vec::new();
    for concurrency in &args.concurrencies {
        let mut contestants = [
            Contestant::load("ar", ar(), *concurrency)?,
            Contestant::load("jump", jump(), *concurrency)?,
        ];
        let runs = run_in_turns(&mut contestants, &tasks, args.num_repeats)?;
        for ((contestant, (solutions, seconds)), first) in
            contestants.iter().zip(runs).zip(&mut first)
        {
            let totals = Totals::of(&tasks, &solutions, &tokenizer);
            let first = first.get_or_insert_with(|| solutions.clone());
            let is_same = first.iter().zip(&solutions).all(|(a, b)| is_same(a, b));
            let rate = |count: usize| Spread::of(seconds.iter().map(|s| count as f64 / s));
            let point = Point {
                name: contestant.name,
                concurrency: *concurrency,
                problems_per_second: rate(totals.num_problems),
                committed_per_second: rate(totals.num_committed),
                run_per_second: rate(totals.tokens.num_run()),
                is_same,
            };
            point.print();
            points.push(point);
        }
    }
    Ok(points)
}

/// For each contestant, its solutions and the seconds of each repeat.
fn run_in_turns(
    contestants: &mut [Contestant],
    tasks: &[Task],
    num_repeats: usize,
) -> Result<Vec<(Vec<Solution>, Vec<f64>)>> {
    let warm_up = |contestant: &mut Contestant| Ok((contestant.run(tasks)?.0, Vec::new()));
    let mut runs: Vec<_> = contestants.iter_mut().map(warm_up).collect::<Result<_>>()?;
    for _ in 0..num_repeats {
        for (contestant, (_, seconds)) in contestants.iter_mut().zip(&mut runs) {
            seconds.push(contestant.run(tasks)?.1);
        }
    }
    Ok(runs)
}

impl Point {
    fn print(&self) {
        let thousands = |spread: Spread| {
            let Spread { median, min, max } = spread;
            format!("{:.1}", Spread { median: median / 1e3, min: min / 1e3, max: max / 1e3 })
        };
        println!(
            "{:<5} {:>6}  {:<26} {:<24} {:<26} {}",
            self.name,
            self.concurrency,
            format!("{:.1}", self.problems_per_second),
            thousands(self.committed_per_second),
            thousands(self.run_per_second),
            if self.is_same { "yes" } else { "NO" },
        );
    }
}
