//! PHP.

mod html;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

use super::braces::BraceLanguage;
use super::braces::lexis::{Lexis, Literal};
use super::braces::rules::{Group, Rules, names};
use super::braces::spaces::Spaces;

/// PHP. Its grammar is that of code alone, so that an infill needn't begin with `<?php`.
pub static PHP: BraceLanguage = BraceLanguage {
    name: "php",
    aliases: &[],
    grammar: tree_sitter_php::LANGUAGE_PHP_ONLY,
    names: concat!(include_str!("names.scm"), include_str!("references.scm")),
    outline: include_str!("outline.scm"),
    is_ordered: true,
    lexis: LEXIS,
    control: &[
        "case",
        "catch",
        "default",
        "do",
        "else",
        "elseif",
        "finally",
        "for",
        "foreach",
        "if",
        "namespace",
        "switch",
        "try",
        "while",
    ],
    rules: &PhpRules,
    queries: OnceLock::new(),
};

const LEXIS: Lexis = Lexis {
    line_comments: &["//", "#"],
    block_comment: Some(("/*", "*/")),
    comments_nest: false,
    optional_semicolons: false,
    literal,
};

fn literal(text: &str, before: &str) -> Option<Literal> {
    html::other_text(text, before.is_empty())
        .or_else(|| Literal::quoted(text, "'", true))
        .or_else(|| Literal::interpolated(text, '"', "{$", &LEXIS))
        .or_else(|| Literal::interpolated(text, '`', "{$", &LEXIS))
        .or_else(|| heredoc(text))
}

/// A text between two lines that bear a name: `<<<NAME` and, maybe indented, `NAME`.
fn heredoc(text: &str) -> Option<Literal> {
    let head = text.strip_prefix("<<<")?.lines().next()?;
    let name = head.trim().trim_matches(['"', '\'']);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_word) {
        return None;
    }
    let mut at = "<<<".len() + head.len();
    for line in text[at..].split_inclusive('\n') {
        let rest = line.trim_start().strip_prefix(name);
        if let Some(rest) = rest.filter(|rest| !rest.starts_with(is_word)) {
            return Some(Literal { len: at + line.len() - rest.len(), missing: None });
        }
        at += line.len();
    }
    let ended = if text.ends_with('\n') { "" } else { "\n" };
    Some(Literal { len: text.len(), missing: Some(format!("{ended}{name}\n")) })
}

/// The functions of PHP and its extensions.
static FUNCTIONS: LazyLock<Group> = LazyLock::new(|| names(include_str!("functions.txt")));

/// The classes, interfaces, traits and enums of PHP and its extensions.
static CLASSES: LazyLock<Group> = LazyLock::new(|| names(include_str!("classes.txt")));

/// The constants of PHP and its extensions.
static CONSTANTS: LazyLock<Group> = LazyLock::new(|| names(include_str!("constants.txt")));

/// What is called like a function, but is part of the language.
const CONSTRUCTS: [&str; 6] = ["die", "empty", "eval", "exit", "isset", "unset"];

/// The classes that a method stands in.
const RELATIVE: [&str; 3] = ["parent", "self", "static"];

/// The variables that are seen everywhere, those of a method and of the command line among them.
const VARIABLES: [&str; 12] = [
    "$GLOBALS",
    "$_COOKIE",
    "$_ENV",
    "$_FILES",
    "$_GET",
    "$_POST",
    "$_REQUEST",
    "$_SERVER",
    "$_SESSION",
    "$argc",
    "$argv",
    "$this",
];

/// What stands for a place in the program.
const PLACES: [&str; 9] = [
    "__CLASS__",
    "__COMPILER_HALT_OFFSET__",
    "__DIR__",
    "__FILE__",
    "__FUNCTION__",
    "__LINE__",
    "__METHOD__",
    "__NAMESPACE__",
    "__TRAIT__",
];

struct PhpRules;

impl Rules for PhpRules {
    fn is_builtin(&self, name: &str, spaces: Spaces) -> bool {
        spaces.meets(Spaces::VALUE) && VARIABLES.contains(&name)
            || spaces.meets(Spaces::FUNCTION)
                && (FUNCTIONS.contains(name) || CONSTRUCTS.contains(&name))
            || spaces.meets(Spaces::TYPE) && CLASSES.contains(name)
            || spaces.meets(Spaces::CONSTANT)
                && (CONSTANTS.contains(name) || PLACES.contains(&name))
            // No namespace hides them.
            || RELATIVE.contains(&name)
    }

    /// Imports name what they bring.
    fn group(&self, _path: &str) -> Option<&'static Group> {
        None
    }

    /// Members are only seen after `->` and `::`.
    fn members(&self, _base: &str) -> Option<&'static Group> {
        None
    }

    fn parsed(&self, text: &str) -> String {
        html::code_of(text, &LEXIS)
    }

    /// Case doesn't count in names of functions and classes.
    fn normal<'n>(&self, name: &'n str, spaces: Spaces) -> Cow<'n, str> {
        let is_caseless = spaces.meets(Spaces::TYPE.and(Spaces::FUNCTION));
        if is_caseless && name.contains(|c: char| c.is_ascii_uppercase()) {
            return Cow::Owned(name.to_ascii_lowercase());
        }
        Cow::Borrowed(name)
    }
}
