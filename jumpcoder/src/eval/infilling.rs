//! The infilling model by itself: it fills the gaps of HumanEval-Infilling, many in the same steps,
//! and each infill becomes a sample that is judged like any other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use jump_engine::{EngineError, EngineSize, NextToken, SequenceId, Work};
use jump_kernels::{BLOCK_LEN, ScoreKind, TokenId};

use super::suite::Exam;
use crate::models::ReadyModel;
use crate::program::line_writer::LineWriter;

/// How infills are written.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Gaps in the same steps.
    pub concurrency: usize,
    /// Tokens of an infill at most.
    pub max_tokens: usize,
}

/// A gap that is being filled.
struct Gap {
    exam_idx: usize,
    sequence: SequenceId,
    /// Tokens that are still to be run.
    pending: Vec<TokenId>,
    is_single_line: bool,
    writer: LineWriter,
}

/// Memory for the plan, with sequences of so many tokens.
pub fn size(plan: Plan, context_len: usize, max_rows: usize) -> EngineSize {
    let num_blocks = plan.concurrency.saturating_mul(context_len.div_ceil(BLOCK_LEN));
    EngineSize { max_rows, context_len, num_blocks, max_kv_bytes: None }
}

/// Fills the gaps of all exams. `hear` is told each infill as it ends, with the place of its exam;
/// a gap whose prompt has no room in the context gets none.
///
/// # Errors
///
/// A step that failed.
pub fn fill(
    model: &mut ReadyModel,
    exams: &[Exam],
    plan: Plan,
    stop: &AtomicBool,
    mut hear: impl FnMut(usize, String),
) -> Result<(), EngineError> {
    let mut waiting: VecDeque<usize> = (0..exams.len()).collect();
    let mut gaps: Vec<Gap> = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        while gaps.len() < plan.concurrency
            && let Some(exam_idx) = waiting.pop_front()
        {
            match Gap::begin(model, &exams[exam_idx], exam_idx) {
                Some(gap) => gaps.push(gap),
                None => hear(exam_idx, String::new()),
            }
        }
        if gaps.is_empty() {
            break;
        }
        step(model, &mut gaps, plan)?;
        for gap in gaps.extract_if(.., |gap| gap.writer.end().is_some()) {
            model.engine.release(gap.sequence);
            hear(gap.exam_idx, gap.text());
        }
    }
    for gap in gaps {
        model.engine.release(gap.sequence);
    }
    Ok(())
}

/// Runs as many tokens as there are rows, the oldest gap's first.
fn step(model: &mut ReadyModel, gaps: &mut [Gap], plan: Plan) -> Result<(), EngineError> {
    let mut num_rows = model.engine.size().max_rows;
    let mut work = Vec::new();
    for gap in gaps.iter() {
        let num_tokens = gap.pending.len().min(num_rows);
        if num_tokens == 0 {
            break;
        }
        num_rows -= num_tokens;
        let is_whole = num_tokens == gap.pending.len();
        work.push(Work {
            sequence: gap.sequence,
            tokens: gap.pending[..num_tokens].to_vec(),
            targets: Vec::new(),
            next: is_whole.then(NextToken::greedy),
            score: ScoreKind::Logit,
            full_head: false,
        });
    }
    let outcomes = model.engine.step(&work)?;
    for ((gap, work), outcome) in gaps.iter_mut().zip(&work).zip(outcomes) {
        gap.pending.drain(..work.tokens.len());
        if let Some(next) = outcome.next {
            gap.absorb(model, next.chosen, plan.max_tokens);
        }
    }
    Ok(())
}

impl Gap {
    fn begin(model: &mut ReadyModel, exam: &Exam, exam_idx: usize) -> Option<Self> {
        let prefix = model.tokenizer.encode_lines(&[&exam.prompt]);
        let suffix = model.tokenizer.encode_continuation(&[&exam.suffix]);
        let fim = model.fim.as_ref().expect("the model was checked to have a template");
        let pending = fim.prompt(&prefix, &suffix);
        let has_room = pending.len() < model.engine.size().context_len;
        has_room.then(|| Self {
            exam_idx,
            sequence: model.engine.new_sequence(),
            pending,
            is_single_line: exam.id.starts_with("SingleLine"),
            writer: LineWriter::default(),
        })
    }

    fn absorb(&mut self, model: &ReadyModel, chosen: jump_kernels::Chosen, max_tokens: usize) {
        let is_single_line = self.is_single_line;
        let (tokenizer, end_tokens) = (&model.tokenizer, &model.infill_end_tokens);
        self.writer.push(chosen, tokenizer, end_tokens, max_tokens, |_| is_single_line);
        if model.engine.tokens(self.sequence).len() + 1 > model.engine.size().context_len {
            self.writer.cut();
        }
        self.pending.push(chosen.token);
    }

    /// A line ends where the next one begins, whether the model said so or ended there.
    fn text(&self) -> String {
        if self.is_single_line { self.writer.first_line() + "\n" } else { self.writer.text() }
    }
}

/// Is an infill what the benchmark's authors took away, but for blanks at its end?
pub fn is_exact(exam: &Exam, infill: &str) -> bool {
    exam.canonical.as_ref().is_some_and(|canonical| canonical.trim_end() == infill.trim_end())
}
