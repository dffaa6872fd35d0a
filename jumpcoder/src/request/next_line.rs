//! G's side of a request: its sequence of the program, and the line that it writes next.
//!
//! The scores of a generated line are by-products of decoding it. Only tokens that the tokenizer
//! would choose otherwise, and those after an insertion, are run again for their scores.

use jump_engine::{NextToken, Outcome, ScoreTarget, SequenceId, Work};
use jump_kernels::{Sampling, TokenId, mix_key};

use crate::event::TokenCounts;
use crate::models::{Models, Role};
use crate::program::line_writer::{LineEnd, LineWriter};
use crate::program::{KnownScores, Program, common_prefix_len};
use crate::request::order::{Context, Slot};
use crate::settings::Settings;

/// G's sequence and the line in progress.
pub struct NextLine {
    /// Begins with the program; then come the tokens of the line in progress.
    sequence: SequenceId,
    writer: LineWriter,
    /// The program's tokens whose scores were ordered.
    asked: Vec<usize>,
    /// Part of the key of every draw.
    sampling_key: u64,
}

/// A finished line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenLine {
    /// The text without a newline.
    pub text: String,
    /// Has the program ended, with this line or before it?
    pub has_ended: bool,
    /// Does the line belong to the program?
    pub is_kept: bool,
}

impl NextLine {
    /// An empty sequence. `task_key` tells the draws of tasks and samples apart.
    pub fn new(models: &mut Models, task_key: u64) -> Self {
        let sequence = models.get_mut(Role::Generation).engine.new_sequence();
        let writer = LineWriter::default();
        Self { sequence, writer, asked: Vec::new(), sampling_key: task_key }
    }

    /// The sequence, to fork from: it begins with the program.
    pub fn sequence(&self) -> SequenceId {
        self.sequence
    }

    /// Begins the line after `program`: runs the program's tokens that the sequence lacks, or whose
    /// scores are unknown.
    pub fn begin(&mut self, program: &Program, counts: &mut TokenCounts, cx: &mut Context<'_>) {
        let ids = program.ids();
        let engine = &mut cx.models.get_mut(Role::Generation).engine;
        let num_common = common_prefix_len(engine.tokens(self.sequence), ids);
        // The last token is always run, for what follows it, and so is each that predicts a token
        // without a score.
        let first_predictor = program.unscored(1).next().map_or(usize::MAX, |token| token - 1);
        let start = num_common.min(ids.len() - 1).min(first_predictor);
        engine.truncate(self.sequence, start);
        self.writer = LineWriter::default();
        self.asked = scorable(program, cx.settings);
        let target = |token: &usize| score_target(ids, *token, start, ids.len());
        let work = Work {
            sequence: self.sequence,
            tokens: ids[start..].to_vec(),
            targets: self.asked.iter().map(target).collect(),
            next: Some(self.next_token(ids.len(), cx.settings)),
            score: cx.settings.score,
        };
        counts.reused += start;
        match work.tokens.len() {
            1 => counts.decode += 1,
            num_tokens => counts.prefill += num_tokens,
        }
        cx.order(Role::Generation, Slot::NextLine, work);
    }

    /// Takes the outcome of the last order; orders the next token while the line goes on.
    pub fn absorb(
        &mut self,
        outcome: &Outcome,
        program: &mut Program,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) {
        for (token, score) in self.asked.drain(..).zip(&outcome.scores) {
            program.set_score(token, *score);
        }
        let chosen = outcome.next.as_ref().expect("it was ordered").chosen;
        let model = cx.models.get(Role::Generation);
        let max_tokens = cx.settings.max_line_tokens;
        self.writer.push(chosen, &model.tokenizer, &model.end_tokens, max_tokens, |_| true);
        let len = model.engine.tokens(self.sequence).len() + 1;
        if self.writer.end().is_none() && len > model.engine.size().context_len {
            self.writer.cut();
        }
        if self.writer.end().is_none() {
            counts.decode += 1;
            let work = Work {
                sequence: self.sequence,
                tokens: vec![chosen.token],
                targets: Vec::new(),
                next: Some(self.next_token(len, cx.settings)),
                score: cx.settings.score,
            };
            cx.order(Role::Generation, Slot::NextLine, work);
        }
    }

    /// Is the line finished?
    pub fn is_finished(&self) -> bool {
        self.writer.end().is_some()
    }

    /// The finished line. A line that begins with one of `stop` ends the program and isn't kept.
    pub fn line(&self, stop: &[String], settings: &Settings) -> WrittenLine {
        let text = self.writer.text();
        let begins_with = |stop: &String| {
            let stop = stop.trim_start_matches('\n');
            !stop.trim().is_empty() && text.starts_with(stop)
        };
        let is_stopped = stop.iter().any(begins_with);
        let end = self.writer.end().expect("the line is finished");
        let is_last = matches!(end, LineEnd::EndOfText | LineEnd::NoRoom);
        // The reference forgets a last line that doesn't end in a newline.
        let is_forgotten = is_last && (settings.reference_quirks || text.trim().is_empty());
        WrittenLine {
            text: self.writer.first_line(),
            has_ended: is_stopped || is_last,
            is_kept: !is_stopped && !is_forgotten,
        }
    }

    /// What decoding told of the scores of `program` and the line after it.
    pub fn known_scores(&self, program: &Program) -> KnownScores {
        let mut known = program.known_scores();
        known.ids.extend(self.writer.tokens().iter().map(|chosen| chosen.token));
        known.scores.extend(self.writer.tokens().iter().map(|chosen| Some(chosen.score)));
        known
    }

    /// Goes on with another sequence, which begins with the program as it is now.
    pub fn replace(&mut self, sequence: SequenceId, models: &mut Models) {
        let old = std::mem::replace(&mut self.sequence, sequence);
        models.get_mut(Role::Generation).engine.release(old);
    }

    /// Gives the sequence back.
    pub fn release(self, models: &mut Models) {
        models.get_mut(Role::Generation).engine.release(self.sequence);
    }

    /// The draw at a place of the program has one key, however the program came to that length.
    fn next_token(&self, position: usize, settings: &Settings) -> NextToken {
        let sampling = settings.sampling.map(|sampling| Sampling {
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            key: mix_key(&[sampling.seed, self.sampling_key, position as u64]),
        });
        NextToken { sampling, ..NextToken::greedy() }
    }
}

/// The tokens of `program` without a score that can have one, in the order of the tokens that
/// predict them. The first token follows nothing, so it has no score, except for the reference.
pub fn scorable(program: &Program, settings: &Settings) -> Vec<usize> {
    let first = program.unscored(0).next().filter(|token| *token == 0);
    let first = first.filter(|_| settings.reference_quirks);
    program.unscored(1).chain(first).collect()
}

/// Asks for the score of the token `token_idx` of `ids`, in a work that runs `ids[start..end]`. The
/// first token takes the reference's: its logit after the *last* token.
pub fn score_target(ids: &[TokenId], token_idx: usize, start: usize, end: usize) -> ScoreTarget {
    let predictor = token_idx.checked_sub(1).unwrap_or(end - 1);
    ScoreTarget { after: predictor - start, token: ids[token_idx] }
}
