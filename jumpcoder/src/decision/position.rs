//! Critical positions: where the generation model was most in doubt.

use crate::event::ChosenPosition;
use crate::program::{Line, Program};
use crate::settings::Settings;

/// The k positions before the lines whose first scored token has the lowest score, in program
/// order. Lines without scored tokens don't count, nor do comments and the prompt if the settings
/// say so. Among equals the upper line comes first.
pub fn critical_positions(
    program: &Program,
    is_comment: &[bool],
    settings: &Settings,
) -> Vec<ChosenPosition> {
    let scores = program.line_scores();
    let lines = program.lines();
    let mut positions: Vec<ChosenPosition> = (0..lines.len())
        .filter(|position| settings.infill_comments || !is_comment[*position])
        .filter(|position| settings.infill_prompt || !is_from_prompt(lines, *position, settings))
        .filter_map(|position| Some(ChosenPosition { position, score: scores[position]?.first }))
        .collect();
    positions.sort_by(|a, b| a.score.total_cmp(&b.score));
    positions.truncate(settings.num_positions);
    positions.sort_by_key(|chosen| chosen.position);
    positions
}

/// The reference knows a prompt line by its text; another line of the same text is one too.
fn is_from_prompt(lines: &[Line], position: usize, settings: &Settings) -> bool {
    let line = &lines[position];
    if settings.reference_quirks {
        return lines.iter().any(|other| other.is_prompt && other.text == line.text);
    }
    line.is_prompt
}
