//! One program on its way: round after round of hybrid generation, combination, judging and
//! selection. A pure state machine: it orders works and takes their outcomes, in whatever steps
//! they run.

mod infilling;
mod jumping;
mod next_line;
pub mod order;
mod perplexity;
mod rescoring;
pub mod writing;

use std::sync::Arc;
use std::time::Instant;

use jump_engine::Outcome;
use jump_models::Tokenizer;

use crate::event::{CandidateReport, Change, Infill, Round, TokenCounts};
use crate::idle::Owner;
use crate::language::Language;
use crate::mechanism::Mechanism;
use crate::models::{Models, Role};
use crate::program::{KnownScores, Line, Program};
use crate::request::jumping::{Found, Jumping};
use crate::request::next_line::{NextLine, WrittenLine};
use crate::request::order::{Context, Slot};
use crate::request::rescoring::Attempt;
use crate::settings::Settings;
use crate::task::Insertion;

/// The state of a round.
struct RoundState {
    began: Instant,
    tokens: TokenCounts,
    infills: Vec<Infill>,
    reports: Vec<CandidateReport>,
    /// The program with the next line, once that is written and if it belongs to it.
    appended: Option<Program>,
}

impl RoundState {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            tokens: TokenCounts::default(),
            infills: Vec::new(),
            reports: Vec::new(),
            appended: None,
        }
    }
}

/// What a request goes on from.
pub struct Beginning<'a> {
    /// The program; its scores may be known.
    pub program: Program,
    /// See [`Task::stop`](crate::task::Task::stop).
    pub stop: &'a [String],
    /// Part of the key of every draw.
    pub task_key: u64,
    /// The program jumps if it has one.
    pub language: Option<&'static dyn Language>,
    /// Whose sequences they are.
    pub owner: Owner,
    /// Do others of the family go on from the same prompt?
    pub has_kin: bool,
    /// The rounds of a recorded run, to do as they did.
    pub recorded: Option<Arc<[Round]>>,
}

/// A program on its way.
pub struct Request {
    program: Program,
    stop: Vec<String>,
    next_line: NextLine,
    jumping: Option<Jumping>,
    round: RoundState,
    num_rounds: usize,
    insertions: Vec<Insertion>,
    tokens: TokenCounts,
    owner: Owner,
    has_kin: bool,
    recorded: Option<Arc<[Round]>>,
    is_finished: bool,
}

impl Request {
    /// A request that goes on from a program.
    pub fn new(beginning: Beginning<'_>, models: &mut Models) -> Self {
        let Beginning { program, stop, task_key, language, owner, has_kin, recorded } = beginning;
        let mut new_sequence = |role| models.get_mut(role).engine.new_sequence();
        let next_line = NextLine::new(owner, new_sequence(Role::Generation), task_key);
        let jumping =
            language.map(|language| Jumping::new(language, owner, new_sequence(Role::Infilling)));
        Self {
            program,
            stop: stop.to_vec(),
            next_line,
            jumping,
            round: RoundState::new(),
            num_rounds: 0,
            insertions: Vec::new(),
            tokens: TokenCounts::default(),
            owner,
            has_kin,
            recorded,
            is_finished: false,
        }
    }

    /// The program so far.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Insertions so far.
    pub fn insertions(&self) -> &[Insertion] {
        &self.insertions
    }

    /// Rounds so far.
    pub fn num_rounds(&self) -> usize {
        self.num_rounds
    }

    /// Tokens that were run so far.
    pub fn tokens(&self) -> TokenCounts {
        self.tokens
    }

    /// Is the program finished?
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Is the outcome of this order still wanted? It isn't if an insertion came between.
    pub fn wants(&self, slot: Slot) -> bool {
        !matches!(slot, Slot::NextLine(..)) || slot == self.next_line.slot()
    }

    /// Begins the next round, or ends the request if a limit is reached.
    pub fn begin_round(&mut self, cx: &mut Context<'_>) {
        if !may_go_on(&self.program, self.num_rounds, cx) {
            self.is_finished = true;
            return;
        }
        self.round = RoundState::new();
        if let Some(rounds) = &self.recorded {
            let decoded = |round: usize| rounds.get(round).map(|round| round.decoded.clone());
            let is_appended = |round: &Round| matches!(round.change, Change::Append { .. });
            let goes_on = rounds.get(self.num_rounds).is_some_and(is_appended);
            let next = decoded(self.num_rounds + 1).filter(|_| goes_on);
            self.next_line.follow(decoded(self.num_rounds), next);
        }
        self.next_line.begin(&self.program, &mut self.round.tokens, cx);
        if let Some(jumping) = &mut self.jumping {
            jumping.begin(&self.program, &mut self.round.tokens, cx);
        }
        self.begin_branches(cx);
    }

