//! Fills scopes with what a language's `names.scm` finds in a tree.
//!
//! The query's captures, after the convention of tree-sitter's `locals.scm`:
//!
//! | capture | what it is |
//! |---|---|
//! | `@scope` | a part of the program that names belong to |
//! | `@owner` | the class whose members the scope around it holds |
//! | `@define.S` | a name that is bound, where S are some of [`Spaces`](super::spaces::Spaces) |
//! | `@use.S` | a name that is used |
//! | `@capture.S` | both: used outside of the scope, and bound in it |
//! | `@ignore` | neither: a label, a field after a dot |
//! | `@from` | in one match with a definition: it is seen after this node, not after its name |
//! | `@start` | in one match with a use: the name begins with this node, as in `std::vector` |
//! | `@late` | names that are bound in this node are seen after the `@from` of its match |
//! | `@group` | an import of a whole package, by its name; of a class, by its `@owner`'s |
//! | `@prefix` | what may be left out before a name from here on, as in `using namespace` |
//! | `@any.S` | from here on, any name could be there, as after the text of another file |
//! | `@closed.S` | from it follows that there are no such names but those the program defines |
//! | `@base` | a class whose members the scope around it has, too |
//!
//! and properties of a pattern (`#set!`): of a scope `ordered` (names are seen after their binding
//! only), `function` (it is what `var` binds in), `hides S...` (names around it that it doesn't
//! see), `thin` (what belongs outside of a scope in it belongs outside of it, too, as the template
//! of a class has its parameters but not the class), `binds NAME` (a value that is there without
//! being written); of a definition `outside` (it belongs to the scope around the innermost one),
//! `hoisted` (it is seen in the whole of its scope), `in-function` (it belongs to the innermost
//! function), `global` (it belongs to the program), `imported` (its name is what
//! [`Rules::imported_name`] says of the text), `without S` (it is known without this at its end,
//! too).
//!
//! If several patterns find one node to be a definition, a use, or neither, the last in the file
//! decides: the general ones come first. Names that begin with `_` are for predicates.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use tree_sitter::{Node, Query, QueryCursor, QueryMatch, StreamingIterator};

use super::rules::Rules;
use super::scopes::{Imported, Scope, ScopeId, Scopes, Use};
use super::spaces::Spaces;
use crate::language::tree::Grammar;
use crate::language::{Place, place_of};

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

#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Scope,
    Owner,
    Define(Spaces),
    Use(Spaces),
    Capture(Spaces),
    Any(Spaces),
    Closed(Spaces),
    Ignore,
    Aside,
    From,
    Late,
    Start,
    Group,
    Prefix,
    Base,
}

#[derive(Default)]
struct Properties {
    is_ordered: bool,
    is_function: bool,
    is_thin: bool,
    hides: Spaces,
    is_outside: bool,
    is_hoisted: bool,
    is_in_function: bool,
    is_global: bool,
    is_imported: bool,
    binds: Option<Box<str>>,
    without: Option<Box<str>>,
}

