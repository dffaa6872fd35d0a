//! A mode, loaded and ready to run beside others, and what its runs told.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result};
use jump_models::Tokenizer;
use jumpcoder::event::{Round, TokenCounts};
use jumpcoder::generator::{Generator, Limits, ModelChoice};
use jumpcoder::mechanism::{Mechanism, Mechanisms};
use jumpcoder::scheduler::Submission;
use jumpcoder::settings::{Mode, Settings};
use jumpcoder::task::{Observer, Solution, Task, TaskError};
use serde::Serialize;

/// A mode with its own loaded model.
pub struct Contestant {
    /// What tables call it.
    pub name: &'static str,
    /// Its settings.
    pub settings: Settings,
    /// Seconds that loading took.
    pub load_seconds: f64,
    generator: Generator,
}

impl Contestant {
    /// Loads the embedded model for `settings`.
    ///
    /// # Errors
    ///
    /// Too little memory for so many programs in flight.
    pub fn load(name: &'static str, settings: Settings, concurrency: usize) -> Result<Self> {
        let start = Instant::now();
        let limits = Limits { concurrency, prefill_chunk: None, kv_bytes: None, max_context: None };
        let generator = Generator::new(&ModelChoice::Tiny, None, settings.clone(), limits)?;
        Ok(Self { name, settings, load_seconds: start.elapsed().as_secs_f64(), generator })
    }

    /// Runs all tasks; gives their solutions, in the order of the tasks, and the seconds of it all.
    ///
    /// # Errors
    ///
    /// A step or a task that failed.
    pub fn run(&mut self, tasks: &[Task]) -> Result<(Vec<Solution>, f64)> {
        let mut listener = Listener::new(tasks.len());
        let start = Instant::now();
        self.generator.run(Submission::all(tasks), &mut listener, &AtomicBool::new(false))?;
        let seconds = start.elapsed().as_secs_f64();
        Ok((listener.into_solutions()?, seconds))
    }
}

/// Plain generation.
pub fn ar() -> Settings {
    Settings { mode: Mode::Ar, ..Settings::default() }
}

/// JumpCoder as it is by default.
pub fn jump() -> Settings {
    Settings::default()
}

/// JumpCoder that decodes every infill anew.
pub fn jump_without_speculation() -> Settings {
    let mechanisms = Mechanisms::all().without(Mechanism::Drafts);
    Settings { mechanisms, ..Settings::default() }
}

/// Keeps the solutions.
pub struct Listener(Vec<Option<Result<Solution, TaskError>>>);

impl Listener {
    /// Of so many tasks.
    pub fn new(num_tasks: usize) -> Self {
        Self(vec![None; num_tasks])
    }

    /// All solutions, in the order of the tasks.
    ///
    /// # Errors
    ///
    /// A task that failed.
    pub fn into_solutions(self) -> Result<Vec<Solution>> {
        let solutions = self.0.into_iter().enumerate().map(|(task_idx, result)| {
            let result = result.context("it never ended").and_then(|result| Ok(result?));
            result.with_context(|| format!("task {task_idx} of the run"))
        });
        solutions.collect()
    }
}

impl Observer for Listener {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, _round: &Round) {}

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        self.0[task] = Some(result.clone());
    }
}

/// What a run did, apart from its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Programs.
    pub num_problems: usize,
    /// Tokens of the programs, without their prompts.
    pub num_committed: usize,
    /// Insertions accepted.
    pub num_insertions: usize,
    /// Rounds.
    pub num_rounds: usize,
    /// Tokens that were run.
    pub tokens: TokenCounts,
}

impl Totals {
    /// The sums over all programs.
    pub fn of(tasks: &[Task], solutions: &[Solution], tokenizer: &Tokenizer) -> Self {
        let mut totals = Self::default();
        for (task, solution) in tasks.iter().zip(solutions) {
            let len = |text: &str| tokenizer.encode(text).len();
            totals.num_problems += 1;
            totals.num_committed += len(&solution.program).saturating_sub(len(&task.prompt));
            totals.num_insertions += solution.insertions.len();
            totals.num_rounds += solution.num_rounds;
            totals.tokens.add(&solution.tokens);
        }
        totals
    }

    /// The kinds of tokens that were run, by name, then those that were reused.
    pub fn kinds(&self) -> [(&'static str, usize); 7] {
        let tokens = &self.tokens;
        [
            ("prefill", tokens.prefill),
            ("decode", tokens.decode),
            ("infill prefill", tokens.infill_prefill),
            ("infill decode", tokens.infill_decode),
            ("verify", tokens.verify),
            ("rescore", tokens.rescore),
            ("(reused)", tokens.reused),
        ]
    }
}

/// What must not change when a run is repeated.
pub fn is_same(a: &Solution, b: &Solution) -> bool {
    a.program == b.program && a.insertions == b.insertions && a.tokens == b.tokens
}
