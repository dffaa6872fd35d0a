//! The comments and literals of JavaScript and TypeScript: templates hold code, which may hold
//! templates, and a slash begins a regular expression or divides.

use crate::language::braces::lexis::{Lexis, Literal};

pub(in crate::language) const LEXIS: Lexis = Lexis {
    line_comments: &["//"],
    block_comment: Some(("/*", "*/")),
    comments_nest: false,
    optional_semicolons: true,
    literal,
};

fn literal(text: &str, before: &str) -> Option<Literal> {
    Literal::quoted(text, "\"", false)
        .or_else(|| Literal::quoted(text, "'", false))
        .or_else(|| Literal::interpolated(text, '`', "${", &LEXIS))
        .or_else(|| regular_expression(text, before))
}

/// A regular expression, without its flags. It ends in its line.
fn regular_expression(text: &str, before: &str) -> Option<Literal> {
    let inside = text.strip_prefix('/').filter(|_| !is_operand(before))?;
    let mut is_in_class = false;
    let mut is_escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            '\n' | '\r' => return Some(unfinished(&text[..=at], is_in_class, false)),
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '[' => is_in_class = true,
            ']' => is_in_class = false,
            '/' if !is_in_class => return Some(Literal { len: at + 2, missing: None }),
            _ => (),
        }
    }
    Some(unfinished(text, is_in_class, is_escaped))
}

fn unfinished(expression: &str, is_in_class: bool, is_escaped: bool) -> Literal {
    let escaped = if is_escaped { " " } else { "" };
    let class_end = if is_in_class { "]" } else { "" };
    Literal { len: expression.len(), missing: Some(format!("{escaped}{class_end}/")) }
}

/// Words that a value follows, though they look like one.
const OPERATORS: [&str; 14] = [
    "await",
    "case",
    "delete",
    "do",
    "else",
    "in",
    "instanceof",
    "new",
    "of",
    "return",
    "throw",
    "typeof",
    "void",
    "yield",
];

/// Does `before` end in a value, so that a slash divides it? A closed block is none, but hardly any
/// regular expression stands after one. An angle bracket is that of an element's end.
fn is_operand(before: &str) -> bool {
    let before = before.trim_end();
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let word = &before[before.trim_end_matches(is_word).len()..];
    if !word.is_empty() {
        return !OPERATORS.contains(&word);
    }
    before.ends_with([')', ']', '}', '"', '\'', '`', '<'])
        || before.ends_with("++")
        || before.ends_with("--")
}
