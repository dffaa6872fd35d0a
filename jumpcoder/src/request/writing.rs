//! One task from its prompt to its solution: in the modes `ar` and `jump` one request; in the mode
//! `filtered` a jumping one, then, where scoring accepted an insertion, a plain one and the choice.

use std::time::Instant;

use jump_engine::Outcome;
use jump_kernels::mix_key;

use crate::event::{Judge, Round, TokenCounts};
use crate::language::{self, Language};
use crate::models::{Models, Role};
use crate::program::Program;
use crate::request::Request;
use crate::request::order::{Context, Slot};
use crate::request::perplexity::Perplexities;
use crate::settings::{Mode, Settings};
use crate::task::{Insertion, Solution, Task, TaskError};

/// A finished program with what it took.
struct Written {
    program: Program,
    insertions: Vec<Insertion>,
    num_rounds: usize,
}

enum Phase {
    /// The only request, or the jumping one of `filtered`.
    First(Request),
    /// The plain request of `filtered`.
    Plain { jumped: Written, request: Request },
    /// Both of `filtered` are there.
    Choosing { jumped: Written, plain: Written, perplexities: Perplexities },
    /// Between two phases, and at the end.
    Over,
}

/// A task in progress.
pub struct Writing {
    phase: Phase,
    task: Task,
    task_key: u64,
    prompt: Program,
    tokens: TokenCounts,
    began: Instant,
}

/// What an outcome led to.
#[derive(Default)]
pub struct Progress {
    /// A round that ended.
    pub round: Option<Round>,
    /// The solution, if the task has ended.
    pub solution: Option<Solution>,
}

impl Writing {
    /// Begins a task.
    ///
    /// # Errors
    ///
    /// A prompt that is empty or leaves no room, or a language that is needed and nobody knows.
    pub fn begin(task: &Task, cx: &mut Context<'_>) -> Result<Self, TaskError> {
        let language = known_language(task, cx.settings)?;
        let model = cx.models.get(Role::Generation);
        let prompt = Program::from_prompt(&task.prompt, &model.tokenizer);
        let prompt = prompt.ok_or(TaskError::EmptyPrompt)?;
        let (prompt_len, context_len) = (prompt.ids().len(), cx.context_len(Role::Generation));
        // One more, for the first token that is generated.
        if prompt_len >= context_len {
            return Err(TaskError::PromptTooLong { prompt_len, context_len });
        }
        let (num_lines, max_lines) = (prompt.lines().len(), cx.settings.max_lines);
        // The reference gives such a prompt back as it is.
        if num_lines >= max_lines && !cx.settings.reference_quirks {
            return Err(TaskError::TooManyLines { num_lines, max_lines });
        }
        let task_key = mix_key(&[hash(&task.id), task.sample as u64]);
        let mut request = Request::new(prompt.clone(), &task.stop, task_key, language, cx.models);
        request.begin_round(cx);
        Ok(Self {
            phase: Phase::First(request),
            task: task.clone(),
            task_key,
            prompt,
            tokens: TokenCounts::default(),
            began: Instant::now(),
        })
    }

    /// The lines of the prompt.
    pub fn prompt_lines(&self) -> Vec<String> {
        self.prompt.lines().iter().map(|line| line.text.clone()).collect()
    }

    /// Takes the outcome of an order.
    pub fn absorb(&mut self, slot: Slot, outcome: &Outcome, cx: &mut Context<'_>) -> Progress {
        let round = match (&mut self.phase, slot) {
            (Phase::Choosing { perplexities, .. }, Slot::Perplexity(program_idx)) => {
                perplexities.absorb(program_idx, outcome);
                None
            }
            (Phase::First(request) | Phase::Plain { request, .. }, slot) => {
                request.absorb(slot, outcome, cx)
            }
            (_, slot) => panic!("the task has nothing under way at {slot:?}"),
        };
        Progress { round, solution: self.go_on(cx) }
    }

    /// Moves on to the next phase if this one is over. A request may be over before it has ordered
    /// anything, so this is also called once after the beginning.
    pub fn go_on(&mut self, cx: &mut Context<'_>) -> Option<Solution> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::First(request) if request.is_finished() => {
                let written = self.written(request, cx.models);
                let by_score = |insertion: &Insertion| insertion.by == Judge::Score;
                let is_doubtful = written.insertions.iter().any(by_score);
                if cx.settings.mode == Mode::Filtered && is_doubtful {
                    return self.begin_plain(written, cx);
                }
                let kept_ar = (cx.settings.mode == Mode::Filtered).then_some(false);
                Some(self.solution(written, kept_ar))
            }
            Phase::Plain { jumped, request } if request.is_finished() => {
                let plain = self.written(request, cx.models);
                let programs = [&jumped.program, &plain.program];
                let perplexities = Perplexities::begin(&programs, &mut self.tokens, cx);
                self.phase = Phase::Choosing { jumped, plain, perplexities };
                None
            }
            Phase::Choosing { jumped, plain, perplexities } => {
                if let Some(values) = perplexities.values() {
                    perplexities.release(cx.models);
                    return Some(self.choose(jumped, plain, values[0] < values[1]));
                }
                self.phase = Phase::Choosing { jumped, plain, perplexities };
                None
            }
            unfinished => {
                self.phase = unfinished;
                None
            }
        }
    }

    /// Gives all sequences back, finished or not.
    pub fn release(self, models: &mut Models) {
        match self.phase {
            Phase::First(request) | Phase::Plain { request, .. } => drop(request.release(models)),
            Phase::Choosing { perplexities, .. } => perplexities.release(models),
            Phase::Over => {}
        }
    }

    fn begin_plain(&mut self, jumped: Written, cx: &mut Context<'_>) -> Option<Solution> {
        let prompt = self.prompt.clone();
        let mut request = Request::new(prompt, &self.task.stop, self.task_key, None, cx.models);
        request.begin_round(cx);
        self.phase = Phase::Plain { jumped, request };
        self.go_on(cx)
    }

    fn written(&mut self, request: Request, models: &mut Models) -> Written {
        self.tokens.add(&request.tokens());
        let (insertions, num_rounds) = (request.insertions().to_vec(), request.num_rounds());
        Written { program: request.release(models), insertions, num_rounds }
    }

    fn choose(&self, jumped: Written, mut plain: Written, is_jumped_better: bool) -> Solution {
        let num_rounds = jumped.num_rounds + plain.num_rounds;
        let mut chosen = if is_jumped_better {
            jumped
        } else {
            plain.insertions.clear();
            plain
        };
        chosen.num_rounds = num_rounds;
        self.solution(chosen, Some(!is_jumped_better))
    }

    fn solution(&self, written: Written, kept_ar: Option<bool>) -> Solution {
        let program = written.program.text();
        let completion = program.strip_prefix(&self.task.prompt).map(str::to_owned);
        Solution {
            completion,
            program,
            insertions: written.insertions,
            num_rounds: written.num_rounds,
            tokens: self.tokens,
            kept_ar,
            seconds: self.began.elapsed().as_secs_f64(),
        }
    }
}

/// The task's language, if the mode needs one.
fn known_language(
    task: &Task,
    settings: &Settings,
) -> Result<Option<&'static dyn Language>, TaskError> {
    if settings.mode == Mode::Ar {
        return Ok(None);
    }
    let known = language::by_name(&task.language, settings.reference_quirks);
    let unknown = || TaskError::UnknownLanguage { language: task.language.clone() };
    known.map(Some).ok_or_else(unknown)
}

/// FNV-1a: the same in every run and on every machine.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
