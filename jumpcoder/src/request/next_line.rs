//! G's side of a request: its sequence of the program, and the line that it writes next.
//!
//! The scores of a generated line are by-products of decoding it. Only tokens that the tokenizer
//! would choose otherwise, and those after an insertion, are run again for their scores.
//!
//! Where the vocabulary has tokens of a newline and more, the line is written after the program's
//! settled tokens, and begins with what the others say, its lead. So the last token of a line is
//! mostly the first one of the next: it is *carried* over. Where G would rather go on with the line
//! before, the next one is written after the tokenizer's own tokens.
//!
//! While a round is judged, G goes on with the line after the next, *ahead* of the verdict. If an
//! insertion is accepted, that is dropped, but what it replaces becomes a draft.

use std::collections::VecDeque;

use jump_engine::{NextToken, Outcome, ScoreTarget, SequenceId};
use jump_kernels::{Chosen, Sampling, TokenId, mix_key};

use crate::event::{Decoded, TokenCounts};
use crate::idle::Owner;
use crate::mechanism::Mechanism;
use crate::models::{Models, Role};
use crate::program::line_writer::{LineEnd, LineWriter};
use crate::program::{KnownScores, Line, Program, common_prefix_len};
use crate::request::order::{Context, Slot};
use crate::settings::Settings;

/// The line after the next.
struct Ahead {
    /// The tokens of the program with the next line, which it follows.
    program: Vec<TokenId>,
    writer: LineWriter,
}

/// G's sequence and the lines in progress.
pub struct NextLine {
    owner: Owner,
    /// Begins with the program, or its settled tokens; then come those of the lines in progress.
    sequence: SequenceId,
    writer: LineWriter,
    /// What G chose after the sequence's tokens, once the line is complete.
    carried: Option<Chosen>,
    ahead: Option<Ahead>,
    /// What G may write from here on.
    draft: VecDeque<TokenId>,
    /// The tokens of the order under way. They count when its outcome comes: an order that nobody
    /// wants any more may never be run.
    ordered: TokenCounts,
    /// What it wrote in a recorded run, in this round and in the next.
    recorded: [Option<Decoded>; 2],
    /// Counts the times that the lines in progress were dropped: whatever was ordered for them
    /// isn't wanted any more.
    num_dropped: u32,
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
    /// The tokens it was decoded in.
    pub decoded: Decoded,
    /// Has the program ended, with this line or before it?
    pub has_ended: bool,
    /// Does the line belong to the program?
    pub is_kept: bool,
}

impl NextLine {
    /// Begins with an empty sequence. `task_key` tells the draws of tasks and samples apart.
    pub fn new(owner: Owner, sequence: SequenceId, task_key: u64) -> Self {
        Self {
            owner,
            sequence,
            writer: LineWriter::default(),
            carried: None,
            ahead: None,
            draft: VecDeque::new(),
            ordered: TokenCounts::default(),
            recorded: [None, None],
            num_dropped: 0,
            asked: Vec::new(),
            sampling_key: task_key,
        }
    }

    /// The sequence, to fork from: it begins with the program's settled tokens at least.
    pub fn sequence(&self) -> SequenceId {
        self.sequence
    }

    /// Where the outcomes of its orders go.
    pub fn slot(&self) -> Slot {
        Slot::NextLine(self.sequence, self.num_dropped)
    }

    /// Follows a recorded run in the round that is about to begin, and in the one after it.
    pub fn follow(&mut self, this_round: Option<Decoded>, next_round: Option<Decoded>) {
        self.recorded = [this_round, next_round];
    }

