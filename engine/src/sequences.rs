//! The sequences of an engine and the blocks that they hold: everything about a step that needs no
//! arithmetic.

use std::collections::HashSet;

use jump_kernels::BlockId;

use crate::block_pool::BlockPool;
use crate::sequence::Sequence;
use crate::{EngineError, EngineSize, Outcome, SequenceId, Work};

/// A place for a sequence; its generation tells the ids apart that it had.
#[derive(Default)]
struct Slot {
    generation: u32,
    sequence: Option<Sequence>,
}

/// Sequences by id, and their pool.
pub struct Sequences {
    size: EngineSize,
    slots: Vec<Slot>,
    free_slots: Vec<u32>,
    // Dropped after the slots' sequences were given back, see `Drop`.
    pool: BlockPool,
}

impl Sequences {
    /// No sequences; `size.num_blocks` free blocks.
    pub fn new(size: EngineSize) -> Self {
        let pool = BlockPool::new(size.num_blocks);
        Self { size, slots: Vec::new(), free_slots: Vec::new(), pool }
    }

    /// The limits of a step and of a sequence.
    pub fn size(&self) -> EngineSize {
        self.size
    }

    /// The blocks.
    pub fn pool(&self) -> &BlockPool {
        &self.pool
    }

    /// Adds an empty sequence.
    pub fn add(&mut self) -> SequenceId {
        self.insert(Sequence::default())
    }

    /// A sequence that was not released.
    pub fn get(&self, id: SequenceId) -> &Sequence {
        let slot = &self.slots[id.slot as usize];
        assert_eq!(slot.generation, id.generation, "{id:?} was released");
        slot.sequence.as_ref().expect("a slot of the id's generation holds a sequence")
    }

    /// Adds a sequence of the first `len` tokens of `id`.
    pub fn fork_at(&mut self, id: SequenceId, len: usize) -> SequenceId {
        let (sequence, pool) = self.get_mut(id);
        let fork = sequence.fork_at(len, pool);
        self.insert(fork)
    }

    /// Forgets the tokens of `id` from `len` on.
    pub fn truncate(&mut self, id: SequenceId, len: usize) {
        let (sequence, pool) = self.get_mut(id);
        sequence.truncate(len, pool);
    }

    /// Forgets a sequence.
    pub fn release(&mut self, id: SequenceId) {
        self.get(id);
        let slot = &mut self.slots[id.slot as usize];
        slot.sequence.take().expect("checked above").release(&mut self.pool);
        slot.generation += 1;
        self.free_slots.push(id.slot);
    }

    /// Blocks that `num_tokens` more tokens of `id` take from the pool at most.
    pub fn num_blocks_to_append(&self, id: SequenceId, num_tokens: usize) -> usize {
        self.get(id).num_blocks_to_append(num_tokens, &self.pool)
    }

    /// Checks that a step can be done: what can't be done must not be begun.
    ///
    /// # Errors
    ///
    /// Too many rows, too long a sequence, or too few blocks.
    pub fn check(&self, work: &[Work]) -> Result<(), EngineError> {
        let mut named = HashSet::new();
        let (mut rows, mut needed) = (0, 0);
        for work in work {
            work.check();
            assert!(named.insert(work.sequence), "two works of a step name {:?}", work.sequence);
            let len = self.get(work.sequence).tokens().len() + work.tokens.len();
            if len > self.size.context_len {
                return Err(EngineError::TooLong { len, context_len: self.size.context_len });
            }
            rows += work.tokens.len();
            needed += self.num_blocks_to_append(work.sequence, work.tokens.len());
        }
        if rows > self.size.max_rows {
            return Err(EngineError::TooManyRows { rows, max_rows: self.size.max_rows });
        }
        let (free, total) = (self.pool.num_free(), self.pool.num_blocks());
        if needed > free {
            return Err(EngineError::OutOfBlocks { needed, free, total });
        }
        Ok(())
    }

    /// Appends the tokens of `work`, which was checked; see [`Sequence::append`].
    pub fn append(&mut self, work: &Work, copies: &mut Vec<(BlockId, BlockId)>) -> &Sequence {
        let (sequence, pool) = self.get_mut(work.sequence);
        sequence.append(&work.tokens, pool, copies);
        sequence
    }

    /// Cuts a sequence after the draft's accepted tokens.
    pub fn drop_rejected(&mut self, work: &Work, outcome: &Outcome) {
        let (Some(wanted), Some(next)) = (&work.next, &outcome.next) else { return };
        let num_rejected = wanted.draft_len - next.accepted.len();
        if num_rejected > 0 {
            let len = self.get(work.sequence).tokens().len() - num_rejected;
            self.truncate(work.sequence, len);
        }
    }

    fn get_mut(&mut self, id: SequenceId) -> (&mut Sequence, &mut BlockPool) {
        self.get(id);
        let sequence = self.slots[id.slot as usize].sequence.as_mut().expect("checked above");
        (sequence, &mut self.pool)
    }

    fn insert(&mut self, sequence: Sequence) -> SequenceId {
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let place = &mut self.slots[slot as usize];
        place.sequence = Some(sequence);
        SequenceId { slot, generation: place.generation }
    }
}

impl Drop for Sequences {
    fn drop(&mut self) {
        // An engine that ends takes its sequences with it; the pool then checks the count.
        for slot in &mut self.slots {
            if let Some(sequence) = slot.sequence.take() {
                sequence.release(&mut self.pool);
            }
        }
    }
}

impl Work {
    fn check(&self) {
        let num_tokens = self.tokens.len();
        assert!(num_tokens > 0, "a work has at least one token");
        assert!(self.targets.iter().all(|target| target.after < num_tokens), "target out of range");
        assert!(self.targets.is_sorted_by_key(|target| target.after), "targets out of order");
        if let Some(next) = &self.next {
            assert!(next.draft_len < num_tokens, "a draft follows at least one token");
            assert!(next.draft_len == 0 || next.sampling.is_none(), "drafts are verified greedily");
        }
    }
}
