//! Syntax trees: how they come about, how they follow an edit, and the little that all who read
//! them share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use tree_sitter::{InputEdit, Node, Parser, Point, Tree};
use tree_sitter_language::LanguageFn;

thread_local! {
    /// Making a parser costs more than parsing a program; one is not shared, as parsing changes it.
    static PARSERS: RefCell<HashMap<*const (), Parser>> = RefCell::default();
}

/// A language's grammar.
#[derive(Clone, Copy)]
pub(super) struct Grammar(pub LanguageFn);

impl Grammar {
    /// The tree of a program. Whatever the text is, there is one.
    pub(super) fn parse(self, source: &str) -> Tree {
        self.parse_ranges(source, &[], None)
    }

    /// The tree of one part of a program, with places in the whole of it.
    pub(super) fn parse_part(self, source: &str, part: tree_sitter::Range) -> Tree {
        self.parse_ranges(source, &[part], None)
    }

    /// The tree of `source`, made from that of a text it is like: only what differs is parsed.
    pub(super) fn parse_edited(self, source: &str, old_source: &str, old: &Tree) -> Tree {
        self.parse_after(source, edit(old_source, source), old).0
    }

    /// The tree of `source`, made from that of the text without the bytes `inserted`; and the bytes
    /// in which the two trees differ.
    pub(super) fn parse_inserted(
        self,
        source: &str,
        inserted: &Range<usize>,
        old: &Tree,
    ) -> (Tree, Vec<Range<usize>>) {
        let start = point_at(source.as_bytes(), inserted.start);
        let edit = InputEdit {
            start_byte: inserted.start,
            old_end_byte: inserted.start,
            new_end_byte: inserted.end,
            start_position: start,
            old_end_position: start,
            new_end_position: point_at(source.as_bytes(), inserted.end),
        };
        self.parse_after(source, Some(edit), old)
    }

    fn parse_after(
        self,
        source: &str,
        edit: Option<InputEdit>,
        old: &Tree,
    ) -> (Tree, Vec<Range<usize>>) {
        let mut edited = old.clone();
        if let Some(edit) = edit {
            edited.edit(&edit);
        }
        let tree = self.parse_ranges(source, &[], Some(&edited));
        let differing = edited.changed_ranges(&tree);
        let differing = differing.map(|range| range.start_byte..range.end_byte).collect();
        (tree, differing)
    }

    fn parse_ranges(self, source: &str, ranges: &[tree_sitter::Range], old: Option<&Tree>) -> Tree {
        PARSERS.with_borrow_mut(|parsers| {
            let parser = parsers.entry(self.0.into_raw() as *const ()).or_insert_with(|| {
                let mut parser = Parser::new();
                let language = self.0.into();
                parser.set_language(&language).expect("the grammar is built for this library");
                parser
            });
            parser.set_included_ranges(ranges).expect("one range cannot overlap another");
            parser.parse(source, old).expect("a language is set and nothing cancels")
        })
    }
}

/// What turns `old` into `new`, as one edit. `None` if nothing does.
fn edit(old: &str, new: &str) -> Option<InputEdit> {
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let shorter = old.len().min(new.len());
    let start = (0..shorter).find(|&at| old[at] != new[at]).unwrap_or(shorter);
    if start == old.len() && start == new.len() {
        return None;
    }
    let is_same = |from_end: &usize| old[old.len() - 1 - from_end] == new[new.len() - 1 - from_end];
    let num_same = (0..shorter - start).take_while(is_same).count();
    let (old_end, new_end) = (old.len() - num_same, new.len() - num_same);
    Some(InputEdit {
        start_byte: start,
        old_end_byte: old_end,
        new_end_byte: new_end,
        start_position: point_at(old, start),
        old_end_position: point_at(old, old_end),
        new_end_position: point_at(new, new_end),
    })
}

fn point_at(text: &[u8], at: usize) -> Point {
    let lines = text[..at].split(|&byte| byte == b'\n');
    let last_len = lines.clone().next_back().map_or(0, <[u8]>::len);
    Point::new(lines.count() - 1, last_len)
}

/// Trees are walked by recursion; deeper ones are not looked at further down. Python's own parser
/// gives up at a few hundred brackets, too.
pub(super) const MAX_DEPTH: usize = 400;

/// The children of a node that are not mere tokens, comments left out.
pub(super) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    let is_code = |child: &Node| child.is_error() || !child.is_extra();
    node.named_children(&mut cursor).filter(is_code).collect()
}

/// All children of a node, tokens included.
pub(super) fn tokens(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).collect()
}

/// The children of a node that have one role in it.
pub(super) fn children_of<'t>(node: Node<'t>, role: &str) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.children_by_field_name(role, &mut cursor).filter(Node::is_named).collect()
}

/// The text of a node.
pub(super) fn text<'s>(node: Node, source: &'s str) -> &'s str {
    &source[node.byte_range()]
}

/// The places where the parser could make no sense of the text, or had to invent a token.
pub(super) fn errors(root: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        if node.is_error() || node.is_missing() {
            found.push(node);
        } else if node.has_error() {
            open.extend(tokens(node).into_iter().rev());
        }
    }
    found
}