    /// Begins the line after `program`, unless it was begun ahead: runs the program's tokens that
    /// the sequence lacks, or whose scores are unknown.
    pub fn begin(&mut self, program: &Program, counts: &mut TokenCounts, cx: &mut Context<'_>) {
        let ids = program.ids();
        let uses_cache = cx.settings.uses(Mechanism::Cache);
        if let Some(ahead) = self.ahead.take_if(|ahead| uses_cache && ahead.program == ids) {
            self.writer = ahead.writer;
            self.carried = last_of_complete(&self.writer);
            return;
        }
        let writer = self.writer_after(program, 0, cx);
        let end = num_settled(program, &writer);
        let carried = self.carried(program, &writer, 0, cx).filter(|_| uses_cache);
        self.drop_lines(counts);
        self.writer = writer;
        if let Some(carried) = carried {
            counts.reused += end;
            self.take_carried(carried, cx);
            return;
        }
        if uses_cache {
            cx.begin_like(Role::Generation, self.owner, &mut self.sequence, &ids[..end]);
        }
        let engine = &mut cx.models.get_mut(Role::Generation).engine;
        let num_cached = common_prefix_len(engine.tokens(self.sequence), ids);
        let num_common = if uses_cache { num_cached } else { 0 };
        // The last token is always run, for what follows it, and so is each that predicts a token
        // without a score.
        let first_predictor = program.unscored(1).next().map_or(usize::MAX, |token| token - 1);
        let start = num_common.min(end - 1).min(first_predictor);
        engine.truncate(self.sequence, start);
        self.asked = scorable(program, cx.settings);
        let target = |token: &usize| score_target(ids, *token, start, end);
        let targets = self.asked.iter().map(target).collect();
        counts.reused += start;
        self.count_run(end - start);
        self.order(ids[start..end].to_vec(), targets, end, cx);
    }

    /// Begins the line after `program`, which is the present one with the next line, before it is
    /// known whether the line stays. Only if the sequence needs but one token for it.
    pub fn look_ahead(&mut self, program: &Program, cx: &mut Context<'_>) {
        let ids = program.ids();
        if program.unscored(1).next().is_some() || ids.len() > cx.max_program_len() {
            return;
        }
        let writer = self.writer_after(program, 1, cx);
        if let Some(carried) = self.carried(program, &writer, 1, cx) {
            self.ahead = Some(Ahead { program: ids.to_vec(), writer });
            self.take_carried(carried, cx);
            return;
        }
        let (last, before) = ids.split_last().expect("a program isn't empty");
        let held = cx.models.get(Role::Generation).engine.tokens(self.sequence);
        if num_settled(program, &writer) == ids.len() && held == before {
            self.ahead = Some(Ahead { program: ids.to_vec(), writer });
            self.ordered.decode = 1;
            self.order(vec![*last], Vec::new(), ids.len(), cx);
        }
    }

    /// A writer for the line after `program`, which is written `num_rounds` after this one.
    fn writer_after(
        &mut self,
        program: &Program,
        num_rounds: usize,
        cx: &Context<'_>,
    ) -> LineWriter {
        let tokenizer = &cx.models.get(Role::Generation).tokenizer;
        if let Some(recorded) = &mut self.recorded[num_rounds] {
            let taken = std::mem::take(recorded);
            *recorded = taken.after(program.lead(), tokenizer);
            if recorded.num_lead_bytes == 0 {
                return LineWriter::default();
            }
        }
        // The reference goes on after the tokenizer's own tokens.
        let lead = if cx.settings.reference_quirks { &[] } else { program.lead() };
        LineWriter::after(lead.to_vec())
    }

    /// The token that was carried over, if it is the first one that `writer` takes after `program`.
    fn carried(
        &self,
        program: &Program,
        writer: &LineWriter,
        num_rounds: usize,
        cx: &Context<'_>,
    ) -> Option<Chosen> {
        let model = cx.models.get(Role::Generation);
        let settled = &program.ids()[..num_settled(program, writer)];
        let is_there = settled.len() < program.ids().len()
            && program.unscored(1).next().is_none()
            && model.engine.tokens(self.sequence) == settled;
        let is_wanted = |carried: &Chosen| {
            let recorded = self.recorded[num_rounds].as_ref();
            let recorded = recorded.and_then(|recorded| recorded.tokens.first());
            writer.fits(model.tokenizer.bytes(carried.token))
                && recorded.is_none_or(|recorded| *recorded == carried.token.0)
        };
        self.carried.filter(|_| is_there).filter(is_wanted)
    }

    /// Takes the token that was carried over as the first of the line in progress.
    fn take_carried(&mut self, carried: Chosen, cx: &mut Context<'_>) {
        self.carried = None;
        take(self.current(), carried, cx);
        self.go_on(carried, cx);
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
        let next = outcome.next.as_ref().expect("it was ordered");
        counts.wasted += self.ordered.verify - next.accepted.len();
        counts.add(&std::mem::take(&mut self.ordered));
        for chosen in next.accepted.iter().chain([&next.chosen]) {
            if self.current().end().is_some() {
                break;
            }
            if !self.push(*chosen, cx) {
                return self.stray(program, counts, cx);
            }
        }
        self.go_on(next.chosen, cx);
    }

