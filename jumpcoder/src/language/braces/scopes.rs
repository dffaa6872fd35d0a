//! Scopes, and which uses of names they leave unresolved.
//!
//! This half of name analysis knows nothing of syntax: [`super::names`] fills the scopes from what
//! a language's query finds.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::rules::{Group, Rules};
use super::spaces::Spaces;
use crate::language::Place;

/// The place of a scope in [`Scopes`]; a scope comes after the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ScopeId(usize);

impl ScopeId {
    pub(super) const ROOT: Self = Self(0);
}

/// A part of the program that names belong to.
#[derive(Debug, Default)]
pub(super) struct Scope<'s> {
    pub parent: Option<ScopeId>,
    /// Are names bound in it seen only after their binding?
    pub is_ordered: bool,
    /// Is it what `var` binds in?
    pub is_function: bool,
    /// Does what belongs outside of a scope in it belong outside of it, too?
    pub is_thin: bool,
    /// The kinds of names around it that can't be seen from within.
    pub hides: Spaces,
    /// The classes whose members it has, too.
    pub bases: Vec<&'s str>,
    /// Names that are imported together.
    pub groups: Vec<Imported<'s>>,
    /// From a byte on, the kinds of names of which any could be there.
    pub any: Vec<(usize, Spaces)>,
    /// From a byte on, what may be left out before a name.
    pub prefixes: Vec<(usize, &'s str)>,
}

/// All names of a package, a module, a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Imported<'s> {
    /// The byte from which on they are seen.
    pub from: usize,
    pub path: &'s str,
    /// The names, unless `path` is of the program itself; `None` could be any name.
    pub names: Option<&'static Group>,
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    spaces: Spaces,
    /// The byte from which on it is seen.
    from: usize,
}

/// A place where a name is used.
#[derive(Clone, Debug)]
pub(super) struct Use<'s> {
    pub name: &'s str,
    /// What it can stand for there.
    pub spaces: Spaces,
    pub place: Place,
    /// The same place in bytes, comparable with those of bindings.
    pub at: usize,
    pub scope: ScopeId,
    /// The index of it among what was found.
    pub found_idx: usize,
}

/// A program's scopes with what they bind and use.
pub(super) struct Scopes<'s> {
    nested: Vec<Scope<'s>>,
    bindings: HashMap<(ScopeId, Cow<'s, str>), Vec<Binding>>,
    /// The scopes of classes.
    members: HashMap<&'s str, Vec<ScopeId>>,
    uses: Vec<Use<'s>>,
    /// The kinds of names of which there are none but the program's.
    closed: Spaces,
    rules: &'static dyn Rules,
}

impl<'s> Scopes<'s> {
    /// The root, in which nothing is bound.
    pub(super) fn new(root: Scope<'s>, rules: &'static dyn Rules) -> Self {
        let (bindings, members) = (HashMap::new(), HashMap::new());
        let closed = Spaces::default();
        Self { nested: vec![root], bindings, members, uses: Vec::new(), closed, rules }
    }

