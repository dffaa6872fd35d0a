//! Exams: the problems of a benchmark with their tests, in the layouts of HumanEval (also as
//! EvalPlus, HumanEval-Infilling and our tiny tasks have it), MBPP, MultiPL-E and HumanEval-X.
//!
//! A layout decides how a program and its tests become one text, as the benchmark's own harness
//! does it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::problem::{self, InputError, Source, layout};

mod humaneval_x;
mod proof;

pub use proof::Proof;

type Object = Map<String, Value>;

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Harness {
    /// A function `check` that is called with the one of the entry point.
    HumanEval,
    /// Assertions.
    Mbpp,
    /// Tests that close the program's last block.
    MultiPlE,
    /// Tests, and a setup, in several languages.
    HumanEvalX,
}

/// A problem with its tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exam {
    /// The problem's id.
    pub id: String,
    /// Lower case, one name a language.
    pub language: String,
    /// What a completion follows.
    pub prompt: String,
    /// What follows an infill, where that is asked for.
    pub suffix: String,
    /// The program that the benchmark's authors wrote, if they give one. For a prompt it is a
    /// completion.
    pub canonical: Option<String>,
    /// Whose rules hold.
    pub harness: Harness,
    tests: Tests,
}

/// What is put before and after a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tests {
    before: String,
    after: String,
    /// Of HumanEval-X's Go: the tests' own imports replace it.
    import: Option<String>,
}

/// Why there is no suite.
#[derive(Debug, Error)]
pub enum SuiteError {
    /// The file is of no use.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A problem can't be read, or has no tests.
    #[error("{path}, {place}: {reason}")]
    Exam {
        /// The file.
        path: String,
        /// Where in it.
        place: String,
        /// What is the matter.
        reason: String,
    },
    /// Samples name problems by their ids.
    #[error(
        "{path}: the id {id:?} occurs twice in the data: judge the samples of one file, or of one \
         language, at a time"
    )]
    Duplicate {
        /// The file in which it occurs again.
        path: String,
        /// The id.
        id: String,
    },
}

/// All exams, in the order of the data.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The exams.
    pub exams: Vec<Exam>,
    by_id: HashMap<String, usize>,
}

impl Suite {
    /// Reads the data.
    ///
    /// # Errors
    ///
    /// [`SuiteError`]: data is read whole or not at all.
    pub fn read(paths: &[PathBuf]) -> Result<Self, SuiteError> {
        let (mut exams, mut by_id) = (Vec::new(), HashMap::new());
        for path in paths {
            let name = path.display().to_string();
            for (place, value) in problem::read_values(&Source::File(path.clone()))? {
                let exam = value
                    .and_then(|value| Exam::read(&value))
                    .map_err(|reason| SuiteError::Exam { path: name.clone(), place, reason })?;
                if by_id.insert(exam.id.clone(), exams.len()).is_some() {
                    return Err(SuiteError::Duplicate { path: name, id: exam.id });
                }
                exams.push(exam);
            }
        }
        Ok(Self { exams, by_id })
    }

    /// The place of an exam by its id; MBPP's plain numbers are known, too.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).or_else(|| self.by_id.get(&format!("Mbpp/{id}"))).copied()
    }

    /// The languages among the first `num_exams`, each with whose rules hold.
    pub fn languages(&self, num_exams: usize) -> Vec<(String, Harness)> {
        let mut seen = HashSet::new();
        let all = self.exams.iter().take(num_exams).map(|e| (e.language.clone(), e.harness));
        all.filter(|pair| seen.insert(pair.clone())).collect()
    }
}

impl Exam {
    fn read(value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("a JSON object is expected")?;
        let (id, content) = layout::read(value);
        let (id, content) = (id.ok_or_else(|| no_id(value))?, content?);
        let field = |name: &str| object.get(name).and_then(Value::as_str);
        let harness = Harness::of(object);
        let language = match harness {
            Harness::HumanEvalX => humaneval_x::language(&id)?,
            _ => content.language,
        };
        let (prompt, tests) = match harness {
            Harness::HumanEval => (content.prompt, human_eval(object)?),
            Harness::Mbpp => (content.prompt, mbpp(object)),
            Harness::MultiPlE => (content.prompt, multipl_e(object)?),
            Harness::HumanEvalX => {
                let tests = humaneval_x::tests(object, &language)?;
                (content.prompt, tests)
            }
        };
        let canonical = ["canonical_solution", "code"].into_iter().find_map(field);
        Ok(Self {
            id,
            language,
            prompt,
            suffix: field("suffix").unwrap_or_default().to_owned(),
            canonical: canonical.map(str::to_owned),
            harness,
            tests,
        })
    }

    /// The text that is run: `solution`, a whole program, with the tests, which end by printing the
    /// proof where the language's own tools don't say how many tests they ran.
    pub fn text(&self, solution: &str, proof: &Proof) -> String {
        let text = self.program(solution) + self.separator() + &self.tests.after;
        proof.put_into(&text, &self.language, self.harness)
    }

