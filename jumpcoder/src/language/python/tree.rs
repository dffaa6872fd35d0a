//! Python's syntax trees, and the little that both ways of reading them share.

use std::cell::RefCell;

use tree_sitter::{Node, Parser, Range, Tree};

thread_local! {
    /// Making a parser costs more than parsing a program; one is not shared, as parsing changes it.
    static PARSER: RefCell<Parser> = RefCell::new({
        let mut parser = Parser::new();
        let language = tree_sitter_python::LANGUAGE.into();
        parser.set_language(&language).expect("the grammar is built for this library");
        parser
    });
}

/// The tree of a module. Whatever the text is, there is one.
pub(super) fn parse(source: &str) -> Tree {
    parse_ranges(source, &[])
}

/// The tree of one part of a module, with places in the whole of it.
pub(super) fn parse_part(source: &str, part: Range) -> Tree {
    parse_ranges(source, &[part])
}

fn parse_ranges(source: &str, ranges: &[Range]) -> Tree {
    PARSER.with_borrow_mut(|parser| {
        parser.set_included_ranges(ranges).expect("one range cannot overlap another");
        parser.parse(source, None).expect("a language is set and nothing cancels")
    })
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
