//! TypeScript, as node runs it.

#[cfg(test)]
mod tests;

use std::sync::{LazyLock, OnceLock};

use super::braces::BraceLanguage;
use super::braces::rules::{Group, Rules, names};
use super::braces::spaces::Spaces;
use super::javascript::CONTROL;
use super::javascript::lexis::LEXIS;

/// TypeScript.
pub static TYPESCRIPT: BraceLanguage = BraceLanguage {
    name: "ts",
    aliases: &["typescript", "mts", "cts"],
    grammar: tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
    names: concat!(include_str!("../javascript/common.scm"), include_str!("names.scm")),
    outline: concat!(include_str!("../javascript/outline.scm"), include_str!("outline.scm")),
    is_ordered: false,
    lexis: LEXIS,
    control: &CONTROL,
    rules: &TypeScriptRules,
    queries: OnceLock::new(),
};

/// The values that every program has.
static VALUES: LazyLock<Group> = LazyLock::new(|| names(include_str!("values.txt")));

/// The types that every program has.
static TYPES: LazyLock<Group> = LazyLock::new(|| names(include_str!("types.txt")));

struct TypeScriptRules;

impl Rules for TypeScriptRules {
    fn is_builtin(&self, name: &str, spaces: Spaces) -> bool {
        spaces.meets(Spaces::VALUE) && VALUES.contains(name)
            || spaces.meets(Spaces::TYPE) && TYPES.contains(name)
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
