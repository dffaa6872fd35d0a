//! The authors' rule for undefined names: one flat set of defined names, filled on a walk.
//!
//! A name is undefined if, when the walk comes to its use, nothing has put it into the set; so the
//! order of the walk decides, and that is the order of the fields of Python's `ast` nodes, which is
//! not that of the text: a function's body comes before its decorators, a comprehension's element
//! before its loops. What the walk never enters cannot be undefined.

use std::collections::{BTreeSet, HashSet};

use tree_sitter::Node;

use super::scopes::BUILTINS;
use crate::language::tree::{self, MAX_DEPTH, children, children_of};

/// The names that are always defined, apart from the built-in ones.
const TYPING: [&str; 4] = ["Any", "List", "Optional", "Tuple"];

/// The names used before the walk over the module below `root` has defined them.
pub(super) fn undefined(source: &str, root: Node) -> BTreeSet<String> {
    let mut walk = Walk { source, defined: TYPING.into(), undefined: BTreeSet::new(), depth: 0 };
    walk.visit(root);
    walk.undefined.into_iter().map(str::to_owned).collect()
}

/// The walk in progress.
struct Walk<'s> {
    source: &'s str,
    defined: HashSet<&'s str>,
    undefined: BTreeSet<&'s str>,
    depth: usize,
}

