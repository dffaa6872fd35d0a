//! Annotations, and the other places where a string is a type to come.

use tree_sitter::Node;

use super::super::GRAMMAR;
use super::Reader;
use crate::language::tree::{self, children, children_of};

/// The modules whose members take types.
const TYPING_MODULES: [&str; 2] = ["typing", "typing_extensions"];

impl<'s> Reader<'_, 's> {
    pub(super) fn annotation_of(&mut self, node: Node, role: &str) {
        let Some(annotation) = node.child_by_field_name(role) else { return };
        let outer = std::mem::replace(&mut self.is_annotation, true);
        if self.has_lazy_annotations {
            self.deferring(|reader| reader.read(annotation));
        } else {
            self.read(annotation);
        }
        self.is_annotation = outer;
    }

    pub(super) fn without_annotation(&mut self, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_annotation, false);
        walk(self);
        self.is_annotation = outer;
    }

    /// `Head[...]`. The strings of `Literal` are strings; so is the metadata of `Annotated`.
    pub(super) fn generic_annotation(&mut self, node: Node) {
        let mut parts = children(node);
        let head = parts[0].child_by_field_name("attribute").unwrap_or(parts[0]);
        let num_types = match tree::text(head, self.source) {
            "Literal" => 0,
            "Annotated" => 1,
            _ => usize::MAX,
        };
        self.read(parts.remove(0));
        if let [arguments] = parts[..]
            && arguments.kind() == "type_parameter"
        {
            parts = children(arguments);
        }
        let (types, rest) = parts.split_at(num_types.min(parts.len()));
        self.read_all(types);
        self.without_annotation(|reader| reader.read_all(rest));
    }

    /// A type written as a string, to be evaluated when everything is bound.
    pub(super) fn string_annotation(&mut self, node: Node) {
        let [_start, content, _end] = children(node)[..] else { return };
        if content.kind() != "string_content" {
            return;
        }
        let part = GRAMMAR.parse_part(self.source, content.range());
        // Text that is no expression names nothing.
        if !part.root_node().has_error() {
            self.deferring(|reader| reader.read_all(&children(part.root_node())));
        }
    }

    /// Walks over a type that stands outside of annotations.
    pub(super) fn as_annotation(&mut self, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_annotation, true);
        walk(self);
        self.is_annotation = outer;
    }

    /// Notes the names under which an import makes `typing` and its members known.
    pub(super) fn note_typing(&mut self, import: Node) {
        let text = |node: Node| tree::text(node, self.source);
        let module = import.child_by_field_name("module_name").map(text);
        for imported in children_of(import, "name") {
            let name = imported.child_by_field_name("name").map_or(text(imported), text);
            let known_as = imported.child_by_field_name("alias").map_or(name, text);
            match module {
                Some(module) if TYPING_MODULES.contains(&module) => {
                    self.typing_members.insert(known_as, name);
                }
                None if TYPING_MODULES.contains(&name) => {
                    self.typing_modules.insert(known_as);
                }
                _ => (),
            }
        }
    }

    /// Which member of `typing` an expression names, if it does.
    pub(super) fn typing_member(&self, node: Node) -> Option<&'s str> {
        let text = |node: Node| tree::text(node, self.source);
        match node.kind() {
            "identifier" => self.typing_members.get(text(node)).copied(),
            "attribute" => {
                let module = node.child_by_field_name("object").map(text)?;
                let is_typing = self.typing_modules.contains(module);
                node.child_by_field_name("attribute").map(text).filter(|_| is_typing)
            }
            _ => None,
        }
    }

    /// Is a subscript outside of annotations a type, as in `Union["Tree", None]`?
    pub(super) fn is_typing_generic(&self, node: Node) -> bool {
        node.child_by_field_name("value").is_some_and(|head| self.typing_member(head).is_some())
    }

    /// `name: TypeAlias = "a type"`.
    pub(super) fn is_type_alias(&self, assignment: Node) -> bool {
        let annotation = assignment.child_by_field_name("type");
        let annotation = annotation.and_then(|annotation| annotation.named_child(0));
        annotation.and_then(|named| self.typing_member(named)) == Some("TypeAlias")
    }

    /// A call. Some functions take types, which may be strings.
    pub(super) fn call(&mut self, node: Node) {
        self.read_role(node, "function");
        let function = node.child_by_field_name("function");
        let (types, keywords) = match function.and_then(|function| self.typing_member(function)) {
            Some("cast") => (0..1, &["typ"][..]),
            Some("assert_type") => (1..2, &["typ"][..]),
            Some("NewType") => (1..2, &["tp"][..]),
            Some("TypeVar") => (1..usize::MAX, &["bound", "default"][..]),
            Some("ParamSpec" | "TypeVarTuple") => (0..0, &["bound", "default"][..]),
            _ => (0..0, &[][..]),
        };
        let Some(arguments) = node.child_by_field_name("arguments") else { return };
        if arguments.kind() != "argument_list" {
            return self.read(arguments);
        }
        for (idx, argument) in children(arguments).into_iter().enumerate() {
            let keyword = argument.child_by_field_name("name");
            let keyword = keyword.map(|name| tree::text(name, self.source));
            if keyword.map_or(types.contains(&idx), |keyword| keywords.contains(&keyword)) {
                self.as_annotation(|reader| reader.read(argument));
            } else {
                self.read(argument);
            }
        }
    }
}
