//! One line of the output: what came of one sample of one problem.

use serde::{Deserialize, Serialize};

use crate::event::TokenCounts;
use crate::task::{Insertion, Solution, TaskError};

/// Every line begins so: it tells our files from others', even where only a piece is left.
pub(super) const LINE_START: &str = "{\"task_id\":\"";

/// What a line of output belongs to, known before the work begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The problem's id.
    pub id: String,
    /// Which of its samples, counting from 0.
    pub sample: usize,
    /// The problem's prompt; empty if it could not be read.
    pub prompt: String,
    /// [`digest`](super::digest) of all that makes the problem.
    pub problem: String,
}

/// The line, in the order of its fields.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    task_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<usize>,
    solution: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion: Option<&'a str>,
    insertions: &'a [Insertion],
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_ar: Option<bool>,
    rounds: usize,
    tokens: TokenCounts,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    settings: &'a str,
    problem: &'a str,
}

impl<'a> Record<'a> {
    /// A problem that failed still has a solution, its prompt: the benchmarks' readers want one.
    pub(super) fn new(
        slot: &'a Slot,
        several_samples: bool,
        settings: &'a str,
        result: &'a Result<Solution, TaskError>,
    ) -> Self {
        let solution = result.as_ref().ok();
        Self {
            task_id: &slot.id,
            sample: several_samples.then_some(slot.sample),
            solution: solution.map_or(&slot.prompt, |solution| &solution.program),
            completion: solution.and_then(|solution| solution.completion.as_deref()),
            insertions: solution.map_or(&[], |solution| &solution.insertions),
            kept_ar: solution.and_then(|solution| solution.kept_ar),
            rounds: solution.map_or(0, |solution| solution.num_rounds),
            tokens: solution.map_or_else(TokenCounts::default, |solution| solution.tokens),
            seconds: solution.map_or(0.0, |solution| solution.seconds),
            error: result.as_ref().err().map(ToString::to_string),
            settings,
            problem: &slot.problem,
        }
    }

    /// The whole line, with its end.
    pub(super) fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("strings and numbers can be written");
        assert!(line.starts_with(LINE_START.as_bytes()), "`task_id` is the first field");
        line.push(b'\n');
        line
    }
}

/// What must be known of a line that an earlier run wrote.
#[derive(Deserialize)]
pub(super) struct Written {
    pub(super) task_id: String,
    #[serde(default)]
    pub(super) sample: usize,
    pub(super) error: Option<String>,
    pub(super) settings: String,
    pub(super) problem: String,
}
