//! Orders that wait for a step, whole or in parts.

use jump_engine::Work;

use crate::models::Role;
use crate::request::order::Slot;

/// An order, or the rest of one, with the scores of the parts that have run.
pub struct Pending {
    /// The place of its task.
    pub active_idx: usize,
    /// Where in the task its outcome goes.
    pub slot: Slot,
    /// The model that runs it.
    pub role: Role,
    /// What is left to run.
    pub work: Work,
    /// Scores of the parts that have run.
    pub scores: Vec<f32>,
}

/// An order of which a part runs in this step.
pub struct Running {
    /// The order, still with the part.
    pub pending: Pending,
    /// Tokens of the part; all of them if it is the last.
    pub num_tokens: usize,
}

impl Pending {
    /// Tokens of the next part: at most `limit` of what may be split, and never more than
    /// `num_free`. `None` if what can't be split is too long for this step.
    pub fn next_len(&self, limit: usize, num_free: usize) -> Option<usize> {
        let front_len = self.work.max_front_len();
        let num_tokens = self.work.tokens.len();
        if num_tokens <= limit {
            return Some(num_tokens);
        }
        if front_len > 0 {
            return Some(front_len.min(limit));
        }
        (num_tokens <= num_free).then_some(num_tokens)
    }

    /// The work of a part.
    pub fn part(&self, num_tokens: usize) -> Work {
        if num_tokens == self.work.tokens.len() {
            return self.work.clone();
        }
        self.work.front(num_tokens)
    }
}

impl Running {
    /// Is something left to run?
    pub fn has_rest(&self) -> bool {
        self.num_tokens < self.pending.work.tokens.len()
    }

    /// The order without the part, which has run.
    pub fn into_rest(mut self) -> Pending {
        self.pending.work.drop_front(self.num_tokens);
        self.pending
    }
}
