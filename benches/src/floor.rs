//! The least time that plain and jumping generation can take on this machine, pass by pass.

use anyhow::Result;
use jump_models::Checkpoint;
use jumpcoder::settings::{Mode, Settings};
use serde::Serialize;

use crate::args::Args;
use crate::machine::Machine;
use crate::passes::{self, ModelCost, Passes};

/// What was counted.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    cost: ModelCost,
    num_problems: usize,
    modes: Vec<(&'static str, Passes)>,
}

/// Counts and prints.
///
/// # Errors
///
/// An input that can't be read, or a run that failed.
pub fn measure(args: &Args) -> Result<Report> {
    let tasks = args.tasks()?;
    let cost = ModelCost::of(&Checkpoint::tiny()?.config);
    let machine = Machine::measure(cost.weight_bytes as usize);
    let mut modes = Vec::new();
    for (name, mode) in [("ar", Mode::Ar), ("jump", Mode::Jump)] {
        let settings = Settings { mode, ..Settings::default() };
        modes.push((name, passes::count(&tasks, &settings, machine)?));
    }
    let report = Report { machine, cost, num_problems: tasks.len(), modes };
    report.print();
    Ok(report)
}

impl Report {
    fn print(&self) {
        self.machine.print();
        println!("{} problems, one at a time; figures are for one problem\n", self.num_problems);
        let per_problem = |count: usize| count as f64 / self.num_problems as f64;
        for (name, passes) in &self.modes {
            let Passes { num_passes, num_narrow, num_rows, flops, floor_seconds, .. } = *passes;
            println!(
                "{name:<5} floor {:.2} ms; {:.2} GFLOP; {:.1} passes, {:.1} of them of at most {} \
                 rows; {:.0} rows",
                floor_seconds * 1e3 / self.num_problems as f64,
                flops / 1e9 / self.num_problems as f64,
                per_problem(num_passes),
                per_problem(num_narrow),
                Passes::NARROW,
                per_problem(num_rows),
            );
        }
    }
}
