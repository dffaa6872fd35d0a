//! Single statements: what an infill is, where it ends, and whether it can stand where it is put.
//!
//! Python's keywords are reserved, so the first word of a statement tells its kind, and a cut or
//! broken statement keeps its first word.

use super::InfillKind;
use super::layout::{Layout, Row, word_of};

/// What `infill` is by its first statement.
pub(super) fn classify(infill: &str) -> InfillKind {
    let code = infill.trim_start();
    if code.starts_with("#!/") {
        return InfillKind::Control;
    }
    if code.starts_with('@') {
        return classify_decorated(code);
    }
    let word = word_of(code);
    let next_word = word_of(code[word.len()..].trim_start());
    match (word, next_word) {
        ("import" | "from", _) => InfillKind::Import,
        ("def", _) | ("async", "def") => InfillKind::Function,
        ("for" | "if" | "while" | "try" | "elif" | "else" | "except" | "finally", _)
        | ("async", "for") => InfillKind::Control,
        _ => InfillKind::Statement,
    }
}

/// Decorators stand before classes as well, but mostly before functions: without more to be seen,
/// a function it is.
fn classify_decorated(code: &str) -> InfillKind {
    let layout = Layout::of(code);
    let starts = layout.statements.iter().map(|statement| &code[statement.start..]);
    match starts.map(word_of).find(|word| !word.is_empty()) {
        Some("def" | "async") | None => InfillKind::Function,
        Some(_) => InfillKind::Statement,
    }
}

/// The byte length of the function that `text` begins with, once a line after it has begun.
pub(super) fn function_len(text: &str) -> Option<usize> {
    let layout = Layout::of(text);
    let mut statements = layout.statements.iter();
    let header = statements.find(|statement| !statement.is_decorator)?;
    let is_outside = |row: &usize| {
        let line = layout.lines[*row];
        matches!(line.row, Row::Statement | Row::Comment) && line.indent <= header.indent
    };
    let next = (header.last_row + 1..layout.lines.len()).find(is_outside)?;
    let is_blank = |row: &usize| layout.lines[*row].row == Row::Blank;
    let last = (header.last_row..next).rev().find(|row| !is_blank(row))?;
    Some(layout.lines[last].end)
}

/// How an insertion stands in a program.
pub(super) struct Fit {
    /// The column of its first statement.
    pub indent: usize,
    /// Is no statement of it further out than the first?
    pub is_one_block: bool,
}

/// How `num_rows` lines stand before line `position` of a program, `with_infill` being the two
/// together. `None` unless every statement stays what and where it is: that is not so in the middle
/// of a statement, nor where the insertion takes lines from their block.
pub(super) fn fit(
    before: &Layout,
    with_infill: &str,
    position: usize,
    num_rows: usize,
) -> Option<Fit> {
    if splits_statement(before, position) {
        return None;
    }
    let after = Layout::of(with_infill);
    let rows = position..position + num_rows;
    let inserted = after.statements.iter().filter(|added| rows.contains(&added.first_row));
    let columns_from = |layout: &Layout, row: usize| -> Vec<usize> {
        let below = layout.statements.iter().filter(|below| below.first_row >= row);
        below.map(|below| below.indent).collect()
    };
    let indent = inserted.clone().next()?.indent;
    let following = columns_from(&after, rows.end);
    let captures = following.first().is_some_and(|column| *column > indent);
    let swallows = following != columns_from(before, position);
    let fits = !captures && !swallows && after.num_misplaced() <= before.num_misplaced();
    let is_one_block = inserted.map(|added| added.indent).all(|column| column >= indent);
    fits.then_some(Fit { indent, is_one_block })
}

/// Does line `position` go on with what the line before began, be it only with its decorators?
fn splits_statement(layout: &Layout, position: usize) -> bool {
    let is_inside = |row: usize| matches!(layout.lines[row].row, Row::Continuation | Row::String);
    let above = layout.statements.iter().rfind(|above| above.first_row < position);
    position < layout.lines.len() && is_inside(position)
        || above.is_some_and(|above| above.is_decorator)
}
