//! What a program that jumps has beyond its next line: positions, infills, candidates, verdicts.

use jump_engine::{Outcome, SequenceId};

use crate::decision::combination::{Candidate, combine};
use crate::decision::position::critical_positions;
use crate::event::{CandidateReport, ChosenPosition, Infill, Judge, Round, TokenCounts};
use crate::idle::Owner;
use crate::language::{InfillKind, Language, Reading};
use crate::models::Models;
use crate::program::Program;
use crate::request::infilling::{Gaps, Infilling};
use crate::request::next_line::scorable;
use crate::request::order::{Context, Slot};
use crate::request::rescoring::Rescoring;

/// The jump of a round.
pub struct Jumping {
    language: &'static dyn Language,
    infilling: Infilling,
    /// The round's positions, once they are chosen.
    positions: Option<Vec<ChosenPosition>>,
    /// Whether the branches of the positions have begun.
    has_begun: bool,
    /// The program as its language reads it.
    reading: Box<dyn Reading>,
    /// Once judging has begun.
    rescoring: Option<Rescoring>,
}

/// What was found, and the verdicts that needed no model.
pub struct Found {
    /// In the order of the positions.
    pub infills: Vec<Infill>,
    /// Imports and functions.
    pub reports: Vec<CandidateReport>,
}

impl Jumping {
    /// Before the first round; the stem is empty.
    pub fn new(language: &'static dyn Language, owner: Owner, stem: SequenceId) -> Self {
        Self {
            language,
            infilling: Infilling::new(language, owner, stem),
            positions: None,
            has_begun: false,
            reading: language.read(&[]),
            rescoring: None,
        }
    }

    /// Begins a round with `program`.
    pub fn begin(&mut self, program: &Program, counts: &mut TokenCounts, cx: &mut Context<'_>) {
        let lines: Vec<&str> = program.lines().iter().map(AsRef::as_ref).collect();
        self.reading = self.language.read(&lines);
        self.positions = None;
        self.has_begun = false;
        self.infilling.extend_stem(program, counts, cx);
    }

    /// Begins the infills as soon as the scores of the program are known and the stem is there.
    /// `recorded` is the round of a recorded run.
    pub fn begin_branches(
        &mut self,
        program: &Program,
        recorded: Option<&Round>,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) {
        if self.has_begun || !scorable(program, cx.settings).is_empty() {
            return;
        }
        let is_comment = self.reading.is_comment();
        let positions = self.positions.get_or_insert_with(|| {
            let found = || critical_positions(program, &is_comment, cx.settings);
            let exists = |chosen: &&ChosenPosition| chosen.position < is_comment.len();
            let follow = |round: &Round| round.positions.iter().filter(exists).cloned().collect();
            recorded.map_or_else(found, follow)
        });
        if !self.infilling.is_stem_ready(program, positions, cx.models) {
            return;
        }
        self.has_begun = true;
        let gaps = Gaps {
            program,
            positions,
            allow_functions: !self.reading.undefined().is_empty(),
            recorded: recorded.map_or(&[], |round| &round.infills),
        };
        self.infilling.begin(&gaps, counts, cx);
    }

    /// Takes the outcome of an order of the stem, a branch, or a candidate.
    pub fn absorb(
        &mut self,
        slot: Slot,
        outcome: &Outcome,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) {
        match (slot, &mut self.rescoring) {
            (Slot::Stem, _) => self.infilling.absorb_stem(),
            (Slot::Branch(idx), _) => self.infilling.absorb(idx, outcome, counts, cx),
            (Slot::Candidate(idx), Some(rescoring)) => rescoring.absorb(idx, outcome, counts, cx),
            (slot, _) => panic!("the round has nothing under way at {slot:?}"),
        }
    }

    /// Are all infills there?
    pub fn has_infilled(&self) -> bool {
        self.has_begun && self.infilling.is_finished()
    }

    /// Has judging begun?
    pub fn is_judging(&self) -> bool {
        self.rescoring.is_some()
    }

    /// Has every candidate its verdict?
    pub fn is_judged(&self) -> bool {
        self.rescoring.as_ref().is_none_or(Rescoring::is_finished)
    }

    /// Makes candidates of the infills and judges those that need no model. Without an accepted one
    /// the others are rescored, from `generation`, which begins with `program`.
    pub fn begin_judging(
        &mut self,
        program: &Program,
        generation: SequenceId,
        recorded: Option<&Round>,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) -> Found {
        let infills = self.infilling.infills();
        let combined = infills.iter().filter_map(|infill| {
            combine(program, infill.position, &infill.text, self.language, cx.settings)
        });
        let is_for_ast = |candidate: &Candidate| {
            let kinds = [InfillKind::Import, InfillKind::Function];
            cx.settings.ast_judge && kinds.contains(&candidate.kind)
        };
        let (for_ast, for_scoring): (Vec<_>, Vec<_>) = combined.partition(is_for_ast);
        let reports = self.judge_by_ast(for_ast);
        let is_decided = reports.iter().any(|report| report.accepted);
        let for_scoring = if is_decided { Vec::new() } else { for_scoring };
        let recorded = recorded.map_or(&[][..], |round| &round.candidates);
        let rescoring = Rescoring::begin(program, for_scoring, generation, recorded, counts, cx);
        self.rescoring = Some(rescoring);
        Found { infills, reports }
    }

    /// Judges imports and functions: accepted are those that define something undefined.
    fn judge_by_ast(&self, candidates: Vec<Candidate>) -> Vec<CandidateReport> {
        let judge = |candidate: Candidate| {
            let Candidate { position, inserted, .. } = candidate;
            let texts: Vec<&str> = inserted.iter().map(AsRef::as_ref).collect();
            let accepted = !self.reading.defined_by(position, &texts).is_empty();
            let inserted = inserted.into_iter().map(|line| line.text).collect();
            let (by, deltas, gain) = (Judge::Ast, Vec::new(), 0.0);
            CandidateReport { position, inserted, by, deltas, accepted, gain }
        };
        candidates.into_iter().map(judge).collect()
    }

    /// The candidates that were rescored, when all are judged.
    pub fn take_rescoring(&mut self) -> Rescoring {
        self.rescoring.take().unwrap_or_default()
    }

    /// The round's positions, when it ends.
    pub fn take_positions(&mut self) -> Vec<ChosenPosition> {
        self.positions.take().unwrap_or_default()
    }

    /// The stem, to fork from.
    pub fn stem(&self) -> SequenceId {
        self.infilling.stem()
    }

    /// Gives all blocks back; the round is begun again in time.
    pub fn suspend(&mut self, models: &mut Models) {
        self.infilling.suspend(models);
        self.take_rescoring().release(None, models);
    }

    /// Gives all sequences back but the idle ones.
    pub fn release(mut self, models: &mut Models) {
        self.take_rescoring().release(None, models);
        self.infilling.release(models);
    }
}
