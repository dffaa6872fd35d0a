//! From an infill to a candidate: the program with the infill inserted, if it may be.

use crate::decision::similarity::similarity;
use crate::language::{InfillKind, Language};
use crate::program::{Line, Program};
use crate::settings::Settings;

/// Lines that are more alike than this count as repetitions.
const MAX_SIMILARITY: f64 = 0.85;

/// An insertion that is to be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The line before which is inserted.
    pub position: usize,
    /// What is inserted.
    pub inserted: Vec<Line>,
    /// What it is.
    pub kind: InfillKind,
}

impl Candidate {
    /// The program's lines with the insertion.
    pub fn lines(&self, program: &Program) -> Vec<Line> {
        let (before, after) = program.lines().split_at(self.position);
        [before, &self.inserted, after].concat()
    }
}

/// Makes a candidate of `infill`, found at `position`. `None` if it is empty, a repetition, or
/// begins a control statement.
pub fn combine(
    program: &Program,
    position: usize,
    infill: &str,
    language: &'static dyn Language,
    settings: &Settings,
) -> Option<Candidate> {
    let first = Line::written(infill.split('\n').next().filter(|_| !infill.is_empty())?);
    if !settings.reference_quirks && first.is_blank() {
        return None;
    }
    if is_repetition(program.lines(), position, &first, settings) {
        return None;
    }
    let kind = language.classify(infill);
    let inserted = inserted(infill, kind, language, settings.reference_quirks)?;
    Some(Candidate { position, inserted, kind })
}

/// What is inserted of `infill`: the lines of what takes several, otherwise the first line. `None`
/// if it begins a control statement.
pub fn inserted(
    infill: &str,
    kind: InfillKind,
    language: &'static dyn Language,
    reference_quirks: bool,
) -> Option<Vec<Line>> {
    match kind {
        InfillKind::Control => None,
        _ if language.takes_lines(infill) => Some(all_lines(infill, language, reference_quirks)),
        _ => infill.split('\n').next().map(|first| vec![Line::written(first)]),
    }
}

fn is_repetition(lines: &[Line], position: usize, infill: &Line, settings: &Settings) -> bool {
    let is_like = |line: &Line| {
        similarity(&infill.text, &line.text, settings.reference_quirks) > MAX_SIMILARITY
    };
    let is_like_before = || position > 0 && is_like(&lines[position - 1]);
    lines.iter().any(|line| line.text == infill.text)
        || is_like_before()
        || is_like(&lines[position])
}

/// The lines of what `infill` begins with. The reference leaves blank ones out.
fn all_lines(infill: &str, language: &dyn Language, reference_quirks: bool) -> Vec<Line> {
    let len = language.function_len(infill).unwrap_or(infill.len());
    let lines = infill[..len].trim_end().split('\n').map(Line::written);
    lines.filter(|line| !(reference_quirks && line.is_blank())).collect()
}
