//! Where an insertion would define a missing name.
//!
//! An insertion that leaves every other statement where it is adds bindings to one scope and
//! changes nothing else. So the scopes of the program tell what it defines, and the program with
//! the insertion needn't be read.

use std::collections::HashMap;

use super::layout::{Layout, word_of};
use super::scopes::{Opening, ScopeId, Scopes};

/// What a program's scopes say about bindings that are still to come.
pub(super) struct Openings {
    /// For each missing name where a binding would be seen from its use.
    of_missing: Vec<Vec<Opening>>,
    /// The scopes of functions and classes, by the rows of their headers.
    blocks: HashMap<usize, ScopeId>,
    /// The scopes of names that are declared `global` or `nonlocal`, by where they are.
    declared: HashMap<(ScopeId, String), ScopeId>,
}

impl Openings {
    pub(super) fn of(scopes: &Scopes) -> Self {
        let owner = |(scope, name)| ((scope, str::to_owned(name)), scopes.owner(scope, name));
        Self {
            of_missing: scopes.unresolved().map(|missing| scopes.openings(missing)).collect(),
            blocks: scopes.blocks.clone(),
            declared: scopes.declarations().map(owner).collect(),
        }
    }

    /// Is a binding of `name` in `scope`, before line `position`, seen from the use of it that is
    /// the `missing_idx`th missing name?
    pub(super) fn see(
        &self,
        missing_idx: usize,
        name: &str,
        scope: ScopeId,
        position: usize,
    ) -> bool {
        let owner = self.declared.get(&(scope, name.to_owned())).unwrap_or(&scope);
        let sees =
            |opening: &Opening| opening.scope == *owner && opening.positions.contains(&position);
        self.of_missing[missing_idx].iter().any(sees)
    }

    /// The scope of a statement in column `indent` that is inserted before line `position`. `None`
    /// if it stands in a function or class that the tree does not show, as its program is broken.
    pub(super) fn scope_at(
        &self,
        lines: &[String],
        layout: &Layout,
        position: usize,
        mut indent: usize,
    ) -> Option<ScopeId> {
        for above in layout.statements.iter().rev().filter(|above| above.first_row < position) {
            if above.indent >= indent {
                continue;
            }
            if let Some(&scope) = self.blocks.get(&above.first_row) {
                return Some(scope);
            }
            if is_scope(lines[above.first_row].trim_start()) {
                return None;
            }
            indent = above.indent;
        }
        Some(ScopeId::MODULE)
    }
}

/// Does the head of a function or class stand here?
fn is_scope(code: &str) -> bool {
    let word = word_of(code);
    let next_word = word_of(code[word.len()..].trim_start());
    matches!((word, next_word), ("def" | "class", _) | ("async", "def"))
}
