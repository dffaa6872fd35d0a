//! What closes an unfinished program, so that a parser can make sense of it.

use std::borrow::Cow;

/// Texts to insert, each before a byte of the program, in the order of these bytes.
#[derive(Debug, Default)]
pub(super) struct Repairs(Vec<(usize, String)>);

impl Repairs {
    /// Adds one; it comes after those that are there already at the same byte.
    pub(super) fn push(&mut self, at: usize, text: String) {
        // At the end nearly always, but the brackets before a line are closed after the line's
        // indentation was mended.
        let place = self.0.partition_point(|(before, _)| *before <= at);
        self.0.insert(place, (at, text));
    }

    /// The program with all of them.
    pub(super) fn apply<'s>(&self, source: &'s str) -> Cow<'s, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(source);
        }
        let mut repaired = String::with_capacity(source.len() + 16);
        let mut copied = 0;
        for (at, text) in &self.0 {
            repaired.push_str(&source[copied..*at]);
            repaired.push_str(text);
            copied = *at;
        }
        repaired.push_str(&source[copied..]);
        Cow::Owned(repaired)
    }
}
