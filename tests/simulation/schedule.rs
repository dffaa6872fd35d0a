//! What a seed stands for: tasks with their arrivals, settings, sizes, and how often something goes
//! wrong.

use jump_engine::EngineSize;
use jump_kernels::{BLOCK_LEN, ScoreKind, mix_key};
use jumpcoder::mechanism::{Mechanism, Mechanisms};
use jumpcoder::prompt_format::PromptFormat;
use jumpcoder::scheduler::Width;
use jumpcoder::settings::{Checker, Mode, SamplingSettings, Settings};
use jumpcoder::task::Task;

use super::script::Script;
use super::vocabulary::Vocabulary;

/// Draws that depend on nothing but the seed.
#[derive(Clone, Debug)]
pub struct Draw {
    seed: u64,
    num_drawn: u64,
}

impl Draw {
    /// The draws of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, num_drawn: 0 }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.num_drawn += 1;
        mix_key(&[self.seed, self.num_drawn])
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }

    /// `true` once in `num` times.
    pub fn one_in(&mut self, num: usize) -> bool {
        self.below(num) == 0
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A task, and when it comes.
#[derive(Clone, Debug)]
pub struct Planned {
    pub task: Task,
    /// So many steps are tried before it is handed in.
    pub arrival: usize,
    /// Does it follow the rounds of the run alone?
    pub is_recorded: bool,
}

/// The models of a schedule.
#[derive(Clone, Copy, Debug)]
pub struct ModelPlan {
    /// The kind of the vocabulary.
    pub variant: usize,
    /// Tells it from other models.
    pub salt: u64,
    pub size: EngineSize,
}

/// A run to come.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub settings: Settings,
    pub width: Width,
    pub generation: ModelPlan,
    pub infilling: Option<ModelPlan>,
    /// In the order of their arrivals.
    pub tasks: Vec<Planned>,
    /// Something is cancelled once in so many steps; never if 0.
    pub cancels_every: usize,
    /// A step fails once in so many; never if 0.
    pub fails_every: usize,
    /// Is the first task that is put off cancelled?
    pub cancels_suspended: bool,
    /// The models have so many per cent of the blocks that a task takes alone, sharing nothing.
    pub starvation: Option<usize>,
    /// The run is dropped after so many steps.
    pub stops_after: Option<usize>,
    /// Is the whole cache looked at in every step?
    pub is_strict: bool,
}

impl Schedule {
    /// Draws a schedule. `script` gives the text of a kind of vocabulary.
    pub fn draw(draw: &mut Draw, scripts: &[impl AsRef<Script>]) -> Self {
        let settings = settings(draw);
        let context_len = draw.pick(&[48_usize, 96, 160, 256, 256, 256]);
        let model = |num_sequences: usize, salt: u64, draw: &mut Draw| {
            let least = num_sequences * context_len.div_ceil(BLOCK_LEN);
            let num_blocks = least + least * draw.pick(&[0, 0, 0, 1, 2, 6, 12]) / 2;
            let max_rows = draw.pick(&[8, 24, 64, 1024, 1024]);
            let size = EngineSize { max_rows, context_len, num_blocks, max_kv_bytes: None };
            ModelPlan { variant: variant(draw), salt, size }
        };
        let num_positions = settings.num_positions;
        let is_apart = settings.mode != Mode::Ar && draw.one_in(4);
        let num_sequences = match settings.mode {
            Mode::Ar => 1,
            _ if is_apart => 1 + num_positions,
            _ => 2 + num_positions,
        };
        let generation = model(num_sequences, 1, draw);
        let infilling = is_apart.then(|| model(1 + num_positions, 2, draw));
        let tasks = tasks(draw, &settings, scripts[generation.variant].as_ref());
        let width = Width {
            concurrency: draw.pick(&[1, 2, 3, 5, 8, 8]),
            chunk_len: draw.pick(&[1, 3, 16, 64, 256]),
        };
        Self {
            settings,
            width,
            generation,
            infilling,
            tasks,
            cancels_every: draw.pick(&[0, 0, 0, 40, 400]),
            fails_every: draw.pick(&[0, 0, 0, 7, 50]),
            cancels_suspended: draw.one_in(5),
            starvation: draw.pick(&[None, None, Some(90), Some(120), Some(160), Some(200)]),
            stops_after: draw.one_in(12).then(|| draw.below(500)),
            is_strict: draw.one_in(8),
        }
    }

