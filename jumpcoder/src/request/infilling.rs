//! I's side of a request: the k branches, each a sequence that holds one infill.
//!
//! Every prompt is `<PRE> prefix <SUF> suffix <MID>`. The *stem* is the sequence `<PRE>` program,
//! which a branch at position i shares up to line i. A branch whose infill is finished is idle: in
//! the next round, the one at the same position only runs the new line.

use std::collections::HashMap;
use std::sync::Arc;

use jump_engine::{NextToken, Outcome, SequenceId};
use jump_kernels::TokenId;

use crate::event::{ChosenPosition, Decoded, Infill, TokenCounts};
use crate::idle::Owner;
use crate::language::Language;
use crate::mechanism::Mechanism;
use crate::models::{Models, Role};
use crate::program::line_writer::{LineEnd, LineWriter};
use crate::program::{Program, common_prefix_len};
use crate::request::order::{Context, Slot};
use crate::settings::{REFERENCE_CONTEXT_LEN, Settings};

/// One infill.
struct Branch {
    position: usize,
    /// Only while the infill is in progress.
    sequence: Option<SequenceId>,
    /// The program's text before the position.
    prefix: String,
    writer: LineWriter,
    /// So many tokens of an earlier infill are being verified.
    draft_len: usize,
    /// Tokens that it may not have.
    banned: Arc<[TokenId]>,
    /// What was written here in a recorded run.
    recorded: Option<Decoded>,
}

/// A prompt, and what is already known to answer it.
struct Question {
    position: usize,
    prefix: String,
    prompt: Vec<TokenId>,
    draft: Vec<TokenId>,
    recorded: Option<Decoded>,
}

/// What a round asks for.
pub struct Gaps<'a> {
    /// The program.
    pub program: &'a Program,
    /// Where something may be missing.
    pub positions: &'a [ChosenPosition],
    /// May it be functions of several lines?
    pub allow_functions: bool,
    /// What was found there in a recorded run.
    pub recorded: &'a [Infill],
}

/// The stem and the branches.
pub struct Infilling {
    language: &'static dyn Language,
    owner: Owner,
    stem: SequenceId,
    is_stem_running: bool,
    branches: Vec<Branch>,
    /// May infills be functions of several lines in this round?
    allow_functions: bool,
}

impl Infilling {
    /// No branches yet; `stem` may hold anything.
    pub fn new(language: &'static dyn Language, owner: Owner, stem: SequenceId) -> Self {
        let branches = Vec::new();
        Self { language, owner, stem, is_stem_running: false, branches, allow_functions: false }
    }

    /// Brings the stem up to the program.
    pub fn extend_stem(
        &mut self,
        program: &Program,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) {
        if !cx.settings.uses(Mechanism::Fork) {
            return;
        }
        let context_len = cx.context_len(Role::Infilling);
        let model = cx.models.get(Role::Infilling);
        let text = model.tokenizer.encode_lines(program.lines());
        let stem = model.fim.as_ref().and_then(|fim| fim.stem(&text));
        let Some(mut stem) = stem else { return };
        stem.truncate(context_len);
        if cx.settings.uses(Mechanism::Cache) {
            cx.begin_like(Role::Infilling, self.owner, &mut self.stem, &stem);
        }
        let model = cx.models.get_mut(Role::Infilling);
        let num_cached = common_prefix_len(model.engine.tokens(self.stem), &stem);
        let num_common = if cx.settings.uses(Mechanism::Cache) { num_cached } else { 0 };
        model.engine.truncate(self.stem, num_common);
        counts.reused += num_common;
        let tokens = stem.split_off(num_common);
        if !tokens.is_empty() {
            counts.infill_prefill += tokens.len();
            self.is_stem_running = true;
            let work = cx.work(self.stem, tokens, Vec::new(), None);
            cx.order(Role::Infilling, Slot::Stem, work);
        }
    }

    /// The stem's order is done.
    pub fn absorb_stem(&mut self) {
        self.is_stem_running = false;
    }

    /// The stem.
    pub fn stem(&self) -> SequenceId {
        self.stem
    }

    /// Is nothing under way?
    pub fn is_finished(&self) -> bool {
        let is_written = |branch: &Branch| branch.writer.end().is_some();
        !self.is_stem_running && self.branches.iter().all(is_written)
    }

    /// Does the stem hold all that the prompts of `positions` share with it?
    pub fn is_stem_ready(
        &self,
        program: &Program,
        positions: &[ChosenPosition],
        models: &Models,
    ) -> bool {
        let Some(last) = positions.last().filter(|_| self.is_stem_running) else { return true };
        let model = models.get(Role::Infilling);
        let prefix = model.tokenizer.encode_lines(&program.lines()[..last.position]);
        let stem = model.fim.as_ref().and_then(|fim| fim.stem(&prefix));
        let held = model.engine.tokens(self.stem);
        // The last token before the position may be another one in the whole text.
        let is_shared = |stem: Vec<TokenId>| common_prefix_len(held, &stem) < held.len();
        stem.is_none_or(|stem| held.starts_with(&stem) || is_shared(stem))
    }

