//! The operations, as one trait: what each computes, on which shapes.
//!
//! Shapes are written `[rows, width]`, row-major. `n` rows of a pass are the first `n` rows of a
//! [`Backend::Rows`] or [`Backend::Inputs`]; a device allocates nothing inside a pass.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::Arc;

use half::{bf16, f16};

use crate::layout::TokenId;
use crate::pass::{Given, Part, PassInput, PassLimits};
use crate::quantised::Quantisation;
use crate::runtime::DeviceError;
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
    /// Whole packets of quantised weights; rows are whole packets, too.
    Quantised(Quantisation, &'a [u8]),
}

/// How the values of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightKind {
    /// bfloat16.
    Bf16,
    /// IEEE half precision.
    F16,
    /// Single precision.
    F32,
    /// In packets.
    Quantised(Quantisation),
}

impl<'a> WeightSlice<'a> {
    /// How they are stored.
    pub fn kind(&self) -> WeightKind {
        match self {
            Self::Bf16(_) => WeightKind::Bf16,
            Self::F16(_) => WeightKind::F16,
            Self::F32(_) => WeightKind::F32,
            Self::Quantised(kind, _) => WeightKind::Quantised(*kind),
        }
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "no tensor is")]
    pub fn len(&self) -> usize {
        match self {
            Self::Bf16(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::Quantised(kind, bytes) => kind.num_weights(bytes.len()),
        }
    }

    /// The same values in single precision, which holds all of them exactly, quantised ones as
    /// [`Quantisation`] defines them.
    pub fn to_f32(&self) -> Cow<'a, [f32]> {
        match *self {
            Self::Bf16(values) => values.iter().map(|value| value.to_f32()).collect(),
            Self::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
            Self::F32(values) => values.into(),
            Self::Quantised(kind, bytes) => kind.expand(bytes).collect(),
        }
    }
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

/// A weight matrix `[num_rows, num_cols]` before its values are read.
#[derive(Clone, Copy, Debug)]
pub struct MatrixShape {
    /// How the values are stored.
    pub kind: WeightKind,
    /// Outputs.
    pub num_rows: usize,
    /// Inputs.
    pub num_cols: usize,
}

/// A normalisation of rows, with its weights.
#[derive(Clone, Copy, Debug)]
pub struct NormView<'a> {
    /// What is done before the weights.
    pub kind: NormKind<'a>,
    /// Added to the mean square, or to the variance.
    pub eps: f32,
    /// `[width]`
    pub weight: &'a [f32],
}

/// Kinds of normalisations.
#[derive(Clone, Copy, Debug)]
pub enum NormKind<'a> {
    /// `x / sqrt(mean(x^2) + eps) * weight`.
    Rms,
    /// `(x - mean(x)) / sqrt(var(x) + eps) * weight + bias`.
    Layer {
        /// `[width]`
        bias: &'a [f32],
    },
}

/// The function in a feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x / (1 + e^-x)`.
    Silu,
    /// `x / 2 * (1 + erf(x / sqrt(2)))`.
    Gelu,
    /// Its approximation `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.
    GeluTanh,
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
    /// Positions that a row sees at most, its own included; `None` for all up to it.
    pub window: Option<NonZeroUsize>,
}

impl AttentionShape {
    /// The first position that the row at `position` sees.
    pub fn first_visible(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window.get()))
    }

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

/// The shape of a feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FfnShape {
    /// Elements of a row inside.
    pub width: usize,
    /// What is done there.
    pub activation: Activation,
    /// Whether its result is multiplied with another product of the input.
    pub is_gated: bool,
}