impl Walk<'_> {
    fn visit(&mut self, node: Node) {
        if self.depth == MAX_DEPTH {
            return;
        }
        self.depth += 1;
        match node.kind() {
            "identifier" => self.load(node),
            "attribute" => self.visit_role(node, "object"),
            "keyword_argument" | "named_expression" => self.visit_role(node, "value"),
            "assignment" => self.assignment(node),
            "augmented_assignment" => {
                self.store(node.child_by_field_name("left"));
                self.visit_role(node, "right");
            }
            "for_statement" => self.for_statement(node),
            "as_pattern" => {
                self.visit_all(&children(node)[..1]);
                self.store(node.child_by_field_name("alias"));
            }
            "delete_statement" => self.store_all(&children(node)),
            "decorated_definition" => self.decorated(node),
            "function_definition" => self.function(node, &[]),
            "class_definition" => self.class(node, &[]),
            "lambda" => self.lambda(node),
            "list_comprehension"
            | "generator_expression"
            | "set_comprehension"
            | "dictionary_comprehension" => self.comprehension(node),
            "dictionary" => self.dictionary(node),
            "call" => self.call(node),
            "conditional_expression" => self.conditional(node),
            "import_statement" | "import_from_statement" | "future_import_statement" => {
                self.import(node);
            }
            "case_pattern" => self.pattern(node),
            "global_statement" | "nonlocal_statement" => (),
            _ => self.visit_all(&children(node)),
        }
        self.depth -= 1;
    }

    fn visit_all(&mut self, nodes: &[Node]) {
        for &node in nodes {
            self.visit(node);
        }
    }

    fn visit_role(&mut self, node: Node, role: &str) {
        self.visit_all(&children_of(node, role));
    }

    fn visit_roles(&mut self, nodes: &[Node], role: &str) {
        for &node in nodes {
            self.visit_role(node, role);
        }
    }

    fn load(&mut self, node: Node) {
        let name = tree::text(node, self.source);
        if !self.defined.contains(name) && !BUILTINS.contains(name) {
            self.undefined.insert(name);
        }
    }

    fn define(&mut self, node: Node) {
        self.defined.insert(tree::text(node, self.source));
    }

    /// Defines what `target` is, or its elements if it is a tuple; deeper names are not defined.
    fn define_target(&mut self, target: Node) {
        let target = without_parentheses(target);
        if target.kind() == "identifier" {
            self.define(target);
        } else if is_tuple(target) {
            let names = children(target).into_iter().map(without_parentheses);
            names.filter(is_identifier).for_each(|name| self.define(name));
        }
    }

    /// Visits an assignment target: its names are no uses, what they are looked up in is.
    fn store(&mut self, target: Option<Node>) {
        let Some(target) = target.filter(|_| self.depth < MAX_DEPTH) else { return };
        self.depth += 1;
        match target.kind() {
            "identifier" => (),
            "attribute" | "subscript" => self.visit(target),
            _ => self.store_all(&children(target)),
        }
        self.depth -= 1;
    }

    fn store_all(&mut self, targets: &[Node]) {
        for &target in targets {
            self.store(Some(target));
        }
    }

    /// An assignment, to all its targets at once. One with an annotation defines nothing.
    fn assignment(&mut self, node: Node) {
        let is_annotated = node.child_by_field_name("type").is_some();
        let mut targets = Vec::new();
        let mut value = Some(node);
        while let Some(assigned) = value.filter(|value| value.kind() == "assignment") {
            targets.extend(assigned.child_by_field_name("left"));
            value = assigned.child_by_field_name("right");
        }
        if !is_annotated {
            for &target in &targets {
                self.define_target(target);
            }
        }
        self.store_all(&targets);
        self.visit_role(node, "type");
        self.visit_all(value.as_slice());
    }

    /// A loop. Unless its target is one name, the walk does not enter it; an asynchronous one it
    /// enters without defining the target.
    fn for_statement(&mut self, node: Node) {
        let Some(left) = node.child_by_field_name("left").map(without_parentheses) else { return };
        if !is_async(node) {
            self.define_target(left);
            if left.kind() != "identifier" {
                return;
            }
        }
        self.store(Some(left));
        self.visit_role(node, "right");
        self.visit_role(node, "body");
        self.visit_role(node, "alternative");
    }

    fn decorated(&mut self, node: Node) {
        let mut decorators = children(node);
        match decorators.pop() {
            Some(definition) if definition.kind() == "class_definition" => {
                self.class(definition, &decorators);
            }
            Some(definition) => self.function(definition, &decorators),
            None => (),
        }
    }

    /// A function, which defines its name and some of its parameters, if it is not asynchronous.
    fn function(&mut self, node: Node, decorators: &[Node]) {
        let parameters = Parameters::of(node);
        if !is_async(node) {
            self.define_parameters(&parameters);
            node.child_by_field_name("name").into_iter().for_each(|name| self.define(name));
        }
        self.parameters(&parameters);
        self.visit_role(node, "body");
        self.visit_all(decorators);
        self.visit_role(node, "return_type");
    }

    fn lambda(&mut self, node: Node) {
        let parameters = Parameters::of(node);
        self.define_parameters(&parameters);
        self.parameters(&parameters);
        self.visit_role(node, "body");
    }

    fn define_parameters(&mut self, parameters: &Parameters) {
        let defined = parameters.plain.iter().chain(&parameters.var).chain(&parameters.keywords);
        for &parameter in defined {
            let mut name = parameter;
            while let Some(inner) = name.named_child(0) {
                name = inner;
            }
            self.define(name);
        }
    }

    fn parameters(&mut self, parameters: &Parameters) {
        let Parameters { positional, plain, var, keyword_only, keywords } = parameters;
        for with_type in [positional, plain, var, keyword_only] {
            self.visit_roles(with_type, "type");
        }
        self.visit_roles(keyword_only, "value");
        self.visit_roles(keywords, "type");
        self.visit_roles(positional, "value");
        self.visit_roles(plain, "value");
    }

    /// A class, which does not define its name.
    fn class(&mut self, node: Node, decorators: &[Node]) {
        node.child_by_field_name("superclasses").into_iter().for_each(|list| self.arguments(list));
        self.visit_role(node, "body");
        self.visit_all(decorators);
    }

    /// A comprehension. List comprehensions and generators come to their loops first, the other
    /// two to their elements.
    fn comprehension(&mut self, node: Node) {
        let parts = children(node);
        let (element, clauses) = parts.split_at(1);
        let name = without_parentheses(element[0]);
        match node.kind() {
            "set_comprehension" | "dictionary_comprehension" => self.visit_all(element),
            "list_comprehension" if is_identifier(&name) => self.define(name),
            _ => (),
        }
        for &clause in clauses {
            if let Some(left) = clause.child_by_field_name("left") {
                self.define_target(left);
                self.store(Some(left));
                self.visit_role(clause, "right");
            } else {
                self.visit(clause);
            }
        }
        self.visit_all(element);
    }

    /// All keys, then all values.
    fn dictionary(&mut self, node: Node) {
        let items = children(node);
        self.visit_roles(&items, "key");
        for &item in &items {
            match item.child_by_field_name("value") {
                Some(value) => self.visit(value),
                None => self.visit(item),
            }
        }
    }

    fn call(&mut self, node: Node) {
        self.visit_role(node, "function");
        match node.child_by_field_name("arguments") {
            Some(list) if list.kind() == "argument_list" => self.arguments(list),
            Some(generator) => self.visit(generator),
            None => (),
        }
    }

    /// Positional arguments, then those with keywords.
    fn arguments(&mut self, list: Node) {
        let is_keyword =
            |node: &Node| matches!(node.kind(), "keyword_argument" | "dictionary_splat");
        let (keywords, positional): (Vec<_>, Vec<_>) =
            children(list).into_iter().partition(is_keyword);
        self.visit_all(&positional);
        self.visit_all(&keywords);
    }

    /// `value if test else other`: the test comes first.
    fn conditional(&mut self, node: Node) {
        let mut parts = children(node);
        if parts.len() > 1 {
            parts.swap(0, 1);
        }
        self.visit_all(&parts);
    }

    fn import(&mut self, node: Node) {
        for imported in children_of(node, "name") {
            self.define(imported.child_by_field_name("alias").unwrap_or(imported));
        }
    }

    /// A pattern of `match`, whose names are text, not uses; only classes and constants are looked
    /// up.
    fn pattern(&mut self, node: Node) {
        if self.depth == MAX_DEPTH {
            return;
        }
        self.depth += 1;
        let parts = children(node);
        match node.kind() {
            "identifier" => (),
            "dotted_name" if parts.len() > 1 => self.visit(parts[0]),
            "class_pattern" => {
                parts.first().into_iter().for_each(|class| self.visit_all(&children(*class)[..1]));
                parts.iter().skip(1).for_each(|&part| self.pattern(part));
            }
            "string" | "concatenated_string" => self.visit(node),
            _ => parts.iter().for_each(|&part| self.pattern(part)),
        }
        self.depth -= 1;
    }
}