    /// Takes the outcome of an order. Gives the reports of the rounds that ended with it; the next
    /// round, if any, has begun then.
    pub fn absorb(&mut self, slot: Slot, outcome: &Outcome, cx: &mut Context<'_>) -> Vec<Round> {
        let counts = &mut self.round.tokens;
        match (slot, &mut self.jumping) {
            (Slot::NextLine(..), _) => {
                self.next_line.absorb(outcome, &mut self.program, counts, cx);
            }
            (slot, Some(jumping)) => jumping.absorb(slot, outcome, counts, cx),
            (slot, None) => panic!("the request has nothing under way at {slot:?}"),
        }
        self.keep_prompt(slot, cx);
        let ended = self.go_on(cx);
        self.look_ahead(cx);
        ended
    }

    /// An order was run whose outcome isn't wanted any more.
    pub fn count_unwanted(&mut self, num_tokens: usize) {
        self.round.tokens.decode += num_tokens;
        self.round.tokens.wasted += num_tokens;
    }

    /// Goes on as far as the outcomes so far allow.
    pub fn go_on(&mut self, cx: &mut Context<'_>) -> Vec<Round> {
        let mut ended = Vec::new();
        while !self.is_finished {
            self.begin_branches(cx);
            if !self.has_written() {
                break;
            }
            if self.jumping.as_ref().is_some_and(|jumping| !jumping.is_judging()) {
                self.begin_judging(cx);
            }
            if !self.jumping.as_ref().is_none_or(Jumping::is_judged) {
                break;
            }
            ended.push(self.end_round(cx));
            if !self.is_finished {
                self.begin_round(cx);
            }
        }
        ended
    }

    /// Others of the family may begin with what the prompt's sequences hold.
    fn keep_prompt(&self, slot: Slot, cx: &mut Context<'_>) {
        if !self.has_kin || self.num_rounds > 0 || !cx.settings.uses(Mechanism::Fork) {
            return;
        }
        let stem = self.jumping.as_ref().map(Jumping::stem);
        let (role, sequence) = match (slot, stem) {
            (Slot::NextLine(..), _) if self.next_line.is_at_beginning() => {
                (Role::Generation, self.next_line.sequence())
            }
            (Slot::Stem, Some(stem)) => (Role::Infilling, stem),
            _ => return,
        };
        let model = cx.models.get_mut(role);
        let fork = model.engine.fork_at(sequence, model.engine.tokens(sequence).len());
        // Nothing pushes it out but want of blocks.
        let owner = Owner { request: None, ..self.owner };
        model.idle.keep(owner, fork, usize::MAX, model.engine.as_mut());
    }

    /// Goes on with the line after the next as long as the round isn't decided.
    fn look_ahead(&mut self, cx: &mut Context<'_>) {
        let uses = |mechanism| cx.settings.uses(mechanism);
        let may = uses(Mechanism::Lookahead) && uses(Mechanism::Cache) && self.jumping.is_some();
        let can = self.next_line.is_finished() && !self.next_line.is_ahead();
        if self.is_finished
            || !may
            || !can
            || self.round.appended.is_some()
            || cx.settings.reference_quirks
        {
            return;
        }
        let written = self.next_line.line(&self.stop, cx.settings);
        if written.has_ended || !written.is_kept {
            return;
        }
        let program = self.with_next_line(&written, cx);
        if may_go_on(&program, self.num_rounds + 1, cx) {
            self.next_line.look_ahead(&program, cx);
        }
        self.round.appended = Some(program);
    }

    /// Begins the infills if they can begin.
    fn begin_branches(&mut self, cx: &mut Context<'_>) {
        let Self { jumping, program, recorded, num_rounds, round, .. } = self;
        let recorded = recorded.as_deref().and_then(|rounds| rounds.get(*num_rounds));
        if let Some(jumping) = jumping {
            jumping.begin_branches(program, recorded, &mut round.tokens, cx);
        }
    }

    /// Are the next line and all infills there?
    fn has_written(&self) -> bool {
        self.next_line.is_finished() && self.jumping.as_ref().is_none_or(Jumping::has_infilled)
    }

    /// Judges what was found, as far as it needs no model, and begins to rescore the rest.
    fn begin_judging(&mut self, cx: &mut Context<'_>) {
        let Self { jumping, program, next_line, recorded, num_rounds, round, .. } = self;
        let recorded = recorded.as_deref().and_then(|rounds| rounds.get(*num_rounds));
        let Some(jumping) = jumping else { return };
        let (sequence, counts) = (next_line.sequence(), &mut round.tokens);
        let Found { infills, reports } =
            jumping.begin_judging(program, sequence, recorded, counts, cx);
        round.infills = infills;
        round.reports = reports;
    }

    /// Selects, changes the program, and reports.
    fn end_round(&mut self, cx: &mut Context<'_>) -> Round {
        let written = self.next_line.line(&self.stop, cx.settings);
        let num_lines = self.program.lines().len();
        let change = match self.select(cx) {
            Some(change) => {
                self.round.tokens.wasted += written.decoded.tokens.len();
                change
            }
            None => self.append(&written, cx),
        };
        let positions = self.jumping.as_mut().map(Jumping::take_positions);
        let round = Round {
            round: self.num_rounds,
            num_lines,
            positions: positions.unwrap_or_default(),
            infills: std::mem::take(&mut self.round.infills),
            next_line: written.text,
            decoded: written.decoded,
            ended: written.has_ended,
            candidates: std::mem::take(&mut self.round.reports),
            change,
            tokens: self.round.tokens,
            seconds: self.round.began.elapsed().as_secs_f64(),
        };
        self.tokens.add(&round.tokens);
        self.num_rounds += 1;
        round
    }