impl FfnShape {
    /// Matrices of `width` by the hidden width.
    pub fn num_matrices(&self) -> usize {
        if self.is_gated { 3 } else { 2 }
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
///
/// What needs memory is made before the first pass and can fail; an operation can't. If a device
/// fails in the middle of a pass, the rest of its operations do nothing and [`Backend::pass`] gives
/// the error.
#[expect(clippy::missing_errors_doc, reason = "a device that failed or is too small")]
pub trait Backend: Send + 'static {
    /// A weight matrix in the layout that the backend likes best.
    type Matrix: Send;
    /// A weight matrix whose rows can be read one by one.
    type Table: Send;
    /// The matrix of the vocabulary's logits, both ways: as a whole, and row by row.
    type Head: Send;
    /// A normalisation's weights.
    type Norm: Send;
    /// The tables of the rotary embedding.
    type Rope: Send;
    /// Rows of f32: sums that are still added to, and queries, keys and values.
    type Rows: Send;
    /// Rows that a matrix is multiplied by, in the precision that the device multiplies.
    type Inputs: Send;
    /// Keys and values of all layers, in blocks of [`BLOCK_LEN`](crate::BLOCK_LEN) tokens.
    type Cache: Send;
    /// What a backend knows of the pass that is running.
    type Pass<'a>;

    /// Bytes that [`Backend::reserve`] takes.
    fn workspace_bytes(&self, limits: &PassLimits) -> usize;
    /// Gets ready for passes of up to `limits`; before everything else.
    fn reserve(&mut self, limits: &PassLimits) -> Result<(), DeviceError>;
    /// Stacks `parts` on top of each other: one matrix of all their outputs. `bias` is added to
    /// every output of a product; it has an element for each row of the parts.
    fn matrix(
        &self,
        parts: &[MatrixView<'_>],
        bias: Option<&[f32]>,
    ) -> Result<Self::Matrix, DeviceError>;
    /// Joins the two matrices of a gated layer for [`Backend::matmul_activated`]; equal shapes.
    /// `bias` holds the gate's, then the up's.
    fn gated_matrix(
        &self,
        gate: MatrixView<'_>,
        up: MatrixView<'_>,
        bias: Option<&[f32]>,
    ) -> Result<Self::Matrix, DeviceError>;
    /// A table of `view`'s rows.
    fn table(&self, view: MatrixView<'_>) -> Result<Self::Table, DeviceError>;
    /// The head of `view`'s rows; `embedding` is their table if it has the same rows.
    fn head(
        &self,
        view: MatrixView<'_>,
        embedding: Option<&Self::Table>,
    ) -> Result<Self::Head, DeviceError>;
    /// Bytes that [`Backend::matrix`] takes for such parts, or [`Backend::gated_matrix`], but for a
    /// bias.
    fn matrix_bytes(&self, parts: &[MatrixShape], is_gated: bool) -> usize;
    /// Bytes that [`Backend::table`] takes.
    fn table_bytes(&self, shape: MatrixShape) -> usize;
    /// Bytes that [`Backend::head`] takes; `is_embedding` if there is a table of the same rows.
    fn head_bytes(&self, shape: MatrixShape, is_embedding: bool) -> usize;
    /// A normalisation's weights.
    fn norm(&self, view: NormView<'_>) -> Result<Self::Norm, DeviceError>;
    /// The tables of the rotary embedding.
    fn rope(&self, table: RopeTable) -> Result<Self::Rope, DeviceError>;
    /// Room for `capacity` rows of `width` elements, zeroed.
    fn rows(&self, capacity: usize, width: usize) -> Result<Self::Rows, DeviceError>;
    /// Room for `capacity` rows of `width` elements, zeroed.
    fn inputs(&self, capacity: usize, width: usize) -> Result<Self::Inputs, DeviceError>;
    /// Room for the keys and values of `num_blocks` blocks in `num_layers` layers.
    fn cache(
        &self,
        num_layers: usize,
        num_blocks: usize,
        shape: AttentionShape,
    ) -> Result<Self::Cache, DeviceError>;
    /// Bytes that [`Backend::cache`] takes for one block of one layer.
    fn cache_block_bytes(&self, shape: AttentionShape) -> usize;

    /// Runs one pass: copies blocks, calls `body`, which calls the operations below, and gives what
    /// [`Backend::read_out`] read.
    ///
    /// What `body` does may depend on nothing but the numbers of rows: a backend that has recorded
    /// the operations of a pass may repeat them for another one of the same size instead.
    fn pass(
        &self,
        input: &PassInput<'_>,
        cache: &mut Self::Cache,
        body: &mut dyn FnMut(&Self::Pass<'_>, &mut Self::Cache),
    ) -> Result<Given, DeviceError>;

    /// `out[r] = table[tokens[r]] * scale` for all rows, and `+ places[position of r]` if there is
    /// such a table, which has a row for every position of the pass.
    fn embed(
        &self,
        pass: &Self::Pass<'_>,
        table: &Self::Table,
        scale: f32,
        places: Option<&Self::Table>,
        out: &mut Self::Rows,
    );
    /// `out[r]` is `x[r]`, normalised.
    fn normalise(
        &self,
        pass: &Self::Pass<'_>,
        part: Part,
        x: &Self::Rows,
        norm: &Self::Norm,
        out: &mut Self::Inputs,
    );
    /// Brings the rows that are read to the front: `out[i] = x[read_rows[i]]`.
    fn gather(&self, pass: &Self::Pass<'_>, x: &Self::Rows, out: &mut Self::Rows);
    /// `out = x · wᵀ + bias`; `x [rows, k]`, `w [n, k]`.
    fn matmul(
        &self,
        pass: &Self::Pass<'_>,
        part: Part,
        x: &Self::Inputs,
        w: &Self::Matrix,
        out: &mut Self::Rows,
    );
    /// `out += x · wᵀ + bias`.
    fn matmul_add(
        &self,
        pass: &Self::Pass<'_>,
        part: Part,
        x: &Self::Inputs,
        w: &Self::Matrix,
        out: &mut Self::Rows,
    );
    /// `out = activation(x · wᵀ + bias)`, of a gated matrix
    /// `activation(x · gateᵀ + bias) * (x · upᵀ + bias)`.
    fn matmul_activated(
        &self,
        pass: &Self::Pass<'_>,
        part: Part,
        x: &Self::Inputs,
        w: &Self::Matrix,
        activation: Activation,
        out: &mut Self::Inputs,
    );
    /// Rotates the query and key parts of `qkv [rows, qkv_width]` by their positions, the queries
    /// in place, and writes keys and values into the blocks of a layer that the pass names.
    ///
    /// `head_norms`, the queries' and the keys', normalise each head by itself before that.
    fn rotate_and_store(
        &self,
        pass: &Self::Pass<'_>,
        qkv: &mut Self::Rows,
        head_norms: Option<&[Self::Norm; 2]>,
        rope: &Self::Rope,
        cache: &mut Self::Cache,
        layer_idx: usize,
    );
    /// Causal attention of every row over its own sequence's blocks, up to and including its own
    /// position, and no further back than the window: `out [rows, q_width]` from the query part of
    /// `qkv`, scaled by `1/sqrt(head_dim)`.
    fn attention(
        &self,
        pass: &Self::Pass<'_>,
        part: Part,
        qkv: &Self::Rows,
        cache: &Self::Cache,
        layer_idx: usize,
        out: &mut Self::Inputs,
    );
    /// Reads what the pass wants off `hidden`, the normalised output of the last layer; the logits
    /// are `hidden · headᵀ`. A target's logit has the bits that the choice of a token sees.
    fn read_out(&self, pass: &Self::Pass<'_>, hidden: &Self::Inputs, head: &Self::Head);
}
