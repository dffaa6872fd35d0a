//! Sequences that nobody works on, kept because a text to come may begin like them.
//!
//! They are a cache: when blocks run short, the one that was of use longest ago goes first.
//! Sequences are looked for within a *family*: the requests that go on from the same prompt.

use jump_engine::{LanguageModel, SequenceId};
use jump_kernels::TokenId;

use crate::program::common_prefix_len;

/// Whose a sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The same for all requests of one prompt.
    pub family: u64,
    /// Different for every request; `None` for what belongs to all of the family.
    pub request: Option<u64>,
}

struct Entry {
    owner: Owner,
    sequence: SequenceId,
}

/// The idle sequences of one engine.
#[derive(Default)]
pub struct IdleSequences {
    /// The one that was of use longest ago comes first.
    entries: Vec<Entry>,
}

/// An idle sequence that begins like a text.
#[derive(Clone, Copy, Debug)]
pub struct Match {
    place: usize,
    /// The request that left it.
    pub owner: Owner,
    /// Tokens that it shares with the text.
    pub len: usize,
}

impl IdleSequences {
    /// Keeps `sequence`, at the expense of its owner's oldest if there are more than `max`.
    pub fn keep(
        &mut self,
        owner: Owner,
        sequence: SequenceId,
        max: usize,
        engine: &mut dyn LanguageModel,
    ) {
        self.entries.push(Entry { owner, sequence });
        let is_own = |entry: &Entry| entry.owner == owner;
        if self.entries.iter().filter(|entry| is_own(entry)).count() > max {
            let oldest = self.entries.iter().position(is_own).expect("just counted");
            engine.release(self.entries.remove(oldest).sequence);
        }
    }

    /// The sequence of the family that shares most with `tokens`; among equals the latest.
    pub fn longest_match(
        &self,
        family: u64,
        tokens: &[TokenId],
        engine: &dyn LanguageModel,
    ) -> Option<Match> {
        let kin = self.entries.iter().enumerate().filter(|(_, e)| e.owner.family == family);
        let matches = kin.map(|(place, Entry { owner, sequence })| {
            let len = common_prefix_len(engine.tokens(*sequence), tokens);
            Match { place, owner: *owner, len }
        });
        matches.max_by_key(|found| found.len)
    }

    /// Takes the sequence of a match out; it is nobody's now.
    pub fn take(&mut self, found: Match) -> SequenceId {
        self.entries.remove(found.place).sequence
    }

    /// Forks the sequence of a match at `len`; it has been of use.
    pub fn fork_at(
        &mut self,
        found: Match,
        len: usize,
        engine: &mut dyn LanguageModel,
    ) -> SequenceId {
        let entry = self.entries.remove(found.place);
        let fork = engine.fork_at(entry.sequence, len);
        self.entries.push(entry);
        fork
    }

    /// Releases the sequence that was of use longest ago. `false` if there is none.
    pub fn evict(&mut self, engine: &mut dyn LanguageModel) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        engine.release(self.entries.remove(0).sequence);
        true
    }

    /// Releases all sequences whose owner `is_gone`.
    pub fn release(&mut self, is_gone: impl Fn(Owner) -> bool, engine: &mut dyn LanguageModel) {
        self.entries.retain(|entry| {
            let is_gone = is_gone(entry.owner);
            if is_gone {
                engine.release(entry.sequence);
            }
            !is_gone
        });
    }
}
