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
    /// What the model is taken to choose, whatever it would itself, to follow a recorded run: first
    /// after the token before the draft, then after each of the draft. Beyond them it is free.
    pub forced: Vec<TokenId>,
}

impl NextToken {
    /// The most probable token.
    pub fn greedy() -> Self {
        Self { draft_len: 0, banned: Arc::new([]), sampling: None, forced: Vec::new() }
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
    /// Compute the logits of the whole vocabulary to read one off: the same bits as the one dot
    /// product, at the head's full price.
    pub full_head: bool,
}

impl Work {
    /// The first `num_tokens` tokens as a work of its own. The draft must stay behind with at least
    /// one token before it.
    #[must_use]
    pub fn front(&self, num_tokens: usize) -> Self {
        assert!(0 < num_tokens && num_tokens <= self.max_front_len(), "nothing is left behind");
        let num_targets = self.num_targets_in(num_tokens);
        let targets = self.targets[..num_targets].to_vec();
        Self { tokens: self.tokens[..num_tokens].to_vec(), targets, next: None, ..*self }
    }

    /// Leaves what remains when [`Work::front`] has been run.
    pub fn drop_front(&mut self, num_tokens: usize) {
        assert!(num_tokens <= self.max_front_len(), "nothing is left behind");
        self.targets.drain(..self.num_targets_in(num_tokens));
        for target in &mut self.targets {
            target.after -= num_tokens;
        }
        self.tokens.drain(..num_tokens);
    }

    fn num_targets_in(&self, num_tokens: usize) -> usize {
        self.targets.partition_point(|target| target.after < num_tokens)
    }

    /// Tokens that [`Work::front`] may take.
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
