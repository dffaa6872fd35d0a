//! What the tests of every language ask; the languages' own tests are data.

use std::collections::BTreeSet;

use super::{InfillKind, Language};

pub(super) fn lines_of(program: &str) -> Vec<&str> {
    program.split_inclusive('\n').collect()
}

/// Checks the undefined names of a program, given in the order of the alphabet.
pub(super) fn check(language: &'static dyn Language, program: &str, undefined: &str) {
    let reading = language.read(&lines_of(program));
    let found: BTreeSet<&str> = reading.undefined().iter().map(|found| &*found.name).collect();
    let found: Vec<&str> = found.into_iter().collect();
    assert_eq!(found.join(" "), undefined, "in\n{program}");
}

/// Checks which names an insertion defines.
pub(super) fn check_defined(
    language: &'static dyn Language,
    program: &str,
    position: usize,
    infill: &str,
    defined: &str,
) {
    let found = language.read(&lines_of(program)).defined_by(position, &lines_of(infill));
    let found: Vec<String> = found.into_iter().collect();
    assert_eq!(found.join(" "), defined, "{infill} before line {position} of\n{program}");
}

/// Checks what an infill is.
pub(super) fn check_kind(language: &'static dyn Language, infill: &str, kind: InfillKind) {
    assert_eq!(language.classify(infill), kind, "{infill}");
}

/// Checks which lines are comments, given a mark for each: `#` for those that are.
pub(super) fn check_comments(language: &'static dyn Language, program: &str, marks: &str) {
    let found = language.read(&lines_of(program)).is_comment();
    let found: String =
        found.iter().map(|&is_comment| if is_comment { '#' } else { '.' }).collect();
    assert_eq!(found, marks, "in\n{program}");
}

/// Checks where the function ends that a text begins with.
pub(super) fn check_function(language: &'static dyn Language, function: &str, rest: &str) {
    let text = format!("{function}{rest}");
    assert_eq!(language.function_len(&text), Some(function.len()), "{text}");
    let cut = function.trim_end_matches('\n');
    assert_eq!(language.function_len(cut), None, "{cut}");
}

/// Asks everything of every prefix of a text; any answer will do.
pub(super) fn check_survives(language: &'static dyn Language, text: &str) {
    let cuts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    for text in cuts.map(|at| &text[..at]) {
        let lines = lines_of(text);
        let reading = language.read(&lines);
        assert_eq!(reading.is_comment().len(), lines.len(), "{text:?}");
        reading.defined_by(lines.len() / 2, &lines);
        reading.outline();
        language.classify(text);
        assert!(language.function_len(text).is_none_or(|function_len| function_len <= text.len()));
    }
}
