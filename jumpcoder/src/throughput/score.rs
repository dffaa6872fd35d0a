//! Scoring, as a jump does it: a program, candidates with one insertion each at several positions,
//! and the scores of the insertion and of all that follows it.
//!
//! The fused way is that of the engine: candidates are forks, all of them run in one step. Beside
//! it the forks one after another, and each candidate whole and alone, as the public implementation
//! does it. All must give the same scores.

use std::fmt::Write;

use jump_engine::{EngineError, EngineSize, ScoreTarget, SequenceId, Work};
use jump_kernels::{ScoreKind, TokenId};
use serde::Serialize;

use super::{INFALLIBLE, Subject, plain, ratio};
use crate::overhead::{BenchError, Spread};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Tokens of the program.
    pub program_len: usize,
    /// Candidates, spread evenly over the program.
    pub num_candidates: usize,
    /// Tokens of an insertion.
    pub insertion_len: usize,
}

/// A way to score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Forks of the program, in one step.
    Fused,
    /// Forks of the program, a step each.
    OneByOne,
    /// Whole programs, a step each.
    Whole,
}

/// What the scores of all candidates cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// The way.
    pub way: Way,
    /// Of probabilities, or logits.
    pub is_logprob: bool,
    /// Tokens that are run.
    pub num_rows: usize,
    /// Scores.
    pub num_scores: usize,
    /// Of each repeat.
    pub seconds: Spread,
    /// Compared with the fused way and logits.
    pub seconds_per_fused: Spread,
    /// The largest difference from the fused way's scores of the same kind.
    pub difference: f64,
}

/// A candidate.
struct Candidate {
    /// Tokens of the program before it.
    position: usize,
    /// What follows them.
    tail: Vec<TokenId>,
}

type Mode = (Way, ScoreKind);

const MODES: [Mode; 6] = [
    (Way::Fused, ScoreKind::Logit),
    (Way::OneByOne, ScoreKind::Logit),
    (Way::Whole, ScoreKind::Logit),
    (Way::Fused, ScoreKind::LogProb),
    (Way::OneByOne, ScoreKind::LogProb),
    (Way::Whole, ScoreKind::LogProb),
];

impl Plan {
    /// The engine that it needs.
    pub fn size(&self) -> EngineSize {
        let longest = self.program_len + self.insertion_len;
        let lens = vec![longest; self.num_candidates + 1];
        super::size(lens, self.num_candidates * longest)
    }

    /// The position of a candidate; at least one token is before it.
    fn position(&self, idx: usize) -> usize {
        ((idx + 1) * self.program_len / (self.num_candidates + 1)).max(1)
    }

    fn candidates(&self, subject: &Subject<'_>, program: &[TokenId]) -> Vec<Candidate> {
        let candidate = |idx| {
            let position = self.position(idx);
            let mut tail = subject.tokens(1 + idx as u64, self.insertion_len);
            tail.extend_from_slice(&program[position..]);
            Candidate { position, tail }
        };
        (0..self.num_candidates).map(candidate).collect()
    }

    /// Measures.
    ///
    /// # Errors
    ///
    /// A step that failed, or the user ended it.
    pub fn measure(&self, subject: &mut Subject<'_>) -> Result<Vec<Point>, BenchError> {
        let program = subject.tokens(0, self.program_len);
        let candidates = self.candidates(subject, &program);
        let id = subject.sequence_of(&program)?;
        let mut scores: Vec<(Mode, Vec<f32>)> = Vec::new();
        let seconds = subject.in_turns(&MODES, |subject, mode| {
            let (found, seconds) = score(subject, id, &candidates, *mode)?;
            scores.retain(|(measured, _)| measured != mode);
            scores.push((*mode, found));
            Ok(seconds)
        })?;
        subject.model.release(id);
        let of = |mode: Mode| &scores.iter().find(|(found, _)| *found == mode).expect("ran").1;
        let points = MODES.iter().zip(&seconds).map(|(mode, measured)| Point {
            way: mode.0,
            is_logprob: mode.1 == ScoreKind::LogProb,
            num_rows: num_rows(&candidates, mode.0),
            num_scores: of(*mode).len(),
            seconds: Spread::of(measured.iter().copied()),
            seconds_per_fused: ratio(measured, &seconds[0]),
            difference: difference(of(*mode), of((Way::Fused, mode.1))),
        });
        Ok(points.collect())
    }
}

fn num_rows(candidates: &[Candidate], way: Way) -> usize {
    let rows = candidates.iter().map(|candidate| match way {
        // The program's last token before the insertion is run again: it predicts the first.
        Way::Fused | Way::OneByOne => candidate.tail.len(),
        Way::Whole => candidate.position + candidate.tail.len() - 1,
    });
    rows.sum()
}

fn difference(found: &[f32], expected: &[f32]) -> f64 {
    let pairs = found.iter().zip(expected);
    pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
}

/// The scores of all candidates, and the seconds of the steps that gave them.
fn score(
    subject: &mut Subject<'_>,
    program: SequenceId,
    candidates: &[Candidate],
    (way, kind): Mode,
) -> Result<(Vec<f32>, f64), EngineError> {
    let works: Vec<Work> =
        candidates.iter().map(|candidate| work(subject, program, candidate, way, kind)).collect();
    let steps = if way == Way::Fused { works.chunks(works.len()) } else { works.chunks(1) };
    let (mut scores, mut sum) = (Vec::new(), 0.0);
    for step in steps {
        let (outcomes, seconds) = subject.step(step)?;
        scores.extend(outcomes.into_iter().flat_map(|outcome| outcome.scores));
        sum += seconds;
    }
    for work in &works {
        subject.model.release(work.sequence);
    }
    Ok((scores, sum))
}

/// What a candidate is asked: each token of the tail, of the one before it.
fn work(
    subject: &mut Subject<'_>,
    program: SequenceId,
    candidate: &Candidate,
    way: Way,
    score: ScoreKind,
) -> Work {
    let Candidate { position, tail } = candidate;
    let first = if way == Way::Whole { 0 } else { position - 1 };
    let mut tokens = subject.model.tokens(program)[first..*position].to_vec();
    let num_before = tokens.len() - 1;
    tokens.extend_from_slice(&tail[..tail.len() - 1]);
    let sequence = match way {
        Way::Whole => subject.model.new_sequence(),
        Way::Fused | Way::OneByOne => subject.model.fork_at(program, first),
    };
    let targets = tail.iter().enumerate();
    let targets = targets.map(|(i, token)| ScoreTarget { after: num_before + i, token: *token });
    Work { targets: targets.collect(), score, ..plain(sequence, tokens) }
}

/// The table.
pub fn table(points: &[Point]) -> String {
    let mut text = format!(
        "{:<22} {:<9} {:>7} {:>7} {:>27} {:>22} {:>11}\n",
        "way", "scores", "tokens", "number", "ms", "times fused", "difference"
    );
    for point in points {
        writeln!(
            text,
            "{:<22} {:<9} {:>7} {:>7} {:>27} {:>22} {:>11.2e}",
            match point.way {
                Way::Fused => "forks in one step",
                Way::OneByOne => "forks one by one",
                Way::Whole => "whole, one by one",
            },
            if point.is_logprob { "logprob" } else { "logit" },
            point.num_rows,
            point.num_scores,
            format!("{:.3}", point.seconds.times(1e3)),
            format!("{:.2}", point.seconds_per_fused),
            point.difference,
        )
        .expect(INFALLIBLE);
    }
    text
}
