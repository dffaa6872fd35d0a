//! The engine: a model, its KV cache, and the sequences in it.

use std::collections::HashSet;

use jump_kernels::{Backend, BlockId, TokenId};
use jump_models::{Checkpoint, KvCache, Model, ModelConfig};

use crate::batch::{Batch, Results};
use crate::block_pool::BlockPool;
use crate::sequence::Sequence;
use crate::{EngineError, LanguageModel, Outcome, SequenceId, Work};

/// How large an engine is made. Nothing grows after the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineSize {
    /// Rows of a step.
    pub max_rows: usize,
    /// Tokens of a sequence.
    pub context_len: usize,
    /// KV blocks.
    pub num_blocks: usize,
    /// Bytes that the KV blocks may take; `None` for any number.
    pub max_kv_bytes: Option<usize>,
}

/// A place for a sequence; its generation tells the ids apart that it had.
#[derive(Default)]
struct Slot {
    generation: u32,
    sequence: Option<Sequence>,
}

/// A model on a backend, and the sequences that it continues.
pub struct Engine<B: Backend> {
    model: Model<B>,
    cache: KvCache<B>,
    size: EngineSize,
    slots: Vec<Slot>,
    free_slots: Vec<u32>,
    batch: Batch,
    copies: Vec<(BlockId, BlockId)>,
    // Dropped after the slots' sequences were given back, see `Drop`.
    pool: BlockPool,
}

impl<B: Backend> Engine<B> {
    /// Loads `checkpoint` onto `backend` and sizes all memory.
    ///
    /// # Errors
    ///
    /// A checkpoint that doesn't fit its config, or KV blocks that don't fit the memory limit.
    pub fn new(backend: B, checkpoint: &Checkpoint, size: EngineSize) -> Result<Self, EngineError> {
        // First of all: a context that doesn't fit into memory has a table that doesn't, either.
        check_kv_memory(Self::block_bytes(&backend, &checkpoint.config), size)?;
        let model = Model::new(backend, checkpoint, size.max_rows, size.context_len)?;
        Ok(Self {
            cache: model.cache(size.num_blocks),
            model,
            size,
            slots: Vec::new(),
            free_slots: Vec::new(),
            batch: Batch::default(),
            copies: Vec::new(),
            pool: BlockPool::new(size.num_blocks),
        })
    }

