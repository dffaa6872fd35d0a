//! Tasks that go on from the same prompt: the samples of one problem. The first of them runs the
//! prompt; the others wait for it and begin with what it leaves.

use std::collections::HashMap;

use crate::program::KnownScores;

/// The tasks of one prompt.
#[derive(Default)]
struct Family {
    num_tasks: usize,
    /// The task that runs the prompt for all.
    runner: Option<usize>,
    /// What is known of the prompt once it has run.
    scores: Option<KnownScores>,
}

/// All families of the tasks that haven't ended.
#[derive(Default)]
pub struct Families(HashMap<u64, Family>);

impl Families {
    /// A task has come.
    pub fn join(&mut self, family: u64) {
        self.0.entry(family).or_default().num_tasks += 1;
    }

    /// Has the family more than one task?
    pub fn is_shared(&self, family: u64) -> bool {
        self.0[&family].num_tasks > 1
    }

    /// May a task begin, or does another run the prompt for it just now?
    pub fn may_begin(&self, family: u64) -> bool {
        let family = &self.0[&family];
        family.scores.is_some() || family.runner.is_none()
    }

    /// A task begins; gives what is known of its prompt.
    pub fn begin(&mut self, family: u64, task_idx: usize) -> Option<KnownScores> {
        let family = self.0.get_mut(&family).expect("the task has joined");
        if family.scores.is_none() && family.num_tasks > 1 {
            family.runner = Some(task_idx);
        }
        family.scores.clone()
    }

    /// Is this the task that runs the prompt for its family?
    pub fn is_runner(&self, family: u64, task_idx: usize) -> bool {
        let family = &self.0[&family];
        family.scores.is_none() && family.runner == Some(task_idx)
    }

    /// The prompt has run.
    pub fn learn(&mut self, family: u64, scores: KnownScores) {
        self.0.get_mut(&family).expect("the task has joined").scores = Some(scores);
    }

    /// A task pauses: if it ran the prompt, another may.
    pub fn pause(&mut self, family: u64, task_idx: usize) {
        let family = self.0.get_mut(&family).expect("the task has joined");
        family.runner = family.runner.filter(|runner| *runner != task_idx);
    }

    /// A task has ended. `true` if it was the last of its family.
    pub fn leave(&mut self, family: u64, task_idx: usize) -> bool {
        self.pause(family, task_idx);
        let place = self.0.get_mut(&family).expect("the task has joined");
        place.num_tasks -= 1;
        let is_last = place.num_tasks == 0;
        if is_last {
            self.0.remove(&family);
        }
        is_last
    }
}