    /// Goes on after `last`, the last token of the line in progress.
    fn go_on(&mut self, last: Chosen, cx: &mut Context<'_>) {
        let model = cx.models.get(Role::Generation);
        let len = model.engine.tokens(self.sequence).len() + 1;
        if len > model.engine.size().context_len {
            self.current().cut();
        }
        if self.current().end().is_none() {
            self.ordered.decode = 1;
            self.order(vec![last.token], Vec::new(), len, cx);
        } else if self.ahead.is_none() {
            self.carried = last_of_complete(&self.writer);
        }
    }

    /// G would go on otherwise than with the lead: the line is written after the tokenizer's own
    /// tokens of that.
    fn stray(&mut self, program: &Program, counts: &mut TokenCounts, cx: &mut Context<'_>) {
        self.draft.clear();
        if let Some(ahead) = self.ahead.take() {
            counts.wasted += ahead.writer.tokens().len();
            return;
        }
        let (ids, settled) = (program.ids(), program.num_settled());
        counts.wasted += self.writer.tokens().len();
        self.writer = LineWriter::default();
        cx.models.get_mut(Role::Generation).engine.truncate(self.sequence, settled);
        self.count_run(ids.len() - settled);
        self.order(ids[settled..].to_vec(), Vec::new(), ids.len(), cx);
    }

    /// The order under way runs so many of the program's tokens.
    fn count_run(&mut self, num_tokens: usize) {
        match num_tokens {
            1 => self.ordered.decode = 1,
            _ => self.ordered.prefill = num_tokens,
        }
    }

    /// Takes one more token of the line in progress, if it fits the lead. What differs from the
    /// draft ends it.
    fn push(&mut self, chosen: Chosen, cx: &Context<'_>) -> bool {
        if self.draft.pop_front().is_some_and(|draft| draft != chosen.token) {
            self.draft.clear();
        }
        let model = cx.models.get(Role::Generation);
        let is_end = model.end_tokens.contains(&chosen.token);
        let fits = is_end || self.current().fits(model.tokenizer.bytes(chosen.token));
        if fits {
            take(self.current(), chosen, cx);
        }
        fits
    }

    /// The line in progress.
    fn current(&mut self) -> &mut LineWriter {
        self.ahead.as_mut().map_or(&mut self.writer, |ahead| &mut ahead.writer)
    }

    /// Runs `tokens`, and with them what the draft has of the line in progress; the sequence has
    /// `len` tokens of program and lines then, without the draft.
    fn order(
        &mut self,
        mut tokens: Vec<TokenId>,
        targets: Vec<ScoreTarget>,
        len: usize,
        cx: &mut Context<'_>,
    ) {
        let model = cx.models.get(Role::Generation);
        let mut lead_left = self.current().lead_left();
        let is_of_line = |token: &&TokenId| {
            let bytes = model.tokenizer.bytes(**token);
            let after_lead = &bytes[lead_left.min(bytes.len())..];
            lead_left = lead_left.saturating_sub(bytes.len());
            !after_lead.contains(&b'\n')
        };
        let room = model.engine.size().context_len - len;
        let room = room.min(cx.max_draft_len(Role::Generation));
        let line = self.draft.iter().take_while(is_of_line).take(room);
        let num_before = tokens.len();
        assert_eq!(model.engine.tokens(self.sequence).len() + num_before, len, "nothing else");
        tokens.extend(line);
        let draft_len = tokens.len() - num_before;
        self.ordered.verify = draft_len;
        let num_written = self.current().tokens().len();
        let recorded = self.recorded[usize::from(self.ahead.is_some())].as_ref();
        let next = NextToken {
            draft_len,
            sampling: self.sampling(len, cx.settings),
            forced: recorded.map_or_else(Vec::new, |recorded| {
                recorded.tokens_from(num_written, &model.end_tokens)
            }),
            ..NextToken::greedy()
        };
        let work = cx.work(self.sequence, tokens, targets, Some(next));
        cx.order(Role::Generation, self.slot(), work);
    }

    /// Is the line finished?
    pub fn is_finished(&self) -> bool {
        self.writer.end().is_some()
    }

    /// Is nothing of the line in the sequence yet?
    pub fn is_at_beginning(&self) -> bool {
        self.ahead.is_none() && self.writer.tokens().len() <= 1
    }

