//! Would Python parse this program? The grammar of the trees takes more than Python does.
//!
//! It is written for editors: it takes Python 2, unfinished blocks, any indentation. What Python
//! 3.11, which the authors' code runs on, rejects beyond it is rejected here as far as it occurs in
//! generated programs.

use tree_sitter::Node;

use super::layout::Layout;
use crate::language::tree::{self, MAX_DEPTH, children, children_of, tokens};

/// Does Python parse the program with this layout and tree?
pub(super) fn is_valid(source: &str, layout: &Layout, root: Node) -> bool {
    let ends_open =
        layout.statements.last().is_some_and(|last| last.opens_block || last.is_decorator);
    !layout.is_open
        && layout.num_misplaced() == 0
        && !ends_open
        && !root.has_error()
        && is_valid_below(source, root, 0)
}

fn is_valid_below(source: &str, node: Node, depth: usize) -> bool {
    depth == MAX_DEPTH
        || is_valid_node(source, node)
            && children(node).iter().all(|&child| is_valid_below(source, child, depth + 1))
}

fn is_valid_node(source: &str, node: Node) -> bool {
    match node.kind() {
        "print_statement" | "exec_statement" => false,
        "identifier" => !matches!(tree::text(node, source), "async" | "await"),
        "named_expression" => is_walrus_place(node),
        "type_alias_statement" | "type_parameter" => !is_python_3_12(node),
        "integer" => is_integer(tree::text(node, source)),
        "string" => is_string(source, node),
        "comparison_operator" => !has_token(node, "<>"),
        "parameters" | "lambda_parameters" => are_parameters(node),
        "argument_list" => are_arguments(node),
        "as_pattern" => {
            let parents = ["with_item", "except_clause", "case_pattern"];
            node.parent().is_some_and(|parent| parents.contains(&parent.kind()))
        }
        "with_item" => node.child_by_field_name("value").is_none_or(is_with_item),
        "delete_statement" => children(node).into_iter().all(is_deletable),
        _ => is_valid_statement(node),
    }
}

fn is_valid_statement(node: Node) -> bool {
    let parts = children(node);
    match node.kind() {
        "assignment" => is_assignment(node),
        "augmented_assignment" => {
            let left = node.child_by_field_name("left");
            left.is_some_and(is_single_target) && has_plain_value(node)
        }
        "try_statement" => is_try(&parts),
        "except_clause" => children_of(node, "value").len() <= 1,
        "raise_statement" => parts.iter().all(|part| part.kind() != "expression_list"),
        "assert_statement" => parts.len() <= 2,
        "import_statement" | "import_from_statement" => {
            tokens(node).last().is_none_or(|last| last.kind() != ",")
        }
        "match_statement" => children_of(node, "body").iter().all(|body| body.child_count() > 0),
        _ => true,
    }
}

/// Where an assignment expression may stand without parentheses of its own.
fn is_walrus_place(node: Node) -> bool {
    let places = [
        "argument_list",
        "decorator",
        "elif_clause",
        "generator_expression",
        "if_clause",
        "if_statement",
        "interpolation",
        "list",
        "list_comprehension",
        "match_statement",
        "parenthesized_expression",
        "set",
        "set_comprehension",
        "subscript",
        "tuple",
        "while_statement",
    ];
    node.parent().is_some_and(|parent| places.contains(&parent.kind()))
}

fn has_token(node: Node, kind: &str) -> bool {
    tokens(node).iter().any(|token| token.kind() == kind)
}

/// Is this syntax that came with Python 3.12? Type arguments have the same node as type parameters.
fn is_python_3_12(node: Node) -> bool {
    let definitions = ["function_definition", "class_definition"];
    node.kind() == "type_alias_statement"
        || node.parent().is_some_and(|parent| definitions.contains(&parent.kind()))
}

