//! Measures whole runs; `cargo bench` measures their parts. [`USAGE`](jump_benches::args::USAGE)
//! says how, `RESULTS.md` what came of it.

use std::process::ExitCode;

use anyhow::{Context, Result};
use jump_benches::args::{Args, Command, USAGE};
use jump_benches::floor;
use jump_benches::machine::Machine;
use jump_benches::passes::ModelCost;
use jump_models::Checkpoint;

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match Args::parse(std::env::args().skip(1)).and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.num_threads).build()?;
    let report = pool.install(|| measure(args))?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report)? + "\n";
        std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

fn measure(args: &Args) -> Result<serde_json::Value> {
    Ok(match args.command {
        Command::Floor => serde_json::to_value(floor::measure(args)?)?,
        Command::Machine => {
            let cost = ModelCost::of(&Checkpoint::tiny()?.config);
            let machine = Machine::measure(cost.weight_bytes as usize);
            machine.print();
            serde_json::to_value(machine)?
        }
    })
}
