//! `try`, and what its handlers mean for names.

use tree_sitter::Node;

use super::Reader;
use crate::language::tree::{self, children};

impl Reader<'_, '_> {
    /// Names that may be missing, because a handler waits for that, are not missed.
    pub(super) fn try_statement(&mut self, node: Node) {
        let parts = children(node);
        let handles = |part: &&Node| {
            part.child_by_field_name("value").is_some_and(|caught| self.has_name_error(caught))
        };
        let is_protected = self.is_protected || parts.iter().any(|part| handles(&part));
        let outer = std::mem::replace(&mut self.is_protected, is_protected);
        self.read_role(node, "body");
        self.is_protected = outer;
        let body = node.child_by_field_name("body");
        for part in parts.into_iter().filter(|part| Some(*part) != body) {
            self.read(part);
        }
    }

    /// Is `NameError` among the exceptions that a handler names?
    fn has_name_error(&self, caught: Node) -> bool {
        match caught.kind() {
            "identifier" => tree::text(caught, self.source) == "NameError",
            "tuple" | "as_pattern" => children(caught).into_iter().any(|e| self.has_name_error(e)),
            _ => false,
        }
    }

    /// The name of the exception goes when its handler ends.
    pub(super) fn handler(&mut self, node: Node) {
        let alias = node.child_by_field_name("value");
        let alias = alias.and_then(|caught| caught.child_by_field_name("alias"));
        let name = alias.and_then(|target| target.named_child(0));
        let name = name.filter(|name| name.kind() == "identifier");
        let name = name.map(|name| tree::text(name, self.source));
        let name = name.filter(|name| !self.scopes.is_current(self.scope, name));
        self.read_all(&children(node));
        if let Some(name) = name {
            self.unbind(name, node);
        }
    }
}