/// Python 3 has no octal numbers without an `o` and no long ones.
fn is_integer(digits: &str) -> bool {
    let is_zero = digits.bytes().all(|digit| matches!(digit, b'0' | b'_'));
    let is_other_base = digits.len() > 1 && !digits.as_bytes()[1].is_ascii_digit();
    !digits.ends_with(['l', 'L'])
        && !digits.ends_with('_')
        && (!digits.starts_with('0') || is_zero || is_other_base || digits.ends_with(['j', 'J']))
}

/// Before Python 3.12, the expressions in a string contain neither its quote nor a backslash.
fn is_string(source: &str, node: Node) -> bool {
    let start = node.child(0).map_or("", |start| tree::text(start, source));
    let quote = start.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let is_expression = |part: &&Node| part.kind() == "interpolation";
    let is_plain = |part: &Node| {
        let expression = tree::text(*part, source);
        !expression.contains(quote) && !expression.contains('\\')
    };
    !quote.starts_with('`') && children(node).iter().filter(is_expression).all(is_plain)
}

/// Once a parameter has a default, those after it need one, too, up to a star.
fn are_parameters(list: Node) -> bool {
    let mut has_default = false;
    for parameter in children(list) {
        let first = parameter.named_child(0).map_or("", |name| name.kind());
        match (parameter.kind(), first) {
            ("default_parameter" | "typed_default_parameter", _) => has_default = true,
            ("keyword_separator" | "list_splat_pattern", _)
            | ("typed_parameter", "list_splat_pattern") => return true,
            ("identifier" | "typed_parameter", "" | "identifier") if has_default => return false,
            ("tuple_pattern", _) => return false,
            _ => (),
        }
    }
    true
}

/// Positional arguments come before keywords, and none after `**`.
fn are_arguments(list: Node) -> bool {
    let mut has_keyword = false;
    let mut has_splat = false;
    for argument in children(list) {
        match argument.kind() {
            "dictionary_splat" => has_splat = true,
            "keyword_argument" => has_keyword = true,
            "list_splat" if has_splat => return false,
            "list_splat" => (),
            _ if has_keyword || has_splat => return false,
            _ => (),
        }
    }
    true
}

/// `with a as b`, where `b` can be assigned to.
fn is_with_item(value: Node) -> bool {
    value.child_by_field_name("alias").and_then(|alias| alias.named_child(0)).is_none_or(is_target)
}

fn is_target(node: Node) -> bool {
    match node.kind() {
        "identifier" | "attribute" | "subscript" => true,
        "tuple" | "list" | "parenthesized_expression" | "list_splat" => {
            children(node).into_iter().all(is_target)
        }
        _ => false,
    }
}

fn is_deletable(node: Node) -> bool {
    match node.kind() {
        "expression_list" => children(node).into_iter().all(is_deletable),
        "list_splat" => false,
        _ => is_target(node),
    }
}

/// A target with an annotation, or of `+=`, is one place, not a list of them.
fn is_single_target(target: Node) -> bool {
    match target.kind() {
        "identifier" | "attribute" | "subscript" => true,
        "tuple_pattern" => {
            target.child_count() == 3 && children(target).into_iter().all(is_single_target)
        }
        _ => false,
    }
}

/// An annotation goes with one target and one value.
fn is_assignment(node: Node) -> bool {
    let left = node.child_by_field_name("left");
    let right = node.child_by_field_name("right");
    let chained = right.filter(|right| right.kind() == "assignment");
    let is_annotated = |node: Node| node.child_by_field_name("type").is_some();
    let is_single = chained.is_none() && left.is_some_and(is_single_target);
    !chained.is_some_and(is_annotated)
        && (is_single || !is_annotated(node))
        && (chained.is_some() || has_plain_value(node))
}

fn has_plain_value(node: Node) -> bool {
    let value = node.child_by_field_name("right");
    value.is_none_or(|value| !matches!(value.kind(), "assignment" | "augmented_assignment"))
}

/// A `try` needs `except` or `finally`, and before an `else` the former.
fn is_try(parts: &[Node]) -> bool {
    let has = |kind: &str| parts.iter().any(|part| part.kind() == kind);
    has("except_clause") || has("finally_clause") && !has("else_clause")
}
