//! The command line: arguments as they were typed ([`cli::args`]), what they mean
//! ([`cli::plan`]), and the commands that do it.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

mod cli;

use cli::args::{BenchCommand, Command, LowArgs};
use cli::bench::{growth, overhead};
use cli::doctor::doctor;
use cli::ending::{Ending, Failure};
use cli::eval::eval;
use cli::generate::generate;
use cli::plan::{HiArgs, Surroundings};
use cli::{inspect, models, selftest, throughput};

fn main() -> ExitCode {
    let ending = run(LowArgs::parse()).unwrap_or_else(|failure| {
        let ending = failure.ending();
        if let Some(text) = failure.message() {
            cli::say(&format!("jumpcoder: {text}"));
        }
        ending
    });
    ending.into()
}

fn run(args: LowArgs) -> Result<Ending, Failure> {
    match args.command {
        Command::Generate(args) => generate(&HiArgs::new(*args, Surroundings::here())?),
        Command::Eval(args) => eval(&args),
        Command::Bench(BenchCommand::Overhead(args)) => overhead(*args),
        Command::Bench(BenchCommand::Growth(args)) => growth(*args),
        Command::Doctor(args) => doctor(&args),
        Command::Inspect(args) => inspect::command(&args),
        Command::Models(args) => models::command(&args),
        Command::Bench(BenchCommand::Kernels(args)) => selftest::kernels(&args),
        Command::Bench(BenchCommand::Decode(args)) => throughput::decode(&args),
        Command::Bench(BenchCommand::Prefill(args)) => throughput::prefill(&args),
        Command::Bench(BenchCommand::Score(args)) => throughput::score(&args),
        Command::Selftest(args) => selftest::selftest(&args),
        Command::Jail { words } => Ok(Ending::Code(jumpcoder::eval::jail::enter(&words))),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut LowArgs::command(), "jumpcoder", &mut script);
            io::stdout().write_all(&script).map_err(Failure::stdout)?;
            Ok(Ending::Success)
        }
    }
}
