//! What memory a run takes: for weights, for passes, and for the keys and values of its tasks.

use jump_engine::{EngineError, EngineSize};
use jump_kernels::BLOCK_LEN;
use jump_models::Checkpoint;

use crate::device::Device;
use crate::generator::Limits;
use crate::models::ReadyModel;
use crate::settings::{Mode, REFERENCE_CONTEXT_LEN, Settings};

/// Rows of a step: enough for 64 tasks that decode six tokens each while others prefill.
const MAX_ROWS: usize = 1024;

/// Tokens of a sequence, unless the limits say otherwise: far more than 64 lines need. Memory is
/// reserved for it.
const CONTEXT_LEN: usize = 2048;

/// The part of the free memory beside the weights that is taken, unless the limits say otherwise.
const MEMORY_FRACTION: f64 = 0.75;

/// A model that is about to be loaded, and how much memory its tasks take.
pub struct MemoryPlan {
    /// The model.
    pub checkpoint: Checkpoint,
    context_len: usize,
    /// Blocks that a task needs if its texts become as long as can be: so many there must be.
    blocks_per_task: usize,
    kv_bytes: Option<usize>,
    max_rows: usize,
}

/// Bytes that a model needs on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryNeed {
    /// Weights.
    pub weights: usize,
    /// What passes need beside them.
    pub passes: usize,
    /// Keys and values of a task whose texts become as long as can be. Tasks with shorter ones
    /// share what is there.
    pub task: usize,
}

impl MemoryNeed {
    /// All of it, for so many tasks in flight.
    pub fn total(&self, concurrency: usize) -> usize {
        let tasks = self.task.saturating_mul(concurrency);
        self.weights.saturating_add(self.passes).saturating_add(tasks)
    }
}

impl MemoryPlan {
    /// The plans of G and of I, if I is a model of its own.
    pub fn new(
        generation: Checkpoint,
        infilling: Option<Checkpoint>,
        settings: &Settings,
        limits: &Limits,
    ) -> Vec<Self> {
        let (generates, infills) = num_sequences(settings);
        match infilling {
            None => vec![Self::of(generation, generates.max(1 + infills), settings, limits)],
            Some(infilling) => vec![
                Self::of(generation, generates, settings, limits),
                Self::of(infilling, infills, settings, limits),
            ],
        }
    }

    fn of(
        checkpoint: Checkpoint,
        num_sequences: usize,
        settings: &Settings,
        limits: &Limits,
    ) -> Self {
        let context_len = context_len(&checkpoint, settings, limits);
        let blocks_per_task = num_sequences.saturating_mul(context_len.div_ceil(BLOCK_LEN));
        let max_rows = limits.max_batched_tokens.unwrap_or(MAX_ROWS);
        Self { checkpoint, context_len, blocks_per_task, kv_bytes: None, max_rows }
    }

    /// What the model needs.
    pub fn need(&self, device: &Device) -> MemoryNeed {
        let config = &self.checkpoint.config;
        MemoryNeed {
            weights: device.weight_bytes(&self.checkpoint),
            passes: device.workspace_bytes(config, self.max_rows, self.context_len),
            task: self.blocks_per_task.saturating_mul(device.block_bytes(config)),
        }
    }

    /// Gives each plan its part of the memory for keys and values: of `free_bytes`, what is free
    /// beside the weights, but for the passes; unless the limits say how much.
    pub fn share(plans: &mut [Self], device: &Device, free_bytes: Option<usize>, limits: &Limits) {
        let passes = plans.iter().map(|plan| plan.need(device).passes);
        let passes = passes.fold(0, usize::saturating_add);
        let fraction = limits.memory_fraction.unwrap_or(MEMORY_FRACTION);
        let usable = free_bytes.map(|bytes| (bytes as f64 * fraction) as usize);
        let kv_bytes = limits.kv_bytes.or(usable.map(|bytes| bytes.saturating_sub(passes)));
        let num_plans = plans.len();
        for plan in plans {
            plan.kv_bytes = kv_bytes.map(|bytes| bytes / num_plans);
        }
    }

    /// Loads the model with memory for `concurrency` tasks, or as much of it as there is. If that
    /// isn't enough for one, the engine says what is missing.
    ///
    /// # Errors
    ///
    /// Weights that don't fit their config, or a device that is too small.
    pub fn start(self, device: &Device, concurrency: usize) -> Result<ReadyModel, EngineError> {
        let block_bytes = device.block_bytes(&self.checkpoint.config);
        let wanted = self.blocks_per_task.saturating_mul(concurrency);
        let fitting = self.kv_bytes.map_or(usize::MAX, |bytes| bytes / block_bytes);
        let size = EngineSize {
            max_rows: self.max_rows,
            context_len: self.context_len,
            num_blocks: wanted.min(fitting).max(self.blocks_per_task),
            max_kv_bytes: self.kv_bytes,
        };
        let engine = device.load(&self.checkpoint, size)?;
        Ok(ReadyModel::new(engine, self.checkpoint))
    }
}

/// Sequences that one task holds at most at the same time, of G and of I: the program, the stem,
/// and the branches *or* the candidates, since branches are idle while candidates are judged.
pub fn num_sequences(settings: &Settings) -> (usize, usize) {
    // No text has so many lines; it only keeps the sums above in range.
    let num_positions = settings.num_positions.min(1 << 32);
    match settings.mode {
        Mode::Ar => (1, 0),
        Mode::Jump | Mode::Filtered => (1 + num_positions, 1 + num_positions),
    }
}

/// Tokens of a sequence. The reference looks at no model's context: it goes on from 2,048 tokens by
/// one more line.
fn context_len(checkpoint: &Checkpoint, settings: &Settings, limits: &Limits) -> usize {
    if settings.reference_quirks {
        let longest = REFERENCE_CONTEXT_LEN.saturating_add(settings.max_line_tokens);
        return limits.max_context.map_or(longest, |max| max.min(longest));
    }
    limits.max_context.unwrap_or(CONTEXT_LEN).min(checkpoint.config.context_len)
}
