//! The main job's machine: models loaded, memory sized, ready to run tasks.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use jump_engine::{EngineError, EngineSize};
use jump_kernels::{BLOCK_LEN, DeviceError};
use jump_models::{Checkpoint, ModelError, Tokenizer};
use thiserror::Error;

use crate::device::Device;
use crate::models::{Models, ReadyModel};
use crate::scheduler::{RunStats, Scheduler, Submission, Width};
use crate::settings::{Mode, REFERENCE_CONTEXT_LEN, Settings};
use crate::task::Observer;

/// Rows of a step: enough for 64 tasks that decode six tokens each while others prefill.
const MAX_ROWS: usize = 1024;

/// Tokens of one order in one step, unless the limits say otherwise.
const CHUNK_LEN: usize = 256;

/// Tokens of a sequence, unless the limits say otherwise: far more than 64 lines need. Memory is
/// reserved for it.
const CONTEXT_LEN: usize = 2048;

/// The part of the free memory beside the weights that is taken, unless the limits say otherwise.
const MEMORY_FRACTION: f64 = 0.75;

/// A model that a user names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelChoice {
    /// The one in the binary.
    Tiny,
    /// A directory in Hugging Face's layout.
    Directory(PathBuf),
}

impl ModelChoice {
    /// Reads and checks the model's files.
    ///
    /// # Errors
    ///
    /// A file that is missing, unreadable, or doesn't pass its checks.
    pub fn open(&self) -> Result<Checkpoint, ModelError> {
        match self {
            Self::Tiny => Checkpoint::tiny(),
            Self::Directory(directory) => Checkpoint::open(directory),
        }
    }
}

impl FromStr for ModelChoice {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(if name == "tiny" { Self::Tiny } else { Self::Directory(name.into()) })
    }
}

impl fmt::Display for ModelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tiny => f.write_str("tiny"),
            Self::Directory(path) => path.display().fmt(f),
        }
    }
}

/// How much a generator may take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Tasks in flight, as far as memory allows; at least 1.
    pub concurrency: usize,
    /// Tokens of a prompt that run in one step.
    pub prefill_chunk: Option<usize>,
    /// Tokens of a step; 1,024 by default.
    pub max_batched_tokens: Option<usize>,
    /// Bytes for keys and values, of all models together; by default what
    /// [`Limits::memory_fraction`] leaves.
    pub kv_bytes: Option<usize>,
    /// The part of the device's free memory that may be taken beside the weights; by default three
    /// quarters.
    pub memory_fraction: Option<f64>,
    /// Tokens of a sequence, at most the model's context; 2,048 by default.
    pub max_context: Option<usize>,
}

/// Why a generator can't start or go on.
#[derive(Debug, Error)]
pub enum GeneratorError {
    /// A model can't be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An engine can't start, or a step failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The device can't be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The weights don't fit into memory.
    #[error(
        "the weights of {model} take {needed_mib} MiB, but only {free_mib} MiB of memory are free: \
         take a smaller model, or end other programs"
    )]
    WeightMemory {
        /// The model.
        model: String,
        /// What its weights take.
        needed_mib: usize,
        /// What there is.
        free_mib: usize,
    },
    /// The infilling model wasn't made for it.
    #[error(
        "{model} can't fill in the middle: its vocabulary has no known infilling tokens. Name \
         another model with --infilling-model, or use --mode ar"
    )]
    NoInfilling {
        /// The model.
        model: String,
    },
}

/// Loaded models that run tasks.
pub struct Generator {
    models: Models,
    settings: Settings,
    width: Width,
    identity: String,
    kv_block_bytes: usize,
    /// Of a task, of G and of I: what there is memory for.
    num_sequences: (usize, usize),
}

impl Generator {
    /// Loads the models and sizes all memory.
    ///
    /// # Errors
    ///
    /// A checkpoint that can't be used, an infilling model that can't infill, or too little memory.
    pub fn new(
        model: &ModelChoice,
        infilling: Option<&ModelChoice>,
        device: &Device,
        settings: Settings,
        limits: Limits,
    ) -> Result<Self, GeneratorError> {
        let infilling = infilling.filter(|choice| settings.mode != Mode::Ar && *choice != model);
        let infilling = infilling.map(ModelChoice::open).transpose()?;
        Self::from_checkpoints(model.open()?, infilling, device, settings, limits)
    }

    /// As [`Generator::new`], of models whose files have been read.
    ///
    /// # Errors
    ///
    /// Weights that don't fit their config, an infilling model that can't infill, or too little
    /// memory.
    pub fn from_checkpoints(
        checkpoint: Checkpoint,
        infilling: Option<Checkpoint>,
        device: &Device,
        settings: Settings,
        limits: Limits,
    ) -> Result<Self, GeneratorError> {
        let jumps = settings.mode != Mode::Ar;
        let infiller = infilling.as_ref().unwrap_or(&checkpoint);
        if jumps && infiller.fim.is_none() {
            return Err(GeneratorError::NoInfilling { model: infiller.name.clone() });
        }
        let identity = identity(&checkpoint, infilling.as_ref(), device);
        let free_bytes = check_weight_memory(&checkpoint, infilling.as_ref(), device)?;
        let (generates, infills) = num_sequences(&settings);
        let mut plans = match infilling {
            None => vec![Plan::new(checkpoint, generates.max(1 + infills), &settings, &limits)],
            Some(infilling) => vec![
                Plan::new(checkpoint, generates, &settings, &limits),
                Plan::new(infilling, infills, &settings, &limits),
            ],
        };
        share_memory(&mut plans, device, free_bytes, &limits);
        let concurrency = limits.concurrency;
        let kv_block_bytes = device.block_bytes(&plans[0].checkpoint.config);
        let mut models = plans.into_iter().map(|plan| plan.start(device, concurrency));
        let generation = models.next().expect("there is G's plan")?;
        let models = Models { generation, infilling: models.next().transpose()? };
        let chunk_len = limits.prefill_chunk.unwrap_or(CHUNK_LEN);
        let width = Width { concurrency, chunk_len };
        let num_sequences = (generates, infills);
        Ok(Self { models, settings, width, identity, kv_block_bytes, num_sequences })
    }

