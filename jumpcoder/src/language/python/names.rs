//! Reads a syntax tree for what it binds and what it uses, scope by scope.
//!
//! The tree may be of an unfinished or broken program: errors are read, too, token by token.
//! A walk by hand rather than queries: what a name means depends on the way down to it (which part
//! of a function runs in which scope, what is an annotation), and a pattern does not see that.

use tree_sitter::Node;

use super::scopes::{ScopeId, ScopeKind, Scopes, Use};
use crate::language::tree::{self, MAX_DEPTH, children, children_of};

/// What the module below `root` binds and uses.
pub(super) fn read<'s>(source: &'s str, root: Node) -> Scopes<'s> {
    let mut scopes = Scopes::new();
    let mut reader = Reader {
        source,
        scopes: &mut scopes,
        scope: ScopeId::MODULE,
        depth: 0,
        num_deferring: 0,
        is_annotation: false,
        has_lazy_annotations: false,
    };
    reader.read(root);
    scopes
}

/// The walk in progress.
struct Reader<'a, 's> {
    source: &'s str,
    scopes: &'a mut Scopes<'s>,
    /// The scope that the walk is in.
    scope: ScopeId,
    depth: usize,
    /// How many of the nodes around are evaluated only later, whatever their scope.
    num_deferring: usize,
    /// Are strings here names to come, as in `x: "Tree"`?
    is_annotation: bool,
    /// Does the module import `annotations` from the future?
    has_lazy_annotations: bool,
}

