//! The command line, parsed by hand: a bench needs no more.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use jumpcoder::problem::{self, Source};
use jumpcoder::task::Task;

/// What `--help` says, and every mistake.
pub const USAGE: &str = "\
usage: jump-benches COMMAND [--input FILE] [--limit N] [--threads N] [--repeat N] [--json FILE]
                    [--concurrency N,N,..]
commands:
  speed       ar, jump, and jump without speculation in turns, one problem at a time
  throughput  jump and ar in turns, many problems at a time
  machine     what this machine can do: multiply-adds and bytes a second
default: the embedded examples, 2 threads, 5 repeats, concurrency 1,8,32,64";

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// [`crate::speed`].
    Speed,
    /// [`crate::throughput`].
    Throughput,
    /// [`crate::machine`].
    Machine,
}

/// The arguments.
#[derive(Clone, Debug)]
pub struct Args {
    /// What to measure.
    pub command: Command,
    /// The problems; `None` for the embedded examples.
    pub input: Option<PathBuf>,
    /// Only the first so many.
    pub limit: Option<usize>,
    /// Threads of the models' arithmetic.
    pub num_threads: usize,
    /// Measurements of each figure.
    pub num_repeats: usize,
    /// Where the figures go for machines.
    pub json: Option<PathBuf>,
    /// Problems in flight, for [`Command::Throughput`].
    pub concurrencies: Vec<usize>,
}

impl Args {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    ///
    /// Anything that [`USAGE`] doesn't know.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let command = match words.next().as_deref() {
            Some("speed") => Command::Speed,
            Some("throughput") => Command::Throughput,
            Some("machine") => Command::Machine,
            _ => bail!("{USAGE}"),
        };
        let mut args = Self {
            command,
            input: None,
            limit: None,
            num_threads: 2,
            num_repeats: 5,
            json: None,
            concurrencies: vec![1, 8, 32, 64],
        };
        while let Some(name) = words.next() {
            let value = words.next().with_context(|| format!("{name} has no value\n{USAGE}"))?;
            args.set(&name, &value).with_context(|| format!("{name} {value}"))?;
        }
        Ok(args)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "--input" => self.input = Some(value.into()),
            "--limit" => self.limit = Some(at_least_one(value)?),
            "--threads" => self.num_threads = at_least_one(value)?,
            "--repeat" => self.num_repeats = at_least_one(value)?,
            "--json" => self.json = Some(value.into()),
            "--concurrency" => {
                self.concurrencies = value.split(',').map(at_least_one).collect::<Result<_>>()?;
            }
            _ => bail!("{USAGE}"),
        }
        Ok(())
    }

    /// The problems as tasks.
    ///
    /// # Errors
    ///
    /// An input that can't be read, or that holds no problem.
    pub fn tasks(&self) -> Result<Vec<Task>> {
        let source = self.input.clone().map_or(Source::Examples, Source::File);
        let tasks = problem::tasks(&problem::read(&source)?, 1, self.limit);
        anyhow::ensure!(!tasks.is_empty(), "{source}: no problem can be read");
        Ok(tasks)
    }
}

fn at_least_one(text: &str) -> Result<usize> {
    let number = text.parse().context("not a whole number")?;
    anyhow::ensure!(number > 0, "it must be at least 1");
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::{Args, Command};

    fn parse(line: &str) -> anyhow::Result<Args> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn values_are_read_and_mistakes_are_told() {
        let args = parse("throughput --limit 3 --concurrency 2,4").expect("it is right");
        assert_eq!(args.command, Command::Throughput);
        assert_eq!((args.limit, args.concurrencies), (Some(3), vec![2, 4]));
        for wrong in ["", "walk", "speed --limit", "speed --limit 0", "speed --speed 1"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