    /// `solution` with what the harness puts before it.
    pub fn program(&self, solution: &str) -> String {
        let Tests { before, import, .. } = &self.tests;
        match self.harness {
            Harness::HumanEvalX => {
                let import = import.as_deref();
                humaneval_x::program(&self.language, before, import, solution).concat()
            }
            _ => format!("{before}{solution}"),
        }
    }

    /// MBPP's prompts are prose, so its own solutions are whole programs.
    pub fn is_canonical_whole(&self) -> bool {
        self.harness == Harness::Mbpp
    }

    /// The texts that no program can do anything about.
    pub fn given(&self) -> [&str; 3] {
        [&self.prompt, &self.tests.before, &self.tests.after]
    }

    /// All that decides about a verdict beside the solution.
    pub fn parts(&self) -> [&str; 3] {
        [&self.language, &self.tests.before, &self.tests.after]
    }

    fn separator(&self) -> &'static str {
        match self.harness {
            Harness::HumanEval | Harness::Mbpp => "\n\n",
            Harness::MultiPlE | Harness::HumanEvalX => "\n",
        }
    }
}

impl Harness {
    fn of(object: &Object) -> Self {
        let has = |name: &str| object.contains_key(name);
        if has("name") && has("language") && has("tests") {
            Self::MultiPlE
        } else if has("test_list") {
            Self::Mbpp
        } else if has("declaration") && has("task_id") {
            Self::HumanEvalX
        } else {
            Self::HumanEval
        }
    }
}

fn no_id(value: &Value) -> String {
    layout::read(value).1.err().unwrap_or_else(|| "it has no id".to_owned())
}

fn human_eval(object: &Object) -> Result<Tests, String> {
    let (test, entry_point) = (layout::text(object, "test")?, layout::text(object, "entry_point")?);
    Ok(Tests { after: format!("{test}\n\ncheck({entry_point})\n"), ..Tests::default() })
}

fn mbpp(object: &Object) -> Tests {
    let lines = |name: &str| -> String {
        let values = object.get(name).and_then(Value::as_array).into_iter().flatten();
        values.filter_map(Value::as_str).flat_map(|line| [line, "\n"]).collect()
    };
    let setup = object.get("test_setup_code").and_then(Value::as_str).unwrap_or_default();
    let after = format!("{}{setup}\n{}", lines("test_imports"), lines("test_list"));
    Tests { after, ..Tests::default() }
}

fn multipl_e(object: &Object) -> Result<Tests, String> {
    Ok(Tests { after: layout::text(object, "tests")?.to_owned(), ..Tests::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn exam(value: &Value) -> Exam {
        Exam::read(value).unwrap()
    }

    #[test]
    fn layouts_are_told_apart_and_put_together() {
        let proof = Proof::fixed("done");
        let human_eval = exam(&json!({
            "task_id": "HumanEval/0", "prompt": "def f():\n", "entry_point": "f",
            "canonical_solution": "    return 1\n", "test": "def check(c):\n    assert c() == 1\n",
        }));
        assert_eq!(human_eval.harness, Harness::HumanEval);
        assert_eq!(
            human_eval.text("def f():\n    return 1\n", &proof),
            "def f():\n    return 1\n\n\ndef check(c):\n    assert c() == 1\n\n\ncheck(f)\n\n\
             print('done')\n"
        );
        let mbpp = exam(&json!({
            "task_id": 2, "prompt": "Add.", "code": "def f(a):\n  return a\n",
            "test_imports": ["import math"], "test_list": ["assert f(1) == 1"],
        }));
        assert_eq!((&*mbpp.id, mbpp.harness), ("Mbpp/2", Harness::Mbpp));
        assert_eq!(
            mbpp.text("def f(a): return a", &proof),
            "def f(a): return a\n\nimport math\n\nassert f(1) == 1\n\nprint('done')\n"
        );
        let rust = exam(&json!({
            "name": "HumanEval_0_f", "language": "rs", "prompt": "fn f() {", "stop_tokens": ["\n}"],
            "tests": "}\n\nfn main() {\n    f();\n}\n",
        }));
        assert_eq!((&*rust.language, rust.harness), ("rs", Harness::MultiPlE));
        assert_eq!(
            rust.text("fn f() {", &proof),
            "fn f() {\n}\n\nfn main() {\n    f();\nprintln!(\"done\");}\n"
        );
    }

    #[test]
    fn what_has_no_tests_is_refused() {
        let read = |value: Value| Exam::read(&value).unwrap_err();
        let problem = json!({"task_id": "a", "prompt": "def f():\n"});
        assert_eq!(read(problem), "it has no `test`: add that field");
        assert_eq!(read(json!(3)), "a JSON object is expected");
    }
}
