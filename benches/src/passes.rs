//! What the model's passes must do at least: a wrapped engine counts the passes of a run, their
//! rows and their arithmetic, from which follows the least time that the run can take.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use jump_engine::{Engine, EngineError, EngineSize, LanguageModel, Outcome, SequenceId, Work};
use jump_kernels::cpu::Cpu;
use jump_kernels::{BLOCK_LEN, TokenId};
use jump_models::{Checkpoint, ModelConfig};
use jumpcoder::event::Round;
use jumpcoder::models::{Models, ReadyModel};
use jumpcoder::scheduler::{Scheduler, Submission, Width};
use jumpcoder::settings::Settings;
use jumpcoder::task::{Observer, Solution, Task, TaskError};
use serde::Serialize;

use crate::machine::Machine;

/// Rows of a pass and tokens of an order in it, as in `jumpcoder::generator`.
const MAX_ROWS: usize = 1024;
const CHUNK_LEN: usize = 256;
/// Sequences of a task: the program, the stem of the infills, and a fork of each for a candidate.
const NUM_SEQUENCES_PER_POSITION: usize = 2;

/// Arithmetic and weights of a model. Attention and norms are left out: a floor may be too low.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ModelCost {
    /// Operations of a row in the matrices of all layers.
    pub layer_flops: f64,
    /// What is saved of them for a row of which nothing is read: all but keys, values and queries
    /// of the last layer.
    pub unread_flops: f64,
    /// Operations of a row in the head, if its next token is wanted.
    pub head_flops: f64,
    /// Bytes of all matrices, two a weight.
    pub weight_bytes: f64,
}

impl ModelCost {
    /// The cost of a model of this shape.
    pub fn of(config: &ModelConfig) -> Self {
        let (hidden, attention) = (config.hidden_width, config.attention);
        let qkv = hidden * attention.qkv_width();
        let ffn = config.ffn.num_matrices() * hidden * config.ffn.width;
        let rest = hidden * attention.q_width() + ffn;
        let head = hidden * config.vocab_len;
        let layers = config.num_layers * (qkv + rest);
        let flops = |num_weights: usize| (2 * num_weights) as f64;
        Self {
            layer_flops: flops(layers),
            unread_flops: flops(rest),
            head_flops: flops(head),
            weight_bytes: (2 * (layers + head)) as f64,
        }
    }

    /// Operations of a pass over `work`.
    pub fn pass_flops(&self, work: &[Work]) -> f64 {
        let (mut num_rows, mut num_read, mut num_choices) = (0, 0, 0);
        for work in work {
            let mut read: Vec<usize> = work.targets.iter().map(|target| target.after).collect();
            if let Some(next) = &work.next {
                let last = work.tokens.len() - 1;
                read.extend(last - next.draft_len..=last);
                num_choices += 1 + next.draft_len;
            }
            read.sort_unstable();
            read.dedup();
            num_rows += work.tokens.len();
            num_read += read.len();
        }
        num_rows as f64 * self.layer_flops - (num_rows - num_read) as f64 * self.unread_flops
            + num_choices as f64 * self.head_flops
    }
}

/// The passes of a run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Passes {
    /// Passes.
    pub num_passes: usize,
    /// Passes of at most [`Passes::NARROW`] rows, which are bound by the weights' way.
    pub num_narrow: usize,
    /// Rows of all passes.
    pub num_rows: usize,
    /// Operations of all passes.
    pub flops: f64,
    /// Bytes of weights, read once a pass.
    pub weight_bytes: f64,
    /// The sum of the passes' own floors.
    pub floor_seconds: f64,
}

impl Passes {
    /// A next line and five infills.
    pub const NARROW: usize = 6;

    fn count(&mut self, work: &[Work], cost: &ModelCost, machine: &Machine) {
        let flops = cost.pass_flops(work);
        let num_rows: usize = work.iter().map(|work| work.tokens.len()).sum();
        self.num_passes += 1;
        self.num_narrow += usize::from(num_rows <= Self::NARROW);
        self.num_rows += num_rows;
        self.flops += flops;
        self.weight_bytes += cost.weight_bytes;
        self.floor_seconds += machine.floor_seconds(flops, cost.weight_bytes);
    }
}

/// An engine that counts.
struct Counting {
    engine: Engine<Cpu>,
    cost: ModelCost,
    machine: Machine,
    passes: Arc<Mutex<Passes>>,
}

impl LanguageModel for Counting {
    fn size(&self) -> EngineSize {
        self.engine.size()
    }

    fn num_free_blocks(&self) -> usize {
        self.engine.num_free_blocks()
    }

    fn num_held_blocks(&self) -> usize {
        self.engine.num_held_blocks()
    }

    fn num_blocks_to_append(&self, id: SequenceId, num_tokens: usize) -> usize {
        self.engine.num_blocks_to_append(id, num_tokens)
    }

    fn new_sequence(&mut self) -> SequenceId {
        self.engine.new_sequence()
    }

    fn tokens(&self, id: SequenceId) -> &[TokenId] {
        self.engine.tokens(id)
    }

    fn fork_at(&mut self, id: SequenceId, len: usize) -> SequenceId {
        self.engine.fork_at(id, len)
    }

    fn truncate(&mut self, id: SequenceId, len: usize) {
        self.engine.truncate(id, len);
    }

    fn release(&mut self, id: SequenceId) {
        self.engine.release(id);
    }

    fn step(&mut self, work: &[Work]) -> Result<Vec<Outcome>, EngineError> {
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        passes.count(work, &self.cost, &self.machine);
        self.engine.step(work)
    }
}

/// Tasks that failed.
#[derive(Default)]
struct Failures(Vec<TaskError>);

impl Observer for Failures {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, _round: &Round) {}

    fn finished(&mut self, _task: usize, result: &Result<Solution, TaskError>) {
        self.0.extend(result.as_ref().err().cloned());
    }
}

/// Runs `tasks` one at a time and counts.
///
/// # Errors
///
/// A model that can't be loaded, a step or a task that failed.
pub fn count(tasks: &[Task], settings: &Settings, machine: Machine) -> Result<Passes> {
    let checkpoint = Checkpoint::tiny()?;
    let context_len = checkpoint.config.context_len;
    let num_sequences = 2 + NUM_SEQUENCES_PER_POSITION * settings.num_positions;
    let num_blocks = num_sequences * context_len.div_ceil(BLOCK_LEN);
    let size = EngineSize { max_rows: MAX_ROWS, context_len, num_blocks, max_kv_bytes: None };
    let passes = Arc::default();
    let engine = Counting {
        engine: Engine::new(Cpu::new(), &checkpoint, size)?,
        cost: ModelCost::of(&checkpoint.config),
        machine,
        passes: Arc::clone(&passes),
    };
    let generation = ReadyModel::new(Box::new(engine), checkpoint);
    let mut models = Models { generation, infilling: None };
    let width = Width { concurrency: 1, chunk_len: CHUNK_LEN };
    let mut failures = Failures::default();
    Scheduler::new(&mut models, settings, width).run(
        Submission::all(tasks),
        &mut failures,
        &AtomicBool::new(false),
    )?;
    if let Some(failure) = failures.0.into_iter().next() {
        return Err(failure.into());
    }
    let passes = *passes.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(passes)
}