    /// The models: G, and I if it is another.
    pub fn plans(&self) -> impl Iterator<Item = ModelPlan> {
        [Some(self.generation), self.infilling].into_iter().flatten()
    }
}

/// Most vocabularies are plain.
fn variant(draw: &mut Draw) -> usize {
    let variant = draw.below(8);
    if variant < Vocabulary::NUM_VARIANTS { variant } else { 0 }
}

fn settings(draw: &mut Draw) -> Settings {
    let sampling =
        SamplingSettings { temperature: 0.8, top_k: None, top_p: 0.95, seed: draw.number() };
    Settings {
        checker: Checker::Tree,
        prompt_format: PromptFormat::Plain,
        fim: None,
        mode: draw.pick(&[Mode::Ar, Mode::Jump, Mode::Jump, Mode::Filtered, Mode::Filtered]),
        num_positions: draw.pick(&[1, 1, 2, 2, 3, 5]),
        threshold: draw.pick(&[0.3, 0.3, 0.0, -0.5, 1.0]),
        max_lines: if draw.one_in(3) { 3 + draw.below(4) } else { 6 + draw.below(10) },
        max_line_tokens: draw.pick(&[3, 12, 40, 40, 40, 256]),
        score: draw.pick(&[ScoreKind::Logit, ScoreKind::LogProb]),
        infill_comments: draw.one_in(3),
        infill_prompt: !draw.one_in(3),
        ast_judge: draw.one_in(2),
        reference_quirks: draw.one_in(8),
        sampling: draw.one_in(4).then_some(sampling),
        mechanisms: mechanisms(draw),
    }
}

/// All, or all but a few.
fn mechanisms(draw: &mut Draw) -> Mechanisms {
    let num_off = draw.pick(&[0, 0, 0, 0, 1, 1, 2, 6]);
    let off = (0..num_off).map(|_| draw.pick(&Mechanism::ALL));
    off.fold(Mechanisms::all(), Mechanisms::without)
}

fn tasks(draw: &mut Draw, settings: &Settings, script: &Script) -> Vec<Planned> {
    let num_prompts = 1 + draw.below(3);
    let prompts: Vec<Task> =
        (0..num_prompts).map(|idx| problem(idx, draw, settings, script)).collect();
    let num_tasks = draw.pick(&[1, 2, 3, 4, 5, 6, 6]);
    let come_at_once = !draw.one_in(3);
    // A filtered run has the rounds of two programs, which no trace tells apart.
    let may_be_recorded = settings.mode != Mode::Filtered && draw.one_in(8);
    let mut arrival = 0;
    let mut planned = |sample: usize| {
        arrival += if come_at_once { 0 } else { draw.below(60) };
        let task = Task { sample, ..prompts[draw.below(num_prompts)].clone() };
        Planned { task, arrival, is_recorded: may_be_recorded && draw.one_in(2) }
    };
    (0..num_tasks).map(&mut planned).collect()
}

fn problem(idx: usize, draw: &mut Draw, settings: &Settings, script: &Script) -> Task {
    let most = settings.max_lines - 1;
    // With room for two lines, an inserted function may end a program in its first round.
    let num_lines = draw.pick(&[1, 1, 2, 3, most - 1, most - 1]).min(most).min(5);
    let num_lines = if draw.one_in(40) { settings.max_lines } else { num_lines };
    let prompt = script.prompt(num_lines, draw.number());
    let stop = draw.pick(&[&[][..], &[], &["def"], &["\nclass", "print"]]);
    let language = if draw.one_in(40) { "cobol" } else { "python" };
    Task {
        id: format!("problem {idx}"),
        sample: 0,
        prompt: if draw.one_in(40) { "\n \n".to_owned() } else { prompt },
        language: language.to_owned(),
        stop: stop.iter().map(|stop| (*stop).to_owned()).collect(),
    }
}