    /// Inserts the best accepted candidate, if there is one.
    fn select(&mut self, cx: &mut Context<'_>) -> Option<Change> {
        let rescoring = self.jumping.as_mut()?.take_rescoring();
        let by_ast = self.round.reports.iter().find(|report| report.accepted).cloned();
        let best = rescoring.best();
        let by_score = best.map(|best| rescoring.attempts[best].report());
        let program = match (&by_ast, best) {
            (Some(report), _) => Some(self.with_inserted(report, cx)),
            (None, Some(best)) => {
                let (program, fork) = rescoring.attempts[best].accepted(cx.models);
                self.next_line.replace(fork, cx.models);
                Some(program)
            }
            (None, None) => None,
        };
        self.round.reports.extend(rescoring.attempts.iter().map(Attempt::report));
        self.round.reports.sort_by_key(|report| report.position);
        rescoring.release(best, cx.models);
        Some(self.insert(&by_ast.or(by_score)?, program?, cx))
    }

    /// The program with an insertion that the syntax tree accepted: nothing is cut.
    fn with_inserted(&self, report: &CandidateReport, cx: &Context<'_>) -> Program {
        let (before, after) = self.program.lines().split_at(report.position);
        let inserted = report.inserted.iter();
        let inserted = inserted.map(|text| Line { text: text.clone(), is_prompt: false });
        let lines = [before, &inserted.collect::<Vec<_>>(), after].concat();
        let tokenizer = &cx.models.get(Role::Generation).tokenizer;
        renewed(&self.program, lines, tokenizer, &self.program.known_scores(), cx.settings)
    }

    /// Makes `program` the program: it has the insertion of `report`.
    fn insert(
        &mut self,
        report: &CandidateReport,
        program: Program,
        cx: &mut Context<'_>,
    ) -> Change {
        let CandidateReport { position, inserted, by, gain, .. } = report.clone();
        let old = std::mem::replace(&mut self.program, program);
        let num_dropped = old.lines().len() + inserted.len() - self.program.lines().len();
        let dropped = &old.lines()[old.lines().len().saturating_sub(num_dropped)..];
        self.next_line.redraft(&self.program, dropped, cx);
        let (round, lines) = (self.num_rounds, inserted.clone());
        self.insertions.push(Insertion { round, position, lines, by, gain });
        Change::Insert { position, lines: inserted, num_dropped, by }
    }

    /// Appends the next line, or ends the request.
    fn append(&mut self, written: &WrittenLine, cx: &Context<'_>) -> Change {
        self.is_finished = written.has_ended;
        if !written.is_kept {
            return Change::None;
        }
        let appended = self.round.appended.take();
        self.program = appended.unwrap_or_else(|| self.with_next_line(written, cx));
        let line = self.program.lines().last().expect("it was just appended");
        Change::Append { line: line.text.clone() }
    }

    /// The program with the next line at its end.
    fn with_next_line(&self, written: &WrittenLine, cx: &Context<'_>) -> Program {
        let lines = [self.program.lines(), &[Line::written(&written.text)]].concat();
        let known = self.next_line.known_scores(&self.program);
        let tokenizer = &cx.models.get(Role::Generation).tokenizer;
        renewed(&self.program, lines, tokenizer, &known, cx.settings)
    }

    /// Gives all blocks back. The round is begun again by [`Request::begin_round`]; what was run
    /// for it was in vain.
    pub fn suspend(&mut self, models: &mut Models) {
        let mut tokens = std::mem::take(&mut self.round.tokens);
        self.next_line.suspend(&mut tokens, models);
        tokens.wasted = tokens.num_run();
        self.tokens.add(&tokens);
        if let Some(jumping) = &mut self.jumping {
            jumping.suspend(models);
        }
    }

    /// Gives all sequences back and leaves the program.
    pub fn release(self, models: &mut Models) -> Program {
        self.next_line.release(models);
        if let Some(jumping) = self.jumping {
            jumping.release(models);
        }
        self.program
    }
}

/// Does a round follow with this program, after so many?
fn may_go_on(program: &Program, num_rounds: usize, cx: &Context<'_>) -> bool {
    let max_lines = cx.settings.max_lines;
    let has_room = program.ids().len() <= cx.max_program_len();
    program.lines().len() < max_lines && num_rounds < max_lines && has_room
}

/// A program that has changed. The reference scores its first token anew, after its last one.
fn renewed(
    old: &Program,
    lines: Vec<Line>,
    tokenizer: &Tokenizer,
    known: &KnownScores,
    settings: &Settings,
) -> Program {
    let mut program = old.with_lines(lines, tokenizer, known);
    if settings.reference_quirks {
        program.forget_first_score();
    }
    program
}
