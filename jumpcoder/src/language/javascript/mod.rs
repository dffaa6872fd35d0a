//! JavaScript, as node runs it.

pub(super) mod lexis;
#[cfg(test)]
mod tests;

use std::sync::{LazyLock, OnceLock};

use super::braces::BraceLanguage;
use super::braces::rules::{Group, Rules, names};
use super::braces::spaces::Spaces;

/// JavaScript.
pub static JAVASCRIPT: BraceLanguage = BraceLanguage {
    name: "js",
    aliases: &["javascript", "mjs", "cjs", "jsx"],
    grammar: tree_sitter_javascript::LANGUAGE,
    names: concat!(include_str!("common.scm"), include_str!("names.scm")),
    outline: include_str!("outline.scm"),
    is_ordered: false,
    lexis: lexis::LEXIS,
    control: &CONTROL,
    rules: &JavaScriptRules,
    queries: OnceLock::new(),
};

/// The words that begin control statements.
pub(super) const CONTROL: [&str; 12] = [
    "case", "catch", "default", "do", "else", "finally", "for", "if", "switch", "try", "while",
    "with",
];

/// What node gives to every program.
static GLOBALS: LazyLock<Group> = LazyLock::new(|| names(include_str!("globals.txt")));

struct JavaScriptRules;

impl Rules for JavaScriptRules {
    fn is_builtin(&self, name: &str, _spaces: Spaces) -> bool {
        GLOBALS.contains(name)
    }

    /// Imports name what they bring.
    fn group(&self, _path: &str) -> Option<&'static Group> {
        None
    }

    /// Members are only seen after `this.`.
    fn members(&self, _base: &str) -> Option<&'static Group> {
        None
    }
}