/// Something that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its bytes.
    pub range: Range<usize>,
    pub place: Place,
    role: Role,
    pattern_idx: usize,
    /// Of a definition: the byte from which on it is seen.
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

    /// All that is found in the tree below `root`, what is around first.
    pub(super) fn find(&self, source: &str, root: Node) -> Vec<Found> {
        let mut found = Vec::new();
        self.find_in(source, root, 0..usize::MAX, |one| found.push(one));
        sorted(found)
    }

    /// The same, of which all but what stands in `inserted` is `known`.
    pub(super) fn find_inserted(
        &self,
        source: &str,
        root: Node,
        inserted: &Range<usize>,
        mut known: Vec<Found>,
    ) -> Vec<Found> {
        self.find_in(source, root, inserted.clone(), |found| {
            if inserted.start <= found.range.start && found.range.end <= inserted.end {
                known.push(found);
            }
        });
        sorted(known)
    }

    /// What was `found`, as scopes.
    pub(super) fn scopes<'s>(
        &'s self,
        source: &'s str,
        found: &[Found],
        rules: &'static dyn Rules,
    ) -> Scopes<'s> {
        let program = Scope { is_ordered: self.is_ordered, ..Scope::default() };
        let mut scopes = Scopes::new(program, rules);
        let mut around = vec![(ScopeId::ROOT, usize::MAX)];
        let mut late = 0..0;
        for (found_idx, found) in found.iter().enumerate() {
            while around.last().is_some_and(|(_, end)| *end <= found.range.start) {
                around.pop();
            }
            let scope = around.last().map_or(ScopeId::ROOT, |(scope, _)| *scope);
            if found.role == Role::Scope {
                let opened = scopes.open(self.scope(found, scope));
                around.push((opened, found.range.end));
                if let Some(name) = &self.patterns[found.pattern_idx].binds {
                    scopes.bind(opened, name, Spaces::VALUE, 0);
                }
            } else if found.role == Role::Late {
                late = found.range.end..found.from;
            } else {
                let is_late = found.range.end <= late.start;
                let from = if is_late { late.end } else { found.from };
                self.fill(&mut scopes, scope, (found_idx, found), from, source);
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
            is_thin: properties.is_thin,
            hides: properties.hides,
            ..Scope::default()
        }
    }

    /// Puts what was found into its scope; a definition is seen from byte `from` on.
    fn fill<'s>(
        &self,
        scopes: &mut Scopes<'s>,
        scope: ScopeId,
        (found_idx, found): (usize, &Found),
        from: usize,
        source: &'s str,
    ) {
        let properties = &self.patterns[found.pattern_idx];
        let text = &source[found.range.clone()];
        let at = found.range.start;
        let outside = if properties.is_outside { scopes.outside(scope) } else { scope };
        match found.role {
            // The parser invents nodes without text where something is missing.
            Role::Define(_) | Role::Use(_) | Role::Capture(_) if text.is_empty() => (),
            Role::Define(spaces) => {
                let from = if properties.is_hoisted { 0 } else { from };
                let text =
                    if properties.is_imported { scopes.rules().imported_name(text) } else { text };
                let scope = match properties {
                    Properties { is_in_function: true, .. } => scopes.function_around(scope),
                    Properties { is_global: true, .. } => ScopeId::ROOT,
                    _ => outside,
                };
                scopes.bind(scope, text, spaces, from);
                let end = properties.without.as_deref();
                if let Some(short) = end.and_then(|end| text.strip_suffix(end)) {
                    scopes.bind(scope, short, spaces, from);
                }
            }
            Role::Use(spaces) => {
                let (place, scope) = (found.place, outside);
                scopes.add_use(Use { name: text, spaces, place, at, scope, found_idx });
            }
            Role::Capture(spaces) => {
                scopes.bind(scope, text, spaces, 0);
                let (place, scope) = (found.place, scopes.outside(scope));
                scopes.add_use(Use { name: text, spaces, place, at, scope, found_idx });
            }
            Role::Any(spaces) => scopes.scope(scope).any.push((at, spaces)),
            Role::Closed(spaces) => scopes.close(spaces),
            Role::Group => {
                let from = if properties.is_hoisted { 0 } else { at };
                let names = scopes.rules().group(text);
                scopes.scope(outside).groups.push(Imported { from, path: text, names });
            }
            Role::Prefix => scopes.scope(outside).prefixes.push((at, text)),
            Role::Base => scopes.scope(outside).bases.push(text),
            Role::Owner => scopes.own(text, outside),
            Role::Scope | Role::Ignore | Role::Aside | Role::From | Role::Late | Role::Start => (),
        }
    }

    /// Takes what the query finds in `range`.
    fn find_in(&self, source: &str, root: Node, range: Range<usize>, mut take: impl FnMut(Found)) {
        let mut names: HashMap<usize, Found> = HashMap::new();
        CURSOR.with_borrow_mut(|cursor| {
            cursor.set_byte_range(range);
            let mut matches = cursor.matches(&self.query, root, source.as_bytes());
            while let Some(one) = matches.next() {
                for (node, found) in self.captured(one) {
                    if !found.role.is_of_name() {
                        take(found);
                    } else if names
                        .get(&node.id())
                        .is_none_or(|name| name.pattern_idx <= found.pattern_idx)
                    {
                        names.insert(node.id(), found);
                    }
                }
            }
        });
        for (_, found) in names {
            take(found);
        }
    }

    fn captured<'t>(&self, one: &QueryMatch<'_, 't>) -> impl Iterator<Item = (Node<'t>, Found)> {
        let captured = |role| {
            let mut captures = one.captures().iter();
            captures.find(|capture| self.role(capture.index) == role).map(|capture| capture.node)
        };
        let from = captured(Role::From).map(|from| from.end_byte());
        let start = captured(Role::Start);
        one.captures().iter().map(move |capture| {
            let node = capture.node;
            let role = self.role(capture.index);
            let first = start.filter(|_| matches!(role, Role::Use(_))).unwrap_or(node);
            let found = Found {
                range: first.start_byte()..node.end_byte(),
                place: place_of(first),
                role,
                pattern_idx: one.pattern_index,
                from: from.unwrap_or(node.end_byte()),
            };
            (node, found)
        })
    }

    fn role(&self, capture_idx: u32) -> Role {
        self.roles[capture_idx as usize]
    }
}