    /// Text that names the models and their weights.
    pub fn model_identity(&self) -> String {
        self.identity.clone()
    }

    /// Runs all tasks; `stop` is looked at between steps.
    ///
    /// # Errors
    ///
    /// A step that failed.
    pub fn run(
        &mut self,
        tasks: Vec<Submission>,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<RunStats, GeneratorError> {
        let scheduler = Scheduler::new(&mut self.models, &self.settings, self.width);
        Ok(scheduler.run(tasks, observer, stop)?)
    }

    /// Runs with other mechanisms, or in another mode that needs no more memory, from now on.
    pub fn change_settings(&mut self, settings: Settings) {
        assert!(num_sequences(&settings) <= self.num_sequences, "the memory is for less");
        self.settings = settings;
    }

    /// Tokenizer of the generation model.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.models.generation.tokenizer
    }

    /// Tasks in flight.
    pub fn concurrency(&self) -> usize {
        self.width.concurrency
    }

    /// Bytes of one of G's KV blocks in all layers.
    pub fn kv_block_bytes(&self) -> usize {
        self.kv_block_bytes
    }

    /// KV blocks in use: none while no task is in flight.
    pub fn num_live_blocks(&self) -> usize {
        let infilling = self.models.infilling.as_ref();
        let infilling = infilling.map_or(0, |model| model.engine.num_live_blocks());
        self.models.generation.engine.num_live_blocks() + infilling
    }
}

/// Sequences that one task holds at most at the same time, of G and of I: the program, the stem,
/// and the branches *or* the candidates, since branches are idle while candidates are judged.
fn num_sequences(settings: &Settings) -> (usize, usize) {
    // No text has so many lines; it only keeps the sums below in range.
    let num_positions = settings.num_positions.min(1 << 32);
    match settings.mode {
        Mode::Ar => (1, 0),
        Mode::Jump | Mode::Filtered => (1 + num_positions, 1 + num_positions),
    }
}

/// A model that is about to be loaded, and how much memory its tasks take.
struct Plan {
    checkpoint: Checkpoint,
    context_len: usize,
    /// Blocks that a task needs if its texts become as long as can be: so many there must be.
    blocks_per_task: usize,
    kv_bytes: Option<usize>,
    max_rows: usize,
}

impl Plan {
    fn new(
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

    /// Memory for `concurrency` tasks, or as much of it as there is. If that isn't enough for one,
    /// the engine says what is missing.
    fn start(self, device: &Device, concurrency: usize) -> Result<ReadyModel, EngineError> {
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

/// Gives each plan its part of the memory for keys and values: of what is free beside the weights
/// and the workspaces, unless the limits say how much.
fn share_memory(plans: &mut [Plan], device: &Device, free_bytes: Option<usize>, limits: &Limits) {
    let workspaces = plans.iter().map(|plan| {
        device.workspace_bytes(&plan.checkpoint.config, plan.max_rows, plan.context_len)
    });
    let workspace_bytes = workspaces.fold(0, usize::saturating_add);
    let fraction = limits.memory_fraction.unwrap_or(MEMORY_FRACTION);
    let usable = free_bytes.map(|bytes| (bytes as f64 * fraction) as usize);
    let kv_bytes = limits.kv_bytes.or(usable.map(|bytes| bytes.saturating_sub(workspace_bytes)));
    let num_plans = plans.len();
    for plan in plans {
        plan.kv_bytes = kv_bytes.map(|bytes| bytes / num_plans);
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

/// A device's arithmetic is its own, so it is part of what makes a program.
fn identity(generation: &Checkpoint, infilling: Option<&Checkpoint>, device: &Device) -> String {
    let checkpoints = [Some(generation), infilling].into_iter().flatten();
    let names = checkpoints.map(|c| format!("{} {:016x}", c.name, c.fingerprint()));
    let names = names.collect::<Vec<_>>().join(", ");
    match device {
        Device::Cpu => names,
        Device::Cuda { .. } => format!("{names} on {device}"),
    }
}

/// Memory that is free beside the weights; `None` where the system doesn't say how much there is.
fn check_weight_memory(
    generation: &Checkpoint,
    infilling: Option<&Checkpoint>,
    device: &Device,
) -> Result<Option<usize>, GeneratorError> {
    const MIB: usize = 1 << 20;
    let mut free = device.free_memory()?;
    for checkpoint in [Some(generation), infilling].into_iter().flatten() {
        let (Some(bytes), needed) = (free, checkpoint.config.weight_bytes()) else { break };
        free = bytes.checked_sub(needed);
        if free.is_none() {
            return Err(GeneratorError::WeightMemory {
                model: checkpoint.name.clone(),
                needed_mib: needed / MIB,
                free_mib: bytes / MIB,
            });
        }
    }
    Ok(free)
}
