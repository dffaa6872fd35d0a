//! What the parser could make no sense of.

use tree_sitter::Node;

use super::Reader;
use crate::language::tree::{self, children};

impl Reader<'_, '_> {
    /// Reads the pieces below an error for what they were likely to become. Nothing is known of
    /// their order, so uses count as deferred.
    pub(super) fn fragments(&mut self, node: Node) {
        let tokens = tree::tokens(node);
        let kind_at = |idx: Option<usize>| {
            idx.and_then(|idx| tokens.get(idx)).map_or("", |token: &Node| token.kind())
        };
        self.deferring(|reader| {
            for (idx, &token) in tokens.iter().enumerate() {
                reader.fragment(token, kind_at(idx.checked_sub(1)), kind_at(Some(idx + 1)));
            }
        });
    }

    fn fragment(&mut self, token: Node, before: &str, after: &str) {
        match (before, token.kind(), after) {
            (_, _, "=" | ":=") | ("def" | "class" | "for" | "as" | "lambda", _, _) => {
                self.bind(token, 0);
            }
            (".", "identifier", _) | (_, "string_start" | "string_content" | "string_end", _) => (),
            ("import", "dotted_name", _) => {
                if let Some(name) = token.named_child(0) {
                    self.bind_name(name, 0);
                }
            }
            (_, "aliased_import", _) => {
                if let Some(name) = token.child_by_field_name("alias") {
                    self.bind_name(name, 0);
                }
            }
            (_, "parameters" | "lambda_parameters", _) => {
                let parameters = children(token);
                self.bind_parameters(&parameters);
                for &parameter in &parameters {
                    self.annotation_of(parameter, "type");
                    self.read_role(parameter, "value");
                }
            }
            _ if token.is_named() => self.read(token),
            _ => (),
        }
    }
}
