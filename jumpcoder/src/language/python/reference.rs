//! Python as the authors' public code sees it, quirks included.
//!
//! Only for comparing runs with theirs, decision by decision. The quirks are listed in the table
//! "Where the reference misbehaves" of the design; what a line of the reference's rules decides
//! is decided here the same way, even where it is plainly a mistake.

use std::collections::BTreeSet;

use super::layout::Layout;
use super::{GRAMMAR, outline, reference_names, reference_syntax};
use crate::language::{InfillKind, Language, Outline, Place, Reading, Undefined};

/// Python, judged by the authors' rules.
#[derive(Clone, Copy, Debug)]
pub struct ReferencePython;

impl Language for ReferencePython {
    fn name(&self) -> &'static str {
        "python"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["py", "python3", "pyi"]
    }

    fn read(&'static self, lines: &[&str]) -> Box<dyn Reading> {
        let source = lines.concat();
        let nowhere = Place { row: 0, column: 0 };
        let undefined = undefined(&source).into_iter();
        let undefined = undefined.map(|name| Undefined { place: nowhere, name }).collect();
        Box::new(ReferenceReading { source, undefined, is_comment: is_comment(lines) })
    }

    /// By the start of the text, so `format = 1` is a control statement and `default = 1` a
    /// function.
    fn classify(&'static self, infill: &str) -> InfillKind {
        let code = infill.trim_start();
        let starts_with = |starts: &[&str]| starts.iter().any(|start| code.starts_with(start));
        if starts_with(&["for", "if", "while", "try", "#!/"]) {
            InfillKind::Control
        } else if starts_with(&["def"]) {
            InfillKind::Function
        } else if starts_with(&["from", "import"]) {
            InfillKind::Import
        } else {
            InfillKind::Statement
        }
    }

    /// Ends at the next line that is exactly as far indented as the first: a line further out
    /// belongs to the function, and so does a `)` that closes its parameters not.
    fn function_len(&self, text: &str) -> Option<usize> {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let mut first_indent = None;
        let mut function_len = 0;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            at += line.len();
            if line.trim().is_empty() {
                continue;
            }
            if first_indent == Some(indent(line)) {
                return Some(function_len);
            }
            first_indent.get_or_insert(indent(line));
            function_len = at;
        }
        None
    }

    fn banned_infills(&self) -> &'static [&'static str] {
        &[]
    }
}

/// A program as the reference reads it.
struct ReferenceReading {
    source: String,
    /// It doesn't say where.
    undefined: Vec<Undefined>,
    is_comment: Vec<bool>,
}

impl Reading for ReferenceReading {
    fn undefined(&self) -> &[Undefined] {
        &self.undefined
    }

    fn is_comment(&self) -> Vec<bool> {
        self.is_comment.clone()
    }

    /// Looks only at the program before the insertion: is a name in the infill's text undefined?
    fn defined_by(&self, _position: usize, infill: &[&str]) -> BTreeSet<String> {
        let infill = infill.concat();
        let introduced = introduced(ReferencePython.classify(&infill), &infill);
        let names = self.undefined.iter().map(|undefined| undefined.name.as_str());
        names.filter(|name| introduced.contains(name)).map(str::to_owned).collect()
    }

    fn closed_text(&self) -> &str {
        &self.source
    }

    fn outline(&self) -> Outline {
        outline::outline(&self.source, GRAMMAR.parse(&self.source).root_node())
    }
}

/// The names that the reference calls undefined; none if Python could not parse the program.
fn undefined(source: &str) -> BTreeSet<String> {
    let layout = Layout::of(source);
    let source = layout.repaired(source);
    let tree = GRAMMAR.parse(&source);
    if !reference_syntax::is_valid(&source, &layout, tree.root_node()) {
        return BTreeSet::new();
    }
    reference_names::undefined(&source, tree.root_node())
}

/// For each line: does the reference take it for a comment? It counts lines with triple quotes, so
/// a docstring on one line opens a comment that goes on to the next docstring.
fn is_comment(lines: &[&str]) -> Vec<bool> {
    let mut is_open = false;
    let is_comment = lines.iter().map(|line| {
        is_open ^= line.contains("\"\"\"");
        is_open || line.trim().starts_with("\"\"\"") || line.trim().starts_with('#')
    });
    is_comment.collect()
}

