//! Python, as its programs are while they are being written.
//!
//! [`Python`] finds names by syntax tree and scopes; [`ReferencePython`] decides as the authors'
//! public code does, so that a run can be compared with theirs.

mod layout;
mod names;
mod openings;
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
use openings::Openings;
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
        &["py", "pyi", "pyw", "python3"]
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
    openings: Openings,
}

impl PythonReading {
    fn of(lines: Vec<String>) -> Self {
        let source = lines.concat();
        let layout = Layout::of(&source);
        let repaired = layout.repaired(&source).into_owned();
        let tree = GRAMMAR.parse(&repaired);
        let scopes = names::read(&repaired, tree.root_node());
        let (undefined, openings) = (undefined(&scopes), Openings::of(&scopes));
        drop(scopes);
        Self { lines, layout, repaired, tree, undefined, openings }
    }

    /// The undefined names of this program with an insertion, their places as if it weren't there.
    fn undefined_with(
        &self,
        with_infill: &str,
        position: usize,
        num_rows: usize,
    ) -> BTreeSet<Undefined> {
        let repaired = Layout::of(with_infill).repaired(with_infill).into_owned();
        let tree = GRAMMAR.parse_edited(&repaired, &self.repaired, &self.tree);
        let undefined = undefined(&names::read(&repaired, tree.root_node()));
        outside(undefined, position, num_rows)
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
        let brought = names::read(&infill_text, infill_tree.root_node());
        let introduced: BTreeSet<&str> = brought.module_names().collect();
        let mut missing: Vec<usize> = (0..self.undefined.len()).collect();
        missing.retain(|&idx| introduced.contains(&*self.undefined[idx].name));
        if missing.is_empty() {
            return BTreeSet::new();
        }
        let with_infill = inserted(&self.lines, position, infill);
        let Some(fit) = statement::fit(&self.layout, &with_infill, position, infill.len()) else {
            return BTreeSet::new();
        };
        let scope_at = || self.openings.scope_at(&self.lines, &self.layout, position, fit.indent);
        let is_plain = fit.is_one_block && brought.declarations().next().is_none();
        if let Some(scope) = is_plain.then(scope_at).flatten() {
            let name = |idx: usize| &self.undefined[idx].name;
            missing.retain(|&idx| self.openings.see(idx, name(idx), scope, position));
        } else {
            let still_missing = self.undefined_with(&with_infill, position, infill.len());
            missing.retain(|&idx| !still_missing.contains(&self.undefined[idx]));
        }
        missing.into_iter().map(|idx| self.undefined[idx].name.clone()).collect()
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
