//! What a request asks of the models: works, each with the place its outcome goes to.

use jump_engine::{NextToken, ScoreTarget, SequenceId, Work};
use jump_kernels::TokenId;

use crate::idle::Owner;
use crate::mechanism::Mechanism;
use crate::models::{Models, Role};
use crate::settings::{REFERENCE_CONTEXT_LEN, Settings};

/// Where in a request an outcome goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The line that G writes next, by the sequence that it is written in, and by how often the
    /// lines in progress were dropped before.
    NextLine(SequenceId, u32),
    /// The sequence that all infill prompts begin with.
    Stem,
    /// A branch, by its place among the round's branches.
    Branch(usize),
    /// A candidate that is rescored, by its place among the round's.
    Candidate(usize),
    /// The perplexity of a finished program, by its place among those that are compared.
    Perplexity(usize),
}

/// What an order is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// G's next line.
    Generation,
    /// The stem.
    Stem,
    /// The branches.
    Infilling,
    /// The candidates.
    Rescoring,
    /// The choice of the variant F.
    Choice,
}

impl Slot {
    /// The part of the work that it belongs to.
    pub fn part(self) -> Part {
        match self {
            Self::NextLine(..) => Part::Generation,
            Self::Stem => Part::Stem,
            Self::Branch(_) => Part::Infilling,
            Self::Candidate(_) => Part::Rescoring,
            Self::Perplexity(_) => Part::Choice,
        }
    }
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

    /// A work with the settings' scores.
    pub fn work(
        &self,
        sequence: SequenceId,
        tokens: Vec<TokenId>,
        targets: Vec<ScoreTarget>,
        next: Option<NextToken>,
    ) -> Work {
        let score = self.settings.score;
        let full_head = !self.settings.uses(Mechanism::DotHead);
        Work { sequence, tokens, targets, next, score, full_head }
    }

    /// Lets an empty sequence begin like an idle one of the family that begins like `tokens`.
    pub fn begin_like(
        &mut self,
        role: Role,
        owner: Owner,
        sequence: &mut SequenceId,
        tokens: &[TokenId],
    ) {
        let model = self.models.get_mut(role);
        let engine = model.engine.as_mut();
        if !engine.tokens(*sequence).is_empty() || !self.settings.uses(Mechanism::Fork) {
            return;
        }
        if let Some(found) = model.idle.longest_match(owner.family, tokens, engine) {
            engine.release(*sequence);
            *sequence = model.idle.fork_at(found, found.len, engine);
        }
    }

    /// Tokens that a program may have to go on. The reference has a limit of its own.
    pub fn max_program_len(&self) -> usize {
        let context_len = self.context_len(Role::Generation);
        if self.settings.reference_quirks {
            return context_len.min(REFERENCE_CONTEXT_LEN);
        }
        context_len
    }

    /// Tokens that a draft may have: with the token before it, it must fit into one step.
    pub fn max_draft_len(&self, role: Role) -> usize {
        self.models.get(role).engine.size().max_rows - 1
    }

    /// Tokens that a sequence of this model may have.
    pub fn context_len(&self, role: Role) -> usize {
        self.models.get(role).engine.size().context_len
    }
}
