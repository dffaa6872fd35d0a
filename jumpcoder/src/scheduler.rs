//! Many tasks in flight: their orders run together, in steps of bounded size.
//!
//! Orders wait in one queue, first come, first served. An order that is longer than a chunk, or
//! than what is left of a step, runs in parts. None of this can change a result, because the
//! models' arithmetic doesn't depend on what runs beside a row.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use jump_engine::{EngineError, Outcome, Work};

use crate::models::{Models, Role};
use crate::request::order::{Context, Order, Slot};
use crate::request::writing::{Progress, Writing};
use crate::settings::Settings;
use crate::task::{Observer, Solution, Task, TaskError};

/// How much runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    /// Tasks in flight.
    pub concurrency: usize,
    /// Tokens of one order in one step.
    pub chunk_len: usize,
}

/// An order, or the rest of one, with the scores of the parts that have run.
struct Pending {
    active_idx: usize,
    slot: Slot,
    role: Role,
    work: Work,
    scores: Vec<f32>,
}

struct Active {
    task_idx: usize,
    writing: Writing,
}

/// Runs tasks.
pub struct Scheduler<'a> {
    models: &'a mut Models,
    settings: &'a Settings,
    width: Width,
    /// A task's place stays the same while it is in flight.
    active: Vec<Option<Active>>,
    queue: VecDeque<Pending>,
}

impl<'a> Scheduler<'a> {
    /// Nothing in flight.
    pub fn new(models: &'a mut Models, settings: &'a Settings, width: Width) -> Self {
        let active = (0..width.concurrency).map(|_| None).collect();
        Self { models, settings, width, active, queue: VecDeque::new() }
    }

    /// Runs all tasks, or until `stop` is set; then those in flight are dropped.
    ///
    /// # Errors
    ///
    /// A step that failed.
    pub fn run(
        &mut self,
        tasks: &[Task],
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(), EngineError> {
        let mut waiting = tasks.iter().enumerate();
        let result = loop {
            if stop.load(Ordering::Relaxed) {
                break Ok(());
            }
            self.admit(&mut waiting, observer);
            if self.queue.is_empty() {
                break Ok(());
            }
            let stepped = self
                .step(Role::Generation, observer)
                .and_then(|()| self.step(Role::Infilling, observer));
            if stepped.is_err() {
                break stepped;
            }
        };
        self.release_all();
        result
    }

    /// Begins waiting tasks while there is a place for them.
    fn admit<'t>(
        &mut self,
        waiting: &mut impl Iterator<Item = (usize, &'t Task)>,
        observer: &mut dyn Observer,
    ) {
        while let Some(active_idx) = self.active.iter().position(Option::is_none) {
            let Some((task_idx, task)) = waiting.next() else { return };
            let mut orders = Vec::new();
            let mut cx =
                Context { models: self.models, settings: self.settings, orders: &mut orders };
            match Writing::begin(task, &mut cx) {
                Ok(mut writing) => {
                    observer.started(task_idx, &writing.prompt_lines());
                    let solution = writing.go_on(&mut cx);
                    self.active[active_idx] = Some(Active { task_idx, writing });
                    self.take_orders(active_idx, orders);
                    self.finish(active_idx, solution, observer);
                }
                Err(error) => observer.finished(task_idx, &Err(error)),
            }
        }
    }

    fn take_orders(&mut self, active_idx: usize, orders: Vec<Order>) {
        let pending = orders.into_iter().map(|Order { slot, role, work }| Pending {
            active_idx,
            slot,
            role: self.effective(role),
            work,
            scores: Vec::new(),
        });
        self.queue.extend(pending.collect::<Vec<_>>());
    }

    /// If G is also I, all run in G's steps.
    fn effective(&self, role: Role) -> Role {
        if self.models.infilling.is_some() { role } else { Role::Generation }
    }

    /// Runs what waits for one model, as much as a step holds.
    fn step(&mut self, role: Role, observer: &mut dyn Observer) -> Result<(), EngineError> {
        let (running, parts) = self.fill_step(role);
        if parts.is_empty() {
            return Ok(());
        }
        let outcomes = self.models.get_mut(role).engine.step(&parts)?;
        for (running, outcome) in running.into_iter().zip(outcomes) {
            self.deliver(running, outcome, observer);
        }
        Ok(())
    }

    /// Takes from the queue what fits into a step: orders with the part of each that runs now.
    fn fill_step(&mut self, role: Role) -> (Vec<Running>, Vec<Work>) {
        let mut num_free = self.models.get(role).engine.size().max_rows;
        let (mut running, mut parts) = (Vec::new(), Vec::new());
        let mut skipped = VecDeque::new();
        while let Some(mut pending) = self.queue.pop_front() {
            let limit = num_free.min(self.width.chunk_len);
            if pending.role != role || limit == 0 {
                skipped.push_back(pending);
                continue;
            }
            let part = next_part(&mut pending.work, limit, num_free);
            let Some((part, has_rest)) = part else {
                skipped.push_back(pending);
                continue;
            };
            num_free -= part.tokens.len();
            parts.push(part);
            running.push(Running { pending, has_rest });
        }
        self.queue = skipped;
        (running, parts)
    }

    /// Gives an order's outcome to its task, or puts the rest of the order back in front.
    fn deliver(&mut self, running: Running, outcome: Outcome, observer: &mut dyn Observer) {
        let Running { mut pending, has_rest } = running;
        pending.scores.extend(outcome.scores);
        if has_rest {
            self.queue.push_front(pending);
            return;
        }
        let outcome = Outcome { scores: pending.scores, next: outcome.next };
        let active = self.active[pending.active_idx].as_mut().expect("it has an order");
        let mut orders = Vec::new();
        let mut cx = Context { models: self.models, settings: self.settings, orders: &mut orders };
        let Progress { round, solution } = active.writing.absorb(pending.slot, &outcome, &mut cx);
        if let Some(round) = round {
            observer.round(active.task_idx, &round);
        }
        self.take_orders(pending.active_idx, orders);
        self.finish(pending.active_idx, solution, observer);
    }

    /// Makes place for another task if this one has its solution.
    fn finish(
        &mut self,
        active_idx: usize,
        solution: Option<Solution>,
        observer: &mut dyn Observer,
    ) {
        let Some(solution) = solution else { return };
        let active = self.active[active_idx].take().expect("it has just ended");
        active.writing.release(self.models);
        observer.finished(active.task_idx, &Ok::<_, TaskError>(solution));
    }

    fn release_all(&mut self) {
        self.queue.clear();
        for active in self.active.iter_mut().filter_map(Option::take) {
            active.writing.release(self.models);
        }
    }
}

/// An order of which a part runs in this step.
struct Running {
    pending: Pending,
    has_rest: bool,
}

/// Takes the next part off `work`: at most `limit` tokens of what may be split, and never more than
/// `num_free`. `None` if what can't be split is too long for this step.
fn next_part(work: &mut Work, limit: usize, num_free: usize) -> Option<(Work, bool)> {
    let front_len = work.max_front_len();
    let num_tokens = work.tokens.len();
    if num_tokens <= limit {
        return Some((work.clone(), false));
    }
    if front_len > 0 {
        return Some((work.split_front(front_len.min(limit)), true));
    }
    (num_tokens <= num_free).then(|| (work.clone(), false))
}
