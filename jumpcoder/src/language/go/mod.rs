//! Go.
//!
//! Its names are all of one kind: what hides a variable hides a type, too.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use super::braces::BraceLanguage;
use super::braces::lexis::{Lexis, Literal};
use super::braces::rules::{Group, Rules, groups, names};
use super::braces::spaces::Spaces;

/// Go.
pub static GO: BraceLanguage = BraceLanguage {
    name: "go",
    aliases: &["golang", "go_test.go"],
    grammar: tree_sitter_go::LANGUAGE,
    names: include_str!("names.scm"),
    outline: include_str!("outline.scm"),
    is_ordered: false,
    lexis: Lexis {
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        comments_nest: false,
        optional_semicolons: true,
        literal,
    },
    control: &["case", "default", "else", "for", "if", "package", "select", "switch"],
    rules: &GoRules,
    queries: OnceLock::new(),
};

fn literal(text: &str, _before: &str) -> Option<Literal> {
    Literal::raw(text, "`", "`")
        .or_else(|| Literal::quoted(text, "\"", false))
        .or_else(|| Literal::quoted(text, "'", false))
}

/// What is there in every package. A newer Go has `min`, `max` and `clear`, too: a program that
/// defines them runs with any.
static UNIVERSE: LazyLock<Group> = LazyLock::new(|| names(include_str!("universe.txt")));

/// What each package of the standard library exports.
static PACKAGES: LazyLock<HashMap<&str, Group>> =
    LazyLock::new(|| groups(include_str!("packages.txt")));

struct GoRules;

impl Rules for GoRules {
    fn is_builtin(&self, name: &str, _spaces: Spaces) -> bool {
        UNIVERSE.contains(name) || name == "_"
    }

    fn group(&self, path: &str) -> Option<&'static Group> {
        PACKAGES.get(unquoted(path))
    }

    fn members(&self, _base: &str) -> Option<&'static Group> {
        None
    }

    /// The last part of the path that is no version, as an identifier.
    fn imported_name<'s>(&self, path: &'s str) -> &'s str {
        let mut parts = unquoted(path).rsplit('/');
        let last = parts.next().unwrap_or_default();
        let is_version =
            |part: &str| part.strip_prefix('v').is_some_and(|digits| digits.parse::<u32>().is_ok());
        let mut name = if is_version(last) { parts.next().unwrap_or(last) } else { last };
        if let Some((before, _)) = name.rsplit_once('.').filter(|(_, after)| is_version(after)) {
            name = before;
        }
        let name = name.strip_prefix("go-").unwrap_or(name);
        name.strip_suffix("-go").or_else(|| name.strip_suffix(".go")).unwrap_or(name)
    }
}

fn unquoted(path: &str) -> &str {
    path.trim_matches(['"', '`'])
}
