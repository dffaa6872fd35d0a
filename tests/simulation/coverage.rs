//! What happened in a simulation. If something never did, the simulation proves nothing about it.

use std::collections::BTreeMap;
use std::fmt;

/// What must happen in some of many schedules.
const EXPECTED: [&str; 27] = [
    "cancelled before it began",
    "cancelled in flight",
    "cancelled while put off",
    "candidate rejected after improved lines",
    "draft accepted",
    "draft rejected",
    "dropped look-ahead",
    "evicted sequence",
    "failed by itself: blank",
    "failed by itself: more blocks than there are",
    "failed by itself: too long",
    "failed by itself: too many lines",
    "failed by itself: unknown language",
    "failed step",
    "inserted by the syntax tree",
    "inserted by scores",
    "inserted function of several lines",
    "insertion that drops lines",
    "kept the plain program",
    "line in other tokens",
    "line whose lead was written again",
    "line that strays from its lead",
    "preemption",
    "recorded run",
    "run that was dropped",
    "shared prompt",
    "solution",
];

/// How often each thing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, usize>);

impl Coverage {
    /// It happened `num` times.
    pub fn add(&mut self, what: &'static str, num: usize) {
        debug_assert!(EXPECTED.contains(&what), "{what} isn't on the list");
        *self.0.entry(what).or_default() += num;
    }

    /// It happened if it `is_so`.
    pub fn add_if(&mut self, is_so: bool, what: &'static str) {
        self.add(what, usize::from(is_so));
    }

    /// Adds what happened elsewhere.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, num)| self.add(what, *num));
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        let is_missing = |what: &&str| self.0.get(*what).is_none_or(|num| *num == 0);
        EXPECTED.into_iter().filter(is_missing).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, num)| writeln!(f, "{num:>10} {what}"))
    }
}
