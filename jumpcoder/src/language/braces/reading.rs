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

/// A text with lines inserted.
struct Edited {
    text: Text,
    /// The inserted bytes, if nothing else is changed by them.
    inserted: Option<Range<usize>>,
}

impl Text {
    pub(super) fn of(language: &'static BraceLanguage, source: &str) -> Self {
        let layout = Layout::of(source, &language.lexis);
        let closed = layout.repaired(source);
        let repaired = language.rules.parsed(&closed);
        let tree = language.grammar().parse(&repaired);
        Self { language, layout, closed, repaired, tree }
    }

    /// This text, which `source` is but for lines inserted before line `position`.
    fn edited(&self, source: &str, position: usize) -> Edited {
        let Self { language, .. } = *self;
        let layout = Layout::of(source, &language.lexis);
        let closed = layout.repaired(source);
        let repaired = language.rules.parsed(&closed);
        let grammar = language.grammar();
        let Some(inserted) = self.inserted(&repaired, position) else {
            let tree = grammar.parse_edited(&repaired, &self.repaired, &self.tree);
            let text = Self { language, layout, closed, repaired, tree };
            return Edited { text, inserted: None };
        };
        let (tree, differing) = grammar.parse_inserted(&repaired, &inserted, &self.tree);
        let Range { start, end } = inserted;
        let is_blank = |part: Range<usize>| repaired[part].trim().is_empty();
        let is_within = |part: &Range<usize>| {
            is_blank(part.start.min(start)..part.end.min(start))
                && is_blank(part.start.max(end)..part.end.max(end))
        };
        let inserted = differing.iter().all(is_within).then_some(inserted);
        Edited { text: Self { language, layout, closed, repaired, tree }, inserted }
    }

    /// The bytes before line `position` that `new` has more, if it differs nowhere else.
    fn inserted(&self, new: &str, position: usize) -> Option<Range<usize>> {
        let old = &self.repaired;
        let start = self.line_start(position);
        let end = start + new.len().checked_sub(old.len())?;
        let is_same = new.get(..start)? == &old[..start] && new.get(end..)? == &old[start..];
        is_same.then_some(start..end)
    }

    /// What there is of names.
    fn find(&self) -> Vec<Found> {
        self.language.queries().names.find(&self.repaired, self.tree.root_node())
    }

    fn scopes(&self, found: &[Found]) -> Scopes<'_> {
        self.language.queries().names.scopes(&self.repaired, found, self.language.rules)
    }

    /// How much is no part of any program, or stands where it may not, as far as it has to do with
    /// what is around `place`.
    fn num_faults(&self, place: Range<usize>) -> usize {
        let root = self.tree.root_node();
        let outline = &self.language.queries().outline;
        errors(root).len() + outline.num_misplaced(&self.repaired, root, place)
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
    /// Scopes, imports and the like, which decide what names elsewhere mean.
    meanings: Vec<Found>,
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
        for name_use in scopes.unresolved() {
            undefined.push(Undefined { place: name_use.place, name: name_use.name.to_owned() });
            uses.push((name_use.spaces, found[name_use.found_idx].clone()));
        }
        drop(scopes);
        found.retain(Found::is_for_others);
        Self { lines, text, undefined, uses, meanings: found }
    }

    /// What `infill` may change, wherever it stands.
    fn effect(&self, infill: &[&str]) -> Effect {
        let infill = Text::of(self.text.language, &infill.concat());
        let found = infill.find();
        let brought = infill.scopes(&found);
        let shows_program = brought.imported().any(|path| self.is_of_program(path));
        let prefixes = self.meanings.iter().filter(|found| found.is_prefix());
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
        let mut owners = self.meanings.iter().filter(|found| found.is_owner());
        self.text.language.rules.is_around(path)
            || owners.any(|owner| &self.text.repaired[owner.range.clone()] == path)
    }

    /// The names that are undefined with `num_rows` inserted before line `position`; of those that
    /// were undefined before, only the concerned ones need be told.
    fn undefined_with(
        &self,
        with_infill: &Edited,
        position: usize,
        num_rows: usize,
        effect: &Effect,
    ) -> BTreeSet<Undefined> {
        let Edited { text, inserted } = with_infill;
        let inserted = inserted.as_ref().filter(|inserted| {
            // What ends just there may go on with the insertion.
            let ends_there = |found: &Found| found.is_scope() && found.range.end == inserted.start;
            !effect.shows_program && !self.meanings.iter().any(ends_there)
        });
        let found = match inserted {
            Some(inserted) => {
                let uses = effect.concerned.iter().map(|&idx| &self.uses[idx].1);
                let known = uses.chain(&self.meanings);
                let known = known.map(|known| known.after(inserted, num_rows)).collect();
                let names = &text.language.queries().names;
                names.find_inserted(&text.repaired, text.tree.root_node(), inserted, known)
            }
            None => text.find(),
        };
        let scopes = text.scopes(&found);
        let undefined = scopes
            .unresolved()
            .map(|name_use| Undefined { place: name_use.place, name: name_use.name.to_owned() });
        outside(undefined, position, num_rows)
    }

    /// Has the program with the insertion more faults than without?
    fn is_broken_by(&self, with_infill: &Edited) -> bool {
        let everywhere = 0..usize::MAX;
        let (before, after) = match &with_infill.inserted {
            // The bytes on both sides, because a range without bytes is nowhere.
            Some(Range { start, end }) => {
                let first = start.saturating_sub(1);
                (first..start + 1, first..end + 1)
            }
            None => (everywhere.clone(), everywhere),
        };
        with_infill.text.num_faults(after) > self.text.num_faults(before)
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
        let with_infill = self.text.edited(&inserted(&self.lines, position, infill), position);
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
