//! The operations, as one trait: what each computes, on which shapes.
//!
//! Shapes are written `[rows, width]`, row-major. `n` rows of a pass are the first `n` rows of a
//! [`Backend::Rows`]; a backend never allocates inside an operation.

use std::sync::Arc;

use half::{bf16, f16};

use crate::layout::{BlockId, Layout, TokenId};
use crate::sampling::Sampling;

/// The values of a tensor as a checkpoint stores them.
#[derive(Clone, Copy, Debug)]
pub enum WeightSlice<'a> {
    /// bfloat16.
    Bf16(&'a [bf16]),
    /// IEEE half precision.
    F16(&'a [f16]),
    /// Single precision.
    F32(&'a [f32]),
}

/// A weight matrix `[num_rows, num_cols]`, row-major: a row holds what produces one output.
#[derive(Clone, Copy, Debug)]
pub struct MatrixView<'a> {
    /// The values.
    pub values: WeightSlice<'a>,
    /// Outputs.
    pub num_rows: usize,
    /// Inputs.
    pub num_cols: usize,
}

/// The shape of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Query heads.
    pub num_heads: usize,
    /// Key and value heads; divides `num_heads`.
    pub num_kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
}

impl AttentionShape {
    /// Width of a query row.
    pub fn q_width(&self) -> usize {
        self.num_heads * self.head_dim
    }

    /// Width of a key row, and of a value row.
    pub fn kv_width(&self) -> usize {
        self.num_kv_heads * self.head_dim
    }

    /// Width of a row that holds query, key and value one after the other.
    pub fn qkv_width(&self) -> usize {
        self.q_width() + 2 * self.kv_width()
    }
}

/// Cosines and sines of the rotary embedding, `[num_positions, half_dim]` each.
///
/// Element `i` of a head is rotated together with element `i + half_dim` (the "neox" pairing of
/// Hugging Face's Llama); elements from `2 * half_dim` on are left alone.
#[derive(Clone, Debug)]
pub struct RopeTable {
    /// Pairs that are rotated in a head.
    pub half_dim: usize,
    /// Cosines.
    pub cos: Vec<f32>,
    /// Sines.
    pub sin: Vec<f32>,
}

/// What a score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScoreKind {
    /// The raw logit: one dot product.
    Logit,
    /// The natural logarithm of the token's probability: needs the whole vocabulary.
    LogProb,
}

/// A token whose score is wanted at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The row of the pass that predicts the token.
    pub row: u32,
    /// The token.
    pub token: TokenId,
}

/// How the next token of a row is chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The row of the pass that predicts the token.
    pub row: u32,
    /// Tokens that may not be chosen.
    pub banned: Arc<[TokenId]>,
    /// `None` takes the token of the highest logit (the lowest id among equals).
    pub sampling: Option<Sampling>,
    /// Takes this token, whatever the logits: for its score, or to follow a recorded run.
    pub forced: Option<TokenId>,
    /// Which score of the chosen token to give.
    pub score: ScoreKind,
}

/// A chosen token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// The token.
    pub token: TokenId,
    /// Its score: of the model's own distribution, whatever the sampling.
    pub score: f32,
}

/// The operations of a transformer, in the memory of one device.
pub trait Backend: Send {
    /// A weight matrix in the layout that the backend likes best.
    type Matrix: Send;
    /// A weight matrix whose rows can be read one by one: embeddings, and heads.
    type Table: Send;
    /// A vector of weights.
    type Vector: Send;
    /// Activations: up to a fixed number of rows of a fixed width, f32.
    type Rows: Send;
    /// Keys and values of one layer, in blocks of [`BLOCK_LEN`](crate::BLOCK_LEN) tokens.
    type Cache: Send;
    /// What a backend holds while a pass runs.
    type Pass;

