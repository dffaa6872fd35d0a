//! Hears a schedule and compares it with what each task gives alone, round by round.

use std::rc::Rc;
use std::sync::Arc;

use jumpcoder::event::{Change, Judge, Round, TokenCounts};
use jumpcoder::task::{Observer, Solution, TaskError};

use super::coverage::Coverage;
use super::script::Script;

/// What came of a task alone.
pub struct Alone {
    pub rounds: Arc<[Round]>,
    pub result: Result<Solution, TaskError>,
}

/// What was heard of a task.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub has_started: bool,
    pub is_cancelled: bool,
    pub num_rounds: usize,
    pub result: Option<Result<Solution, TaskError>>,
}

/// What was heard so far.
pub struct Heard<'a> {
    pub alone: &'a [Rc<Alone>],
    pub tasks: Vec<Told>,
    pub coverage: &'a mut Coverage,
    script: &'a Script,
    /// Tasks in the order in which they began.
    begun: Vec<usize>,
}

impl<'a> Heard<'a> {
    /// Nothing was heard so far. `script` is G's.
    pub fn new(alone: &'a [Rc<Alone>], script: &'a Script, coverage: &'a mut Coverage) -> Self {
        let tasks = vec![Told::default(); alone.len()];
        Self { alone, tasks, coverage, script, begun: Vec::new() }
    }

    /// The last task to begin of those that haven't ended.
    pub fn youngest(&self) -> Option<usize> {
        self.begun.iter().rev().copied().find(|task| self.tasks[*task].result.is_none())
    }

    /// Checks the results so far. Where blocks are too few for a task, it `may_starve`.
    pub fn check_ends(&self, num_submitted: usize, may_starve: bool) {
        for (task_idx, told) in self.tasks.iter().enumerate() {
            let Some(result) = &told.result else { continue };
            assert!(task_idx < num_submitted, "task {task_idx} was never handed in");
            if told.is_cancelled {
                assert_eq!(*result, Err(TaskError::Cancelled), "task {task_idx}");
            } else if !(may_starve && matches!(result, Err(TaskError::OutOfBlocks { .. }))) {
                check_result(task_idx, result, &self.alone[task_idx]);
                let num_rounds = self.alone[task_idx].rounds.len();
                assert_eq!(told.num_rounds, num_rounds, "task {task_idx} has all its rounds");
            }
        }
    }

    fn count_round(&mut self, round: &Round) {
        let (coverage, script) = (&mut *self.coverage, self.script);
        if let Change::Append { line } = &round.change {
            let own = script.vocabulary.tokenizer.encode(line);
            let is_own = own.iter().map(|token| token.0).eq(round.decoded.tokens.iter().copied());
            coverage.add_if(!is_own, "line in other tokens");
            let has_lead = round.decoded.num_lead_bytes > 0;
            coverage.add_if(has_lead, "line whose lead was written again");
            let strays = script.vocabulary.tokenizer.num_settled(&own) < own.len() && !has_lead;
            coverage.add_if(strays, "line that strays from its lead");
        }
        if let Change::Insert { lines, num_dropped, by, .. } = &round.change {
            let is_by_ast = *by == Judge::Ast;
            coverage.add_if(is_by_ast, "inserted by the syntax tree");
            coverage.add_if(!is_by_ast, "inserted by scores");
            coverage.add_if(lines.len() > 1, "inserted function of several lines");
            coverage.add_if(*num_dropped > 0, "insertion that drops lines");
            let has_gone_on = round.tokens.decode > round.decoded.tokens.len() + 1;
            coverage.add_if(has_gone_on, "dropped look-ahead");
        }
        let is_nearly = |deltas: &[Option<f64>]| deltas.iter().flatten().count() > 2;
        let rejected = round.candidates.iter().filter(|candidate| !candidate.accepted);
        let nearly = rejected.filter(|candidate| is_nearly(&candidate.deltas));
        coverage.add("candidate rejected after improved lines", nearly.count());
        // Every text here has more than one token, which a first round runs unless they are there.
        let is_prompt_there = round.round == 0 && round.tokens.prefill == 0;
        coverage.add_if(is_prompt_there, "shared prompt");
    }

    fn count_result(&mut self, result: &Result<Solution, TaskError>) {
        let what = match result {
            Ok(Solution { kept_ar: Some(true), .. }) => "kept the plain program",
            Ok(_) => "solution",
            Err(TaskError::EmptyPrompt) => "failed by itself: blank",
            Err(TaskError::PromptTooLong { .. }) => "failed by itself: too long",
            Err(TaskError::TooManyLines { .. }) => "failed by itself: too many lines",
            Err(TaskError::UnknownLanguage { .. }) => "failed by itself: unknown language",
            Err(TaskError::Cancelled) => return,
            Err(TaskError::OutOfBlocks { .. }) => "failed by itself: more blocks than there are",
            Err(error) => panic!("no task should end with: {error}"),
        };
        self.coverage.add(what, 1);
    }
}

impl Observer for Heard<'_> {
    fn started(&mut self, task: usize, _lines: &[String]) {
        assert!(!std::mem::replace(&mut self.tasks[task].has_started, true), "task {task} again");
        self.begun.push(task);
    }

    fn round(&mut self, task: usize, round: &Round) {
        let told = &mut self.tasks[task];
        assert!(told.has_started && told.result.is_none(), "task {task} is not in flight");
        let alone = self.alone[task].rounds.get(told.num_rounds);
        let alone = alone.unwrap_or_else(|| panic!("task {task} goes on after its end"));
        assert_eq!(comparable(round), comparable(alone), "task {task}, beside the one alone");
        told.num_rounds += 1;
        self.count_round(round);
    }

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        let before = self.tasks[task].result.replace(result.clone());
        assert!(before.is_none(), "task {task} ended twice: {before:?}, {result:?}");
        self.count_result(result);
    }
}

/// A round without what it cost.
fn comparable(round: &Round) -> Round {
    Round { tokens: TokenCounts::default(), seconds: 0.0, ..round.clone() }
}

fn check_result(task_idx: usize, result: &Result<Solution, TaskError>, alone: &Alone) {
    match (result, &alone.result) {
        (Ok(found), Ok(alone)) => {
            let comparable = |solution: &Solution| {
                let Solution { program, completion, insertions, num_rounds, kept_ar, .. } =
                    solution.clone();
                (program, completion, insertions, num_rounds, kept_ar)
            };
            assert_eq!(comparable(found), comparable(alone), "task {task_idx}");
            assert!(found.tokens.wasted <= found.tokens.num_run(), "{:?}", found.tokens);
        }
        (found, alone) => assert_eq!(found, alone, "task {task_idx}"),
    }
}
