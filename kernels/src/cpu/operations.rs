//! The operations one by one, without a pass: for those who measure or test a single one.

use super::matmul::Epilogue;
use super::{Cache, Cpu, Matrix, Norm, Rows, Table};
use super::{attention, head, norm, rope, table, targets};
use crate::backend::{
    Activation, AttentionShape, Choice, Chosen, MatrixView, NormView, RopeTable, Target,
};
use crate::layout::Layout;

impl Cpu {
    /// See [`Backend::matrix`](crate::Backend::matrix); [`Matrix::with_bias`] adds a bias.
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

    /// See [`Backend::norm`](crate::Backend::norm).
    pub fn norm(&self, view: NormView<'_>) -> Norm {
        Norm::new(view)
    }

    /// See [`Backend::rows`](crate::Backend::rows).
    pub fn rows(&self, capacity: usize, width: usize) -> Rows {
        Rows::new(capacity, width)
    }

    /// The keys and values of one layer.
    pub fn cache(&self, num_blocks: usize, shape: AttentionShape) -> Cache {
        Cache::new(num_blocks, shape)
    }

    /// See [`Backend::embed`](crate::Backend::embed).
    pub fn embed(
        &self,
        table: &Table,
        scale: f32,
        places: Option<&Table>,
        layout: &Layout,
        out: &mut Rows,
    ) {
        table::embed(table, scale, places, layout, out);
    }

    /// See [`Backend::normalise`](crate::Backend::normalise).
    pub fn normalise(&self, x: &Rows, num_rows: usize, norm: &Norm, out: &mut Rows) {
        norm::normalise(self.simd, x, num_rows, norm, out);
    }

    /// `out[i] = x[row_idx[i]]`.
    pub fn gather(&self, x: &Rows, row_idx: &[u32], out: &mut Rows) {
        table::gather(x, row_idx, out);
    }

    /// `out = x · wᵀ + bias` for the first `num_rows` rows.
    pub fn matmul(&self, x: &Rows, num_rows: usize, w: &Matrix, out: &mut Rows) {
        self.matmul_with(x, num_rows, w, Epilogue::Store, out);
    }

    /// `out += x · wᵀ + bias` for the first `num_rows` rows.
    pub fn matmul_add(&self, x: &Rows, num_rows: usize, w: &Matrix, out: &mut Rows) {
        self.matmul_with(x, num_rows, w, Epilogue::Add, out);
    }

    /// See [`Backend::matmul_activated`](crate::Backend::matmul_activated); for the first
    /// `num_rows` rows.
    pub fn matmul_activated(
        &self,
        x: &Rows,
        num_rows: usize,
        w: &Matrix,
        activation: Activation,
        out: &mut Rows,
    ) {
        self.matmul_with(x, num_rows, w, Epilogue::Activate(activation), out);
    }

    /// See [`Backend::rotate_and_store`](crate::Backend::rotate_and_store).
    pub fn rotate_and_store(
        &self,
        qkv: &mut Rows,
        head_norms: Option<&[Norm; 2]>,
        layout: &Layout,
        rope: &RopeTable,
        cache: &mut Cache,
    ) {
        rope::rotate_and_store(self.simd, qkv, head_norms, layout, rope, cache);
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
        targets::target_logits(self.simd, &self.scratch, hidden, head, targets)
    }

    /// The log-probability of each target.
    pub fn target_logprobs(&self, hidden: &Rows, head: &Matrix, targets: &[Target]) -> Vec<f32> {
        head::target_logprobs(self.simd, &self.scratch, hidden, head, targets)
    }
}
