//! Fills scopes with what a language's `names.scm` finds in a tree.
//!
//! The query's captures, after the convention of tree-sitter's `locals.scm`:
//!
//! | capture | what it is |
//! |---|---|
//! | `@scope` | a part of the program that names belong to |
//! | `@owner` | in one match with a scope: the class whose members it holds |
//! | `@define.S` | a name that is bound, where S is one of [`Spaces`](super::spaces::Spaces) |
//! | `@use.S` | a name that is used |
//! | `@ignore` | neither: a label, a field after a dot |
//! | `@from` | in one match with a definition: it is seen after this node, not after its name |
//! | `@group` | an import of a whole package, by its name |
//! | `@prefix` | what may be left out before a name from here on, as in `using namespace` |
//! | `@base` | a class whose members the scope around it has, too |
//!
//! and properties of a pattern (`#set!`): of a scope `ordered` (names are seen after their binding
//! only), `function` (it is what `var` binds in), `hides S...` (names around it that it doesn't
//! see); of a definition `outside` (it belongs to the scope around the innermost one), `hoisted` (it
//! is seen in the whole of its scope), `in-function` (it belongs to the innermost function).
//!
//! If several patterns find one node to be a definition, a use, or neither, the last in the file
//! decides: the general ones come first.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;

use tree_sitter::{Node, Query, QueryCursor, QueryMatch, StreamingIterator};

use super::rules::Rules;
use super::scopes::{Scope, ScopeId, Scopes, Use};
use super::spaces::Spaces;
use crate::language::place_of;
use crate::language::tree::{self, Grammar};

thread_local! {
    static CURSOR: RefCell<QueryCursor> = RefCell::new(QueryCursor::new());
}

/// A `names.scm`, compiled.
pub(super) struct NameQuery {
    query: Query,
    /// What each capture means.
    roles: Vec<Role>,
    /// The properties of each pattern.
    patterns: Vec<Properties>,
    /// Is the program itself ordered?
    is_ordered: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Scope,
    Owner,
    Define(Spaces),
    Use(Spaces),
    Ignore,
    From,
    Group,
    Prefix,
    Base,
}

#[derive(Default)]
struct Properties {
    is_ordered: bool,
    is_function: bool,
    hides: Spaces,
    is_outside: bool,
    is_hoisted: bool,
    is_in_function: bool,
}

/// Something that was found.
struct Found<'t> {
    node: Node<'t>,
    role: Role,
    pattern_idx: usize,
    /// Of a scope.
    owner: Option<Node<'t>>,
    /// Of a definition.
    from: usize,
}

impl NameQuery {
    /// Compiles the query. Its text is part of the program, so it is right, or a test fails.
    pub(super) fn new(grammar: Grammar, text: &str, is_ordered: bool) -> Self {
        let query = Query::new(&grammar.0.into(), text);
        let query = query.unwrap_or_else(|error| panic!("names.scm: {error}"));
        let roles = query.capture_names().iter().map(|name| Role::by_name(name)).collect();
        let patterns = (0..query.pattern_count()).map(|idx| Properties::of(&query, idx)).collect();
        Self { query, roles, patterns, is_ordered }
    }

