//! I's side of a request: the k branches, each a sequence that holds one infill.
//!
//! Every prompt is `<PRE> prefix <SUF> suffix <MID>`. The *stem* is the sequence `<PRE>` program,
//! which a branch at position i shares up to line i. The branches of the last round stay until the
//! next ones are forked: each new branch is a fork of whatever sequence shares the longest prefix
//! with its prompt, so that a branch at the same position only runs the new line.

use std::collections::HashMap;

use jump_engine::{NextToken, Outcome, SequenceId, Work};
use jump_kernels::TokenId;

use crate::event::{ChosenPosition, Infill, TokenCounts};
use crate::language::{InfillKind, Language};
use crate::models::{Models, Role};
use crate::program::line_writer::{LineEnd, LineWriter};
use crate::program::{Program, common_prefix_len};
use crate::request::order::{Context, Slot};
use crate::settings::REFERENCE_CONTEXT_LEN;

/// One infill in progress.
struct Branch {
    position: usize,
    sequence: SequenceId,
    /// The program's text before the position.
    prefix: String,
    writer: LineWriter,
}

/// A prompt, and what is already known to answer it.
struct Question {
    position: usize,
    prefix: String,
    prompt: Vec<TokenId>,
    draft: Vec<TokenId>,
}

/// The stem and the branches.
pub struct Infilling {
    language: &'static dyn Language,
    stem: SequenceId,
    is_stem_running: bool,
    branches: Vec<Branch>,
    /// May infills be functions of several lines in this round?
    allow_functions: bool,
}

impl Infilling {
    /// No branches yet.
    pub fn new(language: &'static dyn Language, models: &mut Models) -> Self {
        let stem = models.get_mut(Role::Infilling).engine.new_sequence();
        let branches = Vec::new();
        Self { language, stem, is_stem_running: false, branches, allow_functions: false }
    }

    /// Brings the stem up to the program.
    pub fn extend_stem(
        &mut self,
        program: &Program,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) {
        let context_len = cx.context_len(Role::Infilling);
        let model = cx.models.get_mut(Role::Infilling);
        let text = model.tokenizer.encode_lines(program.lines());
        let stem = model.fim.as_ref().and_then(|fim| fim.stem(&text));
        let Some(mut stem) = stem else { return };
        stem.truncate(context_len);
        let num_common = common_prefix_len(model.engine.tokens(self.stem), &stem);
        model.engine.truncate(self.stem, num_common);
        counts.reused += num_common;
        let tokens = stem.split_off(num_common);
        if !tokens.is_empty() {
            counts.infill_prefill += tokens.len();
            self.is_stem_running = true;
            let score = cx.settings.score;
            let work = Work { sequence: self.stem, tokens, targets: Vec::new(), next: None, score };
            cx.order(Role::Infilling, Slot::Stem, work);
        }
    }

    /// The stem's order is done.
    pub fn absorb_stem(&mut self) {
        self.is_stem_running = false;
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
        stem.is_none_or(|stem| held.starts_with(&stem))
    }

