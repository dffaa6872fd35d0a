//! One task from its prompt to its solution: in the modes `ar` and `jump` one request; in the mode
//! `filtered` a jumping one, then, where scoring accepted an insertion, a plain one and the choice.

use std::sync::Arc;
use std::time::Instant;

use jump_engine::Outcome;

use crate::event::{Judge, Round, TokenCounts};
use crate::idle::Owner;
use crate::language::compiler::compiled;
use crate::language::{self, Language};
use crate::models::{Models, Role};
use crate::program::{KnownScores, Program};
use crate::prompt_format::FENCE;
use crate::request::order::{Context, Slot};
use crate::request::perplexity::Perplexities;
use crate::request::{Beginning, Request};
use crate::settings::{Checker, Mode, Settings};
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
    assignment: Assignment,
    prompt: Program,
    tokens: TokenCounts,
    began: Instant,
}

/// How a task is to be written.
pub struct Assignment {
    /// Whose its sequences are.
    pub owner: Owner,
    /// Do others of the family go on from the same prompt?
    pub has_kin: bool,
    /// What is known of the prompt from them.
    pub scores: Option<KnownScores>,
    /// The rounds of a recorded run, to do as they did.
    pub recorded: Option<Arc<[Round]>>,
}

/// What an outcome led to.
#[derive(Default)]
pub struct Progress {
    /// Rounds that ended.
    pub rounds: Vec<Round>,
    /// What came of the task, if it has ended.
    pub result: Option<Result<Solution, TaskError>>,
}

impl Writing {
    /// Begins a task.
    ///
    /// # Errors
    ///
    /// A prompt that is empty or leaves no room, or a language that is needed and nobody knows.
    pub fn begin(
        task: &Task,
        assignment: Assignment,
        cx: &mut Context<'_>,
    ) -> Result<Self, TaskError> {
        let language = known_language(task, cx.settings)?;
        let model = cx.models.get(Role::Generation);
        let scores = assignment.scores.clone().unwrap_or_default();
        let format = cx.settings.prompt_format;
        let preamble = format.preamble(task, &model.tokenizer, model.chat.as_ref())?;
        let prompt = Program::from_prompt(&task.prompt, preamble, &model.tokenizer, &scores);
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
        let mut task = task.clone();
        if !format.is_plain() {
            task.stop.push(FENCE.to_owned());
        }
        let mut writing = Self {
            phase: Phase::Over,
            task,
            assignment,
            prompt,
            tokens: TokenCounts::default(),
            began: Instant::now(),
        };
        let mut request = writing.request(language, cx);
        request.begin_round(cx);
        writing.phase = Phase::First(request);
        Ok(writing)
    }

    fn request(&self, language: Option<&'static dyn Language>, cx: &mut Context<'_>) -> Request {
        let Assignment { owner, has_kin, recorded, .. } = &self.assignment;
        let beginning = Beginning {
            program: self.prompt.clone(),
            stop: &self.task.stop,
            task_key: self.task.key(),
            language,
            owner: *owner,
            has_kin: *has_kin,
            recorded: recorded.clone(),
        };
        Request::new(beginning, cx.models)
    }

    /// Tokens of the program so far.
    pub fn num_tokens(&self) -> usize {
        match &self.phase {
            Phase::First(request) | Phase::Plain { request, .. } => request.program().ids().len(),
            Phase::Choosing { jumped, plain, .. } => {
                jumped.program.ids().len().max(plain.program.ids().len())
            }
            Phase::Over => 0,
        }
    }

    /// What is known of the prompt, once it has run.
    pub fn prompt_scores(&self) -> Option<KnownScores> {
        let Phase::First(request) = &self.phase else { return None };
        let is_scored = request.program().unscored(1).next().is_none();
        (request.num_rounds() == 0 && is_scored).then(|| request.program().known_scores())
    }

    /// Is the outcome of this order still wanted?
    pub fn wants(&self, slot: Slot) -> bool {
        match &self.phase {
            Phase::First(request) | Phase::Plain { request, .. } => request.wants(slot),
            Phase::Choosing { .. } | Phase::Over => true,
        }
    }

    /// The lines of the prompt.
    pub fn prompt_lines(&self) -> Vec<String> {
        self.prompt.lines().iter().map(|line| line.text.clone()).collect()
    }

