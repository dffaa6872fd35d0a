//! Generation Model Scoring of a round's candidates: each is a fork of G's sequence, all of them
//! run in the same passes, with one score for each token that follows the insertion.
//!
//! Most walks end at the first line, so a candidate is rescored in groups of lines that double in
//! size: what comes after the end of a walk is hardly ever run.

use jump_engine::{Outcome, SequenceId};

use crate::decision::combination::Candidate;
use crate::decision::scoring::{Walk, num_kept_lines};
use crate::event::{CandidateReport, Judge, TokenCounts};
use crate::mechanism::Mechanism;
use crate::models::{Models, Role};
use crate::program::{LineScore, Program, common_prefix_len};
use crate::request::next_line::{scorable, score_target};
use crate::request::order::{Context, Slot};
use crate::settings::Settings;

/// A candidate on its way to a verdict.
pub struct Attempt {
    /// What is inserted, and where.
    pub candidate: Candidate,
    /// The program with the insertion.
    program: Program,
    /// Until it is rejected.
    fork: Option<SequenceId>,
    /// The scores of the lines after the insertion, without it.
    before: Vec<Option<LineScore>>,
    /// The first scored token of each line after the insertion that has any.
    line_starts: Vec<usize>,
    /// Tokens of `program` that the fork has run or that are ordered.
    num_run: usize,
    asked: Vec<usize>,
    /// The walk over the lines after the insertion.
    pub walk: Walk,
    verdict: Option<Verdict>,
    /// What became of its lines in a recorded run.
    recorded: Option<Vec<Option<f64>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Rejected,
    /// So many lines are kept.
    Accepted(usize),
}

/// The candidates of a round that are judged by scoring.
#[derive(Default)]
pub struct Rescoring {
    /// In the order of their positions.
    pub attempts: Vec<Attempt>,
}

impl Rescoring {
    /// Begins to rescore `candidates`; `generation` begins with `program`. `recorded` is what
    /// became of them in a recorded run.
    pub fn begin(
        program: &Program,
        candidates: Vec<Candidate>,
        generation: SequenceId,
        recorded: &[CandidateReport],
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) -> Self {
        let mut attempts = Vec::new();
        for (attempt_idx, candidate) in candidates.into_iter().enumerate() {
            let mut attempt = Attempt::new(program, candidate, generation, counts, cx);
            attempt.follow(recorded);
            attempt.order_group(attempt_idx, counts, cx);
            attempts.push(attempt);
        }
        Self { attempts }
    }

    /// Takes the outcome of a candidate's last order; orders more unless the verdict is found.
    pub fn absorb(
        &mut self,
        attempt_idx: usize,
        outcome: &Outcome,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) {
        let attempt = &mut self.attempts[attempt_idx];
        attempt.absorb(outcome, cx.settings);
        match attempt.verdict {
            None => attempt.order_group(attempt_idx, counts, cx),
            Some(Verdict::Rejected) => attempt.release(cx.models),
            Some(Verdict::Accepted(_)) => {}
        }
    }

    /// Has every candidate its verdict?
    pub fn is_finished(&self) -> bool {
        self.attempts.iter().all(|attempt| attempt.verdict.is_some())
    }

    /// The accepted candidate of the largest gain, the upper one among equals.
    pub fn best(&self) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (attempt_idx, attempt) in self.attempts.iter().enumerate() {
            let is_better = |best: usize| attempt.walk.gain > self.attempts[best].walk.gain;
            if attempt.is_accepted() && best.is_none_or(is_better) {
                best = Some(attempt_idx);
            }
        }
        best
    }

    /// Gives all forks back but that of `kept`.
    pub fn release(self, kept: Option<usize>, models: &mut Models) {
        for (attempt_idx, mut attempt) in self.attempts.into_iter().enumerate() {
            if Some(attempt_idx) != kept {
                attempt.release(models);
            }
        }
    }
}

impl Attempt {
    fn new(
        old: &Program,
        candidate: Candidate,
        generation: SequenceId,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) -> Self {
        let context_len = cx.context_len(Role::Generation);
        let model = cx.models.get_mut(Role::Generation);
        let lines = candidate.lines(old);
        let mut program = old.with_lines(lines, &model.tokenizer, &old.known_scores());
        if cx.settings.reference_quirks {
            program.forget_first_score();
        }
        let can_fork = cx.settings.uses(Mechanism::Fork);
        let held = if can_fork { model.engine.tokens(generation) } else { &[] };
        let num_common = common_prefix_len(held, program.ids());
        let first_predictor = program.unscored(1).next().map_or(usize::MAX, |token| token - 1);
        let start = num_common.min(first_predictor).min(program.ids().len() - 1);
        let is_too_long = program.ids().len() > context_len;
        counts.reused += start;
        let engine = &mut model.engine;
        let fork = if can_fork { engine.fork_at(generation, start) } else { engine.new_sequence() };
        let suffix_start = candidate.position + candidate.inserted.len();
        Self {
            line_starts: line_starts(&program, suffix_start),
            before: old.line_scores()[candidate.position..].to_vec(),
            fork: Some(fork),
            candidate,
            program,
            num_run: start,
            asked: Vec::new(),
            walk: Walk::default(),
            verdict: is_too_long.then_some(Verdict::Rejected),
            recorded: None,
        }
    }

