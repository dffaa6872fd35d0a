//! A program with lines inserted, and how places in it relate to those before.

use std::collections::BTreeSet;

use super::Undefined;

/// The text of `lines` with `infill` before line `position`.
pub(super) fn inserted(lines: &[String], position: usize, infill: &[&str]) -> String {
    let (before, after) = lines.split_at(position);
    let before = before.iter().map(String::as_str);
    let after = after.iter().map(String::as_str);
    before.chain(infill.iter().copied()).chain(after).collect()
}

/// Of the `undefined` names of a program with `num_lines` inserted before line `position`, those
/// that are not in these lines, with their places as if nothing had been inserted.
pub(super) fn outside(
    undefined: impl IntoIterator<Item = Undefined>,
    position: usize,
    num_lines: usize,
) -> BTreeSet<Undefined> {
    let outside = undefined.into_iter().filter_map(|mut name_use| {
        if name_use.place.row >= position {
            name_use.place.row = name_use.place.row.checked_sub(num_lines)?;
            return (name_use.place.row >= position).then_some(name_use);
        }
        Some(name_use)
    });
    outside.collect()
}