/// The names that the reference reads off the text of an infill: `import numpy as np` gives
/// "numpy as np".
fn introduced(kind: InfillKind, infill: &str) -> Vec<&str> {
    match kind {
        InfillKind::Function => {
            let after_def = infill.split("def").nth(1).unwrap_or_default();
            vec![after_def.split('(').next().unwrap_or_default().trim()]
        }
        InfillKind::Import => {
            let line = infill.split('\n').next().unwrap_or_default().trim();
            let names = line.rsplit("import").next().unwrap_or_default();
            names.split(',').map(str::trim).collect()
        }
        InfillKind::Control | InfillKind::Statement => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// Checks each decision in one file of the authors' runs; returns how many there were.
    fn check_golden(file: &Path) -> usize {
        let golden = std::fs::read_to_string(file).expect("the file was listed");
        let problems: Value = serde_json::from_str(&golden).expect("golden files are JSON");
        let mut num_checked = 0;
        for problem in array(&problems) {
            let is_judged_by_names = problem["ast_judge"] == true;
            for round in array(&problem["rounds"]) {
                let lines = strings(&round["lines"]);
                let allows_functions = !ReferencePython.read(&lines).undefined().is_empty();
                assert_eq!(round["allow_functions"], allows_functions, "{}", lines.concat());
                num_checked += 1;
                if is_judged_by_names {
                    num_checked += check_candidates(&lines, &round["candidates"]);
                }
            }
        }
        num_checked
    }

    fn check_candidates(lines: &[&str], candidates: &Value) -> usize {
        let mut num_checked = 0;
        for candidate in array(candidates) {
            let infill = strings(&candidate["inserted"]);
            let kind = ReferencePython.classify(&infill.concat());
            // Without scored lines after it, the reference accepts anything.
            let is_followed = array(&candidate["deltas"]).iter().any(|delta| !delta.is_null());
            if is_followed && matches!(kind, InfillKind::Import | InfillKind::Function) {
                let position = candidate["position"].as_u64().expect("an index") as usize;
                let is_accepted =
                    !ReferencePython.read(lines).defined_by(position, &infill).is_empty();
                assert_eq!(candidate["accepted"], is_accepted, "{infill:?} in {}", lines.concat());
                num_checked += 1;
            }
        }
        num_checked
    }

    fn array(value: &Value) -> &[Value] {
        value.as_array().expect("an array")
    }

    fn strings(value: &Value) -> Vec<&str> {
        array(value).iter().map(|line| line.as_str().expect("a string")).collect()
    }

    #[test]
    fn decides_as_the_authors_code_did() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden/reference");
        let Ok(files) = std::fs::read_dir(&folder) else {
            println!("skipped: no golden traces at {}", folder.display());
            return;
        };
        for file in files {
            let file = file.expect("the folder can be read").path();
            println!("{}: {} decisions", file.display(), check_golden(&file));
        }
    }

    #[test]
    fn has_the_quirks() {
        let check = |program: &str, undefined: &str| {
            let lines: Vec<&str> = program.split_inclusive('\n').collect();
            let reading = ReferencePython.read(&lines);
            let found: Vec<&str> = reading.undefined().iter().map(|found| &*found.name).collect();
            assert_eq!(found.join(" "), undefined, "{program}");
        };
        check("x = a\n", "a");
        check("x: List[Tuple[Any]] = Optional\n", "");
        check("def f(:\n    return a\n", "");
        check("def f():\n", "");
        check("print a\n", "");
        check("for a, b in c:\n    print(d)\n", "");
        check("for a in c:\n    print(d)\n", "c d");
        check("x += y\n", "y");
        check("with a as b:\n    print(b)\n", "a b");
        check("class A:\n    pass\nA()\n", "A");
        check("import os.path\nos.path\n", "os");
        check("f()\ndef f(): pass\n", "f");
        check("y = {x for x in z}\n", "x z");
        check("y = [x for x in z]\n", "z");
        check("def f(a, /, *, b): return a + b\n", "a b");
    }

    #[test]
    fn takes_names_from_the_text() {
        let check = |infill: &str, accepted: bool| {
            let lines = ["x = np + deque + f(1)\n"];
            let defined = ReferencePython.read(&lines).defined_by(0, &[infill]);
            assert_eq!(!defined.is_empty(), accepted, "{infill}");
        };
        check("import np\n", true);
        check("import numpy as np\n", false);
        check("from collections import Counter, deque\n", true);
        check("def f(x):\n", true);
        check("def g(x):\n", false);
        check("np = 1\n", false);
    }

    #[test]
    fn compares_the_start_of_the_text() {
        let check = |infill: &str, kind: InfillKind| {
            assert_eq!(ReferencePython.classify(infill), kind, "{infill}");
        };
        check("  format = 1\n", InfillKind::Control);
        check("default = 1\n", InfillKind::Function);
        check("fromage = 1\n", InfillKind::Import);
        check("#!/bin/sh\n", InfillKind::Control);
        check("x = 1\n", InfillKind::Statement);
    }

    #[test]
    fn counts_lines_with_triple_quotes() {
        let lines = ["def f():\n", "    \"\"\"doc\"\"\"\n", "    return 1\n"];
        assert_eq!(ReferencePython.read(&lines).is_comment(), [false, true, true]);
    }

    #[test]
    fn ends_a_function_at_its_own_column() {
        let check = |text: &str, function: Option<&str>| {
            let found =
                ReferencePython.function_len(text).map(|function_len| &text[..function_len]);
            assert_eq!(found, function, "{text}");
        };
        check("def f():\n    return 1\n\nx", Some("def f():\n    return 1\n"));
        check("def f():\n    return 1\n\n  ", None);
        check("  def f():\n    return 1\nx = 2\n", None);
    }
}