    pub(super) fn rules(&self) -> &'static dyn Rules {
        self.rules
    }

    pub(super) fn open(&mut self, scope: Scope<'s>) -> ScopeId {
        self.nested.push(scope);
        ScopeId(self.nested.len() - 1)
    }

    pub(super) fn scope(&mut self, scope: ScopeId) -> &mut Scope<'s> {
        &mut self.nested[scope.0]
    }

    /// The scope around `scope`, thin ones left out.
    pub(super) fn outside(&self, scope: ScopeId) -> ScopeId {
        let mut outside = self.around(scope).skip(1);
        outside.find(|scope| !self.nested[scope.0].is_thin).unwrap_or(ScopeId::ROOT)
    }

    /// The innermost function around `scope`, itself included, or the root.
    pub(super) fn function_around(&self, mut scope: ScopeId) -> ScopeId {
        while let Some(parent) = self.nested[scope.0].parent {
            if self.nested[scope.0].is_function {
                break;
            }
            scope = parent;
        }
        scope
    }

    /// Binds a name, seen from byte `from` on if the scope is ordered.
    pub(super) fn bind(&mut self, scope: ScopeId, name: &'s str, spaces: Spaces, from: usize) {
        let from = if self.nested[scope.0].is_ordered { from } else { 0 };
        let name = self.rules.normal(name, spaces);
        self.bindings.entry((scope, name)).or_default().push(Binding { spaces, from });
    }

    /// Says that names of these kinds aren't there without being defined or imported.
    pub(super) fn close(&mut self, spaces: Spaces) {
        self.closed = self.closed.and(spaces);
    }

    /// Says that `scope` holds the members of the class `name`.
    pub(super) fn own(&mut self, name: &'s str, scope: ScopeId) {
        self.members.entry(name).or_default().push(scope);
    }

    pub(super) fn add_use(&mut self, name_use: Use<'s>) {
        self.uses.push(name_use);
    }

    /// The uses that nothing visible binds.
    pub(super) fn unresolved(&self) -> impl Iterator<Item = &Use<'s>> {
        self.uses.iter().filter(|name_use| !self.is_bound(name_use))
    }

    /// Does the root bring `name` for sure, wherever it does so? `prefixes` may be left out before
    /// names where this is to stand.
    pub(super) fn introduces(&self, name: &str, spaces: Spaces, prefixes: &[&str]) -> bool {
        let scope = &self.nested[ScopeId::ROOT.0];
        let is_known = |name: &str| {
            let mut groups = scope.groups.iter().filter_map(|group| group.names);
            groups.any(|group| group.contains(name))
        };
        let is_known_whole = |prefix: &&str| is_known(&self.rules.prefixed(prefix, name));
        let is_prefixed = |(_, prefix): &(usize, &str)| self.rules.has_member(prefix, name);
        self.is_bound_in(ScopeId::ROOT, name, spaces, usize::MAX)
            || is_known(name)
            || prefixes.iter().any(is_known_whole)
            || scope.prefixes.iter().any(is_prefixed)
    }

    /// What the root imports as a whole.
    pub(super) fn imported(&self) -> impl Iterator<Item = &'s str> {
        self.nested[ScopeId::ROOT.0].groups.iter().map(|group| group.path)
    }

    fn is_bound(&self, name_use: &Use) -> bool {
        let Use { name, spaces, at, scope, .. } = *name_use;
        let normal = self.rules.normal(name, spaces);
        self.rules.is_builtin(&normal, spaces.without(self.closed))
            || self.is_visible(name, spaces, at, scope)
    }

    /// Can `name` be seen at byte `at` of `scope`?
    fn is_visible(&self, name: &str, mut spaces: Spaces, at: usize, scope: ScopeId) -> bool {
        let mut sees_around = false;
        for scope_id in self.around(scope) {
            if self.is_brought_by(scope_id, name, spaces, at)
                || self.is_inherited(scope_id, name, spaces)
            {
                return true;
            }
            let scope = &self.nested[scope_id.0];
            sees_around |= scope.groups.iter().any(|group| self.rules.is_around(group.path));
            // An import in a function, too, is of what is around the module: the scope that hides
            // types.
            let is_module = scope.hides.meets(Spaces::TYPE);
            if !(is_module && std::mem::take(&mut sees_around)) {
                spaces = spaces.without(scope.hides);
            }
            if spaces.is_empty() {
                return false;
            }
        }
        false
    }

    /// Is `name` bound or imported in this very scope?
    fn is_brought_by(&self, scope_id: ScopeId, name: &str, spaces: Spaces, at: usize) -> bool {
        let scope = &self.nested[scope_id.0];
        let is_grouped =
            |group: &Imported| group.from <= at && self.is_in_group(group, name, spaces);
        self.is_bound_in(scope_id, name, spaces, at)
            || scope.groups.iter().any(is_grouped)
            || scope.any.iter().any(|(from, any)| *from <= at && any.meets(spaces))
            || self.is_prefixed(scope, name, at, scope_id)
    }

    fn is_in_group(&self, group: &Imported, name: &str, spaces: Spaces) -> bool {
        match self.members.get(group.path) {
            Some(scopes) => {
                scopes.iter().any(|&scope| self.is_bound_in(scope, name, spaces, usize::MAX))
            }
            None => group.names.is_none_or(|names| names.contains(name)),
        }
    }

    fn is_bound_in(&self, scope: ScopeId, name: &str, spaces: Spaces, at: usize) -> bool {
        let name = self.rules.normal(name, spaces);
        let bindings = self.bindings.get(&(scope, name)).into_iter().flatten();
        bindings.into_iter().any(|bound| bound.from <= at && bound.spaces.meets(spaces))
    }

    /// Is `name` a member of a class that `scope` extends, however far up?
    fn is_inherited(&self, scope: ScopeId, name: &str, spaces: Spaces) -> bool {
        let mut seen = HashSet::from([scope]);
        let mut open = vec![scope];
        while let Some(class) = open.pop() {
            for base in &self.nested[class.0].bases {
                let Some(scopes) = self.members.get(base) else {
                    if self.is_foreign_member(class, base, name, spaces) {
                        return true;
                    }
                    continue;
                };
                if scopes.iter().any(|&scope| self.is_bound_in(scope, name, spaces, usize::MAX)) {
                    return true;
                }
                open.extend(scopes.iter().filter(|&&scope| seen.insert(scope)));
            }
        }
        false
    }

    /// Is `name` a member of `base`, which the program extends but doesn't define? Of a class that
    /// nobody knows, any value or function may be; one that isn't even imported has no members.
    fn is_foreign_member(&self, class: ScopeId, base: &str, name: &str, spaces: Spaces) -> bool {
        let is_member = match self.rules.members(base) {
            Some(members) => members.contains(name),
            None => spaces != Spaces::TYPE,
        };
        let first = base.split('.').next().unwrap_or(base);
        let is_base_there = || {
            let mut around = self.around(class);
            self.rules.is_builtin(first, Spaces::ANY)
                || around.any(|scope| self.is_brought_by(scope, first, Spaces::ANY, usize::MAX))
        };
        is_member && is_base_there()
    }

    /// A scope and those around it, the innermost first.
    fn around(&self, scope: ScopeId) -> impl Iterator<Item = ScopeId> {
        std::iter::successors(Some(scope), |scope| self.nested[scope.0].parent)
    }

    /// Is `name` there under a longer name whose beginning may be left out?
    fn is_prefixed(&self, scope: &Scope, name: &str, at: usize, scope_id: ScopeId) -> bool {
        let mut prefixes = scope.prefixes.iter().filter(|(from, _)| *from <= at);
        prefixes.any(|(_, prefix)| {
            let whole = self.rules.prefixed(prefix, name);
            // What a prefix stands for is looked for without prefixes, so this ends.
            self.around(scope_id).any(|scope| {
                let mut groups =
                    self.nested[scope.0].groups.iter().filter(|group| group.from <= at);
                groups.any(|group| group.names.is_none_or(|names| names.contains(whole.as_str())))
            })
        })
    }
}
