//! The perplexity of finished programs, by which the variant F chooses.

use jump_engine::{Outcome, ScoreTarget, SequenceId, Work};
use jump_kernels::ScoreKind;

use crate::event::TokenCounts;
use crate::models::{Models, Role};
use crate::program::Program;
use crate::request::order::{Context, Slot};

/// Perplexities of programs, on their way.
pub struct Perplexities {
    sequences: Vec<SequenceId>,
    values: Vec<Option<f64>>,
    /// Tokens of all programs.
    num_ordered: usize,
}

impl Perplexities {
    /// Runs every token of each program, but for the preamble's, for its log-probability, as far as
    /// the context reaches: the last line may have gone beyond it.
    pub fn begin(programs: &[&Program], counts: &mut TokenCounts, cx: &mut Context<'_>) -> Self {
        let mut sequences = Vec::new();
        let mut num_ordered = 0;
        let context_len = cx.context_len(Role::Generation);
        for (program_idx, program) in programs.iter().enumerate() {
            let sequence = cx.models.get_mut(Role::Generation).engine.new_sequence();
            let ids = &program.ids()[..program.ids().len().min(context_len)];
            num_ordered += ids.len();
            // What the last token predicts isn't asked for, but a text of one token must run too.
            let targets = ids.iter().enumerate().skip(program.start().max(1));
            let target = |(idx, &token): (usize, &_)| ScoreTarget { after: idx - 1, token };
            let targets = targets.map(target).collect();
            let (tokens, score) = (ids.to_vec(), ScoreKind::LogProb);
            let work = Work { sequence, tokens, targets, next: None, score, full_head: false };
            cx.order(Role::Generation, Slot::Perplexity(program_idx), work);
            sequences.push(sequence);
        }
        counts.prefill += num_ordered;
        Self { values: vec![None; sequences.len()], sequences, num_ordered }
    }

    /// Takes the log-probabilities of a program.
    pub fn absorb(&mut self, program_idx: usize, outcome: &Outcome) {
        let logprobs = outcome.scores.iter().map(|logprob| f64::from(*logprob));
        let mean = logprobs.sum::<f64>() / outcome.scores.len().max(1) as f64;
        self.values[program_idx] = Some((-mean).exp());
    }

    /// The perplexities, once all are known.
    pub fn values(&self) -> Option<Vec<f64>> {
        self.values.iter().copied().collect()
    }

    /// Gives the sequences back; gives the tokens that were ordered in vain.
    pub fn suspend(&mut self, models: &mut Models) -> usize {
        let engine = &mut models.get_mut(Role::Generation).engine;
        self.sequences.drain(..).for_each(|sequence| engine.release(sequence));
        std::mem::take(&mut self.num_ordered)
    }

    /// Gives the sequences back.
    pub fn release(mut self, models: &mut Models) {
        self.suspend(models);
    }
}
