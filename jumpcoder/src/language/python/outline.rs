//! What a module consists of, for people and tools to look at.

use tree_sitter::Node;

use crate::language::tree::{self, MAX_DEPTH, children, errors};
use crate::language::{Entry, Outline, place_of};

/// The outline of the module below `root`.
pub(super) fn outline(source: &str, root: Node) -> Outline {
    let errors = errors(root).into_iter().map(place_of).collect();
    let mut outline = Outline { errors, ..Outline::default() };
    collect(source, root, 0, &mut outline);
    outline
}

fn collect(source: &str, node: Node, depth: usize, outline: &mut Outline) {
    match node.kind() {
        "function_definition" => {
            let name = node.child_by_field_name("name");
            let name = name.map_or("", |name| tree::text(name, source));
            outline.functions.push(entry(name, node));
        }
        "import_statement" | "import_from_statement" | "future_import_statement" => {
            outline.imports.push(entry(tree::text(node, source), node));
        }
        _ => (),
    }
    if depth < MAX_DEPTH {
        for child in children(node) {
            collect(source, child, depth + 1, outline);
        }
    }
}

fn entry(name: &str, node: Node) -> Entry {
    let (first_row, last_row) = (node.start_position().row, node.end_position().row);
    Entry { name: name.to_owned(), first_row, last_row }
}
