//! A program of a language with braces, read; and what an insertion would change.

use std::collections::BTreeSet;
use std::ops::Range;

use tree_sitter::Tree;

use super::BraceLanguage;
use super::layout::Layout;
use super::names::Found;
use super::scopes::Scopes;
use super::spaces::Spaces;
use crate::language::insertion::{inserted, outside};
use crate::language::tree::errors;
use crate::language::{Outline, Reading, Undefined, place_of};

/// A text and its tree.
pub(super) struct Text {
    language: &'static BraceLanguage,
    pub layout: Layout,
    /// The text with everything closed.
    closed: String,
    /// What the parser was given: as long, with the same lines.
    pub repaired: String,
    pub tree: Tree,
}

impl Text {
    pub(super) fn of(language: &'static BraceLanguage, source: &str) -> Self {
        let layout = Layout::of(source, &language.lexis);
        let closed = layout.repaired(source);
        let repaired = language.rules.parsed(&closed);
        let tree = language.grammar().parse(&repaired);
        Self { language, layout, closed, repaired, tree }
    }

    /// A text that is like this one.
    fn edited(&self, source: &str) -> Self {
        let Self { language, .. } = *self;
        let layout = Layout::of(source, &language.lexis);
        let closed = layout.repaired(source);
        let repaired = language.rules.parsed(&closed);
        let tree = language.grammar().parse_edited(&repaired, &self.repaired, &self.tree);
        Self { language, layout, closed, repaired, tree }
    }

    /// What there is of names.
    fn find(&self) -> Vec<Found> {
        self.language.queries().names.find(&self.repaired, self.tree.root_node())
    }

    fn scopes(&self, found: &[Found]) -> Scopes<'_> {
        self.language.queries().names.scopes(&self.repaired, found, self.language.rules)
    }

    /// The places where nothing could be part of a program.
    fn num_errors(&self) -> usize {
        errors(self.tree.root_node()).len()
    }

    /// How much stands in `range` where it may not.
    fn num_misplaced(&self, range: Range<usize>) -> usize {
        let outline = &self.language.queries().outline;
        outline.num_misplaced(&self.repaired, self.tree.root_node(), range)
    }

    /// The byte that a line begins at.
    fn line_start(&self, row: usize) -> usize {
        let lines = self.repaired.split_inclusive('\n').take(row);
        lines.map(str::len).sum()
    }
}

/// A program as its language reads it.
pub(super) struct BraceReading {
    lines: Vec<String>,
    text: Text,
    undefined: Vec<Undefined>,
    /// What each of them could have stood for, and where it was found.
    uses: Vec<(Spaces, Found)>,
    /// Imports and the like, which decide what names elsewhere mean.
    imports: Vec<Found>,
}

/// What an infill may change.
struct Effect {
    /// The undefined names that it has an answer to.
    concerned: Vec<usize>,
    /// Are definitions of the program seen from elsewhere by it?
    shows_program: bool,
}

impl BraceReading {
    pub(super) fn of(language: &'static BraceLanguage, lines: Vec<String>) -> Self {
        let text = Text::of(language, &lines.concat());
        let mut found = text.find();
        let scopes = text.scopes(&found);
        let mut undefined = Vec::new();
        let mut uses = Vec::new();
        let found_uses = found.iter().filter(|found| found.is_use());
        for name_use in scopes.unresolved() {
            undefined.push(Undefined { place: name_use.place, name: name_use.name.to_owned() });
            let mut found_uses = found_uses.clone();
            let found = found_uses.find(|found| found.range.start == name_use.at);
            uses.push((name_use.spaces, found.expect("each use was found").clone()));
        }
        drop(scopes);
        found.retain(Found::is_for_others);
        Self { lines, text, undefined, uses, imports: found }
    }