impl<'s> Reader<'_, 's> {
    /// Reads a statement, an expression or a part of one.
    fn read(&mut self, node: Node) {
        if self.depth == MAX_DEPTH {
            return;
        }
        self.depth += 1;
        match node.kind() {
            "identifier" => self.add_use(node),
            "dotted_name" | "import_prefix" => (),
            "attribute" => self.read_role(node, "object"),
            "member_type" => self.read_first(node),
            "keyword_argument" => self.read_role(node, "value"),
            "assignment" => self.assignment(node),
            "named_expression" => self.named_expression(node),
            "as_pattern" => self.alias(node),
            "for_statement" => self.for_statement(node),
            "function_definition" => self.function(node),
            "lambda" => self.lambda(node),
            "class_definition" => self.class(node),
            "list_comprehension"
            | "set_comprehension"
            | "dictionary_comprehension"
            | "generator_expression" => self.comprehension(node),
            "import_statement" | "import_from_statement" | "future_import_statement" => {
                self.import(node);
            }
            "global_statement" => self.declare(node, Scopes::declare_global),
            "nonlocal_statement" => self.declare(node, Scopes::declare_nonlocal),
            "case_clause" => self.case(node),
            "type_alias_statement" => self.type_alias(node),
            "string" if self.is_annotation => self.string_annotation(node),
            "subscript" | "generic_type" if self.is_annotation => self.generic_annotation(node),
            "call" => self.without_annotation(|reader| reader.read_all(&children(node))),
            "ERROR" => self.fragments(node),
            _ => self.read_all(&children(node)),
        }
        self.depth -= 1;
    }

    fn read_all(&mut self, nodes: &[Node]) {
        for &node in nodes {
            self.read(node);
        }
    }

    fn read_role(&mut self, node: Node, role: &str) {
        if let Some(child) = node.child_by_field_name(role) {
            self.read(child);
        }
    }

    fn read_first(&mut self, node: Node) {
        if let Some(child) = node.named_child(0) {
            self.read(child);
        }
    }

    fn add_use(&mut self, node: Node) {
        let name = tree::text(node, self.source);
        // The parser invents nodes without text where something is missing.
        if !name.is_empty() {
            self.scopes.add_use(Use {
                name,
                place: node.start_position(),
                at: node.start_byte(),
                scope: self.scope,
                is_deferred: self.num_deferring > 0,
            });
        }
    }

    /// Binds the names of an assignment target from byte `at` on; what else it contains is used.
    fn bind(&mut self, target: Node, at: usize) {
        if self.depth == MAX_DEPTH {
            return;
        }
        self.depth += 1;
        match target.kind() {
            "identifier" => self.bind_name(target, at),
            "pattern_list"
            | "tuple_pattern"
            | "list_pattern"
            | "list_splat_pattern"
            | "dictionary_splat_pattern"
            | "as_pattern_target"
            | "tuple"
            | "list"
            | "list_splat"
            | "parenthesized_expression"
            | "expression_list" => {
                for child in children(target) {
                    self.bind(child, at);
                }
            }
            _ => self.read(target),
        }
        self.depth -= 1;
    }

    fn bind_name(&mut self, name: Node, at: usize) {
        self.scopes.bind(self.scope, tree::text(name, self.source), at);
    }

    /// Walks with another scope around.
    fn within(&mut self, scope: ScopeId, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.scope, scope);
        walk(self);
        self.scope = outer;
    }

    fn within_new(&mut self, kind: ScopeKind, walk: impl FnOnce(&mut Self)) {
        let scope = self.scopes.open(kind, self.scope);
        self.within(scope, walk);
    }

    /// Walks over what is evaluated only later.
    fn deferring(&mut self, walk: impl FnOnce(&mut Self)) {
        self.num_deferring += 1;
        walk(self);
        self.num_deferring -= 1;
    }

    /// `left: type = right`, of which either of the latter two may be missing. Without a value, the
    /// name is declared, not bound.
    fn assignment(&mut self, node: Node) {
        self.annotation_of(node, "type");
        self.read_role(node, "right");
        let Some(left) = node.child_by_field_name("left") else { return };
        let is_bound = node.child_by_field_name("right").is_some();
        if is_bound || left.kind() != "identifier" {
            self.bind(left, node.end_byte());
        }
    }

    fn named_expression(&mut self, node: Node) {
        self.read_role(node, "value");
        if let Some(name) = node.child_by_field_name("name") {
            let scope = self.scopes.outside_comprehensions(self.scope);
            self.within(scope, |reader| reader.bind(name, node.end_byte()));
        }
    }

    /// `value as target`, in `with` and `except`.
    fn alias(&mut self, node: Node) {
        self.read_first(node);
        if let Some(target) = node.child_by_field_name("alias") {
            self.bind(target, node.end_byte());
        }
    }

    fn for_statement(&mut self, node: Node) {
        self.read_role(node, "right");
        if let Some(left) = node.child_by_field_name("left") {
            self.bind(left, left.end_byte());
        }
        self.read_role(node, "body");
        self.read_role(node, "alternative");
        self.read_errors(node);
    }

    /// A function: its name belongs to where it stands, and so does what runs with the definition.
    fn function(&mut self, node: Node) {
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
            reader.within_new(ScopeKind::Function, |reader| {
                reader.bind_parameters(&parameters);
                reader.read_role(node, "body");
                reader.read_errors(node);
            });
        });
    }

    fn lambda(&mut self, node: Node) {
        let parameters = node.child_by_field_name("parameters").map(children).unwrap_or_default();
        for &parameter in &parameters {
            self.read_role(parameter, "value");
        }
        self.within_new(ScopeKind::Function, |reader| {
            reader.bind_parameters(&parameters);
            reader.read_role(node, "body");
        });
    }

    fn bind_parameters(&mut self, parameters: &[Node]) {
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

    fn class(&mut self, node: Node) {
        self.with_type_parameters(node, |reader| {
            reader.read_role(node, "superclasses");
            reader.within_new(ScopeKind::Class, |reader| reader.read_role(node, "body"));
        });
        self.read_errors(node);
        if let Some(name) = node.child_by_field_name("name") {
            self.bind_name(name, node.end_byte());
        }
    }

    /// The errors directly below a compound statement: parts of it that could not be read.
    fn read_errors(&mut self, node: Node) {
        for error in children(node).into_iter().filter(Node::is_error) {
            self.read(error);
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
    fn type_alias(&mut self, node: Node) {
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

    /// Only the first iterable of a comprehension is evaluated in the scope around it.
    fn comprehension(&mut self, node: Node) {
        let clauses = children(node);
        let loops = clauses.iter().filter(|clause| clause.kind() == "for_in_clause");
        let first = loops.clone().next().map(|&first| children_of(first, "right"));
        self.read_all(&first.unwrap_or_default());
        self.within_new(ScopeKind::Comprehension, |reader| {
            for (idx, &clause) in loops.enumerate() {
                if let Some(left) = clause.child_by_field_name("left") {
                    reader.bind(left, 0);
                }
                if idx > 0 {
                    reader.read_all(&children_of(clause, "right"));
                }
            }
            for &clause in clauses.iter().filter(|clause| clause.kind() != "for_in_clause") {
                reader.read(clause);
            }
        });
    }

    fn import(&mut self, node: Node) {
        let at = node.end_byte();
        for imported in children_of(node, "name") {
            // `import a.b` binds `a`; an alias binds the alias.
            let name = imported.child_by_field_name("alias").or(imported.named_child(0));
            if let Some(name) = name {
                self.bind_name(name, at);
                self.has_lazy_annotations |= node.kind() == "future_import_statement"
                    && tree::text(name, self.source) == "annotations";
            }
        }
        let is_star = |child: &Node| child.kind() == "wildcard_import";
        self.scopes.has_star_import |= children(node).iter().any(is_star);
    }

    fn declare(&mut self, node: Node, declare: fn(&mut Scopes<'s>, ScopeId, &'s str)) {
        for name in children(node) {
            declare(self.scopes, self.scope, tree::text(name, self.source));
        }
    }

    fn case(&mut self, node: Node) {
        for child in children(node) {
            match child.kind() {
                "case_pattern" => self.pattern(child),
                _ => self.read(child),
            }
        }
    }

    /// A pattern of `match`: a lone name is bound, a dotted one is used.
    fn pattern(&mut self, node: Node) {
        if self.depth == MAX_DEPTH {
            return;
        }
        self.depth += 1;
        let parts = children(node);
        let num_names = match node.kind() {
            "class_pattern" | "keyword_pattern" => 1,
            _ => 0,
        };
        match node.kind() {
            "identifier" => self.bind_name(node, node.end_byte()),
            "dotted_name" if parts.len() > 1 => self.read_first(node),
            "string" | "concatenated_string" | "ERROR" => self.read(node),
            _ => parts.iter().skip(num_names).for_each(|&part| self.pattern(part)),
        }
        if let ("class_pattern", Some(&class)) = (node.kind(), parts.first()) {
            self.read_first(class);
        }
        self.depth -= 1;
    }
}

/// Annotations.
impl Reader<'_, '_> {
    fn annotation_of(&mut self, node: Node, role: &str) {
        let Some(annotation) = node.child_by_field_name(role) else { return };
        let outer = std::mem::replace(&mut self.is_annotation, true);
        if self.has_lazy_annotations {
            self.deferring(|reader| reader.read(annotation));
        } else {
            self.read(annotation);
        }
        self.is_annotation = outer;
    }

    fn without_annotation(&mut self, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_annotation, false);
        walk(self);
        self.is_annotation = outer;
    }

    /// `Head[...]`. The strings of `Literal` are strings; so is the metadata of `Annotated`.
    fn generic_annotation(&mut self, node: Node) {
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
    fn string_annotation(&mut self, node: Node) {
        let [_start, content, _end] = children(node)[..] else { return };
        if content.kind() != "string_content" {
            return;
        }
        let part = super::GRAMMAR.parse_part(self.source, content.range());
        // Text that is no expression names nothing.
        if !part.root_node().has_error() {
            self.deferring(|reader| reader.read_all(&children(part.root_node())));
        }
    }
}

/// What the parser could make no sense of.
impl Reader<'_, '_> {
    /// Reads the pieces below an error for what they were likely to become. Nothing is known of
    /// their order, so uses count as deferred.
    fn fragments(&mut self, node: Node) {
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
