//! The main job's machine: models loaded, memory sized, ready to run tasks.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use jump_engine::EngineError;
use jump_kernels::DeviceError;
use jump_models::{Checkpoint, ModelError, Tokenizer};
use thiserror::Error;

use crate::device::Device;
use crate::memory_plan::{MemoryPlan, num_sequences};
use crate::models::Models;
use crate::scheduler::{RunStats, Scheduler, Submission, Width};
use crate::settings::{Mode, Settings};
use crate::task::Observer;

/// Tokens of one order in one step, unless the limits say otherwise.
const CHUNK_LEN: usize = 256;

/// A model that a user names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelChoice {
    /// The one in the binary.
    Tiny,
    /// A directory in Hugging Face's layout, or a GGUF file.
    Path(PathBuf),
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
            Self::Path(path) => Checkpoint::open(path),
        }
    }
}

impl FromStr for ModelChoice {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(if name == "tiny" { Self::Tiny } else { Self::Path(name.into()) })
    }
}

impl fmt::Display for ModelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tiny => f.write_str("tiny"),
            Self::Path(path) => path.display().fmt(f),
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
    /// The generation model can't be asked as the settings say.
    #[error("{model} can't be asked so: {problem}")]
    PromptFormat {
        /// The model.
        model: String,
        /// Why, and what to do.
        problem: String,
    },
    /// The infilling model wasn't made for it.
    #[error(
        "{model} can't fill in the middle: its vocabulary has no known infilling tokens. Name \
         another model with --infilling-model, say how it is asked with --fim, or use --mode ar"
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
        let (model, infilling) = Self::open(model, infilling, &settings)?;
        Self::from_checkpoints(model, infilling, device, settings, limits)
    }

    /// Reads the files of G and of I, if I is needed and a model of its own.
    ///
    /// # Errors
    ///
    /// A checkpoint that can't be used.
    pub fn open(
        model: &ModelChoice,
        infilling: Option<&ModelChoice>,
        settings: &Settings,
    ) -> Result<(Checkpoint, Option<Checkpoint>), ModelError> {
        let infilling = infilling.filter(|choice| settings.mode != Mode::Ar && *choice != model);
        let infilling = infilling.map(ModelChoice::open).transpose()?;
        Ok((model.open()?, infilling))
    }

    /// As [`Generator::new`], of models whose files have been read.
    ///
    /// # Errors
    ///
    /// Weights that don't fit their config, an infilling model that can't infill or not as the
    /// settings say, or too little memory.
    pub fn from_checkpoints(
        checkpoint: Checkpoint,
        infilling: Option<Checkpoint>,
        device: &Device,
        settings: Settings,
        limits: Limits,
    ) -> Result<Self, GeneratorError> {
        settings.prompt_format.check(checkpoint.chat.as_ref()).map_err(|problem| {
            GeneratorError::PromptFormat { model: checkpoint.name.clone(), problem }
        })?;
        let jumps = settings.mode != Mode::Ar;
        let fim = settings.fim.as_deref().filter(|_| jumps);
        let (checkpoint, infilling) = match infilling {
            None => (checkpoint.asked_by(fim)?, None),
            Some(infilling) => (checkpoint, Some(infilling.asked_by(fim)?)),
        };
        let infiller = infilling.as_ref().unwrap_or(&checkpoint);
        if jumps && infiller.fim.is_none() {
            return Err(GeneratorError::NoInfilling { model: infiller.name.clone() });
        }
        let identity = identity(&checkpoint, infilling.as_ref(), device);
        let free_bytes = check_weight_memory(&checkpoint, infilling.as_ref(), device)?;
        let mut plans = MemoryPlan::new(checkpoint, infilling, &settings, &limits);
        MemoryPlan::share(&mut plans, device, free_bytes, &limits);
        let concurrency = limits.concurrency;
        let kv_block_bytes = device.block_bytes(&plans[0].checkpoint.config);
        let mut models = plans.into_iter().map(|plan| plan.start(device, concurrency));
        let generation = models.next().expect("there is G's plan")?;
        let models = Models { generation, infilling: models.next().transpose()? };
        let chunk_len = limits.prefill_chunk.unwrap_or(CHUNK_LEN);
        let width = Width { concurrency, chunk_len };
        let num_sequences = num_sequences(&settings);
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
        let (Some(bytes), needed) = (free, device.weight_bytes(checkpoint)) else { break };
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