    /// Begins the branches of a round.
    pub fn begin(&mut self, gaps: &Gaps<'_>, counts: &mut TokenCounts, cx: &mut Context<'_>) {
        self.allow_functions = gaps.allow_functions;
        let old = std::mem::take(&mut self.branches);
        let drafts =
            if cx.settings.uses(Mechanism::Drafts) { drafts(&old) } else { HashMap::new() };
        let ask = |chosen: &ChosenPosition| question(gaps, chosen.position, &drafts, cx.models);
        let questions: Vec<Question> = gaps.positions.iter().map(ask).collect();
        let max_prompt_len = max_prompt_len(&questions, cx);
        for (branch_idx, question) in questions.into_iter().enumerate() {
            let branch = self.begin_branch(branch_idx, question, max_prompt_len, counts, cx);
            self.branches.push(branch);
        }
    }

    /// Finds a sequence for the prompt and orders the rest of it.
    fn begin_branch(
        &self,
        branch_idx: usize,
        question: Question,
        max_prompt_len: usize,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) -> Branch {
        let Question { position, prefix, prompt, mut draft, recorded } = question;
        let writer = LineWriter::default();
        let banned = self.language.banned_infills();
        let banned = cx.models.get_mut(Role::Infilling).beginning_with(banned);
        let (sequence, draft_len) = (None, 0);
        let mut branch = Branch { position, sequence, prefix, writer, draft_len, banned, recorded };
        if prompt.len() > max_prompt_len {
            branch.writer.cut();
            return branch;
        }
        let (sequence, start) = self.sequence_for(&prompt, cx);
        branch.sequence = Some(sequence);
        draft.truncate((max_prompt_len - prompt.len()).min(cx.max_draft_len(Role::Infilling)));
        branch.draft_len = draft.len();
        counts.reused += start;
        counts.infill_prefill += prompt.len() - start;
        counts.verify += draft.len();
        branch.order(branch_idx, [&prompt[start..], &draft].concat(), cx);
        branch
    }

    /// A sequence that begins like `prompt`, and how far it does, but for the last token, which
    /// must be run. The branch of the last round at this position is taken over; from anything else
    /// a fork is made, if it may.
    fn sequence_for(&self, prompt: &[TokenId], cx: &mut Context<'_>) -> (SequenceId, usize) {
        let can_fork = cx.settings.uses(Mechanism::Fork);
        let model = cx.models.get_mut(Role::Infilling);
        let engine = model.engine.as_mut();
        let shared = common_prefix_len(engine.tokens(self.stem), prompt);
        let stem_len = if can_fork { shared } else { 0 };
        let found = model.idle.longest_match(self.owner.family, prompt, engine);
        match found.filter(|found| found.len > stem_len) {
            Some(found) if found.owner == self.owner => {
                let (sequence, start) = (model.idle.take(found), found.len.min(prompt.len() - 1));
                engine.truncate(sequence, start);
                (sequence, start)
            }
            Some(found) if can_fork => {
                let start = found.len.min(prompt.len() - 1);
                (model.idle.fork_at(found, start, engine), start)
            }
            _ if can_fork => (engine.fork_at(self.stem, stem_len), stem_len),
            _ => (engine.new_sequence(), 0),
        }
    }

    /// Takes the outcome of a branch's last order; orders its next token while it goes on.
    pub fn absorb(
        &mut self,
        branch_idx: usize,
        outcome: &Outcome,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) {
        let Self { branches, language, allow_functions, owner, .. } = self;
        let branch = &mut branches[branch_idx];
        let next = outcome.next.as_ref().expect("it was ordered");
        counts.wasted += branch.draft_len - next.accepted.len();
        branch.draft_len = 0;
        let model = cx.models.get(Role::Infilling);
        for chosen in next.accepted.iter().chain([&next.chosen]) {
            if branch.writer.end().is_some() {
                break;
            }
            let is_complete = |text: &str| is_complete(text, *allow_functions, *language);
            let max_tokens = cx.settings.max_line_tokens;
            let (tokenizer, end_tokens) = (&model.tokenizer, &model.infill_end_tokens);
            branch.writer.push(*chosen, tokenizer, end_tokens, max_tokens, is_complete);
        }
        let sequence = branch.sequence.expect("it is in progress");
        if model.engine.tokens(sequence).len() + 1 > model.engine.size().context_len {
            branch.writer.cut();
        }
        if branch.writer.end().is_none() {
            counts.infill_decode += 1;
            branch.order(branch_idx, vec![next.chosen.token], cx);
        } else {
            branch.finish(*owner, cx.settings, cx.models);
        }
    }

