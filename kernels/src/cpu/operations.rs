//! The operations one by one, without a pass: for those who measure or test a single one.

use super::matmul::Epilogue;
use super::{Cache, Cpu, Matrix, Rows, Table, Vector};
use super::{attention, head, norm, rope, table, targets};
use crate::backend::{AttentionShape, Choice, Chosen, MatrixView, RopeTable, Target, WeightSlice};
use crate::layout::{Layout, TokenId};

impl Cpu {
    /// See [`Backend::matrix`](crate::Backend::matrix).
    pub fn matrix(&self, parts: &[MatrixView<'_>]) -> Matrix {
        Matrix::stacked(parts)
    }

    /// See [`Backend::gated_matrix`](crate::Backend::gated_matrix).
    pub fn gated_matrix(&self, gate: MatrixView<'_>, up: MatrixView<'_>) -> Matrix {
        Matrix::gated(gate, up)
    }

    /// See [`Backend::table`](crate::Backend::table).
    pub fn table(&self, view: MatrixView<'_>) -> Table {
        Table::new(view)
    }

    /// See [`Backend::vector`](crate::Backend::vector).
    pub fn vector(&self, values: WeightSlice<'_>) -> Vector {
        Vector(values.to_f32().into_owned())
    }

    /// See [`Backend::rows`](crate::Backend::rows).
    pub fn rows(&self, capacity: usize, width: usize) -> Rows {
        Rows::new(capacity, width)
    }

    /// The keys and values of one layer.
    pub fn cache(&self, num_blocks: usize, shape: AttentionShape) -> Cache {
        Cache::new(num_blocks, shape)
    }

    /// `out[r] = table[tokens[r]]`.
    pub fn embed(&self, table: &Table, tokens: &[TokenId], out: &mut Rows) {
        table::embed(table, tokens, out);
    }

    /// See [`Backend::rms_norm`](crate::Backend::rms_norm).
    pub fn rms_norm(&self, x: &Rows, num_rows: usize, weight: &Vector, eps: f32, out: &mut Rows) {
        norm::rms_norm(self.simd, x, num_rows, &weight.0, eps, out);
    }

    /// `out[i] = x[row_idx[i]]`.
    pub fn gather(&self, x: &Rows, row_idx: &[u32], out: &mut Rows) {
        table::gather(x, row_idx, out);
    }

    /// `out = x · wᵀ` for the first `num_rows` rows.
    pub fn matmul(&self, x: &Rows, num_rows: usize, w: &Matrix, out: &mut Rows) {
        self.matmul_with(x, num_rows, w, Epilogue::Store, out);
    }

    /// `out += x · wᵀ` for the first `num_rows` rows.
    pub fn matmul_add(&self, x: &Rows, num_rows: usize, w: &Matrix, out: &mut Rows) {
        self.matmul_with(x, num_rows, w, Epilogue::Add, out);
    }

    /// `out = silu(x · gateᵀ) * (x · upᵀ)` for the first `num_rows` rows.
    pub fn matmul_gated(&self, x: &Rows, num_rows: usize, w: &Matrix, out: &mut Rows) {
        self.matmul_with(x, num_rows, w, Epilogue::Gate, out);
    }

    /// See [`Backend::rotate_and_store`](crate::Backend::rotate_and_store).
    pub fn rotate_and_store(
        &self,
        qkv: &mut Rows,
        layout: &Layout,
        rope: &RopeTable,
        cache: &mut Cache,
    ) {
        rope::rotate_and_store(qkv, layout, rope, cache);
    }

    /// See [`Backend::attention`](crate::Backend::attention).
    pub fn attention(&self, qkv: &Rows, layout: &Layout, cache: &Cache, out: &mut Rows) {
        attention::attention(self.simd, &self.scratch, qkv, layout, cache, out);
    }

    /// Chooses one token for each choice, whose rows are rows of `hidden`.
    pub fn choose(&self, hidden: &Rows, head: &Matrix, choices: &[Choice]) -> Vec<Chosen> {
        head::choose(self.simd, &self.scratch, hidden, head, choices)
    }

    /// The logit of each target: one dot product each, the same bits that [`Cpu::choose`] sees.
    pub fn target_logits(&self, hidden: &Rows, head: &Table, targets: &[Target]) -> Vec<f32> {
        targets::target_logits(self.simd, hidden, head, targets)
    }

    /// The log-probability of each target.
    pub fn target_logprobs(&self, hidden: &Rows, head: &Matrix, targets: &[Target]) -> Vec<f32> {
        head::target_logprobs(self.simd, &self.scratch, hidden, head, targets)
    }
}
