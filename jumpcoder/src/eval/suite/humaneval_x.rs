//! What HumanEval-X's harness puts around a program, language by language.

use super::{Object, Tests, layout};

/// Headers that programs may use without naming them.
const CPP_HEADERS: [&str; 9] = [
    "#include <algorithm>",
    "#include <climits>",
    "#include <cstring>",
    "#include <iostream>",
    "#include <math.h>",
    "#include <stdio.h>",
    "#include <stdlib.h>",
    "#include <string>",
    "#include <vector>",
];

/// Modules that programs may use without naming them.
const PYTHON_IMPORTS: [&str; 13] = [
    "import math",
    "import re",
    "import sys",
    "import copy",
    "import datetime",
    "import itertools",
    "import collections",
    "import heapq",
    "import statistics",
    "import functools",
    "import hashlib",
    "import string",
    "from typing import *",
];

/// Packages that programs may use without naming them.
const GO_PACKAGES: [&str; 10] = [
    "bytes",
    "crypto/md5",
    "fmt",
    "math",
    "math/rand",
    "regexp",
    "sort",
    "strconv",
    "strings",
    "time",
];

/// Crates that its Cargo project has, and the names that come from them.
const RUST_CRATES: [(&str, &str); 3] =
    [("use rand::Rng;", "rand"), ("use regex::Regex;", "Regex"), ("use md5;", "md5")];

/// `Java/0` says it.
pub(super) fn language(id: &str) -> Result<String, String> {
    let name = id.split('/').next().unwrap_or_default().to_lowercase();
    match &*name {
        "python" | "cpp" | "java" | "go" | "rust" => Ok(name),
        "javascript" => Ok("js".to_owned()),
        _ => Err(format!("the language of the id {id:?} isn't one of HumanEval-X")),
    }
}

pub(super) fn tests(object: &Object, language: &str) -> Result<Tests, String> {
    let test = layout::text(object, "test")?;
    let (before, import) = match language {
        "go" => {
            let import = layout::text(object, "import")?.to_owned();
            (format!("{}\n", layout::text(object, "test_setup")?), Some(import))
        }
        "rust" => (format!("\nfn main(){{\n}}\n{}", layout::text(object, "declaration")?), None),
        "python" => (PYTHON_IMPORTS.join("\n") + "\n", None),
        _ => (String::new(), None),
    };
    Ok(Tests { before, after: format!("{test}\n"), import })
}

/// What goes before the solution, and the solution.
pub(super) fn program(
    language: &str,
    before: &str,
    import: Option<&str>,
    solution: &str,
) -> [String; 2] {
    match language {
        "cpp" => {
            let missing = CPP_HEADERS.iter().filter(|header| !solution.contains(**header));
            let headers: String = missing.flat_map(|header| [*header, "\n"]).collect();
            [headers, solution.to_owned()]
        }
        "go" => {
            let import = import.unwrap_or_default();
            let solution = if import.is_empty() {
                solution.to_owned()
            } else {
                solution.replacen(import, "", 1)
            };
            [before.to_owned() + &go_imports(before, &solution), solution]
        }
        "rust" => [without_unused_crates(before, solution), solution.to_owned()],
        _ => [before.to_owned(), solution.to_owned()],
    }
}

/// The packages that a program uses and that the tests don't import.
fn go_imports(setup: &str, solution: &str) -> String {
    // Prose has full stops behind such names.
    let code: Vec<&str> =
        solution.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let is_used = |package: &&&str| {
        let name = package.rsplit('/').next().expect("a name has a last part");
        let name = format!("{name}.");
        !setup.contains(&format!("\"{package}\"")) && code.iter().any(|l| l.contains(&name))
    };
    let used: Vec<_> = GO_PACKAGES.iter().filter(is_used).collect();
    if used.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = used.iter().map(|package| format!("    \"{package}\"\n")).collect();
    format!("import (\n{})\n", lines.concat())
}

/// Every program imports three crates, which the compiler alone doesn't have, and next to none uses
/// one: who doesn't is judged without them.
fn without_unused_crates(declaration: &str, solution: &str) -> String {
    let mut declaration = declaration.to_owned();
    for (import, name) in RUST_CRATES {
        let rest = declaration.replace(import, "");
        if !rest.contains(name) && !solution.contains(name) {
            declaration = rest;
        }
    }
    declaration
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_imports_what_is_used() {
        let setup = "package main\n\nimport (\n    \"strings\"\n    \"testing\"\n)\n";
        let code = "// Give the bytes.\nfunc f() { strings.X(); sort.Ints(nil) }";
        let solution = format!("import (\n    \"sort\"\n)\n{code}");
        let solution = &solution;
        let [before, rest] = program("go", setup, Some("import (\n    \"sort\"\n)\n"), solution);
        assert_eq!(before, format!("{setup}import (\n    \"sort\"\n)\n"));
        assert_eq!(rest, code);
    }

    #[test]
    fn rust_goes_without_crates_that_nobody_uses() {
        let declaration = "use rand::Rng;\nuse regex::Regex;\nuse md5;\nfn f() {\n";
        let [before, _] = program("rust", declaration, None, "Regex::new(\"\").unwrap();}");
        assert_eq!(before, "\nuse regex::Regex;\n\nfn f() {\n");
    }
}
