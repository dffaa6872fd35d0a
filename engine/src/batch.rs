//! One step's works, laid out as rows of one pass.

use std::sync::Arc;

use jump_kernels::{Choice, Given, Layout, ScoreKind, Target, TokenId, Wanted};

use crate::work::{NextOutcome, Outcome, Work};

/// The rows of a step and what is wanted of them. Results are taken back in the order in which the
/// works were added.
#[derive(Default)]
pub(crate) struct Batch {
    /// Where the rows belong.
    pub layout: Layout,
    /// What is wanted of them.
    pub wanted: Wanted,
}

impl Batch {
    /// Asks for what `work` wants; its rows begin at `first_row`.
    pub fn want(&mut self, work: &Work, first_row: usize) {
        let row = |after: usize| (first_row + after) as u32;
        let targets = work.targets.iter();
        let targets = targets.map(|target| Target { row: row(target.after), token: target.token });
        match work.score {
            ScoreKind::Logit if work.full_head => {
                let by_head = targets.map(|target| choice(work, target.row, Some(target.token)));
                self.wanted.choices.extend(by_head);
            }
            ScoreKind::Logit => self.wanted.logits.extend(targets),
            ScoreKind::LogProb => self.wanted.logprobs.extend(targets),
        }
        let Some(next) = &work.next else { return };
        let last = work.tokens.len() - 1;
        for (place, after) in (last - next.draft_len..=last).enumerate() {
            let forced = next.forced.get(place).copied();
            let choice = Choice {
                banned: next.banned.clone(),
                sampling: next.sampling,
                ..choice(work, row(after), forced)
            };
            self.wanted.choices.push(choice);
        }
    }
}

fn choice(work: &Work, row: u32, forced: Option<TokenId>) -> Choice {
    Choice { row, banned: Arc::new([]), sampling: None, forced, score: work.score }
}

/// Hands the results of a pass back to the works that wanted them.
pub(crate) struct Results {
    given: Given,
    num_choices: usize,
    num_logits: usize,
    num_logprobs: usize,
}

impl Results {
    /// The results of a pass, none of them taken yet.
    pub fn new(given: Given) -> Self {
        Self { given, num_choices: 0, num_logits: 0, num_logprobs: 0 }
    }

    /// What `work`, the next in the order of the batch, gets.
    pub fn take(&mut self, work: &Work) -> Outcome {
        let Given { choices, logits, logprobs } = &self.given;
        let num_targets = work.targets.len();
        let scores = match work.score {
            ScoreKind::Logit if work.full_head => {
                let chosen = take(choices, &mut self.num_choices, num_targets);
                chosen.iter().map(|chosen| chosen.score).collect()
            }
            ScoreKind::Logit => take(logits, &mut self.num_logits, num_targets).to_vec(),
            ScoreKind::LogProb => take(logprobs, &mut self.num_logprobs, num_targets).to_vec(),
        };
        Outcome { scores, next: self.take_next(work) }
    }

    /// The longest part of the draft that the model would have chosen itself, and what follows it.
    fn take_next(&mut self, work: &Work) -> Option<NextOutcome> {
        let draft_len = work.next.as_ref()?.draft_len;
        let chosen = take(&self.given.choices, &mut self.num_choices, draft_len + 1);
        let draft = &work.tokens[work.tokens.len() - draft_len..];
        let is_right = |(draft, chosen): &(&_, &jump_kernels::Chosen)| **draft == chosen.token;
        let num_accepted = draft.iter().zip(chosen).take_while(is_right).count();
        Some(NextOutcome {
            accepted: chosen[..num_accepted].to_vec(),
            chosen: chosen[num_accepted],
        })
    }
}

/// The next `num` of `values`.
fn take<'a, T>(values: &'a [T], num_taken: &mut usize, num: usize) -> &'a [T] {
    let taken = &values[*num_taken..][..num];
    *num_taken += num;
    taken
}
