//! What the kernels of a pass write between each other, and its results: sized once.

use super::attention::{AttentionItem, AttentionQuery, AttentionState};
use super::attention_plan;
use super::head::{self, Chosen, HeadPartial};
use super::read_out::ReadOutLimits;
use super::staging::Staging;
use crate::layout::BLOCK_LEN;
use crate::pass::PassLimits;
use crate::runtime::{Buffer, DeviceError, SharedRuntime};

/// Choices at once: further ones are read out in chunks.
const MAX_CHOICES: usize = 256;

/// Draws at once: each has a row of logits.
const MAX_DRAWS: usize = 32;

/// Different lists of banned tokens at once.
const MAX_BAN_LISTS: usize = 32;

/// Single logits at once.
const MAX_TARGETS: usize = 2048;

/// Lengths of the arrays, in elements.
#[derive(Clone, Copy, Debug)]
struct Lens {
    partial_sums: usize,
    partial_states: usize,
    head_partials: usize,
    logits: usize,
    result_bytes: usize,
    staging_bytes: usize,
}

impl Lens {
    fn new(limits: &PassLimits) -> Self {
        let (max_rows, context_len) = (limits.max_rows as u32, limits.context_len as u32);
        let num_partials = attention_plan::max_partials(max_rows, context_len) as usize;
        Self {
            partial_sums: num_partials * limits.attention.q_width(),
            partial_states: num_partials * limits.attention.num_heads,
            head_partials: MAX_CHOICES * head::num_tiles(limits.vocab_len as u32) as usize,
            logits: MAX_DRAWS * limits.vocab_len,
            result_bytes: MAX_CHOICES * size_of::<Chosen>() + MAX_TARGETS * size_of::<f32>(),
            staging_bytes: staging_bytes(limits),
        }
    }
}

/// Room for the metadata of the largest pass, in which the plans of all rows and of those that are
/// read are as long as can be; twice as much for padding.
fn staging_bytes(limits: &PassLimits) -> usize {
    const WORDS_PER_ROW: usize = 16;
    let (max_rows, context_len) = (limits.max_rows as u32, limits.context_len as u32);
    let num_queries = attention_plan::max_queries(max_rows, context_len) as usize;
    let num_blocks = limits.max_rows * limits.context_len.div_ceil(BLOCK_LEN);
    let per_query = size_of::<AttentionItem>() + size_of::<AttentionQuery>();
    let plan = num_queries * per_query + num_blocks * size_of::<u32>();
    let rows = limits.max_rows * WORDS_PER_ROW * size_of::<u32>();
    let bans = MAX_BAN_LISTS * limits.vocab_len.div_ceil(32) * size_of::<u32>();
    let asked = (MAX_CHOICES + MAX_TARGETS + MAX_DRAWS) * 32;
    2 * (2 * plan + rows + bans + asked)
}

/// The arrays.
pub struct Workspace {
    /// `[partials][q_width]` f32
    pub partial_sums: Buffer,
    /// `[partials][num_heads]` [`AttentionState`]
    pub partial_states: Buffer,
    /// `[MAX_CHOICES][tiles]`
    pub head_partials: Buffer,
    /// `[MAX_CHOICES]` f32
    pub forced_logits: Buffer,
    /// `[MAX_CHOICES]` f32
    pub logsums: Buffer,
    /// `[MAX_DRAWS][vocab_len]` f32
    pub logits: Buffer,
    /// The answers of a chunk: `[num_choices]` tokens and scores, then its single logits.
    pub results: Buffer,
}

impl Workspace {
    /// What the head may be asked at once.
    pub const READ_OUT: ReadOutLimits = ReadOutLimits {
        choices: MAX_CHOICES,
        draws: MAX_DRAWS,
        ban_lists: MAX_BAN_LISTS,
        targets: MAX_TARGETS,
    };

    /// Bytes of the arrays, and of the staging memory.
    pub fn num_bytes(limits: &PassLimits) -> usize {
        let lens = Lens::new(limits);
        let floats = lens.partial_sums + lens.logits + 2 * MAX_CHOICES;
        let states = lens.partial_states * size_of::<AttentionState>();
        let partials = lens.head_partials * size_of::<HeadPartial>();
        floats * size_of::<f32>() + states + partials + lens.result_bytes + lens.staging_bytes
    }

    /// Allocates them.
    pub fn new(
        runtime: &SharedRuntime,
        limits: &PassLimits,
    ) -> Result<(Self, Staging), DeviceError> {
        let lens = Lens::new(limits);
        let floats = |len: usize| Buffer::zeroed(runtime, len * size_of::<f32>());
        let partial_bytes = lens.head_partials * size_of::<HeadPartial>();
        let workspace = Self {
            partial_sums: floats(lens.partial_sums)?,
            partial_states: Buffer::zeroed(
                runtime,
                lens.partial_states * size_of::<AttentionState>(),
            )?,
            head_partials: Buffer::zeroed(runtime, partial_bytes)?,
            forced_logits: floats(MAX_CHOICES)?,
            logsums: floats(MAX_CHOICES)?,
            logits: floats(lens.logits)?,
            results: Buffer::zeroed(runtime, lens.result_bytes)?,
        };
        Ok((workspace, Staging::new(runtime, lens.staging_bytes)?))
    }
}