    /// Stacks `parts` on top of each other: one matrix of all their outputs.
    fn matrix(&self, parts: &[MatrixView<'_>]) -> Self::Matrix;
    /// Joins the two matrices of a gated layer for [`Backend::matmul_gated`]; equal shapes.
    fn gated_matrix(&self, gate: MatrixView<'_>, up: MatrixView<'_>) -> Self::Matrix;
    /// A table of `view`'s rows.
    fn table(&self, view: MatrixView<'_>) -> Self::Table;
    /// A vector of weights.
    fn vector(&self, values: WeightSlice<'_>) -> Self::Vector;
    /// Room for `capacity` rows of `width` elements, zeroed.
    fn rows(&self, capacity: usize, width: usize) -> Self::Rows;
    /// Room for the keys and values of `num_blocks` blocks of one layer.
    fn cache(&self, num_blocks: usize, shape: AttentionShape) -> Self::Cache;
    /// Bytes that [`Backend::cache`] takes for one block of one layer.
    fn cache_block_bytes(&self, shape: AttentionShape) -> usize;

    /// Prepares for the many short operations of one pass, which ends when the result is dropped.
    fn begin_pass(&self) -> Self::Pass;

    /// `out[r] = table[tokens[r]]`.
    fn embed(&self, table: &Self::Table, tokens: &[TokenId], out: &mut Self::Rows);
    /// `out[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight` for the first `num_rows` rows.
    fn rms_norm(
        &self,
        x: &Self::Rows,
        num_rows: usize,
        weight: &Self::Vector,
        eps: f32,
        out: &mut Self::Rows,
    );
    /// `out[i] = x[row_idx[i]]`.
    fn gather(&self, x: &Self::Rows, row_idx: &[u32], out: &mut Self::Rows);
    /// `out = x · wᵀ` for the first `num_rows` rows; `x [num_rows, k]`, `w [n, k]`.
    fn matmul(&self, x: &Self::Rows, num_rows: usize, w: &Self::Matrix, out: &mut Self::Rows);
    /// `out += x · wᵀ` for the first `num_rows` rows.
    fn matmul_add(&self, x: &Self::Rows, num_rows: usize, w: &Self::Matrix, out: &mut Self::Rows);
    /// `out = silu(x · gateᵀ) * (x · upᵀ)` for the first `num_rows` rows.
    fn matmul_gated(&self, x: &Self::Rows, num_rows: usize, w: &Self::Matrix, out: &mut Self::Rows);
    /// Rotates the query and key parts of `qkv [rows, qkv_width]` in place by their positions and
    /// writes keys and values into the blocks that `layout` names.
    fn rotate_and_store(
        &self,
        qkv: &mut Self::Rows,
        layout: &Layout,
        shape: AttentionShape,
        rope: &RopeTable,
        cache: &mut Self::Cache,
    );
    /// Causal attention of every row over its own sequence's blocks, up to and including its own
    /// position: `out [rows, q_width]` from the query part of `qkv`, scaled by `1/sqrt(head_dim)`.
    fn attention(
        &self,
        qkv: &Self::Rows,
        layout: &Layout,
        shape: AttentionShape,
        cache: &Self::Cache,
        out: &mut Self::Rows,
    );
    /// Copies whole blocks within a cache, `(from, to)` each; no block is written twice, and none
    /// is both read and written.
    fn copy_blocks(&self, cache: &mut Self::Cache, copies: &[(BlockId, BlockId)]);

    /// Chooses one token for each choice; `choices[i].row` is a row of `hidden`, the normalised
    /// output of the last layer. The logits of all rows are `hidden · headᵀ`.
    fn choose(&self, hidden: &Self::Rows, head: &Self::Matrix, choices: &[Choice]) -> Vec<Chosen>;
    /// The logit of each target: one dot product each, the same bits that [`Backend::choose`] sees.
    /// `head` is the table of the matrix that [`Backend::choose`] takes.
    fn target_logits(
        &self,
        hidden: &Self::Rows,
        head: &Self::Table,
        targets: &[Target],
    ) -> Vec<f32>;
    /// The log-probability of each target.
    fn target_logprobs(
        &self,
        hidden: &Self::Rows,
        head: &Self::Matrix,
        targets: &[Target],
    ) -> Vec<f32>;
}
