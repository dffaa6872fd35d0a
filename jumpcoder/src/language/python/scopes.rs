//! Scopes, and which uses of names they leave unresolved.
//!
//! This is the half of name analysis that knows nothing of syntax: [`super::names`] fills the
//! scopes from a tree, and here each use looks for its binding the way Python would.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use tree_sitter::Point;

/// The kind of a scope: what its names can be seen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScopeKind {
    /// Runs from top to bottom; its names can be seen from everywhere.
    Module,
    /// Runs from top to bottom; functions within it do not see its names.
    Class,
    /// Runs later, when everything around it is bound. Lambdas are functions.
    Function,
    /// Runs at once, but is no part of the class around it.
    Comprehension,
    /// Holds type parameters, and is part of what it stands in.
    TypeParameters,
}

/// The place of a scope in [`Scopes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ScopeId(usize);

impl ScopeId {
    pub(super) const MODULE: Self = Self(0);
}

#[derive(Debug)]
struct Scope {
    kind: ScopeKind,
    parent: ScopeId,
}

/// A place where a name is loaded, or changed but not bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use<'s> {
    pub name: &'s str,
    /// Where it stands; with the name, what tells this use from others.
    pub place: Point,
    /// The same place in bytes, comparable with those of bindings.
    pub at: usize,
    pub scope: ScopeId,
    /// Is it evaluated only when the whole module is bound?
    pub is_deferred: bool,
}

/// A module's scopes with what they bind and use.
#[derive(Debug)]
pub(super) struct Scopes<'s> {
    /// The module, then every scope in it, each after the one around it.
    nested: Vec<Scope>,
    /// The byte from which on each name is bound, where it is bound several times the first.
    bindings: HashMap<(ScopeId, &'s str), usize>,
    /// The names that a scope takes from the module (`global`).
    globals: HashSet<(ScopeId, &'s str)>,
    /// The names that a scope takes from the function around it (`nonlocal`).
    nonlocals: HashSet<(ScopeId, &'s str)>,
    uses: Vec<Use<'s>>,
    /// Is anything imported by `*`? Then no name can be called undefined.
    pub has_star_import: bool,
}

impl<'s> Scopes<'s> {
    pub(super) fn new() -> Self {
        let module = Scope { kind: ScopeKind::Module, parent: ScopeId::MODULE };
        Self {
            nested: vec![module],
            bindings: HashMap::new(),
            globals: HashSet::new(),
            nonlocals: HashSet::new(),
            uses: Vec::new(),
            has_star_import: false,
        }
    }

    pub(super) fn open(&mut self, kind: ScopeKind, parent: ScopeId) -> ScopeId {
        self.nested.push(Scope { kind, parent });
        ScopeId(self.nested.len() - 1)
    }

    /// Binds a name from byte `at` on.
    pub(super) fn bind(&mut self, scope: ScopeId, name: &'s str, at: usize) {
        let scope = match (scope, name) {
            key if self.globals.contains(&key) => ScopeId::MODULE,
            key if self.nonlocals.contains(&key) => self.function_around(scope),
            _ => scope,
        };
        let first = self.bindings.entry((scope, name)).or_insert(at);
        *first = at.min(*first);
    }

    pub(super) fn declare_global(&mut self, scope: ScopeId, name: &'s str) {
        self.globals.insert((scope, name));
    }

    pub(super) fn declare_nonlocal(&mut self, scope: ScopeId, name: &'s str) {
        self.nonlocals.insert((scope, name));
    }

    pub(super) fn add_use(&mut self, name_use: Use<'s>) {
        self.uses.push(name_use);
    }

    /// The scope that an assignment expression in `scope` binds in.
    pub(super) fn outside_comprehensions(&self, mut scope: ScopeId) -> ScopeId {
        while self.nested[scope.0].kind == ScopeKind::Comprehension {
            scope = self.nested[scope.0].parent;
        }
        scope
    }

    /// The function that `scope` takes its `nonlocal` names from.
    fn function_around(&self, scope: ScopeId) -> ScopeId {
        let mut around = self.nested[scope.0].parent;
        while matches!(self.nested[around.0].kind, ScopeKind::Class | ScopeKind::TypeParameters) {
            around = self.nested[around.0].parent;
        }
        around
    }

    /// The names that the module itself binds.
    pub(super) fn module_names(&self) -> impl Iterator<Item = &'s str> {
        let in_module = self.bindings.keys().filter(|(scope, _)| *scope == ScopeId::MODULE);
        in_module.map(|&(_, name)| name)
    }

    /// The uses that nothing visible binds.
    pub(super) fn unresolved(&self) -> impl Iterator<Item = &Use<'s>> {
        let uses = if self.has_star_import { &[] } else { self.uses.as_slice() };
        uses.iter().filter(|name_use| !self.is_bound(name_use))
    }

    fn is_bound(&self, name_use: &Use<'s>) -> bool {
        let Use { name, at, mut scope, mut is_deferred, .. } = *name_use;
        let mut sees_classes = true;
        loop {
            let Scope { kind, parent } = self.nested[scope.0];
            // Only what runs from top to bottom must be bound above.
            let is_ordered = matches!(kind, ScopeKind::Module | ScopeKind::Class) && !is_deferred;
            let is_visible = kind != ScopeKind::Class || sees_classes;
            let bound = self.bindings.get(&(scope, name)).filter(|_| is_visible);
            if bound.is_some_and(|&from| !is_ordered || from <= at) {
                return true;
            }
            if kind == ScopeKind::Module {
                return BUILTINS.contains(name) || IMPLICIT.contains(&name);
            }
            is_deferred |= kind == ScopeKind::Function;
            sees_classes &= matches!(kind, ScopeKind::Class | ScopeKind::TypeParameters);
            let is_global = self.globals.contains(&(scope, name));
            scope = if is_global { ScopeId::MODULE } else { parent };
        }
    }
}

/// The names of the `builtins` module.
pub(super) static BUILTINS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("builtins.txt").lines().collect());

/// The names that Python binds in modules, in classes and in methods.
const IMPLICIT: [&str; 9] = [
    "__annotations__",
    "__builtins__",
    "__cached__",
    "__class__",
    "__dict__",
    "__file__",
    "__module__",
    "__path__",
    "__qualname__",
];