    /// What the program below `root` binds and uses.
    pub(super) fn read<'s>(
        &self,
        source: &'s str,
        root: Node,
        rules: &'static dyn Rules,
    ) -> Scopes<'s> {
        let found = self.find(source, root);
        let program = Scope { is_ordered: self.is_ordered, ..Scope::default() };
        let mut scopes = Scopes::new(program, rules);
        let mut around = vec![(ScopeId::ROOT, usize::MAX)];
        for found in found {
            let start = found.node.start_byte();
            while around.last().is_some_and(|(_, end)| *end <= start) {
                around.pop();
            }
            let scope = around.last().map_or(ScopeId::ROOT, |(scope, _)| *scope);
            if found.role == Role::Scope {
                let opened = scopes.open(self.scope(&found, scope));
                if let Some(owner) = found.owner {
                    scopes.own(tree::text(owner, source), opened);
                }
                around.push((opened, found.node.end_byte()));
            } else {
                self.fill(&mut scopes, scope, &found, source);
            }
        }
        scopes
    }

    fn scope<'s>(&self, found: &Found, parent: ScopeId) -> Scope<'s> {
        let properties = &self.patterns[found.pattern_idx];
        Scope {
            parent: Some(parent),
            is_ordered: properties.is_ordered,
            is_function: properties.is_function,
            hides: properties.hides,
            ..Scope::default()
        }
    }

    fn fill<'s>(&self, scopes: &mut Scopes<'s>, scope: ScopeId, found: &Found, source: &'s str) {
        let properties = &self.patterns[found.pattern_idx];
        let text = tree::text(found.node, source);
        let at = found.node.start_byte();
        let outside = if properties.is_outside { scopes.parent(scope) } else { scope };
        match found.role {
            // The parser invents nodes without text where something is missing.
            Role::Define(_) | Role::Use(_) if text.is_empty() => (),
            Role::Define(spaces) => {
                let from = if properties.is_hoisted { 0 } else { found.from };
                let function = || scopes.function_around(scope);
                let scope = if properties.is_in_function { function() } else { outside };
                scopes.bind(scope, text, spaces, from);
            }
            Role::Use(spaces) => {
                let place = place_of(found.node);
                scopes.add_use(Use { name: text, spaces, place, at, scope: outside });
            }
            Role::Group => {
                let group = scopes.rules().group(text);
                let from = if properties.is_hoisted { 0 } else { at };
                scopes.scope(outside).groups.push((from, group));
            }
            Role::Prefix => scopes.scope(outside).prefixes.push((at, text)),
            Role::Base => scopes.scope(outside).bases.push(text),
            Role::Scope | Role::Owner | Role::Ignore | Role::From => (),
        }
    }

    /// All that the query finds, in the order of the text, what is around first.
    fn find<'t>(&self, source: &str, root: Node<'t>) -> Vec<Found<'t>> {
        let mut found = Vec::new();
        CURSOR.with_borrow_mut(|cursor| {
            let mut matches = cursor.matches(&self.query, root, source.as_bytes());
            while let Some(one) = matches.next() {
                self.take(one, &mut found);
            }
        });
        let mut decisive: HashMap<usize, usize> = HashMap::new();
        for name in found.iter().filter(|found| found.role.is_of_name()) {
            let last = decisive.entry(name.node.id()).or_default();
            *last = name.pattern_idx.max(*last);
        }
        found.retain(|found| {
            !found.role.is_of_name() || decisive[&found.node.id()] == found.pattern_idx
        });
        found.sort_by_key(|found| {
            let is_name = found.role != Role::Scope;
            (found.node.start_byte(), is_name, Reverse(found.node.end_byte()))
        });
        found
    }

    fn take<'t>(&self, one: &QueryMatch<'_, 't>, found: &mut Vec<Found<'t>>) {
        let node_as = |role: Role| {
            let capture = one.captures().iter().find(|capture| self.role(capture.index) == role);
            capture.map(|capture| capture.node)
        };
        let (owner, from) = (node_as(Role::Owner), node_as(Role::From));
        for capture in one.captures() {
            let (node, role) = (capture.node, self.role(capture.index));
            let from = from.map_or(node.end_byte(), |from| from.end_byte());
            found.push(Found { node, role, pattern_idx: one.pattern_index, owner, from });
        }
    }

    fn role(&self, capture_idx: u32) -> Role {
        self.roles[capture_idx as usize]
    }
}

impl Role {
    fn by_name(name: &str) -> Self {
        let spaces =
            |name| Spaces::by_name(name).unwrap_or_else(|| panic!("names.scm: no space {name}"));
        match name.split_once('.') {
            Some(("define", name)) => Self::Define(spaces(name)),
            Some(("use", name)) => Self::Use(spaces(name)),
            None if name == "scope" => Self::Scope,
            None if name == "owner" => Self::Owner,
            None if name == "ignore" => Self::Ignore,
            None if name == "from" => Self::From,
            None if name == "group" => Self::Group,
            None if name == "prefix" => Self::Prefix,
            None if name == "base" => Self::Base,
            _ => panic!("names.scm: @{name} means nothing"),
        }
    }

    /// Does it say what a name is?
    fn is_of_name(self) -> bool {
        matches!(self, Self::Define(_) | Self::Use(_) | Self::Ignore)
    }
}

impl Properties {
    fn of(query: &Query, pattern_idx: usize) -> Self {
        let mut properties = Self::default();
        for property in query.property_settings(pattern_idx) {
            match &*property.key {
                "ordered" => properties.is_ordered = true,
                "function" => properties.is_function = true,
                "outside" => properties.is_outside = true,
                "hoisted" => properties.is_hoisted = true,
                "in-function" => properties.is_in_function = true,
                "hides" => {
                    let names = property.value.as_deref().unwrap_or_default().split_whitespace();
                    let spaces = names.map(|name| Spaces::by_name(name).expect("a space"));
                    properties.hides = spaces.fold(Spaces::default(), Spaces::and);
                }
                key => panic!("names.scm: {key} means nothing"),
            }
        }
        properties
    }
}
