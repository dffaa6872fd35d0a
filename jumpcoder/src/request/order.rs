//! What a request asks of the models: works, each with the place its outcome goes to.

use jump_engine::Work;

use crate::models::{Models, Role};
use crate::settings::{REFERENCE_CONTEXT_LEN, Settings};

/// Where in a request an outcome goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The line that G writes next.
    NextLine,
    /// The sequence that all infill prompts begin with.
    Stem,
    /// A branch, by its place among the round's branches.
    Branch(usize),
    /// A candidate that is rescored, by its place among the round's.
    Candidate(usize),
    /// The perplexity of a finished program, by its place among those that are compared.
    Perplexity(usize),
}

/// A work, for whom, and where its outcome goes.
#[derive(Debug)]
pub struct Order {
    /// Where the outcome goes.
    pub slot: Slot,
    /// The model that runs it.
    pub role: Role,
    /// The work.
    pub work: Work,
}

/// What a request works with while it handles an outcome.
pub struct Context<'a> {
    /// G and I.
    pub models: &'a mut Models,
    /// The run's settings.
    pub settings: &'a Settings,
    /// Orders are pushed here.
    pub orders: &'a mut Vec<Order>,
}

impl Context<'_> {
    /// Orders a work.
    pub fn order(&mut self, role: Role, slot: Slot, work: Work) {
        self.orders.push(Order { slot, role, work });
    }

    /// Tokens that a program may have to go on. The reference has a limit of its own.
    pub fn max_program_len(&self) -> usize {
        let context_len = self.context_len(Role::Generation);
        if self.settings.reference_quirks {
            return context_len.min(REFERENCE_CONTEXT_LEN);
        }
        context_len
    }

    /// Tokens that a sequence of this model may have.
    pub fn context_len(&self, role: Role) -> usize {
        self.models.get(role).engine.size().context_len
    }
}
