//! What a run took of the machine.

use serde::Serialize;

/// Steps, rows and blocks of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunStats {
    /// Passes through a model.
    pub num_steps: usize,
    /// Rows of all passes.
    pub num_rows: usize,
    /// KV blocks in use at most.
    pub peak_blocks: usize,
    /// What would have been in use at most if sequences shared no blocks.
    pub peak_unshared_blocks: usize,
    /// Idle sequences that were dropped for want of blocks.
    pub num_evictions: usize,
    /// Tasks that were put off for want of blocks, to be taken up again.
    pub num_preemptions: usize,
}

impl RunStats {
    /// Adds another run: sums, and the greater of what was in use at most.
    pub fn add(&mut self, other: &Self) {
        self.num_steps += other.num_steps;
        self.num_rows += other.num_rows;
        self.peak_blocks = self.peak_blocks.max(other.peak_blocks);
        self.peak_unshared_blocks = self.peak_unshared_blocks.max(other.peak_unshared_blocks);
        self.num_evictions += other.num_evictions;
        self.num_preemptions += other.num_preemptions;
    }
}
