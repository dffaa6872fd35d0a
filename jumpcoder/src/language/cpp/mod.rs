//! C++, as of GCC in its usual mode (`gnu++17`).

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, OnceLock};

use super::braces::BraceLanguage;
use super::braces::lexis::{Lexis, Literal};
use super::braces::rules::{Group, Rules, groups};
use super::braces::spaces::Spaces;

/// C++.
pub static CPP: BraceLanguage = BraceLanguage {
    name: "cpp",
    aliases: &["c++", "cc", "cxx", "h", "hpp", "hxx"],
    grammar: tree_sitter_cpp::LANGUAGE,
    names: include_str!("names.scm"),
    outline: include_str!("outline.scm"),
    is_ordered: true,
    lexis: Lexis {
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        comments_nest: false,
        optional_semicolons: false,
        literal,
    },
    control: &["case", "catch", "default", "do", "else", "for", "if", "switch", "try", "while"],
    rules: &CppRules,
    queries: OnceLock::new(),
};

fn literal(text: &str, before: &str) -> Option<Literal> {
    if text.starts_with('\'') && ends_with_number(before) {
        return None;
    }
    raw_string(text, before)
        .or_else(|| Literal::quoted(text, "\"", false))
        .or_else(|| Literal::quoted(text, "'", false))
}

/// Is a `'` that follows one between digits?
fn ends_with_number(before: &str) -> bool {
    let word = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// A raw string after its `R`, with delimiters of its own.
fn raw_string(text: &str, before: &str) -> Option<Literal> {
    let inside = text.strip_prefix('"').filter(|_| before.ends_with('R'))?;
    let delimiter = &inside[..inside.find('(')?];
    let is_delimiter = delimiter.len() <= 16 && !delimiter.contains([' ', ')', '\\', '\n', '"']);
    if !is_delimiter {
        return None;
    }
    Literal::raw(text, &format!("\"{delimiter}("), &format!("){delimiter}\""))
}

/// For each set of names that the same headers bring, those names; and for each header, its sets.
static SETS: LazyLock<HashMap<&str, Group>> = LazyLock::new(|| groups(include_str!("headers.txt")));

/// What each header brings, put together when it is first asked for.
static HEADERS: LazyLock<HashMap<&str, OnceLock<Group>>> = LazyLock::new(|| {
    let headers = SETS.keys().filter(|name| !name.starts_with('@'));
    headers.map(|&header| (header, OnceLock::new())).collect()
});

/// The header that brings all of the standard library.
const WHOLE_LIBRARY: &str = "bits/stdc++.h";

/// What a program that includes nothing has of the library.
static NOTHING: LazyLock<Group> = LazyLock::new(HashSet::new);

/// Words that the grammar takes for names, and namespaces that are always there.
const BUILTINS: [&str; 22] = [
    "auto",
    "bool",
    "char",
    "char16_t",
    "char32_t",
    "const_cast",
    "double",
    "dynamic_cast",
    "float",
    "int",
    "long",
    "nullptr",
    "reinterpret_cast",
    "short",
    "signed",
    "static_cast",
    "std",
    "this",
    "typeof",
    "unsigned",
    "void",
    "wchar_t",
];

struct CppRules;

impl Rules for CppRules {
    fn is_builtin(&self, name: &str, _spaces: Spaces) -> bool {
        BUILTINS.contains(&name) || name.starts_with("__")
    }

    fn group(&self, path: &str) -> Option<&'static Group> {
        let header = path.trim_matches(['<', '>', '"']);
        let (header, group) = HEADERS.get_key_value(header)?;
        Some(group.get_or_init(|| {
            let sets = SETS[header].iter();
            sets.flat_map(|set| &SETS[set]).copied().collect()
        }))
    }

    fn members(&self, base: &str) -> Option<&'static Group> {
        // What is in the library's namespaces comes with its headers.
        ["std", "__gnu_pbds"].contains(&base).then_some(&*NOTHING)
    }

    fn has_member(&self, prefix: &str, name: &str) -> bool {
        let library = self.group(WHOLE_LIBRARY).expect("the table has it");
        library.contains(&*self.prefixed(prefix, name))
    }

    fn prefixed(&self, prefix: &str, name: &str) -> String {
        format!("{prefix}::{name}")
    }
}
