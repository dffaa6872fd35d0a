//! The command line, parsed by hand: a bench needs no more.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use jumpcoder::problem::{self, Source};
use jumpcoder::task::Task;

/// What `--help` says, and every mistake.
pub const USAGE: &str = "\
usage: jump-benches COMMAND [--input FILE] [--limit N] [--threads N] [--json FILE]
commands:
  floor    the least time that problems can take on this machine, plainly and jumping
  machine  what this machine can do: multiply-adds and bytes a second
default: the embedded examples, 2 threads; `jumpcoder bench` measures the time that they do take";

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// [`crate::floor`].
    Floor,
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
    /// Where the figures go for machines.
    pub json: Option<PathBuf>,
}

impl Args {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    ///
    /// Anything that [`USAGE`] doesn't know.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let command = match words.next().as_deref() {
            Some("floor") => Command::Floor,
            Some("machine") => Command::Machine,
            _ => bail!("{USAGE}"),
        };
        let mut args = Self { command, input: None, limit: None, num_threads: 2, json: None };
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
            "--json" => self.json = Some(value.into()),
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
        let args = parse("floor --limit 3 --threads 4").expect("it is right");
        assert_eq!((args.command, args.limit, args.num_threads), (Command::Floor, Some(3), 4));
        for wrong in ["", "walk", "floor --limit", "floor --limit 0", "floor --speed 1"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
