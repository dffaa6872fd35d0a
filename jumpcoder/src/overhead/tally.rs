//! What the runs of a mode told.

use std::time::Duration;

use jump_models::Tokenizer;

use crate::event::{Round, TokenCounts};
use crate::scheduler::{RunStats, Submission};
use crate::task::{Insertion, Observer, Solution, TaskError};

/// What must not differ: the program and its insertions, or the error.
type Written = Result<(String, Vec<Insertion>), TaskError>;

/// Sums over the tasks of a repeat. Later repeats only add their seconds, and are compared.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Of each repeat.
    pub seconds: Vec<f64>,
    /// What was written, in the order of the tasks.
    pub written: Vec<Written>,
    /// Tokens that were run.
    pub tokens: TokenCounts,
    /// What the first repeat took of the machine.
    pub stats: RunStats,
    /// Rounds.
    pub num_rounds: usize,
    /// Tokens of the programs, without their prompts.
    pub num_committed: usize,
    /// Lines of the programs, without their prompts.
    pub num_lines: usize,
    /// Tasks of this repeat that are in already.
    num_merged: usize,
    /// Did a later repeat write or run something else?
    pub has_varied: bool,
    /// The place of each task that is running.
    places: Vec<usize>,
}

impl Tally {
    /// Of a run of `tasks`, which begins now.
    pub fn of(tasks: &[Submission]) -> Self {
        let places = tasks.iter().map(|submission| submission.task_idx).collect();
        let written = vec![Err(TaskError::Cancelled); tasks.len()];
        Self { written, places, ..Self::default() }
    }

    /// The run is over.
    pub fn end(&mut self, elapsed: Duration, stats: RunStats) {
        self.seconds = vec![elapsed.as_secs_f64()];
        self.stats = stats;
    }

    /// Counts what was written beyond the prompts.
    pub fn count_committed(&mut self, tasks: &[Submission], tokenizer: &Tokenizer) {
        for (Submission { task, .. }, written) in tasks.iter().zip(&self.written) {
            let Ok((program, _)) = written else { continue };
            // As the program begins with it.
            let prompt = format!("{}\n", task.prompt.trim_end());
            let grown =
                |count: &dyn Fn(&str) -> usize| count(program).saturating_sub(count(&prompt));
            self.num_committed += grown(&|text| tokenizer.encode(text).len());
            self.num_lines += grown(&|text| text.lines().count());
        }
    }

    /// Another repeat begins.
    pub fn begin_repeat(&mut self) {
        self.seconds.push(0.0);
        self.num_merged = 0;
    }

    /// Adds a run of the next tasks of this repeat.
    pub fn merge(&mut self, run: Self) {
        *self.seconds.last_mut().expect("a repeat has begun") += run.seconds[0];
        let place = self.num_merged..self.num_merged + run.written.len();
        self.num_merged = place.end;
        if self.seconds.len() > 1 {
            self.has_varied |= self.written[place] != run.written[..];
            return;
        }
        self.written.extend(run.written);
        self.tokens.add(&run.tokens);
        self.stats.add(&run.stats);
        self.num_rounds += run.num_rounds;
        self.num_committed += run.num_committed;
        self.num_lines += run.num_lines;
    }

    /// Insertions that were accepted.
    pub fn num_insertions(&self) -> usize {
        let solved = self.written.iter().filter_map(|written| written.as_ref().ok());
        solved.map(|(_, insertions)| insertions.len()).sum()
    }

    /// Tasks that failed.
    pub fn num_failed(&self) -> usize {
        self.written.iter().filter(|written| written.is_err()).count()
    }

    fn place(&self, task_idx: usize) -> usize {
        let place = self.places.iter().position(|place| *place == task_idx);
        place.expect("only tasks that were handed in are heard of")
    }
}

impl Observer for Tally {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, _round: &Round) {
        self.num_rounds += 1;
    }

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        let place = self.place(task);
        self.written[place] = result.as_ref().map_err(Clone::clone).map(|solution| {
            self.tokens.add(&solution.tokens);
            (solution.program.clone(), solution.insertions.clone())
        });
    }
}
