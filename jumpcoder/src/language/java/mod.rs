//! Java.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use super::braces::BraceLanguage;
use super::braces::lexis::{Lexis, Literal};
use super::braces::rules::{Group, Rules, groups};
use super::braces::spaces::Spaces;

/// Java.
pub static JAVA: BraceLanguage = BraceLanguage {
    name: "java",
    aliases: &[],
    grammar: tree_sitter_java::LANGUAGE,
    names: include_str!("names.scm"),
    outline: include_str!("outline.scm"),
    is_ordered: false,
    lexis: Lexis {
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        comments_nest: false,
        optional_semicolons: false,
        literal,
    },
    control: &[
        "case",
        "catch",
        "default",
        "do",
        "else",
        "finally",
        "for",
        "if",
        "switch",
        "synchronized",
        "try",
        "while",
    ],
    rules: &JavaRules,
    queries: OnceLock::new(),
};

fn literal(text: &str, _before: &str) -> Option<Literal> {
    Literal::quoted(text, "\"\"\"", true)
        .or_else(|| Literal::quoted(text, "\"", false))
        .or_else(|| Literal::quoted(text, "'", false))
}

/// The public classes of each package of the JDK.
static PACKAGES: LazyLock<HashMap<&str, Group>> =
    LazyLock::new(|| groups(include_str!("packages.txt")));

/// What classes of the JDK have for those that extend them, by their simple names.
static MEMBERS: LazyLock<HashMap<&str, Group>> =
    LazyLock::new(|| groups(include_str!("members.txt")));

/// What every class has.
const OBJECT: [&str; 11] = [
    "clone",
    "equals",
    "finalize",
    "getClass",
    "hashCode",
    "notify",
    "notifyAll",
    "toString",
    "wait",
    "values",
    "valueOf",
];

/// What names of packages begin with.
const ROOTS: [&str; 6] = ["com", "io", "java", "javax", "net", "org"];

struct JavaRules;

impl Rules for JavaRules {
    fn is_builtin(&self, name: &str, spaces: Spaces) -> bool {
        PACKAGES["java.lang"].contains(name) && spaces.meets(Spaces::TYPE)
            || OBJECT.contains(&name) && spaces.meets(Spaces::FUNCTION)
            || ROOTS.contains(&name) && spaces == Spaces::ANY
            // Of a local variable's type, and of a type in a lambda.
            || name == "var"
    }

    fn group(&self, path: &str) -> Option<&'static Group> {
        PACKAGES.get(path).or_else(|| self.members(path))
    }

    fn members(&self, base: &str) -> Option<&'static Group> {
        MEMBERS.get(base.rsplit('.').next().unwrap_or(base))
    }
}