    /// An order was run whose outcome isn't wanted any more.
    pub fn count_unwanted(&mut self, num_tokens: usize) {
        match &mut self.phase {
            Phase::First(request) | Phase::Plain { request, .. } => {
                request.count_unwanted(num_tokens);
            }
            Phase::Choosing { .. } | Phase::Over => {
                self.tokens.decode += num_tokens;
                self.tokens.wasted += num_tokens;
            }
        }
    }

    /// Takes the outcome of an order.
    pub fn absorb(&mut self, slot: Slot, outcome: &Outcome, cx: &mut Context<'_>) -> Progress {
        let rounds = match (&mut self.phase, slot) {
            (Phase::Choosing { perplexities, .. }, Slot::Perplexity(program_idx)) => {
                perplexities.absorb(program_idx, outcome);
                Vec::new()
            }
            (Phase::First(request) | Phase::Plain { request, .. }, slot) => {
                request.absorb(slot, outcome, cx)
            }
            (_, slot) => panic!("the task has nothing under way at {slot:?}"),
        };
        self.progress(rounds, cx)
    }

    /// Goes on as far as it can without an outcome: a request may be over before it has ordered
    /// anything.
    pub fn go_on(&mut self, cx: &mut Context<'_>) -> Progress {
        let rounds = match &mut self.phase {
            Phase::First(request) | Phase::Plain { request, .. } => request.go_on(cx),
            Phase::Choosing { .. } | Phase::Over => Vec::new(),
        };
        self.progress(rounds, cx)
    }

    fn progress(&mut self, rounds: Vec<Round>, cx: &mut Context<'_>) -> Progress {
        let diverged = self.assignment.recorded.as_ref().and_then(|recorded| {
            let is_other = |round: &&Round| !is_as_recorded(round, recorded, cx.settings.mode);
            rounds.iter().find(is_other).map(|round| round.round)
        });
        let result = match diverged {
            Some(round) => Some(Err(TaskError::NotAsRecorded { round })),
            None => self.next_phase(cx).map(Ok),
        };
        Progress { rounds, result }
    }

    /// Gives all blocks back, to go on with [`Writing::resume`].
    pub fn suspend(&mut self, models: &mut Models) {
        match &mut self.phase {
            Phase::First(request) | Phase::Plain { request, .. } => request.suspend(models),
            Phase::Choosing { perplexities, .. } => {
                self.tokens.wasted += perplexities.suspend(models);
            }
            Phase::Over => {}
        }
    }

    /// Begins again what [`Writing::suspend`] broke off.
    pub fn resume(&mut self, cx: &mut Context<'_>) -> Progress {
        match &mut self.phase {
            Phase::First(request) | Phase::Plain { request, .. } => request.begin_round(cx),
            Phase::Choosing { jumped, plain, perplexities } => {
                let programs = [&jumped.program, &plain.program];
                *perplexities = Perplexities::begin(&programs, &mut self.tokens, cx);
            }
            Phase::Over => {}
        }
        self.go_on(cx)
    }

    /// Moves on to the next phase if this one is over; gives the solution after the last.
    fn next_phase(&mut self, cx: &mut Context<'_>) -> Option<Solution> {
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
        let mut request = self.request(None, cx);
        request.begin_round(cx);
        self.phase = Phase::Plain { jumped, request };
        self.next_phase(cx)
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

/// Did a round change the program as it did in the recorded run, and look where that looked?
fn is_as_recorded(round: &Round, recorded: &[Round], mode: Mode) -> bool {
    recorded.get(round.round).is_some_and(|recorded| {
        let looked_there = mode == Mode::Ar || recorded.positions == round.positions;
        recorded.change == round.change && looked_there
    })
}

/// The task's language, if the mode needs one.
fn known_language(
    task: &Task,
    settings: &Settings,
) -> Result<Option<&'static dyn Language>, TaskError> {
    if settings.mode == Mode::Ar {
        return Ok(None);
    }
    let language = language::by_name(&task.language, settings.reference_quirks);
    let language = language.ok_or_else(|| TaskError::UnknownLanguage {
        language: task.language.clone(),
        known: language::names().join(", "),
    })?;
    Ok(Some(match settings.checker {
        Checker::Tree => language,
        Checker::Compiler => compiled(language)?,
    }))
}
