//! Reads a syntax tree for what it binds and what it uses, scope by scope.
//!
//! The tree may be of an unfinished or broken program: errors are read, too, token by token.
//! A walk by hand rather than queries: what a name means depends on the way down to it (which part
//! of a function runs in which scope, what is an annotation), and a pattern does not see that.

mod annotations;
mod definitions;
mod exceptions;
mod fragments;

use std::collections::{HashMap, HashSet};

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
        num_branches: 0,
        is_protected: false,
        is_annotation: false,
        has_lazy_annotations: false,
        typing_members: HashMap::new(),
        typing_modules: HashSet::new(),
    };
    reader.read(root);
    scopes.finish();
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
    /// How many of the statements around, within the function, may be passed by.
    num_branches: usize,
    /// Does a handler of `NameError` stand around?
    is_protected: bool,
    /// Are strings here names to come, as in `x: "Tree"`?
    is_annotation: bool,
    /// Does the module import `annotations` from the future?
    has_lazy_annotations: bool,
    /// The names that members of `typing` were imported by, with the members' own.
    typing_members: HashMap<&'s str, &'s str>,
    /// The names that `typing` itself was imported by.
    typing_modules: HashSet<&'s str>,
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
            "subscript" if self.is_typing_generic(node) => {
                self.as_annotation(|reader| reader.generic_annotation(node));
            }
            "call" => self.without_annotation(|reader| reader.call(node)),
            "try_statement" => self.try_statement(node),
            "except_clause" | "except_group_clause" => self.handler(node),
            "if_statement" | "while_statement" | "match_statement" => {
                self.num_branches += 1;
                self.read_all(&children(node));
                self.num_branches -= 1;
            }
            "delete_statement" => self.delete_all(&children(node)),
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
        if !name.is_empty() && !self.is_protected {
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

    /// Walks with a function around, which runs at another time than what is around it.
    fn within_function(&mut self, walk: impl FnOnce(&mut Self)) {
        let num_branches = std::mem::take(&mut self.num_branches);
        let is_protected = std::mem::take(&mut self.is_protected);
        self.within_new(ScopeKind::Function, walk);
        self.num_branches = num_branches;
        self.is_protected = is_protected;
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
        if self.is_type_alias(node) {
            self.as_annotation(|reader| reader.read_role(node, "right"));
        } else {
            self.read_role(node, "right");
        }
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

    fn delete_all(&mut self, targets: &[Node]) {
        for &target in targets {
            self.delete(target);
        }
    }

    /// A target of `del`. What is deleted only in one branch is still there in the others.
    fn delete(&mut self, target: Node) {
        match target.kind() {
            "expression_list" | "tuple" | "list" | "parenthesized_expression" => {
                self.delete_all(&children(target));
            }
            _ => self.read(target),
        }
        if target.kind() == "identifier" && self.num_branches == 0 {
            self.unbind(tree::text(target, self.source), target);
        }
    }

    /// A name is no longer bound after a node. Among fragments nothing is known of the order.
    fn unbind(&mut self, name: &'s str, node: Node) {
        if self.num_deferring == 0 {
            self.scopes.unbind(self.scope, name, node.end_byte(), node.end_position().row);
        }
    }

    /// The errors directly below a compound statement: parts of it that could not be read.
    fn read_errors(&mut self, node: Node) {
        for error in children(node).into_iter().filter(Node::is_error) {
            self.read(error);
        }
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
            }
            let imported = imported.child_by_field_name("name").unwrap_or(imported);
            self.has_lazy_annotations |= node.kind() == "future_import_statement"
                && tree::text(imported, self.source) == "annotations";
        }
        self.note_typing(node);
        let is_star = |child: &Node| child.kind() == "wildcard_import";
        if children(node).iter().any(is_star) {
            self.scopes.import_star(at);
        }
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
