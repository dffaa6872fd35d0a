//! Scopes, and which uses of names they leave unresolved.
//!
//! This is the half of name analysis that knows nothing of syntax: [`super::names`] fills the
//! scopes from a tree, and here each use looks for its binding the way Python would.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
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

/// What happens to a name in a scope.
#[derive(Clone, Copy, Debug)]
enum Change {
    Bound,
    /// `del`, or the end of the handler of an exception with this name.
    Unbound,
}

/// A change of a name, from byte `at` on.
#[derive(Clone, Copy, Debug)]
struct Event {
    at: usize,
    row: usize,
    change: Change,
}

/// What is known of a name that is bound in a scope.
#[derive(Clone, Copy, Debug)]
struct Binding {
    /// The byte from which on it is bound first.
    first: usize,
    /// Is it bound where the walk is?
    is_current: bool,
}

/// A scope that is looked into for the binding of a name.
#[derive(Clone, Copy, Debug)]
struct View {
    scope: ScopeId,
    /// Must the binding stand above the use? Only what runs from top to bottom has an order.
    is_ordered: bool,
    /// Is the use evaluated only when the scope has run?
    is_deferred: bool,
}

/// A place where a binding would be seen from a use: lines of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub scope: ScopeId,
    /// The lines before which it may be inserted.
    pub positions: RangeInclusive<usize>,
}

