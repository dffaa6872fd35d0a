//! The judge of the paper: a compiler, asked for every candidate (`--checker compiler`).
//!
//! It takes a process for each text, so what a compiler said is kept. Texts are closed first like
//! those for a tree, because no compiler says anything of the names in an open block.

mod tools;

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use thiserror::Error;

use super::insertion::inserted;
use super::{InfillKind, Language, Outline, Reading, Undefined};
use tools::{Finding, Tool};

/// Why a language can't be judged by a compiler.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NoCompiler {
    /// Nobody has said which it would be.
    #[error("no compiler judges {0}: --checker compiler knows python, java and cpp")]
    Unknown(&'static str),
    /// It isn't there.
    #[error("--checker compiler judges {language} by `{program}`, which can't be run: install it")]
    Missing {
        /// The language.
        language: &'static str,
        /// The program that was tried.
        program: &'static str,
    },
}

/// `language`, judged by its compiler.
///
/// # Errors
///
/// [`NoCompiler`] if there is none.
pub fn compiled(language: &'static dyn Language) -> Result<&'static dyn Language, NoCompiler> {
    static KNOWN: LazyLock<Mutex<HashMap<&str, &Compiled>>> = LazyLock::new(Mutex::default);
    let name = language.name();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&known) = known.get(name) {
        return Ok(known);
    }
    let tool = Tool::of(name).ok_or(NoCompiler::Unknown(name))?;
    if !tool.is_installed() {
        return Err(NoCompiler::Missing { language: name, program: tool.program() });
    }
    let findings = Mutex::default();
    // One a language, for the whole run.
    let compiled: &Compiled = Box::leak(Box::new(Compiled { language, tool, findings }));
    known.insert(name, compiled);
    Ok(compiled)
}

/// A language with a compiler.
struct Compiled {
    language: &'static dyn Language,
    tool: Tool,
    /// What the compiler found in each text.
    findings: Mutex<HashMap<String, Finding>>,
}

/// So many texts are remembered; then all are forgotten.
const MAX_FINDINGS: usize = 4096;

impl Compiled {
    fn finding(&self, text: &str) -> Finding {
        let mut known = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(text) {
            return known.clone();
        }
        let finding = self.tool.ask(text);
        if known.len() >= MAX_FINDINGS {
            known.clear();
        }
        known.insert(text.to_owned(), finding.clone());
        finding
    }
}

impl Language for Compiled {
    fn name(&self) -> &'static str {
        self.language.name()
    }

    fn aliases(&self) -> &'static [&'static str] {
        self.language.aliases()
    }

    fn read(&'static self, lines: &[&str]) -> Box<dyn Reading> {
        let lines_owned = lines.iter().map(|&line| line.to_owned()).collect();
        Box::new(CompiledReading {
            compiled: self,
            lines: lines_owned,
            tree: self.language.read(lines),
        })
    }

    fn classify(&'static self, infill: &str) -> InfillKind {
        self.language.classify(infill)
    }

    fn takes_lines(&'static self, infill: &str) -> bool {
        self.language.takes_lines(infill)
    }

    fn function_len(&self, text: &str) -> Option<usize> {
        self.language.function_len(text)
    }

    fn banned_infills(&self) -> &'static [&'static str] {
        self.language.banned_infills()
    }
}

/// A program whose candidates a compiler judges.
struct CompiledReading {
    compiled: &'static Compiled,
    lines: Vec<String>,
    tree: Box<dyn Reading>,
}

impl Reading for CompiledReading {
    fn undefined(&self) -> &[Undefined] {
        self.tree.undefined()
    }

    fn is_comment(&self) -> Vec<bool> {
        self.tree.is_comment()
    }

    fn closed_text(&self) -> &str {
        self.tree.closed_text()
    }

    /// A compiler that finds no names (Python's) only says whether the program with the infill is
    /// one; what it defines is told by the tree.
    fn defined_by(&self, position: usize, infill: &[&str]) -> BTreeSet<String> {
        let combined = inserted(&self.lines, position, infill);
        let lines: Vec<&str> = combined.split_inclusive('\n').collect();
        let with_infill = self.compiled.language.read(&lines);
        match self.compiled.finding(with_infill.closed_text()) {
            Finding::Broken => BTreeSet::new(),
            Finding::Parsed => self.tree.defined_by(position, infill),
            Finding::Undefined(still) => match self.compiled.finding(self.closed_text()) {
                Finding::Undefined(before) => defined(&before, &still),
                Finding::Broken | Finding::Parsed => BTreeSet::new(),
            },
        }
    }

    fn outline(&self) -> Outline {
        self.tree.outline()
    }
}

/// The names that are missing less often than before. Not whether fewer are missing in all: javac
/// says nothing of a call while the types of its arguments are missing.
fn defined(before: &[String], still: &[String]) -> BTreeSet<String> {
    let count =
        |names: &[String], wanted: &String| names.iter().filter(|name| *name == wanted).count();
    let is_rarer = |name: &&String| count(still, name) < count(before, name);
    before.iter().filter(is_rarer).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::by_name;

    /// Judges an insertion; `None` if the compiler isn't there.
    fn judge(language: &str, program: &str, position: usize, infill: &str) -> Option<String> {
        let language = by_name(language, false).expect("it is known");
        let compiled = match compiled(language) {
            Ok(compiled) => compiled,
            Err(missing @ NoCompiler::Missing { .. }) => {
                println!("skipped: {missing}");
                return None;
            }
            Err(unknown) => panic!("{unknown}"),
        };
        let lines: Vec<&str> = program.split_inclusive('\n').collect();
        let infill: Vec<&str> = infill.split_inclusive('\n').collect();
        let defined = compiled.read(&lines).defined_by(position, &infill);
        Some(Vec::from_iter(defined).join(" "))
    }

    #[test]
    fn java_is_judged_by_javac() {
        let program = "class A {\n    int f(List<Integer> xs) {\n        return g(1);\n";
        let judge = |position, infill| judge("java", program, position, infill);
        let Some(found) = judge(0, "import java.util.*;\n") else { return };
        assert_eq!(found, "List");
        assert_eq!(judge(0, "import java.io.*;\n").as_deref(), Some(""));
        assert_eq!(judge(1, "    int g(Object x) { return 1; }\n").as_deref(), Some("g"));
        assert_eq!(judge(2, "import java.util.*;\n").as_deref(), Some(""));
    }

    #[test]
    fn python_is_parsed_by_python() {
        let program = "def f(x):\n    return math.sqrt(x)\n";
        let judge = |position, infill| judge("python", program, position, infill);
        let Some(found) = judge(0, "import math\n") else { return };
        assert_eq!(found, "math");
        assert_eq!(judge(0, "import random\n").as_deref(), Some(""));
        assert_eq!(judge(1, "import math\n").as_deref(), Some(""));
    }

    #[test]
    fn what_has_no_compiler_says_so() {
        struct Nameless;
        impl Language for Nameless {
            fn name(&self) -> &'static str {
                "nameless"
            }
            fn aliases(&self) -> &'static [&'static str] {
                &[]
            }
            fn read(&'static self, _lines: &[&str]) -> Box<dyn Reading> {
                unreachable!("nothing is read")
            }
            fn classify(&'static self, _infill: &str) -> InfillKind {
                InfillKind::Statement
            }
            fn function_len(&self, _text: &str) -> Option<usize> {
                None
            }
            fn banned_infills(&self) -> &'static [&'static str] {
                &[]
            }
        }
        assert_eq!(compiled(&Nameless).err(), Some(NoCompiler::Unknown("nameless")));
    }
}
