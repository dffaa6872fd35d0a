//! What stands in a program as a whole: functions, imports, and what may not stand where it does.
//!
//! A language's `outline.scm` finds them. Its captures: `@function` and `@import`, in one match
//! with `@name` if that is not the whole text; `@misplaced`, what the grammar takes but the
//! language doesn't, such as a function within a function; `@control`, the head of a control
//! statement that its first word doesn't tell; names that begin with `_`, for predicates only.
//! What is a function in two ways (by itself, and as something exported) is one.

use std::ops::Range;

use tree_sitter::{Node, Query, QueryCursor, QueryMatch, StreamingIterator};

use crate::language::tree::{self, Grammar};
use crate::language::{Entry, InfillKind, Outline};

/// An `outline.scm`, compiled.
pub(super) struct OutlineQuery {
    query: Query,
}

impl OutlineQuery {
    /// Compiles the query. Its text is part of the program, so it is right, or a test fails.
    pub(super) fn new(grammar: Grammar, text: &str) -> Self {
        let query = Query::new(&grammar.0.into(), text);
        let query = query.unwrap_or_else(|error| panic!("outline.scm: {error}"));
        for name in query.capture_names() {
            let is_known = ["control", "function", "import", "misplaced", "name"].contains(name);
            assert!(is_known || name.starts_with('_'), "outline.scm: @{name} means nothing");
        }
        Self { query }
    }

    /// What the entry is that begins at byte `start`.
    pub(super) fn kind_at(&self, source: &str, root: Node, start: usize) -> InfillKind {
        let mut kind = InfillKind::Statement;
        self.each(source, root, 0..usize::MAX, |query, one| {
            for capture in one.captures().iter().filter(|found| found.node.start_byte() == start) {
                match query.capture_names()[capture.index as usize] {
                    "function" => kind = InfillKind::Function,
                    "import" => kind = InfillKind::Import,
                    "control" => kind = InfillKind::Control,
                    _ => (),
                }
            }
        });
        kind
    }

    /// How much stands where it may not, as far as `place` or what is around it has to do with it.
    pub(super) fn num_misplaced(&self, source: &str, root: Node, place: Range<usize>) -> usize {
        let mut num_misplaced = 0;
        self.each(source, root, place, |query, one| {
            let names = query.capture_names();
            let is_misplaced = |idx: u32| names[idx as usize] == "misplaced";
            num_misplaced += one.captures().iter().filter(|one| is_misplaced(one.index)).count();
        });
        num_misplaced
    }

    /// The functions and imports below `root`, in `outline`.
    pub(super) fn collect(&self, source: &str, root: Node, outline: &mut Outline) {
        self.each(source, root, 0..usize::MAX, |query, one| {
            let names = query.capture_names();
            let named = |wanted: &str| {
                let mut captures = one.captures().iter();
                captures.find(|one| names[one.index as usize] == wanted).map(|one| one.node)
            };
            let entry = |node: Node| Entry {
                name: tree::text(named("name").unwrap_or(node), source).trim_end().to_owned(),
                first_row: node.start_position().row,
                last_row: last_row(node),
            };
            outline.functions.extend(named("function").map(entry));
            outline.imports.extend(named("import").map(entry));
        });
        outline
            .functions
            .dedup_by(|inner, outer| inner.name == outer.name && inner.last_row == outer.last_row);
    }

    fn each(
        &self,
        source: &str,
        root: Node,
        place: Range<usize>,
        mut take: impl FnMut(&Query, &QueryMatch<'_, '_>),
    ) {
        let mut cursor = QueryCursor::new();
        cursor.set_byte_range(place);
        let mut matches = cursor.matches(&self.query, root, source.as_bytes());
        while let Some(one) = matches.next() {
            take(&self.query, one);
        }
    }
}

/// The last row of a node; the end of a line belongs to that line.
fn last_row(node: Node) -> usize {
    let end = node.end_position();
    if end.column == 0 { end.row.saturating_sub(1).max(node.start_position().row) } else { end.row }
}
