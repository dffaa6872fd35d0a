//! A program of a language with braces, read; and what an insertion would change.

use std::collections::BTreeSet;

use tree_sitter::Tree;

use super::BraceLanguage;
use super::layout::Layout;
use super::spaces::Spaces;
use crate::language::insertion::{inserted, outside};
use crate::language::tree::errors;
use crate::language::{Outline, Reading, Undefined, place_of};

/// A text and its tree.
pub(super) struct Text {
    pub language: &'static BraceLanguage,
    pub layout: Layout,
    /// The text with everything closed.
    pub repaired: String,
    pub tree: Tree,
}

impl Text {
    pub(super) fn of(language: &'static BraceLanguage, source: &str) -> Self {
        let layout = Layout::of(source, &language.lexis);
        let repaired = layout.repaired(source);
        let tree = language.grammar().parse(&repaired);
        Self { language, layout, repaired, tree }
    }

    /// A text that is like this one.
    fn edited(&self, source: &str) -> Self {
        let Self { language, .. } = *self;
        let layout = Layout::of(source, &language.lexis);
        let repaired = layout.repaired(source);
        let tree = language.grammar().parse_edited(&repaired, &self.repaired, &self.tree);
        Self { language, layout, repaired, tree }
    }

    /// The uses of names that nothing binds, and what each could have stood for.
    fn undefined(&self) -> Vec<(Undefined, Spaces)> {
        let scopes = self.language.names_in(&self.repaired, self.tree.root_node());
        let undefined = scopes.unresolved().map(|name_use| {
            let name = name_use.name.to_owned();
            (Undefined { place: name_use.place, name }, name_use.spaces)
        });
        undefined.collect()
    }

    /// How much of it can't be part of a program.
    fn num_errors(&self) -> usize {
        let root = self.tree.root_node();
        let items = &self.language.queries().items;
        errors(root).len() + items.num_misplaced(&self.repaired, root)
    }
}

/// A program as its language reads it.
pub(super) struct BraceReading {
    lines: Vec<String>,
    text: Text,
    undefined: Vec<Undefined>,
    /// What each of them could have stood for.
    spaces: Vec<Spaces>,
}

impl BraceReading {
    pub(super) fn of(language: &'static BraceLanguage, lines: Vec<String>) -> Self {
        let text = Text::of(language, &lines.concat());
        let (undefined, spaces) = text.undefined().into_iter().unzip();
        Self { lines, text, undefined, spaces }
    }

    /// The undefined names that `infill` has an answer to, wherever it stands.
    fn concerned(&self, infill: &[&str]) -> Vec<&Undefined> {
        let language = self.text.language;
        let infill = Text::of(language, &infill.concat());
        let brought = language.names_in(&infill.repaired, infill.tree.root_node());
        let missing = self.undefined.iter().zip(&self.spaces);
        let concerned =
            missing.filter(|(missing, spaces)| brought.introduces(&missing.name, **spaces));
        concerned.map(|(missing, _)| missing).collect()
    }
}

impl Reading for BraceReading {
    fn undefined(&self) -> &[Undefined] {
        &self.undefined
    }

    fn is_comment(&self) -> Vec<bool> {
        self.text.layout.is_comment()
    }

    fn defined_by(&self, position: usize, infill: &[&str]) -> BTreeSet<String> {
        let concerned = self.concerned(infill);
        if concerned.is_empty() {
            return BTreeSet::new();
        }
        let with_infill = self.text.edited(&inserted(&self.lines, position, infill));
        if with_infill.num_errors() > self.text.num_errors() {
            return BTreeSet::new();
        }
        let undefined = with_infill.undefined().into_iter().map(|(undefined, _)| undefined);
        let still_missing = outside(undefined, position, infill.len());
        let defined = concerned.into_iter().filter(|missing| !still_missing.contains(missing));
        defined.map(|defined| defined.name.clone()).collect()
    }

    fn outline(&self) -> Outline {
        let root = self.text.tree.root_node();
        let errors = errors(root).into_iter().map(place_of).collect();
        let mut outline = Outline { errors, ..Outline::default() };
        self.text.language.queries().items.collect(&self.text.repaired, root, &mut outline);
        outline
    }
}