/// In the order of the text, what is around first.
fn sorted(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|found| {
        (found.range.start, found.role != Role::Scope, Reverse(found.range.end))
    });
    found
}

impl Found {
    /// Does it say what names elsewhere mean: a scope, an import, a base, a class's name?
    pub(super) fn is_for_others(&self) -> bool {
        matches!(
            self.role,
            Role::Scope
                | Role::Group
                | Role::Prefix
                | Role::Base
                | Role::Owner
                | Role::Any(_)
                | Role::Closed(_)
        )
    }

    /// Is it a part of the program that names belong to?
    pub(super) fn is_scope(&self) -> bool {
        self.role == Role::Scope
    }

    /// Is it the name of what has members?
    pub(super) fn is_owner(&self) -> bool {
        self.role == Role::Owner
    }

    /// Is it what may be left out before names?
    pub(super) fn is_prefix(&self) -> bool {
        self.role == Role::Prefix
    }

    /// The same after an insertion of `num_rows`: moved if it is below, wider if it is around.
    pub(super) fn after(&self, inserted: &Range<usize>, num_rows: usize) -> Self {
        let mut after = self.clone();
        if self.range.start >= inserted.start {
            after.range.start += inserted.len();
            after.range.end += inserted.len();
            after.from += inserted.len();
            after.place.row += num_rows;
        } else if self.range.end > inserted.start {
            after.range.end += inserted.len();
        }
        after
    }
}

impl Role {
    fn by_name(name: &str) -> Self {
        let spaces = |names: &str| {
            let space = |name| {
                Spaces::by_name(name).unwrap_or_else(|| panic!("names.scm: no space {name}"))
            };
            names.split('.').map(space).fold(Spaces::default(), Spaces::and)
        };
        match name.split_once('.') {
            Some(("define", name)) => Self::Define(spaces(name)),
            Some(("use", name)) => Self::Use(spaces(name)),
            Some(("capture", name)) => Self::Capture(spaces(name)),
            Some(("any", name)) => Self::Any(spaces(name)),
            Some(("closed", name)) => Self::Closed(spaces(name)),
            None if name == "scope" => Self::Scope,
            None if name == "owner" => Self::Owner,
            None if name == "ignore" => Self::Ignore,
            None if name.starts_with('_') => Self::Aside,
            None if name == "from" => Self::From,
            None if name == "late" => Self::Late,
            None if name == "start" => Self::Start,
            None if name == "group" => Self::Group,
            None if name == "prefix" => Self::Prefix,
            None if name == "base" => Self::Base,
            _ => panic!("names.scm: @{name} means nothing"),
        }
    }

    /// Does it say what a name is?
    fn is_of_name(self) -> bool {
        matches!(self, Self::Define(_) | Self::Use(_) | Self::Capture(_) | Self::Ignore)
    }
}

impl Properties {
    fn of(query: &Query, pattern_idx: usize) -> Self {
        let mut properties = Self::default();
        for property in query.property_settings(pattern_idx) {
            match &*property.key {
                "ordered" => properties.is_ordered = true,
                "function" => properties.is_function = true,
                "thin" => properties.is_thin = true,
                "outside" => properties.is_outside = true,
                "hoisted" => properties.is_hoisted = true,
                "in-function" => properties.is_in_function = true,
                "global" => properties.is_global = true,
                "imported" => properties.is_imported = true,
                "binds" => properties.binds.clone_from(&property.value),
                "without" => properties.without.clone_from(&property.value),
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
