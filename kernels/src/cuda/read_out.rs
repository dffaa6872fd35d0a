//! What is wanted of a pass, as the head's kernels take it, and what they gave.
//!
//! A step may want more than the head's workspaces hold; then it is read in several chunks.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::backend::{Choice, Chosen, ScoreKind, Target};
use crate::cuda::head::{self, HeadChoice, NONE};
use crate::cuda::sample::Draw;
use crate::layout::TokenId;
use crate::pass::{Given, Wanted};

/// The head's workspaces hold so much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOutLimits {
    /// Choices and log-probabilities.
    pub choices: usize,
    /// Choices that are drawn: each needs its logits written out.
    pub draws: usize,
    /// Different lists of banned tokens.
    pub ban_lists: usize,
    /// Logits of given tokens.
    pub targets: usize,
}

/// One part of what is wanted: some of the choices followed by the log-probabilities, and some of
/// the logits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Of the choices followed by the log-probabilities.
    pub choices: Range<usize>,
    /// Of the logits.
    pub targets: Range<usize>,
}

/// A chunk in the kernels' words.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// What is wanted of rows of logits.
    pub choices: Vec<HeadChoice>,
    /// Draws of some of them.
    pub draws: Vec<Draw>,
    /// Lists of banned tokens, a bit a token.
    pub banned: Vec<u32>,
    /// Of each single logit the row.
    pub target_rows: Vec<u32>,
    /// And the token.
    pub target_tokens: Vec<u32>,
}

/// Cuts what is wanted into chunks; at least one, which may be empty.
pub fn chunks(wanted: &Wanted, limits: ReadOutLimits) -> Vec<Chunk> {
    let num_choices = wanted.choices.len() + wanted.logprobs.len();
    let (mut choice, mut target, mut found) = (0, 0, Vec::new());
    loop {
        let chunk = Chunk {
            choices: choice..choice + num_fitting(wanted, choice, limits),
            targets: target..wanted.logits.len().min(target + limits.targets),
        };
        (choice, target) = (chunk.choices.end, chunk.targets.end);
        found.push(chunk);
        if choice == num_choices && target == wanted.logits.len() {
            return found;
        }
    }
}

/// How many choices fit from `first` on; at least one if there is one.
fn num_fitting(wanted: &Wanted, first: usize, limits: ReadOutLimits) -> usize {
    let (mut num_draws, mut lists) = (0, HashSet::new());
    let later = wanted.choices.iter().skip(first).map(Some);
    let scored = first.max(wanted.choices.len())..wanted.choices.len() + wanted.logprobs.len();
    let all = later.chain(scored.map(|_| None)).take(limits.choices);
    all.take_while(|choice| {
        let Some(choice) = choice else { return true };
        num_draws += usize::from(is_drawn(choice));
        if !choice.banned.is_empty() {
            lists.insert(choice.banned.as_ptr());
        }
        num_draws <= limits.draws && lists.len() <= limits.ban_lists
    })
    .count()
}

fn is_drawn(choice: &Choice) -> bool {
    choice.sampling.is_some() && choice.forced.is_none()
}

impl Asked {
    /// The chunk of what is wanted of a vocabulary of `vocab_len` tokens.
    pub fn new(wanted: &Wanted, chunk: &Chunk, vocab_len: usize) -> Self {
        let mut asked = Self::default();
        let mut lists = HashMap::new();
        for idx in chunk.choices.clone() {
            match wanted.choices.get(idx) {
                Some(choice) => asked.push_choice(choice, &mut lists, vocab_len),
                None => asked.push_logprob(wanted.logprobs[idx - wanted.choices.len()]),
            }
        }
        for target in &wanted.logits[chunk.targets.clone()] {
            asked.target_rows.push(target.row);
            asked.target_tokens.push(target.token.0);
        }
        asked
    }

    fn push_choice(
        &mut self,
        choice: &Choice,
        lists: &mut HashMap<*const TokenId, u32>,
        vocab_len: usize,
    ) {
        let mut ban_list = NONE;
        if !choice.banned.is_empty() {
            let next = lists.len() as u32;
            ban_list = *lists.entry(choice.banned.as_ptr()).or_insert(next);
            if ban_list == next {
                self.push_ban_list(&choice.banned, vocab_len);
            }
        }
        let mut logits_row = NONE;
        if let Some(sampling) = choice.sampling.filter(|_| is_drawn(choice)) {
            logits_row = self.draws.len() as u32;
            self.draws.push(Draw::new(self.choices.len() as u32, &sampling));
        }
        self.choices.push(HeadChoice {
            row: choice.row,
            forced: choice.forced.map_or(NONE, |token| token.0),
            ban_list,
            logits_row,
            is_logprob: u32::from(choice.score == ScoreKind::LogProb),
        });
    }