/// A module's scopes with what they bind and use.
#[derive(Debug)]
pub(super) struct Scopes<'s> {
    /// The module, then every scope in it, each after the one around it.
    nested: Vec<Scope>,
    bindings: HashMap<(ScopeId, &'s str), Binding>,
    events: Vec<((ScopeId, &'s str), Event)>,
    /// What happens to the names that are unbound somewhere, from top to bottom. For these alone
    /// the order matters.
    histories: HashMap<(ScopeId, &'s str), Vec<Event>>,
    /// The names that a scope takes from the module (`global`).
    globals: HashSet<(ScopeId, &'s str)>,
    /// The names that a scope takes from the function around it (`nonlocal`).
    nonlocals: HashSet<(ScopeId, &'s str)>,
    uses: Vec<Use<'s>>,
    /// The scopes of functions and classes, by the rows of their headers.
    pub blocks: HashMap<usize, ScopeId>,
    /// The byte from which on anything is imported by `*`. From there on, no name can be called
    /// undefined.
    star_import: Option<usize>,
}

impl<'s> Scopes<'s> {
    pub(super) fn new() -> Self {
        let module = Scope { kind: ScopeKind::Module, parent: ScopeId::MODULE };
        Self {
            nested: vec![module],
            bindings: HashMap::new(),
            events: Vec::new(),
            histories: HashMap::new(),
            globals: HashSet::new(),
            nonlocals: HashSet::new(),
            uses: Vec::new(),
            blocks: HashMap::new(),
            star_import: None,
        }
    }

    pub(super) fn open(&mut self, kind: ScopeKind, parent: ScopeId) -> ScopeId {
        self.nested.push(Scope { kind, parent });
        ScopeId(self.nested.len() - 1)
    }

    /// Binds a name from byte `at` on.
    pub(super) fn bind(&mut self, scope: ScopeId, name: &'s str, at: usize) {
        let key = (self.owner(scope, name), name);
        self.events.push((key, Event { at, row: 0, change: Change::Bound }));
        let binding = self.bindings.entry(key).or_insert(Binding { first: at, is_current: true });
        *binding = Binding { first: at.min(binding.first), is_current: true };
    }

    /// Takes the binding of a name away, from byte `at` on. Nothing is known of when that happens
    /// to another scope's name.
    pub(super) fn unbind(&mut self, scope: ScopeId, name: &'s str, at: usize, row: usize) {
        if self.owner(scope, name) != scope {
            return;
        }
        let key = (scope, name);
        if let Some(binding) = self.bindings.get_mut(&key) {
            binding.is_current = false;
        }
        self.events.push((key, Event { at, row, change: Change::Unbound }));
        self.histories.insert(key, Vec::new());
    }

    /// Is a name bound in a scope where the walk is?
    pub(super) fn is_current(&self, scope: ScopeId, name: &'s str) -> bool {
        let key = (self.owner(scope, name), name);
        self.bindings.get(&key).is_some_and(|binding| binding.is_current)
    }

    /// Orders what was found.
    pub(super) fn finish(&mut self) {
        if self.histories.is_empty() {
            return;
        }
        for (key, event) in &self.events {
            if let Some(history) = self.histories.get_mut(key) {
                history.push(*event);
            }
        }
        self.histories.values_mut().for_each(|history| history.sort_by_key(|event| event.at));
    }

    /// The scope that an assignment in `scope` binds `name` in.
    pub(super) fn owner(&self, scope: ScopeId, name: &'s str) -> ScopeId {
        match (scope, name) {
            key if self.globals.contains(&key) => ScopeId::MODULE,
            key if self.nonlocals.contains(&key) => self.function_around(scope),
            _ => scope,
        }
    }

    pub(super) fn declare_global(&mut self, scope: ScopeId, name: &'s str) {
        self.globals.insert((scope, name));
    }

    pub(super) fn declare_nonlocal(&mut self, scope: ScopeId, name: &'s str) {
        self.nonlocals.insert((scope, name));
    }

    /// Notes an import by `*`.
    pub(super) fn import_star(&mut self, at: usize) {
        self.star_import.get_or_insert(at);
    }

    /// The names that are declared to be another scope's.
    pub(super) fn declarations(&self) -> impl Iterator<Item = (ScopeId, &'s str)> {
        self.globals.iter().chain(&self.nonlocals).copied()
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
        self.uses.iter().filter(|name_use| !self.is_bound(name_use))
    }

    fn is_bound(&self, name_use: &Use<'s>) -> bool {
        self.views(name_use).any(|view| self.binds(view, name_use))
            || self.star_import.is_some_and(|from| self.is_run_after(name_use, from))
            || BUILTINS.contains(name_use.name)
            || IMPLICIT.contains(&name_use.name)
    }

    /// Does a use run when the module has run to byte `at`?
    fn is_run_after(&self, name_use: &Use<'s>, at: usize) -> bool {
        at <= name_use.at || self.views(name_use).any(|view| view.is_deferred)
    }

    fn binds(&self, view: View, name_use: &Use<'s>) -> bool {
        let Some(binding) = self.bindings.get(&(view.scope, name_use.name)) else { return false };
        match self.last_event(view, name_use) {
            Some(Event { change, .. }) => matches!(change, Change::Bound),
            None => !view.is_ordered || binding.first <= name_use.at,
        }
    }

    /// What last happened to a name when it is used, if it is one whose order matters.
    fn last_event(&self, view: View, name_use: &Use<'s>) -> Option<&Event> {
        let history = self.histories.get(&(view.scope, name_use.name))?;
        let is_earlier = |event: &Event| view.is_deferred || event.at <= name_use.at;
        history[..history.partition_point(is_earlier)].last()
    }

    /// Where a binding would be seen from a use.
    pub(super) fn openings(&self, name_use: &Use<'s>) -> Vec<Opening> {
        let opening = |view: View| {
            let first = self.last_event(view, name_use).map_or(0, |unbound| unbound.row + 1);
            let last = if view.is_ordered { name_use.place.row } else { usize::MAX };
            Opening { scope: view.scope, positions: first..=last }
        };
        self.views(name_use).map(opening).collect()
    }

    /// The scopes that are looked into for the binding of a name, from within.
    fn views(&self, name_use: &Use<'s>) -> impl Iterator<Item = View> {
        let Use { name, mut is_deferred, .. } = *name_use;
        let mut next = Some(name_use.scope);
        let mut sees_classes = true;
        std::iter::from_fn(move || {
            loop {
                let scope = next?;
                let Scope { kind, parent } = self.nested[scope.0];
                let runs_down = matches!(kind, ScopeKind::Module | ScopeKind::Class);
                let view = View { scope, is_ordered: runs_down && !is_deferred, is_deferred };
                let is_visible = kind != ScopeKind::Class || sees_classes;
                is_deferred |= kind == ScopeKind::Function;
                sees_classes &= matches!(kind, ScopeKind::Class | ScopeKind::TypeParameters);
                next = match kind {
                    ScopeKind::Module => None,
                    _ if self.globals.contains(&(scope, name)) => Some(ScopeId::MODULE),
                    _ => Some(parent),
                };
                if is_visible {
                    return Some(view);
                }
            }
        })
    }
}

/// The names of the `builtins` module.
pub(super) static BUILTINS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("builtins.txt").lines().collect());

/// The names that Python binds in modules, in classes and in methods.
const IMPLICIT: [&str; 10] = [
    "__annotations__",
    "__builtins__",
    "__cached__",
    "__class__",
    "__dict__",
    "__file__",
    "__module__",
    "__path__",
    "__qualname__",
    // Only on Windows.
    "WindowsError",
];
