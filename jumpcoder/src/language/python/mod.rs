//! Python, as its programs are while they are being written.
//!
//! [`Python`] finds names by syntax tree and scopes; [`ReferencePython`] decides as the authors'
//! public code does, so that a run can be compared with theirs.

mod layout;
mod names;
mod outline;
mod reference;
mod reference_names;
mod reference_syntax;
mod scopes;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use tree_sitter::Tree;

use super::insertion::{inserted, outside};
use super::tree::Grammar;
use super::{InfillKind, Language, Outline, Place, Reading, Undefined};
use layout::Layout;
pub use reference::ReferencePython;
use scopes::Scopes;

const GRAMMAR: Grammar = Grammar(tree_sitter_python::LANGUAGE);

/// Python.
#[derive(Clone, Copy, Debug)]
pub struct Python;

impl Language for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["py", "python3", "pyi"]
    }

    fn read(&'static self, lines: &[&str]) -> Box<dyn Reading> {
        Box::new(PythonReading::of(lines.iter().map(|&line| line.to_owned()).collect()))
    }

    fn classify(&'static self, infill: &str) -> InfillKind {
        statement::classify(infill)
    }

    fn function_len(&self, text: &str) -> Option<usize> {
        statement::function_len(text)
    }

    fn banned_infills(&self) -> &'static [&'static str] {
        &[]
    }
}

/// A program of Python's.
struct PythonReading {
    lines: Vec<String>,
    layout: Layout,
    /// The text with everything closed, and its tree.
    repaired: String,
    tree: Tree,
    undefined: Vec<Undefined>,
}

impl PythonReading {
    fn of(lines: Vec<String>) -> Self {
        let source = lines.concat();
        let layout = Layout::of(&source);
        let repaired = layout.repaired(&source).into_owned();
        let tree = GRAMMAR.parse(&repaired);
        let undefined = undefined(&names::read(&repaired, tree.root_node()));
        Self { lines, layout, repaired, tree, undefined }
    }

    /// The undefined names of this program with an insertion, their places as if it weren't there.
    fn undefined_with(&self, position: usize, infill: &[&str]) -> BTreeSet<Undefined> {
        let combined = inserted(&self.lines, position, infill);
        let layout = Layout::of(&combined);
        let repaired = layout.repaired(&combined);
        let tree = GRAMMAR.parse_edited(&repaired, &self.repaired, &self.tree);
        let undefined = undefined(&names::read(&repaired, tree.root_node()));
        outside(undefined, position, infill.len())
    }
}

impl Reading for PythonReading {
    fn undefined(&self) -> &[Undefined] {
        &self.undefined
    }

    fn is_comment(&self) -> Vec<bool> {
        self.layout.is_comment()
    }

    fn defined_by(&self, position: usize, infill: &[&str]) -> BTreeSet<String> {
        let infill_text = infill.concat();
        let infill_tree = GRAMMAR.parse(&infill_text);
        let scopes = names::read(&infill_text, infill_tree.root_node());
        let introduced: BTreeSet<&str> = scopes.module_names().collect();
        let is_introduced = |missing: &&Undefined| introduced.contains(missing.name.as_str());
        let missing: Vec<&Undefined> = self.undefined.iter().filter(is_introduced).collect();
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        if missing.is_empty() || !statement::fits(&lines, position, infill) {
            return BTreeSet::new();
        }
        let still_missing = self.undefined_with(position, infill);
        let defined = missing.into_iter().filter(|missing| !still_missing.contains(missing));
        defined.map(|defined| defined.name.clone()).collect()
    }

    fn closed_text(&self) -> &str {
        &self.repaired
    }

    fn outline(&self) -> Outline {
        outline::outline(&self.repaired, self.tree.root_node())
    }
}

/// The uses of names that nothing binds.
fn undefined(scopes: &Scopes) -> Vec<Undefined> {
    let undefined = scopes.unresolved().map(|name_use| Undefined {
        place: Place { row: name_use.place.row, column: name_use.place.column },
        name: name_use.name.to_owned(),
    });
    undefined.collect()
}