    /// Bytes of one KV block in all layers of a model.
    pub fn block_bytes(backend: &B, config: &ModelConfig) -> usize {
        backend.cache_block_bytes(config.attention).saturating_mul(config.num_layers)
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

    fn get(&self, id: SequenceId) -> &Sequence {
        let slot = &self.slots[id.slot as usize];
        assert_eq!(slot.generation, id.generation, "{id:?} was released");
        slot.sequence.as_ref().expect("a slot of the id's generation holds a sequence")
    }

    /// Checks that the step can be done; what it can't do must not be begun.
    fn check(&self, work: &[Work]) -> Result<(), EngineError> {
        let mut named = HashSet::new();
        let (mut rows, mut needed) = (0, 0);
        for work in work {
            work.check();
            assert!(named.insert(work.sequence), "two works of a step name {:?}", work.sequence);
            let sequence = self.get(work.sequence);
            let len = sequence.tokens().len() + work.tokens.len();
            if len > self.size.context_len {
                return Err(EngineError::TooLong { len, context_len: self.size.context_len });
            }
            rows += work.tokens.len();
            needed += sequence.num_blocks_to_append(work.tokens.len(), &self.pool);
        }
        if rows > self.size.max_rows {
            return Err(EngineError::TooManyRows { rows, max_rows: self.size.max_rows });
        }
        let free = self.pool.num_free();
        if needed > free {
            let total = self.pool.num_blocks();
            return Err(EngineError::OutOfBlocks { needed, free, total });
        }
        Ok(())
    }

    /// Appends the works' tokens to their sequences and lays them out as rows.
    fn lay_out(&mut self, work: &[Work]) {
        let Self { batch, copies, pool, slots, .. } = self;
        *batch = Batch { layout: std::mem::take(&mut batch.layout), ..Batch::default() };
        batch.layout.clear();
        copies.clear();
        for work in work {
            let slot = &mut slots[work.sequence.slot as usize];
            let sequence = slot.sequence.as_mut().expect("checked before");
            let first_position = sequence.tokens().len();
            sequence.append(&work.tokens, pool, copies);
            let first_row = batch.layout.num_rows();
            batch.layout.push(&work.tokens, first_position, sequence.blocks());
            batch.want(work, first_row);
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

impl<B: Backend> LanguageModel for Engine<B> {
    fn size(&self) -> EngineSize {
        self.size
    }

    fn num_live_blocks(&self) -> usize {
        self.pool.num_live()
    }

    fn new_sequence(&mut self) -> SequenceId {
        self.insert(Sequence::default())
    }

    fn tokens(&self, id: SequenceId) -> &[TokenId] {
        self.get(id).tokens()
    }

    fn fork_at(&mut self, id: SequenceId, len: usize) -> SequenceId {
        self.get(id);
        let sequence = self.slots[id.slot as usize].sequence.as_ref().expect("checked above");
        let fork = sequence.fork_at(len, &mut self.pool);
        self.insert(fork)
    }

    fn truncate(&mut self, id: SequenceId, len: usize) {
        self.get(id);
        let sequence = self.slots[id.slot as usize].sequence.as_mut().expect("checked above");
        sequence.truncate(len, &mut self.pool);
    }

    fn release(&mut self, id: SequenceId) {
        self.get(id);
        let slot = &mut self.slots[id.slot as usize];
        slot.sequence.take().expect("checked above").release(&mut self.pool);
        slot.generation += 1;
        self.free_slots.push(id.slot);
    }

    fn step(&mut self, work: &[Work]) -> Result<Vec<Outcome>, EngineError> {
        self.check(work)?;
        if work.is_empty() {
            return Ok(Vec::new());
        }
        self.lay_out(work);
        self.cache.copy_blocks(self.model.backend(), &self.copies);
        let given = self.model.forward(&self.batch.layout, &mut self.cache, &self.batch.wanted);
        let mut results = Results::new(given);
        let outcomes: Vec<_> = work.iter().map(|work| results.take(work)).collect();
        for (work, outcome) in work.iter().zip(&outcomes) {
            self.drop_rejected(work, outcome);
        }
        Ok(outcomes)
    }
}

impl<B: Backend> Engine<B> {
    /// Cuts a sequence after the draft's accepted tokens.
    fn drop_rejected(&mut self, work: &Work, outcome: &Outcome) {
        let (Some(wanted), Some(next)) = (&work.next, &outcome.next) else { return };
        let num_rejected = wanted.draft_len - next.accepted.len();
        if num_rejected > 0 {
            let len = self.tokens(work.sequence).len() - num_rejected;
            self.truncate(work.sequence, len);
        }
    }
}

impl<B: Backend> Drop for Engine<B> {
    fn drop(&mut self) {
        // An engine that ends takes its sequences with it; the pool then checks the count.
        for slot in &mut self.slots {
            if let Some(sequence) = slot.sequence.take() {
                sequence.release(&mut self.pool);
            }
        }
    }
}

fn check_kv_memory(block_bytes: usize, size: EngineSize) -> Result<(), EngineError> {
    const MIB: usize = 1 << 20;
    let needed = size.num_blocks.saturating_mul(block_bytes);
    match size.max_kv_bytes {
        Some(limit) if needed > limit => Err(EngineError::KvMemory {
            num_blocks: size.num_blocks,
            block_bytes,
            needed_mib: needed.div_ceil(MIB),
            limit_mib: limit / MIB,
        }),
        _ => Ok(()),
    }
}
