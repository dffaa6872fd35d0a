//! `out = x · wᵀ` on the tile unit, for bfloat16 weights.
//!
//! The unit multiplies bfloat16 only, so each activation is cut into three of them, whose sum it is
//! exactly: its first eight significant bits, the next eight, the last eight. Products of bfloat16
//! are exact in f32; so, as with f32 activations, only sums round. Each output is one accumulator
//! that takes the inputs in order, 32 at a time: their low, their middle, their high parts. So its
//! bits depend on its own row alone, not on its place in a tile.
//!
//! A part splits all rows by itself: each thread needs them all, and splitting takes less time than
//! another core's cache. Panels are the outer loop, so that each is read from memory once.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use std::ops::Range;

use super::line::Bf16Line;
use super::matmul::Job;
use super::scratch::ScratchPool;
use super::simd::{F32x16, Kernel, Simd};
use super::threads;
use super::tiles::{MAX_TILE_ROWS, NUM_SPLITS, Products, Splits, TILE_WORDS, Tiles};

/// Inputs of a tile.
const TILE_INPUTS: usize = 2 * TILE_WORDS;

/// Rows that are split at once: their tiles stay in the second cache. More read the weights again.
const MAX_CHUNK_ROWS: usize = 160;

/// Runs `job`, whose matrix has these lines.
pub fn run(job: &Job<'_>, lines: &[Bf16Line], tiles: Tiles, simd: Simd, scratch: &ScratchPool) {
    let num_parts = job.num_parts();
    threads::split(job.w.num_panels(), num_parts, &|panels| {
        for first in (0..job.num_rows).step_by(MAX_CHUNK_ROWS) {
            let rows = first..job.num_rows.min(first + MAX_CHUNK_ROWS);
            scratch.with(|scratch| {
                let shape = Shape::of(rows.len(), job.w.num_tiles());
                let left = scratch.floats(shape.num_left_tiles() * size_of::<Splits>() / 4);
                let left = bytemuck::cast_slice_mut(left);
                simd.run(Part { job, lines, tiles, panels: panels.clone(), rows, shape, left });
            });
        }
    });
}

/// How rows are laid into tiles.
#[derive(Clone, Copy)]
struct Shape {
    /// Rows of a left tile.
    rows_of_tile: usize,
    /// Tiles below each other.
    num_row_tiles: usize,
    /// Tiles beside each other: the inputs.
    num_input_tiles: usize,
}

impl Shape {
    /// Tiles as equal as can be: the unit's time is that of the rows it is readied for.
    fn of(num_rows: usize, num_input_tiles: usize) -> Self {
        let num_row_tiles = num_rows.div_ceil(MAX_TILE_ROWS);
        let rows_of_tile = num_rows.div_ceil(num_row_tiles);
        Self { rows_of_tile, num_row_tiles: num_rows.div_ceil(rows_of_tile), num_input_tiles }
    }

    fn num_left_tiles(&self) -> usize {
        self.num_row_tiles * self.num_input_tiles
    }
}

/// Some rows and panels of a job.
struct Part<'a> {
    job: &'a Job<'a>,
    lines: &'a [Bf16Line],
    tiles: Tiles,
    panels: Range<usize>,
    rows: Range<usize>,
    shape: Shape,
    left: &'a mut [Splits],
}

impl Kernel for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(mut self) {
        self.split_rows();
        let unit = self.tiles.ready(self.shape.rows_of_tile);
        let panel_len = self.job.w.panel_len::<Bf16Line>();
        let row = |idx: usize| {
            &self.left[idx * self.shape.num_input_tiles..][..self.shape.num_input_tiles]
        };
        let mut products = [Products::default(); 2];
        for panel_idx in self.panels.clone() {
            let panel = &self.lines[panel_idx * panel_len..][..panel_len];
            let mut idx = 0;
            while idx < self.shape.num_row_tiles {
                if idx + 2 <= self.shape.num_row_tiles {
                    unit.multiply([row(idx), row(idx + 1)], panel, &mut products);
                } else {
                    unit.multiply([row(idx)], panel, products.first_chunk_mut().expect("of two"));
                }
                let end = self.shape.num_row_tiles.min(idx + 2);
                for (tile_idx, products) in (idx..end).zip(&products) {
                    self.finish::<V>(tile_idx, panel_idx, products);
                }
                idx = end;
            }
        }
    }
}

impl Part<'_> {
    /// Fills the left tiles.
    #[inline(always)]
    fn split_rows(&mut self) {
        let (num_inputs, shape) = (self.job.w.num_inputs, self.shape);
        let x = &self.job.x[self.rows.start * num_inputs..self.rows.end * num_inputs];
        for (row, x) in x.chunks_exact(num_inputs).enumerate() {
            let first_tile = row / shape.rows_of_tile * shape.num_input_tiles;
            let tile_row = row % shape.rows_of_tile;
            let tiles = &mut self.left[first_tile..first_tile + shape.num_input_tiles];
            let (whole, rest) = x.as_chunks();
            for (x, tile) in whole.iter().zip(&mut *tiles) {
                split(x, tile, tile_row);
            }
            if !rest.is_empty() {
                let mut padded = [0.0; TILE_INPUTS];
                padded[..rest.len()].copy_from_slice(rest);
                let tile = tiles.last_mut().expect("a tile for the rest");
                split(&padded, tile, tile_row);
            }
        }
    }

    /// Finishes the dot products of a tile and panel.
    #[inline(always)]
    fn finish<V: F32x16>(&self, tile_idx: usize, panel_idx: usize, products: &Products) {
        let first = self.rows.start + tile_idx * self.shape.rows_of_tile;
        let rows = first..self.rows.end.min(first + self.shape.rows_of_tile);
        for (row, dots) in rows.zip(&products.0) {
            self.job.finish::<V>(row, panel_idx, dots);
        }
    }
}

/// Writes row `row` of 32 inputs' tiles.
#[inline(always)]
fn split(x: &[f32; TILE_INPUTS], tiles: &mut Splits, row: usize) {
    for j in 0..TILE_WORDS {
        let (first, second) = (split_one(x[j]), split_one(x[j + TILE_WORDS]));
        for i in 0..NUM_SPLITS {
            tiles[i][row][j] = first[i] >> 16 | second[i];
        }
    }
}

/// Low, middle and high: three bfloat16 whose sum is `x`. They are truncated, so that what is left
/// is exact.
#[inline(always)]
fn split_one(x: f32) -> [u32; NUM_SPLITS] {
    const BF16_MASK: u32 = 0xffff_0000;
    let high = x.to_bits() & BF16_MASK;
    let rest = x - f32::from_bits(high);
    let middle = rest.to_bits() & BF16_MASK;
    let low = rest - f32::from_bits(middle);
    [low.to_bits() & BF16_MASK, middle, high]
}

#[cfg(test)]
mod tests {
    use super::split_one;
    use crate::cpu::tests::random;

    #[test]
    fn the_parts_of_a_float_are_exact() {
        let ends = [0.0, -0.0, 1.0, -1.0, 3e38, -1e-30, f32::MAX, 16_777_215.0, 0.1];
        for x in random(1, 10_000).into_iter().chain(ends) {
            let parts = split_one(x).map(f32::from_bits);
            assert!(
                parts.iter().all(|part| part.to_bits().trailing_zeros() >= 16),
                "{x} in {parts:?}"
            );
            let sum: f64 = parts.into_iter().map(f64::from).sum();
            assert_eq!((sum - f64::from(x)).to_bits(), 0, "{x} in {parts:?}");
        }
    }
}
