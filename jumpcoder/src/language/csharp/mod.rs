//! C#.

mod lexis;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use super::braces::BraceLanguage;
use super::braces::lexis::Lexis;
use super::braces::rules::{Group, Rules, groups};
use super::braces::spaces::Spaces;

/// C#.
pub static CSHARP: BraceLanguage = BraceLanguage {
    name: "cs",
    aliases: &["c#", "csharp"],
    grammar: tree_sitter_c_sharp::LANGUAGE,
    names: include_str!("names.scm"),
    outline: include_str!("outline.scm"),
    is_ordered: false,
    lexis: Lexis {
        // Lines of the preprocessor are no code.
        line_comments: &["//", "#"],
        block_comment: Some(("/*", "*/")),
        comments_nest: false,
        optional_semicolons: false,
        literal: lexis::literal,
    },
    control: &[
        "case",
        "catch",
        "checked",
        "default",
        "do",
        "else",
        "finally",
        "fixed",
        "for",
        "foreach",
        "if",
        "lock",
        "switch",
        "try",
        "unchecked",
        "unsafe",
        "while",
    ],
    rules: &CSharpRules,
    queries: OnceLock::new(),
};

/// The public types of each namespace.
static NAMESPACES: LazyLock<HashMap<&str, Group>> =
    LazyLock::new(|| groups(include_str!("namespaces.txt")));

/// What classes of the library have for those that extend them, by their simple names.
static MEMBERS: LazyLock<HashMap<&str, Group>> =
    LazyLock::new(|| groups(include_str!("members.txt")));

/// What a class has from an interface.
static NOTHING: LazyLock<Group> = LazyLock::new(Group::new);

/// What every class has.
const OBJECT: [&str; 7] = [
    "Equals",
    "Finalize",
    "GetHashCode",
    "GetType",
    "MemberwiseClone",
    "ReferenceEquals",
    "ToString",
];

/// What is an identifier to the grammar, but has a meaning of its own; and the arguments of a
/// program that is a file of statements.
const WORDS: [&str; 6] = ["_", "args", "dynamic", "nameof", "notnull", "var"];

/// What the library's namespaces begin with.
const ROOTS: [&str; 2] = ["Microsoft", "System"];

struct CSharpRules;

impl Rules for CSharpRules {
    fn is_builtin(&self, name: &str, spaces: Spaces) -> bool {
        WORDS.contains(&name)
            || OBJECT.contains(&name) && spaces.meets(Spaces::VALUE)
            || ROOTS.contains(&name) && spaces == Spaces::ANY
    }

    fn group(&self, path: &str) -> Option<&'static Group> {
        NAMESPACES.get(path).or_else(|| self.members(path))
    }

    fn members(&self, base: &str) -> Option<&'static Group> {
        let name = base.rsplit('.').next().unwrap_or(base);
        MEMBERS.get(name).or_else(|| is_interface(name).then_some(&*NOTHING))
    }
}

/// Is a type called as interfaces are?
fn is_interface(name: &str) -> bool {
    name.strip_prefix('I').is_some_and(|rest| rest.starts_with(char::is_uppercase))
}
