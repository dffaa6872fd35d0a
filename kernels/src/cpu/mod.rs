//! The operations on an ordinary processor.
//!
//! Activations, keys and values are f32; weights stay bfloat16 or quantised where the checkpoint's
//! are, and are f32 otherwise (so are Q6_K, and parts of a matrix that are quantised differently).
//! A quantised weight becomes an f32 in a register, on its way into the multiply-add: so it gives
//! the bits of its expansion, and is read in a third of the bytes or less. Sums are f32. Every
//! reduction has one order, written down in its module, that depends on neither the batch, the
//! threads nor the width of vectors: all give the same bits.
//! Where the processor has a tile unit, all matmuls of bfloat16 weights but the head's run on it,
//! in its own order, whatever their rows.
//!
//! Operations use the threads of the rayon pool that they are called in.

mod attention;
mod backend;
mod cache;
mod floats;
mod head;
mod line;
mod matmul;
mod matrix;
mod norm;
mod operations;
mod rope;
mod rows;
mod sample;
mod scales;
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
pub use norm::Norm;
pub use rows::Rows;
pub use simd::SimdLevel;
pub use table::Table;
pub use threads::Pass;

use matmul::{Epilogue, Job};
use matrix::Panels;
use scratch::ScratchPool;
use simd::Simd;
use tiles::Tiles;

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
            _ => job.run(self.simd, &self.scratch),
        }
    }
}
