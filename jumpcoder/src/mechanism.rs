//! What makes jumping cheap, each with a switch of its own, so that its effect can be measured. No
//! switch changes a program.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// One way to save work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The program's own sequences, G's and I's, outlive a round.
    Cache,
    /// Branches outlive a round: at the same position, only the new line is run.
    Branches,
    /// Branches and candidates share the blocks of what they begin with.
    Fork,
    /// Candidates are rescored line group by line group, as far as the walk goes.
    Progressive,
    /// What was written here before is verified in one pass before it is decoded anew.
    Drafts,
    /// G goes on with the line after the next while a round is judged.
    Lookahead,
    /// The parts of a round, and of different tasks, share steps.
    Overlap,
    /// Works of the same kind share steps: all branches, all candidates.
    Batch,
    /// A score is one dot product, without the rest of the vocabulary.
    DotHead,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cache,
        Self::Branches,
        Self::Fork,
        Self::Progressive,
        Self::Drafts,
        Self::Lookahead,
        Self::Overlap,
        Self::Batch,
        Self::DotHead,
    ];

    /// What the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Branches => "branches",
            Self::Fork => "fork",
            Self::Progressive => "progressive",
            Self::Drafts => "drafts",
            Self::Lookahead => "lookahead",
            Self::Overlap => "overlap",
            Self::Batch => "batch",
            Self::DotHead => "dot-head",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mechanism {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|mechanism| mechanism.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no mechanism {name:?}; there are {names}")
        })
    }
}

impl Serialize for Mechanism {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The mechanisms that are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mechanisms([bool; Mechanism::ALL.len()]);

impl Mechanisms {
    /// Everything is on.
    pub const fn all() -> Self {
        Self([true; Mechanism::ALL.len()])
    }

    /// Nothing is shared: what a program costs if every attempt is computed whole and alone.
    pub const fn none() -> Self {
        Self([false; Mechanism::ALL.len()])
    }

    /// The same, with one switched off.
    #[must_use]
    pub fn without(mut self, mechanism: Mechanism) -> Self {
        self.0[mechanism as usize] = false;
        self
    }

    /// Is it on?
    pub fn has(self, mechanism: Mechanism) -> bool {
        self.0[mechanism as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.name().parse(), Ok(mechanism));
            let others = Mechanism::ALL.into_iter().filter(|other| *other != mechanism);
            let without = Mechanisms::all().without(mechanism);
            assert!(!without.has(mechanism) && others.into_iter().all(|other| without.has(other)));
        }
        assert!("speed".parse::<Mechanism>().unwrap_err().contains("branches, fork"));
    }
}
