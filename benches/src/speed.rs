//! One problem at a time, the modes in turns: A B C on the first problem, A B C on the second, and
//! all of it again. A ratio is of the sums of one repeat, whose parts ran side by side.

use anyhow::Result;
use jump_models::{Checkpoint, Tokenizer};
use jumpcoder::task::{Solution, Task};
use serde::Serialize;

use crate::args::Args;
use crate::contestant::{Contestant, Totals, ar, is_same, jump, jump_without_speculation};
use crate::machine::Machine;
use crate::passes::{self, ModelCost, Passes};
use crate::spread::Spread;

/// What was measured, for machines.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    cost: ModelCost,
    num_repeats: usize,
    modes: Vec<ModeReport>,
    jump_per_ar: Spread,
    jump_per_ar_by_problem: Spread,
    jump_per_ar_undisturbed: f64,
}

/// What was measured of a mode.
#[derive(Debug, Serialize)]
struct ModeReport {
    name: &'static str,
    load_seconds: f64,
    seconds_per_problem: Spread,
    undisturbed_seconds_per_problem: f64,
    is_repeatable: bool,
    totals: Totals,
    passes: Passes,
}

/// The runs of a mode.
struct Runs {
    /// By repeat, then by problem.
    seconds: Vec<Vec<f64>>,
    solutions: Vec<Solution>,
    is_repeatable: bool,
}

impl Runs {
    fn sums(&self) -> impl Iterator<Item = f64> + '_ {
        self.seconds.iter().map(|seconds| seconds.iter().sum())
    }

    /// The sum of each problem's quickest run: what the time would be on a machine of one's own.
    fn undisturbed(&self) -> f64 {
        let quickest = |problem: usize| {
            self.seconds.iter().map(|seconds| seconds[problem]).fold(f64::INFINITY, f64::min)
        };
        (0..self.solutions.len()).map(quickest).sum()
    }
}

/// Measures and prints.
///
/// # Errors
///
/// An input that can't be read, or a run that failed.
pub fn measure(args: &Args) -> Result<Report> {
    let tasks = args.tasks()?;
    let checkpoint = Checkpoint::tiny()?;
    let cost = ModelCost::of(&checkpoint.config);
    let mut contestants = vec![
        Contestant::load("ar", ar(), 1)?,
        Contestant::load("jump", jump(), 1)?,
        Contestant::load("jump, no speculation", jump_without_speculation(), 1)?,
    ];
    let before = Machine::measure(cost.weight_bytes as usize);
    let runs = run_in_turns(&mut contestants, &tasks, args.num_repeats)?;
    let machine = before.higher(Machine::measure(cost.weight_bytes as usize));
    let mut modes = Vec::new();
    for (contestant, runs) in contestants.iter().zip(&runs) {
        let passes = passes::count(&tasks, &contestant.settings, machine)?;
        modes.push(mode_report(contestant, runs, &tasks, &checkpoint.tokenizer, passes));
    }
    let by_problem = runs[1].seconds.iter().flatten().zip(runs[0].seconds.iter().flatten());
    let report = Report {
        machine,
        cost,
        num_repeats: args.num_repeats,
        modes,
        jump_per_ar: Spread::of(runs[1].sums().zip(runs[0].sums()).map(|(jump, ar)| jump / ar)),
        jump_per_ar_by_problem: Spread::of(by_problem.map(|(jump, ar)| jump / ar)),
        jump_per_ar_undisturbed: runs[1].undisturbed() / runs[0].undisturbed(),
    };
    report.print();
    Ok(report)
}

/// One warm-up that only gives the solutions, then the repeats.
fn run_in_turns(
    contestants: &mut [Contestant],
    tasks: &[Task],
    num_repeats: usize,
) -> Result<Vec<Runs>> {
    let warm_up = |contestant: &mut Contestant| -> Result<Runs> {
        let (solutions, _) = contestant.run(tasks)?;
        Ok(Runs { seconds: Vec::new(), solutions, is_repeatable: true })
    };
    let mut runs: Vec<Runs> = contestants.iter_mut().map(warm_up).collect::<Result<_>>()?;
    for _ in 0..num_repeats {
        for runs in &mut runs {
            runs.seconds.push(Vec::new());
        }
        for (task_idx, task) in tasks.iter().enumerate() {
            for (contestant, runs) in contestants.iter_mut().zip(&mut runs) {
                let (solutions, seconds) = contestant.run(std::slice::from_ref(task))?;
                runs.is_repeatable &= is_same(&solutions[0], &runs.solutions[task_idx]);
                runs.seconds.last_mut().expect("just pushed").push(seconds);
            }
        }
    }
    Ok(runs)
}

fn mode_report(
    contestant: &Contestant,
    runs: &Runs,
    tasks: &[Task],
    tokenizer: &Tokenizer,
    passes: Passes,
) -> ModeReport {
    ModeReport {
        name: contestant.name,
        load_seconds: contestant.load_seconds,
        seconds_per_problem: Spread::of(runs.sums().map(|sum| sum / tasks.len() as f64)),
        undisturbed_seconds_per_problem: runs.undisturbed() / tasks.len() as f64,
        is_repeatable: runs.is_repeatable,
        totals: Totals::of(tasks, &runs.solutions, tokenizer),
        passes,
    }
}

impl Report {
    fn print(&self) {
        self.machine.print();
        println!("{} repeats after a warm-up; median [min..max]\n", self.num_repeats);
        for mode in &self.modes {
            mode.print();
        }
        println!("jump / ar: {:.2} by repeat", self.jump_per_ar);
        println!("           {:.2} by problem", self.jump_per_ar_by_problem);
        println!("           {:.2} undisturbed", self.jump_per_ar_undisturbed);
    }
}

impl ModeReport {
    fn print(&self) {
        let Totals { num_problems, num_committed, num_insertions, num_rounds, tokens } =
            self.totals;
        let per_committed = |count: usize| count as f64 / num_committed.max(1) as f64;
        println!("{} (loaded in {:.0} ms)", self.name, self.load_seconds * 1e3);
        println!("  seconds per problem     {:.5}", self.seconds_per_problem);
        let taken = self.undisturbed_seconds_per_problem;
        println!("  undisturbed             {taken:.5} (the quickest run of each problem)");
        let Passes { num_passes, num_narrow, num_rows, flops, floor_seconds, .. } = self.passes;
        let floor = floor_seconds / num_problems as f64;
        println!(
            "  floor of the passes     {floor:.5}: {:.0} % of the roof, {:.0} GFLOP/s",
            100.0 * floor / taken,
            flops / num_problems as f64 / taken / 1e9,
        );
        println!(
            "  passes per problem      {:.1}, {:.1} of them of at most {} rows; {:.1} rows a pass",
            num_passes as f64 / num_problems as f64,
            num_narrow as f64 / num_problems as f64,
            Passes::NARROW,
            num_rows as f64 / num_passes.max(1) as f64,
        );
        println!(
            "  {num_problems} problems, {num_committed} tokens committed, {num_rounds} rounds, \
             {num_insertions} insertions"
        );
        println!("  tokens run              {}", tokens.num_run());
        println!("  per committed token     {:.2}", per_committed(tokens.num_run()));
        for (name, count) in self.totals.kinds() {
            println!("    {name:<15} {count:>9} {:>9.2}", per_committed(count));
        }
        let same = if self.is_repeatable { "identical" } else { "DIFFERENT" };
        println!("  outputs of all repeats  {same}\n");
    }
}
