//! The little of a language that neither its grammar nor its queries say.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::spaces::Spaces;

/// Names that come together: those of a package, a header, a class.
pub type Group = HashSet<&'static str>;

/// A language's tables, and what they mean.
pub trait Rules: Send + Sync {
    /// Is `name` there without being defined or imported?
    fn is_builtin(&self, name: &str, spaces: Spaces) -> bool;

    /// The names that an import of the whole of `path` brings (a package, a namespace, a header; as
    /// it stands in the program). `None` if it could be any.
    fn group(&self, path: &str) -> Option<&'static Group>;

    /// The names that a class inherits from `base`, which the program doesn't define. `None` if it
    /// could be any.
    fn members(&self, base: &str) -> Option<&'static Group>;

    /// What the parser is given in place of a text: as long, with the same lines, and such that it
    /// shows names where the grammar sees none.
    fn parsed(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Does an import of the whole of `path` show all that is around its scope, too?
    fn is_around(&self, _path: &str) -> bool {
        false
    }

    /// The form in which a name is looked up, in the tables too: names that differ may be one.
    fn normal<'n>(&self, name: &'n str, _spaces: Spaces) -> Cow<'n, str> {
        Cow::Borrowed(name)
    }

    /// The name that an import of `path` binds, where the program doesn't say it by itself.
    fn imported_name<'s>(&self, path: &'s str) -> &'s str {
        path
    }

    /// What `name` is the end of where `prefix` is left out before it.
    fn prefixed(&self, prefix: &str, name: &str) -> String {
        format!("{prefix}{name}")
    }

    /// May `prefix` be left out before `name`, for all that is known?
    fn has_member(&self, _prefix: &str, _name: &str) -> bool {
        false
    }
}

/// Reads a table of groups: a line each, the group's name, then what is in it, all apart by blanks.
/// Lines that begin with `#` say where the table is from.
pub fn groups(table: &'static str) -> HashMap<&'static str, Group> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let groups = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.collect()))
    });
    groups.collect()
}

/// Reads a table of names, apart by blanks or line ends, with comment lines as in [`groups`].
pub fn names(table: &'static str) -> Group {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
}
