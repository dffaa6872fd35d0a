//! Functions, classes, and types by name: whatever opens a scope of its own.

use tree_sitter::Node;

use super::Reader;
use crate::language::python::scopes::ScopeKind;
use crate::language::tree::{children, children_of};

impl Reader<'_, '_> {
    /// A function: its name belongs to where it stands, and so does what runs with the definition.
    pub(super) fn function(&mut self, node: Node) {
        if let Some(name) = node.child_by_field_name("name") {
            self.bind_name(name, node.end_byte());
        }
        let parameters = node.child_by_field_name("parameters").map(children).unwrap_or_default();
        for &parameter in &parameters {
            self.read_role(parameter, "value");
        }
        self.with_type_parameters(node, |reader| {
            for &parameter in &parameters {
                reader.annotation_of(parameter, "type");
            }
            reader.annotation_of(node, "return_type");
            reader.within_function(|reader| {
                reader.scopes.blocks.insert(node.start_position().row, reader.scope);
                reader.bind_parameters(&parameters);
                reader.read_role(node, "body");
                reader.read_errors(node);
            });
        });
    }

    pub(super) fn lambda(&mut self, node: Node) {
        let parameters = node.child_by_field_name("parameters").map(children).unwrap_or_default();
        for &parameter in &parameters {
            self.read_role(parameter, "value");
        }
        self.within_function(|reader| {
            reader.bind_parameters(&parameters);
            reader.read_role(node, "body");
        });
    }

    pub(super) fn bind_parameters(&mut self, parameters: &[Node]) {
        for &parameter in parameters {
            match parameter.kind() {
                "typed_parameter" => {
                    if let Some(name) = parameter.named_child(0) {
                        self.bind(name, 0);
                    }
                }
                "default_parameter" | "typed_default_parameter" => {
                    if let Some(name) = parameter.child_by_field_name("name") {
                        self.bind(name, 0);
                    }
                }
                _ => self.bind(parameter, 0),
            }
        }
    }

    pub(super) fn class(&mut self, node: Node) {
        self.with_type_parameters(node, |reader| {
            reader.read_role(node, "superclasses");
            reader.within_new(ScopeKind::Class, |reader| {
                reader.scopes.blocks.insert(node.start_position().row, reader.scope);
                reader.read_role(node, "body");
            });
        });
        self.read_errors(node);
        if let Some(name) = node.child_by_field_name("name") {
            self.bind_name(name, node.end_byte());
        }
    }

    /// Walks with the type parameters of a definition in scope, if it has any.
    fn with_type_parameters(&mut self, node: Node, walk: impl FnOnce(&mut Self)) {
        match node.child_by_field_name("type_parameters") {
            None => walk(self),
            Some(parameters) => self.within_new(ScopeKind::TypeParameters, |reader| {
                reader.bind_type_parameters(parameters);
                walk(reader);
            }),
        }
    }

    fn bind_type_parameters(&mut self, parameters: Node) {
        for parameter in children(parameters) {
            let mut name = parameter;
            while let Some(inner) = name.named_child(0) {
                name = inner;
            }
            self.bind_name(name, 0);
            // The bound of a parameter is evaluated when someone asks for it.
            for constrained in children(parameter) {
                let parts = children(constrained);
                self.deferring(|reader| reader.read_all(parts.get(1..).unwrap_or_default()));
            }
        }
    }

    /// `type left = right`, whose right side is evaluated when someone asks for it.
    pub(super) fn type_alias(&mut self, node: Node) {
        let mut name = node.child_by_field_name("left");
        while let Some(inner) = name.and_then(|name| name.named_child(0)) {
            name = Some(inner);
        }
        if let Some(name) = name {
            self.bind_name(name, node.end_byte());
        }
        self.within_new(ScopeKind::TypeParameters, |reader| {
            for generic in children_of(node, "left").into_iter().flat_map(children) {
                for parameters in children(generic).into_iter().skip(1) {
                    reader.bind_type_parameters(parameters);
                }
            }
            reader.deferring(|reader| reader.read_role(node, "right"));
        });
    }
}
