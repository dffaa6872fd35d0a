//! Many tasks in flight: their orders run together, in steps of bounded size.
//!
//! Orders wait in one queue, first come, first served. An order that is longer than a chunk, or
//! than what is left of a step, runs in parts. Blocks are given out in the order of the queue; when
//! they run short, idle sequences go first, then orders wait, and if none can run, the youngest
//! task is put off and later begins its round again. No new task begins while an order waits for
//! blocks, so the oldest task always gets through.
//!
//! None of this can change a result, because the models' arithmetic doesn't depend on what runs
//! beside a row. The scheduler knows models only as [`LanguageModel`](jump_engine::LanguageModel)s.

mod family;
mod memory;
mod pending;
mod stats;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jump_engine::{EngineError, Outcome, Work};

pub use self::stats::RunStats;

use self::family::Families;
use self::pending::{Pending, Running};
use crate::event::Round;
use crate::idle::Owner;
use crate::mechanism::Mechanism;
use crate::models::{Models, Role};
use crate::request::order::{Context, Order, Part};
use crate::request::writing::{Assignment, Progress, Writing};
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

/// A task as it is handed in.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What the observer hears of it by.
    pub task_idx: usize,
    /// The task.
    pub task: Task,
    /// The rounds of a recorded run, to do as they did.
    pub recorded: Option<Arc<[Round]>>,
}

impl Submission {
    /// All of `tasks`, each by its place.
    pub fn all(tasks: &[Task]) -> Vec<Self> {
        let submit = |(task_idx, task): (usize, &Task)| Self {
            task_idx,
            task: task.clone(),
            recorded: None,
        };
        tasks.iter().enumerate().map(submit).collect()
    }
}

/// A task in flight.
struct Active {
    task_idx: usize,
    family: u64,
    /// Tasks that were begun before it.
    age: u64,
    writing: Writing,
}

enum Waiting {
    New(Submission),
    /// Put off for want of blocks.
    Suspended(Box<Active>),
}

/// Runs tasks.
pub struct Scheduler<'a> {
    models: &'a mut Models,
    settings: &'a Settings,
    width: Width,
    waiting: VecDeque<Waiting>,
    /// A task's place stays the same while it is in flight.
    active: Vec<Option<Active>>,
    queue: VecDeque<Pending>,
    families: Families,
    num_begun: u64,
    /// Does an order wait for blocks, of either model?
    is_short: bool,
    stats: RunStats,
}

impl<'a> Scheduler<'a> {
    /// Nothing in flight.
    pub fn new(models: &'a mut Models, settings: &'a Settings, width: Width) -> Self {
        assert!(width.concurrency > 0, "with no task in flight, none would ever end");
        Self {
            models,
            settings,
            width,
            waiting: VecDeque::new(),
            active: (0..width.concurrency).map(|_| None).collect(),
            queue: VecDeque::new(),
            families: Families::default(),
            num_begun: 0,
            is_short: false,
            stats: RunStats::default(),
        }
    }

