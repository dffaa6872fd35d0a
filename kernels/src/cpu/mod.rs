//! The operations on an ordinary processor.
//!
//! Activations, keys and values are f32; weights stay bfloat16 where the checkpoint's are, and are
//! f32 otherwise; sums are f32. Every reduction has one order, written down in its module, that
//! depends on neither the batch, the threads nor the width of vectors: all give the same bits.
//! Where the processor has a tile unit, all matmuls of bfloat16 weights but the head's run on it,
//! in its own order, whatever their rows.
//!
//! Operations use the threads of the rayon pool that they are called in.

mod attention;
mod cache;
mod floats;
mod head;
mod matmul;
mod matrix;
mod norm;
mod rope;
mod rows;
mod sample;
mod scratch;
mod simd;
mod softmax;
mod table;
mod targets;
#[cfg(test)]
mod tests;
mod threads;
mod tile_matmul;
mod tiles;
mod units;

pub use cache::Cache;
pub use matrix::Matrix;
pub use rows::Rows;
pub use simd::SimdLevel;
pub use table::Table;
pub use threads::Pass;

use matmul::{Epilogue, Job};
use matrix::Panels;
use scratch::ScratchPool;
use simd::Simd;
use tiles::Tiles;

use crate::backend::{
    AttentionShape, Backend, Choice, Chosen, MatrixView, RopeTable, Target, WeightSlice,
};
use crate::layout::{BlockId, Layout, TokenId};

/// A vector of weights.
pub struct Vector(Vec<f32>);

/// The processor as a backend.
pub struct Cpu {
    simd: Simd,
    /// The tile unit, for the matmuls of bfloat16 weights.
    tiles: Option<Tiles>,
    scratch: ScratchPool,
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Cpu {
    /// With the best instructions that this processor has.
    pub fn new() -> Self {
        Self { tiles: Tiles::detect(), ..Self::with_simd(Simd::detect().level()) }
    }

    /// With the vectors of `level`, which must be available, and without the tile unit: the same
    /// bits on every processor.
    pub fn with_simd(level: SimdLevel) -> Self {
        Self { simd: Simd::new(level), tiles: None, scratch: ScratchPool::default() }
    }

    /// Whether matmuls of bfloat16 weights run on the tile unit, whose bits are its own.
    pub fn has_tiles(&self) -> bool {
        self.tiles.is_some()
    }

    /// The instructions in use.
    pub fn simd_level(&self) -> SimdLevel {
        self.simd.level()
    }

    fn matmul_with(&self, x: &Rows, num_rows: usize, w: &Matrix, to: Epilogue, out: &mut Rows) {
        assert_eq!(x.width(), w.num_inputs, "rows of the matrix's inputs");
        assert_eq!(out.width(), w.num_outputs, "rows of the matrix's outputs");
        let stride = out.width();
        let job = Job::new(x.first(num_rows), w, to, out.first_mut(num_rows), stride);
        match (&w.panels, self.tiles) {
            (Panels::Bf16(lines), Some(tiles)) => {
                tile_matmul::run(&job, lines, tiles, self.simd, &self.scratch);
            }
            _ => job.run(self.simd),
        }
    }
}

impl Backend for Cpu {
    type Matrix = Matrix;
    type Table = Table;
    type Vector = Vector;
    type Rows = Rows;
    type Cache = Cache;
    type Pass = Pass;

    fn matrix(&self, parts: &[MatrixView<'_>]) -> Matrix {
        Matrix::stacked(parts)
    }

    fn gated_matrix(&self, gate: MatrixView<'_>, up: MatrixView<'_>) -> Matrix {
        Matrix::gated(gate, up)
    }

    fn table(&self, view: MatrixView<'_>) -> Table {
        Table::new(view)
    }

    fn vector(&self, values: WeightSlice<'_>) -> Vector {
        Vector(table::to_f32(values))
    }

    fn rows(&self, capacity: usize, width: usize) -> Rows {
        Rows::new(capacity, width)
    }

    fn cache(&self, num_blocks: usize, shape: AttentionShape) -> Cache {
        Cache::new(num_blocks, shape)
    }

    fn cache_block_bytes(&self, shape: AttentionShape) -> usize {
        Cache::block_bytes(shape)
    }

    fn begin_pass(&self) -> Pass {
        Pass::begin()
    }

    fn embed(&self, table: &Table, tokens: &[TokenId], out: &mut Rows) {
        table::embed(table, tokens, out);
    }

    fn rms_norm(&self, x: &Rows, num_rows: usize, weight: &Vector, eps: f32, out: &mut Rows) {
        norm::rms_norm(self.simd, x, num_rows, &weight.0, eps, out);
    }

    fn gather(&self, x: &Rows, row_idx: &[u32], out: &mut Rows) {
        table::gather(x, row_idx, out);
    }

    fn matmul(&self, x: &Rows, num_rows: usize, w: &Matrix, out: &mut Rows) {
        self.matmul_with(x, num_rows, w, Epilogue::Store, out);
    }

    fn matmul_add(&self, x: &Rows, num_rows: usize, w: &Matrix, out: &mut Rows) {
        self.matmul_with(x, num_rows, w, Epilogue::Add, out);
    }

    fn matmul_gated(&self, x: &Rows, num_rows: usize, w: &Matrix, out: &mut Rows) {
        self.matmul_with(x, num_rows, w, Epilogue::Gate, out);
    }

    fn rotate_and_store(
        &self,
        qkv: &mut Rows,
        layout: &Layout,
        shape: AttentionShape,
        rope: &RopeTable,
        cache: &mut Cache,
    ) {
        rope::rotate_and_store(qkv, layout, shape, rope, cache);
    }

    fn attention(
        &self,
        qkv: &Rows,
        layout: &Layout,
        shape: AttentionShape,
        cache: &Cache,
        out: &mut Rows,
    ) {
        attention::attention(self.simd, &self.scratch, qkv, layout, shape, cache, out);
    }

    fn copy_blocks(&self, cache: &mut Cache, copies: &[(BlockId, BlockId)]) {
        cache.copy(copies);
    }

    fn choose(&self, hidden: &Rows, head: &Matrix, choices: &[Choice]) -> Vec<Chosen> {
        head::choose(self.simd, &self.scratch, hidden, head, choices)
    }

    fn target_logits(&self, hidden: &Rows, head: &Table, targets: &[Target]) -> Vec<f32> {
        targets::target_logits(self.simd, hidden, head, targets)
    }

    fn target_logprobs(&self, hidden: &Rows, head: &Matrix, targets: &[Target]) -> Vec<f32> {
        head::target_logprobs(self.simd, &self.scratch, hidden, head, targets)
    }
}
