//! KV blocks: which task may begin, which order may run, and who makes room.

use jump_kernels::BLOCK_LEN;

use super::pending::Pending;
use super::{Scheduler, Submission, Waiting};
use crate::models::Role;
use crate::settings::Mode;
use crate::task::{Observer, TaskError};

impl Scheduler<'_> {
    /// Do all tasks in flight, with this one, fit into memory by what they need at their present
    /// lengths? One always does.
    pub(super) fn has_room_for(&self, waiting: &Waiting) -> bool {
        let active = || self.active.iter().flatten();
        if active().next().is_none() {
            return true;
        }
        let len = match waiting {
            Waiting::New(Submission { task, .. }) => {
                self.models.generation.tokenizer.encode(&task.prompt).len()
            }
            Waiting::Suspended(active) => active.writing.num_tokens(),
        };
        !self.is_short
            && self.roles().all(|role| {
                let needed = |len: usize| self.num_blocks_for(role, len);
                let all = active().map(|active| needed(active.writing.num_tokens())).sum::<usize>();
                all + needed(len) <= self.models.get(role).engine.size().num_blocks
            })
    }

    /// Blocks that a task of `len` tokens usually needs of a model: for its program, its stem, and
    /// branches that share about half of it.
    fn num_blocks_for(&self, role: Role, len: usize) -> usize {
        let whole = len.div_ceil(BLOCK_LEN) + 1;
        let num_positions = self.settings.num_positions;
        let infilling = whole + num_positions * (whole / 2 + 2);
        match (role, self.settings.mode, &self.models.infilling) {
            (_, Mode::Ar, _) => whole,
            (Role::Generation, _, None) => whole + infilling,
            (Role::Generation, _, Some(_)) => whole + 2 * num_positions,
            (Role::Infilling, ..) => infilling,
        }
    }

    /// Blocks that the next tokens of an order take, if there are as many beside `num_reserved`;
    /// idle sequences make room for them.
    pub(super) fn reserve(
        &mut self,
        pending: &Pending,
        num_tokens: usize,
        num_reserved: usize,
    ) -> Option<usize> {
        let model = self.models.get_mut(pending.role);
        let engine = model.engine.as_mut();
        loop {
            let needed = engine.num_blocks_to_append(pending.work.sequence, num_tokens);
            if needed + num_reserved <= engine.num_free_blocks() {
                return Some(needed);
            }
            if !model.idle.evict(engine) {
                return None;
            }
            self.stats.num_evictions += 1;
        }
    }

    /// Nothing can run for want of blocks: the youngest task makes room, to be taken up again. A
    /// task that is alone and doesn't fit fails.
    pub(super) fn make_room(&mut self, observer: &mut dyn Observer) {
        let places = self.active.iter().enumerate();
        let places = places.filter_map(|(place, active)| Some((place, active.as_ref()?.age)));
        let youngest = places.clone().max_by_key(|(_, age)| *age);
        let (active_idx, _) = youngest.expect("orders belong to tasks in flight");
        if places.count() == 1 {
            let pending = &self.queue[0];
            let engine = &self.models.get(pending.role).engine;
            let num_tokens = pending.work.tokens.len();
            let needed = engine.num_blocks_to_append(pending.work.sequence, num_tokens);
            let total = engine.size().num_blocks;
            self.end(active_idx, &Err(TaskError::OutOfBlocks { needed, total }), observer);
            return;
        }
        let mut active = self.active[active_idx].take().expect("it is in flight");
        self.queue.retain(|pending| pending.active_idx != active_idx);
        active.writing.suspend(self.models);
        self.families.pause(active.family, active.task_idx);
        self.stats.num_preemptions += 1;
        self.waiting.push_front(Waiting::Suspended(Box::new(active)));
    }
}
