//! Generation Model Scoring of a round's candidates: each is a fork of G's sequence, all of them
//! run in the same passes, with one score for each token that follows the insertion.
//!
//! A candidate is rescored in two groups: the insertion with the first line after it that has
//! scores, where most walks end, and then the rest.

use jump_engine::{Outcome, SequenceId, Work};

use crate::decision::combination::Candidate;
use crate::decision::scoring::{Walk, num_kept_lines};
use crate::event::{CandidateReport, Judge, TokenCounts};
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
    fork: SequenceId,
    /// The scores of the lines after the insertion, without it.
    before: Vec<Option<LineScore>>,
    /// Tokens of `program` that the fork has run or that are ordered.
    num_run: usize,
    asked: Vec<usize>,
    /// The walk over the lines after the insertion.
    pub walk: Walk,
    verdict: Option<Verdict>,
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
    /// Begins to rescore `candidates`; `generation` begins with `program`.
    pub fn begin(
        program: &Program,
        candidates: Vec<Candidate>,
        generation: SequenceId,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) -> Self {
        let mut attempts = Vec::new();
        for (attempt_idx, candidate) in candidates.into_iter().enumerate() {
            let mut attempt = Attempt::new(program, candidate, generation, counts, cx);
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
        if attempt.verdict.is_none() {
            attempt.order_group(attempt_idx, counts, cx);
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
        let engine = &mut models.get_mut(Role::Generation).engine;
        for (attempt_idx, attempt) in self.attempts.into_iter().enumerate() {
            if Some(attempt_idx) != kept {
                engine.release(attempt.fork);
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
        let mut program = Program::new(lines, &model.tokenizer, &old.known_scores());
        if cx.settings.reference_quirks {
            program.forget_first_score();
        }
        let num_common = common_prefix_len(model.engine.tokens(generation), program.ids());
        let first_predictor = program.unscored(1).next().map_or(usize::MAX, |token| token - 1);
        let start = num_common.min(first_predictor).min(program.ids().len() - 1);
        let is_too_long = program.ids().len() > context_len;
        counts.reused += start;
        Self {
            before: old.line_scores()[candidate.position..].to_vec(),
            fork: model.engine.fork_at(generation, start),
            candidate,
            program,
            num_run: start,
            asked: Vec::new(),
            walk: Walk::default(),
            verdict: is_too_long.then_some(Verdict::Rejected),
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
        let (start, end) = (self.num_run, self.group_end());
        let is_last = end == ids.len();
        let is_in_group =
            |token: &usize| if *token == 0 { is_last } else { (start..end).contains(&(token - 1)) };
        let asked = scorable(&self.program, cx.settings).into_iter();
        self.asked = asked.filter(is_in_group).collect();
        let target = |token: &usize| score_target(ids, *token, start, end);
        let work = Work {
            sequence: self.fork,
            tokens: ids[start..end].to_vec(),
            targets: self.asked.iter().map(target).collect(),
            next: None,
            score: cx.settings.score,
        };
        counts.rescore += work.tokens.len();
        self.num_run = end;
        cx.order(Role::Generation, Slot::Candidate(attempt_idx), work);
    }

    /// The tokens that predict the first scored line after the insertion, if they haven't run yet
    /// and another scored line follows; else all.
    fn group_end(&self) -> usize {
        let suffix_start = self.suffix_start() as u32;
        let mut scored =
            self.program.token_lines().iter().enumerate().filter_map(|(token_idx, line)| {
                Some((token_idx, (*line)?)).filter(|(_, line)| *line >= suffix_start)
            });
        let first_line = scored.next();
        let next_line = first_line.and_then(|(_, first)| scored.find(|(_, line)| *line > first));
        match next_line {
            Some((next_token, _)) if next_token - 1 > self.num_run => next_token - 1,
            _ => self.program.ids().len(),
        }
    }

    fn absorb(&mut self, outcome: &Outcome, settings: &Settings) {
        for (token, score) in self.asked.drain(..).zip(&outcome.scores) {
            self.program.set_score(token, *score);
        }
        let suffix_start = self.suffix_start();
        let num_lines = self.program.lines().len();
        let has_all_run = self.num_run == self.program.ids().len();
        let first_unknown = if has_all_run {
            num_lines
        } else {
            let token = self.program.unscored(1).next();
            token
                .and_then(|token| self.program.token_lines()[token])
                .map_or(num_lines, |l| l as usize)
        };
        let num_known = first_unknown.saturating_sub(suffix_start);
        let after = &self.program.line_scores()[suffix_start..];
        self.walk.go_on(&self.before, after, num_known, settings.threshold);
        if has_all_run || (self.walk.has_ended && self.walk.num_improved == 0) {
            self.verdict = Some(self.judge(settings));
        }
    }

    fn judge(&self, settings: &Settings) -> Verdict {
        if !self.walk.is_accepted(self.num_scored_lines()) {
            return Verdict::Rejected;
        }
        let Candidate { position, inserted, .. } = &self.candidate;
        let lines = self.program.lines();
        let quirks = settings.reference_quirks;
        num_kept_lines(lines, *position, inserted.len(), &self.walk, quirks)
            .map_or(Verdict::Rejected, Verdict::Accepted)
    }

    /// Lines after the insertion that have scored tokens.
    fn num_scored_lines(&self) -> usize {
        let suffix_start = self.suffix_start() as u32;
        let lines = self.program.token_lines().iter().flatten();
        let mut scored: Vec<_> = lines.filter(|line| **line >= suffix_start).collect();
        scored.dedup();
        scored.len()
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
        (Program::new(lines, tokenizer, &self.program.known_scores()), self.fork)
    }
}
