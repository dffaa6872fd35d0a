//! Rust.
//!
//! The grammar sees mere tokens in the arguments of macros. Those of the library's own that take
//! expressions are shown to it as such (`macros.rs`); of others nothing is known.
//!
//! Local variables are `value`s, functions and other items that are values are `function`s: a
//! function within a function sees the one but not the other.

mod macros;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use super::braces::BraceLanguage;
use super::braces::lexis::{Lexis, Literal};
use super::braces::rules::{Group, Rules, groups};
use super::braces::spaces::Spaces;

/// Rust.
pub static RUST: BraceLanguage = BraceLanguage {
    name: "rust",
    aliases: &["rs"],
    grammar: tree_sitter_rust::LANGUAGE,
    names: include_str!("names.scm"),
    outline: include_str!("outline.scm"),
    is_ordered: false,
    lexis: Lexis {
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        comments_nest: true,
        optional_semicolons: false,
        literal,
    },
    control: &["else", "for", "if", "loop", "match", "while"],
    rules: &RustRules,
    queries: OnceLock::new(),
};

fn literal(text: &str, _before: &str) -> Option<Literal> {
    let prefix_len = ["br", "cr", "b", "c", "r"]
        .into_iter()
        .find(|&prefix| {
            text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['"', '#', '\'']))
        })
        .map_or(0, str::len);
    let (prefix, quoted) = text.split_at(prefix_len);
    let literal = if prefix.ends_with('r') {
        raw_string(quoted)
    } else {
        Literal::quoted(quoted, "\"", true).or_else(|| character(quoted))
    };
    literal.map(|literal| Literal { len: prefix_len + literal.len, ..literal })
}

fn raw_string(text: &str) -> Option<Literal> {
    let num_hashes = text.bytes().take_while(|&byte| byte == b'#').count();
    let (hashes, rest) = text.split_at(num_hashes);
    rest.starts_with('"')
        .then(|| Literal::raw(text, &format!("{hashes}\""), &format!("\"{hashes}")))
        .flatten()
}

/// What a quote begins is a lifetime if there is no other one right after a character.
fn character(text: &str) -> Option<Literal> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let is_closed = inside[first.len_utf8()..].starts_with('\'');
    (first == '\\' || is_closed).then(|| Literal::quoted(text, "'", false)).flatten()
}

/// What is in every module, by the names of [`Spaces`].
static PRELUDE: LazyLock<HashMap<&str, Group>> =
    LazyLock::new(|| groups(include_str!("prelude.txt")));

/// What is in each module and enum of the library, by their paths in it.
static MODULES: LazyLock<HashMap<&str, Group>> =
    LazyLock::new(|| groups(include_str!("modules.txt")));

static NOTHING: LazyLock<Group> = LazyLock::new(Group::new);

/// Types that need no prelude (`_` is one to be inferred), and the crates that every program knows.
const BUILTIN_TYPES: [&str; 23] = [
    "_", "Self", "bool", "char", "core", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize",
    "std", "str", "u128", "u16", "u32", "u64", "u8", "usize", "f16", "f128",
];

struct RustRules;

impl Rules for RustRules {
    fn is_builtin(&self, name: &str, spaces: Spaces) -> bool {
        spaces.meets(Spaces::TYPE)
            && (BUILTIN_TYPES.contains(&name) || PRELUDE["type"].contains(name))
            || spaces.meets(Spaces::FUNCTION)
                && (PRELUDE["function"].contains(name) || name == "Self")
            || spaces.meets(Spaces::MACRO) && PRELUDE["macro"].contains(name)
    }

    fn group(&self, path: &str) -> Option<&'static Group> {
        if self.is_around(path) {
            return Some(&NOTHING);
        }
        let (library, path) = path.split_once("::")?;
        ["alloc", "core", "std"].contains(&library).then(|| MODULES.get(path)).flatten()
    }

    fn members(&self, _base: &str) -> Option<&'static Group> {
        None
    }

    fn is_around(&self, path: &str) -> bool {
        matches!(path, "crate" | "super")
    }

    fn parsed(&self, text: &str) -> String {
        macros::shown(text)
    }
}