    fn push_ban_list(&mut self, banned: &[TokenId], vocab_len: usize) {
        let start = self.banned.len();
        self.banned.resize(start + vocab_len.div_ceil(32), 0);
        for token in banned {
            let token = token.0 as usize;
            assert!(token < vocab_len, "banned token {token} of {vocab_len}");
            self.banned[start + token / 32] |= 1 << (token % 32);
        }
    }

    fn push_logprob(&mut self, target: Target) {
        self.choices.push(HeadChoice {
            row: target.row,
            forced: target.token.0,
            ban_list: NONE,
            logits_row: NONE,
            is_logprob: 1,
        });
    }
}

/// Adds what the kernels gave for a chunk: the answers to its choices, and its logits.
pub fn collect(
    given: &mut Given,
    wanted: &Wanted,
    chunk: &Chunk,
    answers: &[head::Chosen],
    logits: &[f32],
) {
    for (idx, answer) in chunk.choices.clone().zip(answers) {
        if idx < wanted.choices.len() {
            given.choices.push(Chosen { token: TokenId(answer.token), score: answer.score });
        } else {
            given.logprobs.push(answer.score);
        }
    }
    given.logits.extend_from_slice(&logits[..chunk.targets.len()]);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sampling::Sampling;

    const LIMITS: ReadOutLimits = ReadOutLimits { choices: 4, draws: 2, ban_lists: 1, targets: 3 };

    fn choice(row: u32, banned: &Arc<[TokenId]>, is_drawn: bool) -> Choice {
        let sampling = Sampling { temperature: 1.0, top_k: None, top_p: 1.0, key: u64::from(row) };
        let sampling = is_drawn.then_some(sampling);
        Choice { row, banned: banned.clone(), sampling, forced: None, score: ScoreKind::Logit }
    }

    fn target(row: u32) -> Target {
        Target { row, token: TokenId(row + 40) }
    }

    #[test]
    fn chunks_take_all_in_order_within_the_limits() {
        let (none, some): (Arc<[TokenId]>, Arc<[TokenId]>) =
            (Arc::new([]), Arc::new([TokenId(33)]));
        let other: Arc<[TokenId]> = Arc::new([TokenId(2), TokenId(64)]);
        let wanted = Wanted {
            choices: vec![
                choice(0, &some, true),
                choice(1, &some, true),
                choice(2, &none, true),
                choice(3, &some, false),
                choice(4, &other, false),
            ],
            logits: (0..7).map(target).collect(),
            logprobs: (5..9).map(target).collect(),
        };
        let chunks = chunks(&wanted, LIMITS);
        let ranges: Vec<_> = chunks.iter().map(|chunk| chunk.choices.clone()).collect();
        // A third draw, another list, and a fifth choice begin new chunks.
        assert_eq!(ranges, [0..2, 2..4, 4..8, 8..9]);
        let mut given = Given::default();
        for chunk in &chunks {
            let asked = Asked::new(&wanted, chunk, 70);
            assert_eq!(asked.choices.len(), chunk.choices.len());
            assert_eq!(asked.banned.len() % 3, 0, "lists of three words");
            let answer =
                |choice: &HeadChoice| head::Chosen { token: choice.row, score: choice.row as f32 };
            let answers: Vec<_> = asked.choices.iter().map(answer).collect();
            let logits: Vec<_> = asked.target_rows.iter().map(|row| *row as f32).collect();
            collect(&mut given, &wanted, chunk, &answers, &logits);
        }
        let rows: Vec<_> = given.choices.iter().map(|chosen| chosen.token.0).collect();
        assert_eq!(rows, [0, 1, 2, 3, 4]);
        assert_eq!(given.logprobs, [5., 6., 7., 8.]);
        assert_eq!(given.logits, [0., 1., 2., 3., 4., 5., 6.]);
    }

    #[test]
    fn nothing_wanted_is_one_empty_chunk() {
        assert_eq!(chunks(&Wanted::default(), LIMITS), [Chunk::default()]);
    }

    #[test]
    fn a_ban_list_is_a_bit_a_token() {
        let banned: Arc<[TokenId]> = Arc::new([TokenId(0), TokenId(31), TokenId(32), TokenId(69)]);
        let wanted = Wanted { choices: vec![choice(0, &banned, false)], ..Wanted::default() };
        let chunk = Chunk { choices: 0..1, targets: 0..0 };
        let asked = Asked::new(&wanted, &chunk, 70);
        assert_eq!(asked.banned, [1 | 1 << 31, 1, 1 << 5]);
        assert_eq!((asked.choices[0].ban_list, asked.choices[0].logits_row), (0, NONE));
    }
}