    /// Does what a recorded run did with this candidate.
    fn follow(&mut self, recorded: &[CandidateReport]) {
        let is_this = |report: &&CandidateReport| report.position == self.candidate.position;
        self.recorded = recorded.iter().find(is_this).map(|report| report.deltas.clone());
    }

    fn release(&mut self, models: &mut Models) {
        if let Some(fork) = self.fork.take() {
            models.get_mut(Role::Generation).engine.release(fork);
        }
    }

    /// The index of the first line after the insertion.
    fn suffix_start(&self) -> usize {
        self.candidate.position + self.candidate.inserted.len()
    }

    /// Orders the next group of lines.
    fn order_group(&mut self, attempt_idx: usize, counts: &mut TokenCounts, cx: &mut Context<'_>) {
        if self.verdict.is_some() {
            return;
        }
        let ids = self.program.ids();
        let is_progressive = cx.settings.uses(Mechanism::Progressive);
        let end = if is_progressive { self.group_end() } else { ids.len() };
        let start = self.num_run;
        let is_last = end == ids.len();
        let is_in_group =
            |token: &usize| if *token == 0 { is_last } else { (start..end).contains(&(token - 1)) };
        let asked = scorable(&self.program, cx.settings).into_iter();
        self.asked = asked.filter(is_in_group).collect();
        let target = |token: &usize| score_target(ids, *token, start, end);
        let targets = self.asked.iter().map(target).collect();
        let fork = self.fork.expect("it isn't rejected");
        let work = cx.work(fork, ids[start..end].to_vec(), targets, None);
        counts.rescore += work.tokens.len();
        self.num_run = end;
        cx.order(Role::Generation, Slot::Candidate(attempt_idx), work);
    }

    /// The end of the next group: it scores as many lines as have been scored before, at least one.
    fn group_end(&self) -> usize {
        let is_ahead = |token: &&usize| **token - 1 > self.num_run;
        let num_scored = self.line_starts.partition_point(|token| *token <= self.num_run);
        let next_group = self.line_starts.get((2 * num_scored).max(1)..).unwrap_or_default();
        next_group.iter().find(is_ahead).map_or(self.program.ids().len(), |token| token - 1)
    }

    fn absorb(&mut self, outcome: &Outcome, settings: &Settings) {
        for (token, score) in self.asked.drain(..).zip(&outcome.scores) {
            self.program.set_score(token, *score);
        }
        let suffix_start = self.suffix_start();
        let num_known = self.num_known_lines().saturating_sub(suffix_start);
        if let Some(recorded) = &self.recorded {
            self.walk.follow(recorded, num_known, settings.threshold);
        } else {
            let after = &self.program.line_scores()[suffix_start..];
            self.walk.go_on(&self.before, after, num_known, settings.threshold);
        }
        let has_all_run = self.num_run == self.program.ids().len();
        // The reference's score of the first token follows the last one.
        let is_enough =
            !settings.reference_quirks || !self.walk.is_accepted(self.line_starts.len());
        if has_all_run || (self.walk.has_ended && is_enough) {
            self.verdict = Some(self.judge(settings));
        }
    }

    /// Lines from the program's beginning on whose scores are all known.
    fn num_known_lines(&self) -> usize {
        let unknown = self.program.unscored(1).next();
        let line = unknown.and_then(|token| self.program.token_lines()[token]);
        line.map_or(self.program.lines().len(), |line| line as usize)
    }

    fn judge(&self, settings: &Settings) -> Verdict {
        if !self.walk.is_accepted(self.line_starts.len()) {
            return Verdict::Rejected;
        }
        let Candidate { position, inserted, .. } = &self.candidate;
        let lines = self.program.lines();
        let quirks = settings.reference_quirks;
        num_kept_lines(lines, *position, inserted.len(), &self.walk, quirks)
            .map_or(Verdict::Rejected, Verdict::Accepted)
    }

    /// What became of it.
    pub fn report(&self) -> CandidateReport {
        let Candidate { position, inserted, .. } = &self.candidate;
        CandidateReport {
            position: *position,
            inserted: inserted.iter().map(|line| line.text.clone()).collect(),
            by: Judge::Score,
            deltas: self.walk.deltas.clone(),
            accepted: self.is_accepted(),
            gain: self.walk.gain,
        }
    }

    /// Was it accepted?
    pub fn is_accepted(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Accepted(_)))
    }

    /// The program after acceptance, and the sequence that begins with it.
    pub fn accepted(&self, models: &Models) -> (Program, SequenceId) {
        let Some(Verdict::Accepted(num_kept)) = self.verdict else {
            panic!("only an accepted candidate becomes the program");
        };
        let lines = self.program.lines()[..num_kept].to_vec();
        let tokenizer = &models.get(Role::Generation).tokenizer;
        let fork = self.fork.expect("it isn't rejected");
        (self.program.with_lines(lines, tokenizer, &self.program.known_scores()), fork)
    }
}

/// The first scored token of each line from `first_line` on that has any.
fn line_starts(program: &Program, first_line: usize) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut last = None;
    for (token, line) in program.token_lines().iter().enumerate() {
        let Some(line) = line.filter(|line| *line as usize >= first_line) else { continue };
        if last.replace(line) != Some(line) {
            starts.push(token);
        }
    }
    starts
}
