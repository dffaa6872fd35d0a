//! What a step is asked to do, and what it answers.

use std::sync::Arc;

use jump_kernels::{Chosen, Sampling, ScoreKind, TokenId};

/// Names a sequence of an engine. An id that was released never names another sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SequenceId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// A token whose score is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreTarget {
    /// Which of the work's tokens predicts it, counting from 0.
    pub after: usize,
    /// The token.
    pub token: TokenId,
}

/// How the next token is wanted.
#[derive(Clone, Debug)]
pub struct NextToken {
    /// So many of the work's last tokens are a draft: tokens that the model may or may not choose
    /// itself. Only those that it would are kept; a draft is verified greedily.
    pub draft_len: usize,
    /// Tokens that may not be chosen.
    pub banned: Arc<[TokenId]>,
    /// `None` takes the most probable token.
    pub sampling: Option<Sampling>,
}

impl NextToken {
    /// The most probable token.
    pub fn greedy() -> Self {
        Self { draft_len: 0, banned: Arc::new([]), sampling: None }
    }
}

/// New tokens of one sequence, and what is wanted of them. With neither targets nor a next token it
/// is a prefill.
#[derive(Clone, Debug)]
pub struct Work {
    /// The sequence that the tokens continue; in one step no two works name the same.
    pub sequence: SequenceId,
    /// The tokens; at least one.
    pub tokens: Vec<TokenId>,
    /// Tokens whose scores are wanted, in the order of the tokens that predict them.
    pub targets: Vec<ScoreTarget>,
    /// Whether and how the token after the last one is wanted.
    pub next: Option<NextToken>,
    /// What a score is.
    pub score: ScoreKind,
}

impl Work {
    /// Splits the first `num_tokens` tokens off, as a work of its own that comes first. The draft
    /// must stay behind with at least one token before it.
    #[must_use]
    pub fn split_front(&mut self, num_tokens: usize) -> Self {
        assert!(0 < num_tokens && num_tokens <= self.max_front_len(), "nothing is left to split");
        let rest = self.tokens.split_off(num_tokens);
        let num_targets = self.targets.partition_point(|target| target.after < num_tokens);
        let mut targets = self.targets.split_off(num_targets);
        for target in &mut targets {
            target.after -= num_tokens;
        }
        let next = self.next.take();
        let rest = Self { tokens: rest, targets, next, ..*self };
        std::mem::replace(self, rest)
    }

    /// Tokens that [`Work::split_front`] may split off.
    pub fn max_front_len(&self) -> usize {
        self.tokens.len() - 1 - self.next.as_ref().map_or(0, |next| next.draft_len)
    }
}

/// The next token, and how much of the draft was right.
#[derive(Clone, Debug, PartialEq)]
pub struct NextOutcome {
    /// The draft's accepted tokens with their scores. The sequence ends after the last of them.
    pub accepted: Vec<Chosen>,
    /// The token after them.
    pub chosen: Chosen,
}

/// What a work gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The scores of the targets, in their order.
    pub scores: Vec<f32>,
    /// The next token, if it was wanted.
    pub next: Option<NextOutcome>,
}