    /// What was found, in the order of the positions.
    pub fn infills(&self) -> Vec<Infill> {
        let text = |branch: &Branch| {
            let text = branch.writer.text();
            let text = text.trim_start_matches('\n');
            if self.allow_functions && self.language.takes_lines(text) {
                return text.to_owned();
            }
            text.split_inclusive('\n').next().unwrap_or_default().to_owned()
        };
        let infill = |branch: &Branch| Infill {
            position: branch.position,
            text: text(branch),
            decoded: Decoded::of(&branch.writer),
        };
        self.branches.iter().map(infill).collect()
    }

    /// Gives all blocks back; the round is begun again in time. What was written stays as drafts.
    pub fn suspend(&mut self, models: &mut Models) {
        let model = models.get_mut(Role::Infilling);
        for branch in &mut self.branches {
            if let Some(sequence) = branch.sequence.take() {
                model.engine.release(sequence);
            }
        }
        model.idle.release(|owner| owner == self.owner, model.engine.as_mut());
        model.engine.truncate(self.stem, 0);
        self.is_stem_running = false;
    }

    /// Gives all sequences back but the idle ones.
    pub fn release(self, models: &mut Models) {
        let engine = &mut models.get_mut(Role::Infilling).engine;
        engine.release(self.stem);
        for sequence in self.branches.into_iter().filter_map(|branch| branch.sequence) {
            engine.release(sequence);
        }
    }
}

impl Branch {
    /// Runs `tokens`, which end in the draft.
    fn order(&self, branch_idx: usize, tokens: Vec<TokenId>, cx: &mut Context<'_>) {
        let num_written = self.writer.tokens().len();
        let end_tokens = &cx.models.get(Role::Infilling).infill_end_tokens;
        let recorded = self.recorded.as_ref();
        let forced = recorded.map(|recorded| recorded.tokens_from(num_written, end_tokens));
        let next = NextToken {
            draft_len: self.draft_len,
            banned: self.banned.clone(),
            forced: forced.unwrap_or_default(),
            ..NextToken::greedy()
        };
        let sequence = self.sequence.expect("it is in progress");
        let work = cx.work(sequence, tokens, Vec::new(), Some(next));
        cx.order(Role::Infilling, Slot::Branch(branch_idx), work);
    }

    /// The infill is there: its sequence may serve the next round.
    fn finish(&mut self, owner: Owner, settings: &Settings, models: &mut Models) {
        let Some(sequence) = self.sequence.take() else { return };
        let model = models.get_mut(Role::Infilling);
        if settings.uses(Mechanism::Branches) {
            // One for each position: a position that lost its place hardly ever comes back.
            model.idle.keep(owner, sequence, settings.num_positions, model.engine.as_mut());
        } else {
            model.engine.release(sequence);
        }
    }
}

/// The last round's infills by the text before them. An infill that ended with its newline is
/// verified without it: the newline is then what the model says next.
fn drafts(branches: &[Branch]) -> HashMap<&str, Vec<TokenId>> {
    let draft = |branch: &Branch| {
        let tokens: Vec<_> = branch.writer.tokens().iter().map(|chosen| chosen.token).collect();
        let is_whole = branch.writer.end() == Some(LineEnd::EndOfText);
        tokens[..tokens.len() - usize::from(!is_whole && !tokens.is_empty())].to_vec()
    };
    branches.iter().map(|branch| (branch.prefix.as_str(), draft(branch))).collect()
}

/// A text with a newline is complete, except for one that takes lines and may still go on.
fn is_complete(text: &str, allow_functions: bool, language: &'static dyn Language) -> bool {
    let takes_lines = allow_functions && language.takes_lines(text);
    !takes_lines || language.function_len(text).is_some()
}

fn question(
    gaps: &Gaps<'_>,
    position: usize,
    drafts: &HashMap<&str, Vec<TokenId>>,
    models: &Models,
) -> Question {
    let model = models.get(Role::Infilling);
    let (before, after) = gaps.program.lines().split_at(position);
    let prefix: String = before.iter().map(AsRef::as_ref).collect();
    let fim = model.fim.as_ref().expect("the infilling model was checked to have a template");
    let tokenizer = &model.tokenizer;
    let prompt = fim.prompt(&tokenizer.encode_lines(before), &tokenizer.encode_continuation(after));
    let draft = drafts.get(prefix.as_str()).cloned().unwrap_or_default();
    let recorded = gaps.recorded.iter().find(|infill| infill.position == position);
    let recorded = recorded.map(|infill| infill.decoded.clone());
    Question { position, prefix, prompt, draft, recorded }
}

/// Tokens that a prompt may have to be asked. The reference asks none of a round's prompts if one
/// of them reaches its limit.
fn max_prompt_len(questions: &[Question], cx: &Context<'_>) -> usize {
    let is_refused = |question: &Question| question.prompt.len() >= REFERENCE_CONTEXT_LEN;
    if cx.settings.reference_quirks && questions.iter().any(is_refused) {
        return 0;
    }
    cx.context_len(Role::Infilling)
}
