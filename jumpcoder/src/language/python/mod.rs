//! Python, as its programs are while they are being written.
//!
//! [`Python`] finds names by syntax tree and scopes; [`ReferencePython`] decides as the authors'
//! public code does, so that a run can be compared with theirs.

mod layout;
mod names;
mod reference;
mod reference_names;
mod reference_syntax;
mod scopes;
mod statement;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;

use tree_sitter::Point;

use super::{Analysis, InfillKind, Language};
use layout::Layout;
pub use reference::ReferencePython;
use scopes::Scopes;

/// Python.
#[derive(Clone, Copy, Debug)]
pub struct Python;

impl Language for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn analyze(&self, lines: &[&str]) -> Analysis {
        let source = lines.concat();
        let layout = Layout::of(&source);
        let source = layout.repaired(&source);
        let scopes = names::read(&source, tree::parse(&source).root_node());
        let undefined = scopes.unresolved().map(|name_use| name_use.name.to_owned()).collect();
        Analysis { undefined, is_comment: layout.is_comment() }
    }

    fn classify(&self, infill: &str) -> InfillKind {
        statement::classify(infill)
    }

    fn defines_missing(&self, lines: &[&str], position: usize, infill: &[&str]) -> bool {
        let infill_text = infill.concat();
        let missing = {
            let scopes = names::read(&infill_text, tree::parse(&infill_text).root_node());
            let introduced: BTreeSet<&str> = scopes.module_names().collect();
            unresolved_places(&lines.concat(), |name| introduced.contains(name))
        };
        if missing.is_empty() || !statement::fits(lines, position, infill) {
            return false;
        }
        let combined = [&lines[..position], infill, &lines[position..]].concat().concat();
        let still_missing = unresolved_places(&combined, |_| true);
        let shifted = |place: &Point| {
            let is_below = place.row >= position;
            Point::new(place.row + if is_below { infill.len() } else { 0 }, place.column)
        };
        missing.iter().any(|place| !still_missing.contains(&shifted(place)))
    }

    fn function_len(&self, text: &str) -> Option<usize> {
        statement::function_len(text)
    }

    fn banned_infills(&self) -> &'static [&'static str] {
        &[]
    }
}

/// Where `source` uses names that nothing binds and that `concern` the caller.
fn unresolved_places(source: &str, concern: impl Fn(&str) -> bool) -> Vec<Point> {
    let layout = Layout::of(source);
    let source = layout.repaired(source);
    let scopes: Scopes = names::read(&source, tree::parse(&source).root_node());
    let concerning = scopes.unresolved().filter(|name_use| concern(name_use.name));
    concerning.map(|name_use| name_use.place).collect()
}