    /// Has the line after it been begun?
    pub fn is_ahead(&self) -> bool {
        self.ahead.is_some()
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
            decoded: Decoded::of(&self.writer),
            has_ended: is_stopped || is_last,
            is_kept: !is_stopped && !is_forgotten,
        }
    }

    /// What decoding told of the scores of `program` and the line after it.
    pub fn known_scores(&self, program: &Program) -> KnownScores {
        let mut known = program.known_scores();
        let settled = num_settled(program, &self.writer);
        known.ids.truncate(settled);
        known.scores.truncate(settled);
        known.ids.extend(self.writer.tokens().iter().map(|chosen| chosen.token));
        known.scores.extend(self.writer.tokens().iter().map(|chosen| Some(chosen.score)));
        known
    }

    /// An insertion comes between, after which `program` is what it is: what was written stays as a
    /// draft, after `dropped`, the program's last lines that the insertion dropped.
    pub fn redraft(&mut self, program: &Program, dropped: &[Line], cx: &Context<'_>) {
        self.carried = None;
        if !cx.settings.uses(Mechanism::Drafts) || cx.settings.sampling.is_some() {
            return;
        }
        let tokenizer = &cx.models.get(Role::Generation).tokenizer;
        let ahead = self.ahead.as_ref().map(|ahead| &ahead.writer);
        if program.lead().is_empty() || cx.settings.reference_quirks {
            let written = [Some(&self.writer), ahead].into_iter().flatten();
            let written = written.flat_map(LineWriter::tokens).map(|chosen| chosen.token);
            let dropped = tokenizer.encode_continuation(dropped);
            self.draft = dropped.into_iter().chain(written).collect();
            return;
        }
        let mut text = String::from_utf8_lossy(program.lead()).into_owned();
        text.extend(dropped.iter().map(AsRef::<str>::as_ref));
        // What follows the line's newline in its last token begins the next line.
        let written = match ahead {
            Some(ahead) => [self.writer.first_line(), "\n".to_owned(), ahead.text()].concat(),
            None => self.writer.text(),
        };
        self.draft = tokenizer.encode_continuation(&[text, written]).into();
    }

    /// Goes on with another sequence, which begins with the program as it is now.
    pub fn replace(&mut self, sequence: SequenceId, models: &mut Models) {
        let old = std::mem::replace(&mut self.sequence, sequence);
        models.get_mut(Role::Generation).engine.release(old);
    }

    /// Gives all blocks back; the line is begun again in time.
    pub fn suspend(&mut self, counts: &mut TokenCounts, models: &mut Models) {
        self.drop_lines(counts);
        models.get_mut(Role::Generation).engine.truncate(self.sequence, 0);
    }

    /// Gives the sequence back.
    pub fn release(self, models: &mut Models) {
        models.get_mut(Role::Generation).engine.release(self.sequence);
    }

    /// Forgets what was written and not taken over.
    fn drop_lines(&mut self, counts: &mut TokenCounts) {
        if let Some(ahead) = self.ahead.take() {
            counts.wasted += ahead.writer.tokens().len();
        }
        self.writer = LineWriter::default();
        self.carried = None;
        self.asked.clear();
        self.ordered = TokenCounts::default();
        self.num_dropped += 1;
    }

    /// The draw at a place of the program has one key, however the program came to that length.
    fn sampling(&self, position: usize, settings: &Settings) -> Option<Sampling> {
        settings.sampling.map(|sampling| Sampling {
            temperature: sampling.temperature,
            top_k: sampling.top_k,
            top_p: sampling.top_p,
            key: mix_key(&[sampling.seed, self.sampling_key, position as u64]),
        })
    }
}

/// Takes one more token of a line.
fn take(writer: &mut LineWriter, chosen: Chosen, cx: &Context<'_>) {
    let model = cx.models.get(Role::Generation);
    let max_tokens = cx.settings.max_line_tokens;
    writer.push(chosen, &model.tokenizer, &model.end_tokens, max_tokens, |_| true);
}

/// The last token of a complete line.
fn last_of_complete(writer: &LineWriter) -> Option<Chosen> {
    let is_complete = writer.end() == Some(LineEnd::Complete);
    writer.tokens().last().copied().filter(|_| is_complete)
}

/// The tokens of `program` after which `writer` writes.
fn num_settled(program: &Program, writer: &LineWriter) -> usize {
    if writer.lead().is_empty() { program.ids().len() } else { program.num_settled() }
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