/// The parameters of a function by their kinds, as Python's `ast.arguments` has them.
#[derive(Default)]
struct Parameters<'t> {
    positional: Vec<Node<'t>>,
    plain: Vec<Node<'t>>,
    var: Vec<Node<'t>>,
    keyword_only: Vec<Node<'t>>,
    keywords: Vec<Node<'t>>,
}

impl<'t> Parameters<'t> {
    fn of(function: Node<'t>) -> Self {
        let mut sorted = Self::default();
        let mut is_after_star = false;
        let list = function.child_by_field_name("parameters").map(children).unwrap_or_default();
        for parameter in list {
            let kind = match parameter.kind() {
                "typed_parameter" => parameter.named_child(0).map_or("", |name| name.kind()),
                kind => kind,
            };
            match kind {
                "positional_separator" => sorted.positional.append(&mut sorted.plain),
                "keyword_separator" => is_after_star = true,
                "list_splat_pattern" => {
                    is_after_star = true;
                    sorted.var.push(parameter);
                }
                "dictionary_splat_pattern" => sorted.keywords.push(parameter),
                _ if is_after_star => sorted.keyword_only.push(parameter),
                _ => sorted.plain.push(parameter),
            }
        }
        sorted
    }
}

fn is_identifier(node: &Node) -> bool {
    node.kind() == "identifier"
}

fn is_async(node: Node) -> bool {
    node.child(0).is_some_and(|first| first.kind() == "async")
}

/// Python's tree has no parentheses: `(x)` is `x`, but `(x,)` is a tuple.
fn without_parentheses(mut node: Node) -> Node {
    loop {
        let tokens = tree::tokens(node);
        node = match (node.kind(), &tokens[..]) {
            ("tuple_pattern" | "parenthesized_expression", [_, inner, _]) if inner.is_named() => {
                *inner
            }
            _ => return node,
        };
    }
}

fn is_tuple(node: Node) -> bool {
    matches!(node.kind(), "pattern_list" | "tuple_pattern")
}
