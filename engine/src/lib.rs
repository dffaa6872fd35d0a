//! KV blocks, sequences that fork, and one verb: [`LanguageModel::step`] runs a mixed ragged batch
//! of [`Work`] in one pass.
//!
//! **Invariants:** sharing, forking and batching change no result; free + live blocks are all
//! blocks after every step; a step that fails has changed nothing. Programming languages and
//! JumpCoder are unknown here.

mod batch;
mod block_pool;
mod engine;
mod error;
mod sequence;
mod sequences;
mod work;

use jump_kernels::TokenId;

pub use block_pool::BlockPool;
pub use engine::{Engine, EngineSize};
pub use error::EngineError;
pub use sequence::Sequence;
pub use sequences::Sequences;
pub use work::{NextOutcome, NextToken, Outcome, ScoreTarget, SequenceId, Work};

/// A language model with a KV cache: what the algorithm needs of one.
pub trait LanguageModel {
    /// The limits of a step and of a sequence.
    fn size(&self) -> EngineSize;

    /// KV blocks that no sequence holds.
    fn num_free_blocks(&self) -> usize;

    /// KV blocks in use, each counted once for every sequence that holds it: what would be in use
    /// if sequences shared none.
    fn num_held_blocks(&self) -> usize;

    /// KV blocks that `num_tokens` more tokens of a sequence take at most.
    fn num_blocks_to_append(&self, id: SequenceId, num_tokens: usize) -> usize;

    /// An empty sequence.
    fn new_sequence(&mut self) -> SequenceId;

    /// The tokens of a sequence: those whose keys and values are in the cache.
    fn tokens(&self, id: SequenceId) -> &[TokenId];

    /// A new sequence of the first `len` tokens of `id`. It shares their blocks.
    fn fork_at(&mut self, id: SequenceId, len: usize) -> SequenceId;

    /// Forgets the tokens of `id` from `len` on.
    fn truncate(&mut self, id: SequenceId, len: usize);

    /// Forgets a sequence.
    fn release(&mut self, id: SequenceId);

    /// Runs the tokens of all works in one pass and gives what they want, in their order.
    ///
    /// # Errors
    ///
    /// Too many rows, too long a sequence, or too few blocks; nothing has changed then.
    fn step(&mut self, work: &[Work]) -> Result<Vec<Outcome>, EngineError>;

    /// KV blocks in use.
    fn num_live_blocks(&self) -> usize {
        self.size().num_blocks - self.num_free_blocks()
    }
}