    /// Begins the branches of `positions`.
    pub fn begin(
        &mut self,
        program: &Program,
        positions: &[ChosenPosition],
        allow_functions: bool,
        counts: &mut TokenCounts,
        cx: &mut Context<'_>,
    ) {
        self.allow_functions = allow_functions;
        let questions: Vec<Question> = {
            let drafts =
                if cx.settings.speculative_infilling { self.drafts() } else { HashMap::new() };
            let ask =
                |chosen: &ChosenPosition| question(program, chosen.position, &drafts, cx.models);
            positions.iter().map(ask).collect()
        };
        let max_prompt_len = max_prompt_len(&questions, cx);
        let old = std::mem::take(&mut self.branches);
        let mut sources: Vec<SequenceId> = old.iter().map(|branch| branch.sequence).collect();
        sources.push(self.stem);
        for (branch_idx, question) in questions.into_iter().enumerate() {
            let branch = begin_branch(branch_idx, question, &sources, max_prompt_len, counts, cx);
            self.branches.push(branch);
        }
        let engine = &mut cx.models.get_mut(Role::Infilling).engine;
        for branch in old {
            engine.release(branch.sequence);
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
        let Self { branches, language, allow_functions, .. } = self;
        let branch = &mut branches[branch_idx];
        let next = outcome.next.as_ref().expect("it was ordered");
        let model = cx.models.get(Role::Infilling);
        for chosen in next.accepted.iter().chain([&next.chosen]) {
            if branch.writer.end().is_some() {
                break;
            }
            let is_complete = |text: &str| is_complete(text, *allow_functions, *language);
            let max_tokens = cx.settings.max_line_tokens;
            let (tokenizer, end_tokens) = (&model.tokenizer, &model.end_tokens);
            branch.writer.push(*chosen, tokenizer, end_tokens, max_tokens, is_complete);
        }
        if model.engine.tokens(branch.sequence).len() + 1 > model.engine.size().context_len {
            branch.writer.cut();
        }
        if branch.writer.end().is_none() {
            counts.infill_decode += 1;
            let work = Work {
                sequence: branch.sequence,
                tokens: vec![next.chosen.token],
                targets: Vec::new(),
                next: Some(NextToken::greedy()),
                score: cx.settings.score,
            };
            cx.order(Role::Infilling, Slot::Branch(branch_idx), work);
        }
    }

    /// What was found, in the order of the positions.
    pub fn infills(&self) -> Vec<Infill> {
        let text = |branch: &Branch| {
            let text = branch.writer.text();
            let text = text.trim_start_matches('\n');
            if self.allow_functions && self.language.classify(text) == InfillKind::Function {
                return text.to_owned();
            }
            text.split_inclusive('\n').next().unwrap_or_default().to_owned()
        };
        let infill = |branch: &Branch| Infill { position: branch.position, text: text(branch) };
        self.branches.iter().map(infill).collect()
    }

    /// Gives all sequences back.
    pub fn release(self, models: &mut Models) {
        let engine = &mut models.get_mut(Role::Infilling).engine;
        engine.release(self.stem);
        for branch in self.branches {
            engine.release(branch.sequence);
        }
    }

    /// The last round's infills by the text before them. An infill that ended with its newline is
    /// verified without it: the newline is then what the model says next.
    fn drafts(&self) -> HashMap<&str, Vec<TokenId>> {
        let draft = |branch: &Branch| {
            let tokens: Vec<_> = branch.writer.tokens().iter().map(|chosen| chosen.token).collect();
            let is_whole = branch.writer.end() == Some(LineEnd::EndOfText);
            tokens[..tokens.len() - usize::from(!is_whole && !tokens.is_empty())].to_vec()
        };
        self.branches.iter().map(|branch| (branch.prefix.as_str(), draft(branch))).collect()
    }
}

/// A text with a newline is complete, except for a function that may still go on.
fn is_complete(text: &str, allow_functions: bool, language: &dyn Language) -> bool {
    let is_function = allow_functions && language.classify(text) == InfillKind::Function;
    !is_function || language.function_len(text).is_some()
}

fn question(
    program: &Program,
    position: usize,
    drafts: &HashMap<&str, Vec<TokenId>>,
    models: &Models,
) -> Question {
    let model = models.get(Role::Infilling);
    let (before, after) = program.lines().split_at(position);
    let prefix: String = before.iter().map(AsRef::as_ref).collect();
    let fim = model.fim.as_ref().expect("the infilling model was checked to have a template");
    let encode = |lines| model.tokenizer.encode_lines(lines);
    let prompt = fim.prompt(&encode(before), &encode(after));
    let draft = drafts.get(prefix.as_str()).cloned().unwrap_or_default();
    Question { position, prefix, prompt, draft }
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

/// Forks the source that shares most with the prompt and orders the rest of it.
fn begin_branch(
    branch_idx: usize,
    question: Question,
    sources: &[SequenceId],
    max_prompt_len: usize,
    counts: &mut TokenCounts,
    cx: &mut Context<'_>,
) -> Branch {
    let Question { position, prefix, prompt, mut draft } = question;
    let engine = &mut cx.models.get_mut(Role::Infilling).engine;
    let shared = |source: &SequenceId| common_prefix_len(engine.tokens(*source), &prompt);
    let source = *sources.iter().max_by_key(|source| shared(source)).expect("there is the stem");
    let start = shared(&source).min(prompt.len() - 1);
    let mut branch = Branch {
        position,
        sequence: engine.fork_at(source, start),
        prefix,
        writer: LineWriter::default(),
    };
    if prompt.len() > max_prompt_len {
        branch.writer.cut();
        return branch;
    }
    draft.truncate(max_prompt_len - prompt.len());
    counts.reused += start;
    counts.infill_prefill += prompt.len() - start;
    counts.verify += draft.len();
    let next = NextToken { draft_len: draft.len(), ..NextToken::greedy() };
    let work = Work {
        sequence: branch.sequence,
        tokens: [&prompt[start..], &draft].concat(),
        targets: Vec::new(),
        next: Some(next),
        score: cx.settings.score,
    };
    cx.order(Role::Infilling, Slot::Branch(branch_idx), work);
    branch
}