    /// Runs all tasks, or until `stop` is set; then those in flight are dropped.
    ///
    /// # Errors
    ///
    /// A step that failed.
    pub fn run(
        mut self,
        tasks: Vec<Submission>,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<RunStats, EngineError> {
        for task in tasks {
            self.submit(task);
        }
        while !self.is_finished() && !stop.load(Ordering::Relaxed) {
            self.step(observer)?;
        }
        Ok(self.stats())
    }

    /// Lets a task wait for its turn.
    pub fn submit(&mut self, task: Submission) {
        self.families.join(task.task.family());
        self.waiting.push_back(Waiting::New(task));
    }

    /// Ends a task that hasn't ended yet: the observer hears of it as [`TaskError::Cancelled`].
    /// `false` if there is no such task.
    pub fn cancel(&mut self, task_idx: usize, observer: &mut dyn Observer) -> bool {
        let is_it =
            |active: &Option<Active>| active.as_ref().is_some_and(|a| a.task_idx == task_idx);
        if let Some(active_idx) = self.active.iter().position(is_it) {
            self.end(active_idx, &Err(TaskError::Cancelled), observer);
            return true;
        }
        let place = self.waiting.iter().position(|waiting| waiting.task_idx() == task_idx);
        let Some(waiting) = place.and_then(|place| self.waiting.remove(place)) else {
            return false;
        };
        let family = waiting.family();
        if let Waiting::Suspended(active) = waiting {
            active.writing.release(self.models);
        }
        self.leave_family(family, task_idx);
        observer.finished(task_idx, &Err(TaskError::Cancelled));
        true
    }

    /// Have all tasks ended?
    pub fn is_finished(&self) -> bool {
        self.waiting.is_empty() && self.active.iter().all(Option::is_none)
    }

    /// What the run took so far.
    pub fn stats(&self) -> RunStats {
        self.stats
    }

    /// Begins tasks that wait, as many as fit, and runs one step of each model.
    ///
    /// # Errors
    ///
    /// A step that failed. It has changed nothing, and may be tried again.
    pub fn step(&mut self, observer: &mut dyn Observer) -> Result<(), EngineError> {
        self.admit(observer);
        self.is_short = false;
        let mut num_works = 0;
        for role in self.roles() {
            num_works += self.step_model(role, observer)?;
        }
        if num_works == 0 && !self.queue.is_empty() {
            self.make_room(observer);
        }
        Ok(())
    }

    /// Begins waiting tasks while there is a place for them.
    fn admit(&mut self, observer: &mut dyn Observer) {
        while let Some(active_idx) = self.active.iter().position(Option::is_none) {
            let may_begin = |waiting: &Waiting| self.families.may_begin(waiting.family());
            let Some(place) = self.waiting.iter().position(may_begin) else { return };
            if !self.has_room_for(&self.waiting[place]) {
                return;
            }
            match self.waiting.remove(place).expect("it was just found") {
                Waiting::New(submission) => self.begin(active_idx, submission, observer),
                Waiting::Suspended(active) => self.resume(active_idx, *active, observer),
            }
        }
    }

    fn begin(&mut self, active_idx: usize, submission: Submission, observer: &mut dyn Observer) {
        let Submission { task_idx, task, recorded } = submission;
        let family = task.family();
        let age = self.num_begun;
        self.num_begun += 1;
        let assignment = Assignment {
            owner: Owner { family, request: Some(age) },
            has_kin: self.families.is_shared(family),
            scores: self.families.begin(family, task_idx),
            recorded,
        };
        let mut orders = Vec::new();
        let mut cx = Context { models: self.models, settings: self.settings, orders: &mut orders };
        match Writing::begin(&task, assignment, &mut cx) {
            Ok(mut writing) => {
                observer.started(task_idx, &writing.prompt_lines());
                let progress = writing.go_on(&mut cx);
                self.active[active_idx] = Some(Active { task_idx, family, age, writing });
                self.take(active_idx, orders, progress, observer);
            }
            Err(error) => {
                self.leave_family(family, task_idx);
                observer.finished(task_idx, &Err(error));
            }
        }
    }

    fn resume(&mut self, active_idx: usize, mut active: Active, observer: &mut dyn Observer) {
        let mut orders = Vec::new();
        let mut cx = Context { models: self.models, settings: self.settings, orders: &mut orders };
        let progress = active.writing.resume(&mut cx);
        self.active[active_idx] = Some(active);
        self.take(active_idx, orders, progress, observer);
    }

    /// Runs what waits for one model, as much as a step holds; gives the number of works.
    fn step_model(
        &mut self,
        role: Role,
        observer: &mut dyn Observer,
    ) -> Result<usize, EngineError> {
        let (running, works) = self.fill_step(role);
        if works.is_empty() {
            return Ok(0);
        }
        let outcomes = match self.models.get_mut(role).engine.step(&works) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                // As if it had not been tried.
                for running in running.into_iter().rev() {
                    self.queue.push_front(running.pending);
                }
                return Err(error);
            }
        };
        self.count(&works);
        let num_works = works.len();
        for (running, outcome) in running.into_iter().zip(outcomes) {
            self.deliver(running, outcome, observer);
        }
        Ok(num_works)
    }

    /// Takes from the queue what fits into a step: orders with the part of each that runs now.
    fn fill_step(&mut self, role: Role) -> (Vec<Running>, Vec<Work>) {
        let mut num_free = self.models.get(role).engine.size().max_rows;
        let mut num_blocks = 0;
        let (mut running, mut works): (Vec<Running>, Vec<Work>) = (Vec::new(), Vec::new());
        let mut skipped = VecDeque::new();
        while let Some(pending) = self.queue.pop_front() {
            if !self.wants(&pending) {
                continue;
            }
            let may_join = running.first().is_none_or(|first| self.may_join(first, &pending));
            let limit = num_free.min(self.width.chunk_len);
            let len = pending.next_len(limit, num_free).filter(|_| limit > 0 && may_join);
            let Some(num_tokens) = len.filter(|_| pending.role == role) else {
                skipped.push_back(pending);
                continue;
            };
            let Some(needed) = self.reserve(&pending, num_tokens, num_blocks) else {
                self.is_short = true;
                skipped.push_back(pending);
                continue;
            };
            num_blocks += needed;
            num_free -= num_tokens;
            works.push(pending.part(num_tokens));
            running.push(Running { pending, num_tokens });
        }
        self.queue = skipped;
        (running, works)
    }

    /// May an order run in the same step as `first`?
    fn may_join(&self, first: &Running, other: &Pending) -> bool {
        let part =
            |pending: &Pending| -> (usize, Part) { (pending.active_idx, pending.slot.part()) };
        let is_alike = part(&first.pending) == part(other);
        let uses = |mechanism| self.settings.uses(mechanism);
        uses(Mechanism::Batch) && (uses(Mechanism::Overlap) || is_alike)
    }

    /// Gives an order's outcome to its task, or puts the rest of the order back in front.
    fn deliver(&mut self, running: Running, outcome: Outcome, observer: &mut dyn Observer) {
        let active_idx = running.pending.active_idx;
        if !self.wants(&running.pending) {
            if let Some(active) = &mut self.active[active_idx] {
                active.writing.count_unwanted(running.num_tokens);
            }
            return;
        }
        let has_rest = running.has_rest();
        let mut pending = if has_rest { running.into_rest() } else { running.pending };
        pending.scores.extend(outcome.scores);
        if has_rest {
            self.queue.push_front(pending);
            return;
        }
        let outcome = Outcome { scores: pending.scores, next: outcome.next };
        let active = self.active[active_idx].as_mut().expect("it wants the outcome");
        let mut orders = Vec::new();
        let mut cx = Context { models: self.models, settings: self.settings, orders: &mut orders };
        let progress = active.writing.absorb(pending.slot, &outcome, &mut cx);
        if self.families.is_runner(active.family, active.task_idx)
            && let Some(scores) = active.writing.prompt_scores()
        {
            self.families.learn(active.family, scores);
        }
        self.take(active_idx, orders, progress, observer);
    }

    /// Does the task of an order still want its outcome?
    fn wants(&self, pending: &Pending) -> bool {
        let active = self.active[pending.active_idx].as_ref();
        active.is_some_and(|active| active.writing.wants(pending.slot))
    }

    /// Takes what a task has come to: orders, rounds, and perhaps its end.
    fn take(
        &mut self,
        active_idx: usize,
        orders: Vec<Order>,
        progress: Progress,
        observer: &mut dyn Observer,
    ) {
        let has_infiller = self.models.infilling.is_some();
        self.queue.extend(orders.into_iter().map(|Order { slot, role, work }| {
            // If G is also I, all run in G's steps.
            let role = if has_infiller { role } else { Role::Generation };
            Pending { active_idx, slot, role, work, scores: Vec::new() }
        }));
        let task_idx = self.active[active_idx].as_ref().expect("it is in flight").task_idx;
        for round in &progress.rounds {
            observer.round(task_idx, round);
        }
        if let Some(result) = progress.result {
            self.end(active_idx, &result, observer);
        }
    }

    /// Makes place for another task.
    fn end(
        &mut self,
        active_idx: usize,
        result: &Result<Solution, TaskError>,
        observer: &mut dyn Observer,
    ) {
        let Active { task_idx, family, writing, .. } =
            self.active[active_idx].take().expect("it is in flight");
        self.queue.retain(|pending| pending.active_idx != active_idx);
        writing.release(self.models);
        self.leave_family(family, task_idx);
        observer.finished(task_idx, result);
    }

    /// The last of a family takes what was kept for the others along.
    fn leave_family(&mut self, family: u64, task_idx: usize) {
        if !self.families.leave(family, task_idx) {
            return;
        }
        for role in self.roles() {
            let model = self.models.get_mut(role);
            model.idle.release(|owner| owner.family == family, model.engine.as_mut());
        }
    }

    fn count(&mut self, works: &[Work]) {
        let engines = || self.roles().map(|role| &self.models.get(role).engine);
        let (live, held): (usize, usize) = (
            engines().map(|engine| engine.num_live_blocks()).sum(),
            engines().map(|engine| engine.num_held_blocks()).sum(),
        );
        let stats = &mut self.stats;
        stats.num_steps += 1;
        stats.num_rows += works.iter().map(|work| work.tokens.len()).sum::<usize>();
        stats.peak_blocks = stats.peak_blocks.max(live);
        stats.peak_unshared_blocks = stats.peak_unshared_blocks.max(held);
    }

    /// The models that there are.
    fn roles(&self) -> impl Iterator<Item = Role> + use<> {
        let infilling = self.models.infilling.is_some().then_some(Role::Infilling);
        [Role::Generation].into_iter().chain(infilling)
    }
}

impl Waiting {
    fn task_idx(&self) -> usize {
        match self {
            Self::New(submission) => submission.task_idx,
            Self::Suspended(active) => active.task_idx,
        }
    }

    fn family(&self) -> u64 {
        match self {
            Self::New(submission) => submission.task.family(),
            Self::Suspended(active) => active.family,
        }
    }
}

impl Drop for Scheduler<'_> {
    /// Tasks in flight are dropped: all blocks are free again.
    fn drop(&mut self) {
        let suspended = self.waiting.drain(..).filter_map(|waiting| match waiting {
            Waiting::Suspended(active) => Some(*active),
            Waiting::New(_) => None,
        });
        for active in self.active.iter_mut().filter_map(Option::take).chain(suspended) {
            active.writing.release(self.models);
        }
        for role in self.roles() {
            let model = self.models.get_mut(role);
            model.idle.release(|_| true, model.engine.as_mut());
        }
    }
}
