//! One forward pass as a backend is told of it, before any operation: so that a device gets it in
//! one upload, and gives its results in one download.

use crate::backend::{AttentionShape, Choice, Chosen, FfnShape, Target};
use crate::layout::{BlockId, Layout};

/// What is wanted of a pass, by rows.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Next tokens.
    pub choices: Vec<Choice>,
    /// Logits of given tokens.
    pub logits: Vec<Target>,
    /// Log-probabilities of given tokens.
    pub logprobs: Vec<Target>,
}

/// What a pass gave, in the order of [`Wanted`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Next tokens.
    pub choices: Vec<Chosen>,
    /// Logits.
    pub logits: Vec<f32>,
    /// Log-probabilities.
    pub logprobs: Vec<f32>,
}

/// One pass.
#[derive(Clone, Copy, Debug)]
pub struct PassInput<'a> {
    /// The rows, their sequences, and their blocks.
    pub layout: &'a Layout,
    /// Blocks that are copied in every layer before anything else, `(from, to)` each; no block is
    /// written twice, and none is both read and written.
    pub copies: &'a [(BlockId, BlockId)],
    /// The rows of which anything is wanted, ascending.
    pub read_rows: &'a [u32],
    /// What is wanted; its rows are indices into `read_rows`.
    pub wanted: &'a Wanted,
}

impl PassInput<'_> {
    /// The rows that are read, as a part of the pass.
    pub fn read_part(&self) -> Part {
        if self.read_rows.len() == self.layout.num_rows() { Part::All } else { Part::Read }
    }
}

/// Which rows an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// All rows of the pass.
    All,
    /// Those of which anything is wanted, when they lie together in front: see
    /// [`Backend::gather`](crate::Backend::gather).
    Read,
}

/// The largest pass that a backend has to be ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassLimits {
    /// Rows.
    pub max_rows: usize,
    /// Tokens of a sequence.
    pub context_len: usize,
    /// The attention of every layer.
    pub attention: AttentionShape,
    /// The rest of every layer.
    pub ffn: FfnShape,
    /// Tokens of the vocabulary.
    pub vocab_len: usize,
    /// Elements of a hidden row.
    pub hidden_width: usize,
    /// Layers.
    pub num_layers: usize,
}