    /// What `infill` may change, wherever it stands.
    fn effect(&self, infill: &[&str]) -> Effect {
        let infill = Text::of(self.text.language, &infill.concat());
        let found = infill.find();
        let brought = infill.scopes(&found);
        let shows_program = brought.imported().any(|path| self.is_of_program(path));
        let prefixes = self.imports.iter().filter(|import| import.is_prefix());
        let prefixes: Vec<&str> =
            prefixes.map(|prefix| &self.text.repaired[prefix.range.clone()]).collect();
        let is_brought = |&idx: &usize| {
            let name = &self.undefined[idx].name;
            shows_program || brought.introduces(name, self.uses[idx].0, &prefixes)
        };
        Effect { concerned: (0..self.undefined.len()).filter(is_brought).collect(), shows_program }
    }

    /// Does `path` stand for something that this program has names in?
    fn is_of_program(&self, path: &str) -> bool {
        let mut owners = self.imports.iter().filter(|found| found.is_owner());
        self.text.language.rules.is_around(path)
            || owners.any(|owner| &self.text.repaired[owner.range.clone()] == path)
    }

    /// The names that are undefined with `num_rows` inserted before line `position`; of those that
    /// were undefined before, only the concerned ones need be told.
    fn undefined_with(
        &self,
        with_infill: &Text,
        position: usize,
        num_rows: usize,
        effect: &Effect,
    ) -> BTreeSet<Undefined> {
        let changed = self.changed(with_infill, position).filter(|_| !effect.shows_program);
        let found = match changed {
            Some(changed) => {
                let uses = effect.concerned.iter().map(|&idx| &self.uses[idx].1);
                let known = uses.chain(&self.imports).map(|known| {
                    let is_below = known.range.start >= changed.start;
                    if is_below { known.shifted(changed.len(), num_rows) } else { known.clone() }
                });
                let names = &self.text.language.queries().names;
                let root = with_infill.tree.root_node();
                names.find_around(&with_infill.repaired, root, &changed, known.collect())
            }
            None => with_infill.find(),
        };
        let scopes = with_infill.scopes(&found);
        let undefined = scopes
            .unresolved()
            .map(|name_use| Undefined { place: name_use.place, name: name_use.name.to_owned() });
        outside(undefined, position, num_rows)
    }

    /// The bytes of the insertion, if nothing else is changed by it.
    fn changed(&self, with_infill: &Text, position: usize) -> Option<Range<usize>> {
        let (old, new) = (&self.text.repaired, &with_infill.repaired);
        let start = self.text.line_start(position);
        let len = new.len().checked_sub(old.len())?;
        let is_same =
            new.get(..start)? == &old[..start] && new.get(start + len..)? == &old[start..];
        is_same.then_some(start..start + len)
    }

    /// Does the program with the insertion have more errors than without?
    fn is_broken_by(&self, with_infill: &Text) -> bool {
        let differing = self.text.tree.changed_ranges(&with_infill.tree);
        let misplaced = |range: tree_sitter::Range| {
            let range = range.start_byte..range.end_byte;
            with_infill.num_misplaced(range)
        };
        with_infill.num_errors() > self.text.num_errors()
            || differing.map(misplaced).sum::<usize>() > 0
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
        let effect = self.effect(infill);
        if effect.concerned.is_empty() {
            return BTreeSet::new();
        }
        let with_infill = self.text.edited(&inserted(&self.lines, position, infill));
        if self.is_broken_by(&with_infill) {
            return BTreeSet::new();
        }
        let still = self.undefined_with(&with_infill, position, infill.len(), &effect);
        let concerned = effect.concerned.into_iter().map(|idx| &self.undefined[idx]);
        let defined = concerned.filter(|missing| !still.contains(missing));
        defined.map(|defined| defined.name.clone()).collect()
    }

    fn closed_text(&self) -> &str {
        &self.text.closed
    }

    fn outline(&self) -> Outline {
        let root = self.text.tree.root_node();
        let errors = errors(root).into_iter().map(place_of).collect();
        let mut outline = Outline { errors, ..Outline::default() };
        self.text.language.queries().outline.collect(&self.text.repaired, root, &mut outline);
        outline
    }
}
