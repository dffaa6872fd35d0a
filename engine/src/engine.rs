//! The engine: a model, its KV cache, and the sequences in it.

use jump_kernels::{Backend, BlockId, DeviceError, TokenId};
use jump_models::{Checkpoint, Model, ModelConfig};

use crate::batch::{Batch, Results};
use crate::sequences::Sequences;
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

/// A model on a backend, and the sequences that it continues.
pub struct Engine<B: Backend> {
    model: Model<B>,
    cache: B::Cache,
    sequences: Sequences,
    batch: Batch,
    copies: Vec<(BlockId, BlockId)>,
    /// How the device failed: what its cache holds is unknown since.
    failure: Option<DeviceError>,
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
            cache: model.cache(size.num_blocks)?,
            model,
            sequences: Sequences::new(size),
            batch: Batch::default(),
            copies: Vec::new(),
            failure: None,
        })
    }

    /// Bytes of one KV block in all layers of a model.
    pub fn block_bytes(backend: &B, config: &ModelConfig) -> usize {
        backend.cache_block_bytes(config.attention).saturating_mul(config.num_layers)
    }

    /// Appends the works' tokens to their sequences and lays them out as rows.
    fn lay_out(&mut self, work: &[Work]) {
        let Self { batch, copies, sequences, .. } = self;
        *batch = Batch { layout: std::mem::take(&mut batch.layout), ..Batch::default() };
        batch.layout.clear();
        copies.clear();
        for work in work {
            let sequence = sequences.append(work, copies);
            let first_position = sequence.tokens().len() - work.tokens.len();
            let first_row = batch.layout.num_rows();
            batch.layout.push(&work.tokens, first_position, sequence.blocks());
            batch.want(work, first_row);
        }
    }
}

impl<B: Backend> LanguageModel for Engine<B> {
    fn size(&self) -> EngineSize {
        self.sequences.size()
    }

    fn num_free_blocks(&self) -> usize {
        self.sequences.pool().num_free()
    }

    fn num_held_blocks(&self) -> usize {
        self.sequences.pool().num_held()
    }

    fn num_blocks_to_append(&self, id: SequenceId, num_tokens: usize) -> usize {
        self.sequences.num_blocks_to_append(id, num_tokens)
    }

    fn new_sequence(&mut self) -> SequenceId {
        self.sequences.add()
    }

    fn tokens(&self, id: SequenceId) -> &[TokenId] {
        self.sequences.get(id).tokens()
    }

    fn fork_at(&mut self, id: SequenceId, len: usize) -> SequenceId {
        self.sequences.fork_at(id, len)
    }

    fn truncate(&mut self, id: SequenceId, len: usize) {
        self.sequences.truncate(id, len);
    }

    fn release(&mut self, id: SequenceId) {
        self.sequences.release(id);
    }

    fn step(&mut self, work: &[Work]) -> Result<Vec<Outcome>, EngineError> {
        self.sequences.check(work)?;
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        if work.is_empty() {
            return Ok(Vec::new());
        }
        self.lay_out(work);
        let Batch { layout, wanted } = &self.batch;
        let given = self.model.forward(layout, &self.copies, &mut self.cache, wanted);
        let given = given.inspect_err(|failure| self.failure = Some(failure.clone()))?;
        let mut results = Results::new(given);
        let outcomes: Vec<_> = work.iter().map(|work| results.take(work)).collect();
        for (work, outcome) in work.iter().zip(&outcomes) {
            self.sequences.drop_rejected(work, outcome);
        }
        Ok(outcomes)
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
