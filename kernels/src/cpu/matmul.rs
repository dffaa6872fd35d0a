//! `out = x · wᵀ`, and what is done with it.
//!
//! Here on vectors; [`tile_matmul`](super::tile_matmul) does the same on the tile unit.
//!
//! Each output is one accumulator that takes the inputs in order, each by one fused multiply-add;
//! then the bias is added, then the rest is done.
//! So neither the other rows nor the tile that it is computed in can change its bits, and a single
//! dot product (see [`targets`](super::targets)) can repeat them.
//!
//! A tile of R rows and P panels keeps `2 · R · P` vectors in registers over all inputs. Two
//! multiply-adds a cycle with a latency of four need eight of them; few rows therefore take several
//! panels at once. With many rows each vector of weights serves twelve rows: 24 multiply-adds for
//! 14 loads. Panels are the outer loop, so that a panel stays in a near cache for all rows. Quants
//! of many rows are expanded to f32 a panel at a time, instead of in every tile again; bfloat16
//! gains nothing by that.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use std::ops::Range;

use super::line::{F32Line, Line};
use super::matrix::{Matrix, Panels, TILE_INPUTS};
use super::scales::Scales;
use super::scratch::ScratchPool;
use super::simd::{F32x16, Kernel, Lanes, NUM_LANES, Simd, activate};
use super::threads::{self, Shared};
use crate::backend::Activation;

/// From so many rows on, quants are expanded first: by then they are used in four tiles.
const MANY_ROWS: usize = 48;

/// What becomes of the dot products with their bias, the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue {
    /// `out = sum`.
    Store,
    /// `out += sum`.
    Add,
    /// `out = activation(sum)`, for a gated matrix `activation(gate) * up`.
    Activate(Activation),
}

/// A matmul: `out = x · wᵀ`.
pub struct Job<'a> {
    /// Rows of `w.num_inputs`, one after the other.
    pub x: &'a [f32],
    /// How many.
    pub num_rows: usize,
    /// The weights.
    pub w: &'a Matrix,
    epilogue: Epilogue,
    out: Shared<'a>,
    stride: usize,
}

impl<'a> Job<'a> {
    /// Output rows begin `stride` apart.
    pub fn new(
        x: &'a [f32],
        w: &'a Matrix,
        epilogue: Epilogue,
        out: &'a mut [f32],
        stride: usize,
    ) -> Self {
        let activates = matches!(epilogue, Epilogue::Activate(_));
        assert!(activates || !w.is_gated, "the matrix is of another layer");
        assert!(stride >= w.num_outputs, "an output row holds all outputs");
        let num_rows = x.len() / w.num_inputs;
        assert_eq!(x.len(), num_rows * w.num_inputs, "whole rows");
        assert_eq!(out.len(), num_rows * stride, "an output row for each row");
        Self { x, num_rows, w, epilogue, out: Shared::new(out), stride }
    }

    /// Runs on vectors.
    pub fn run(&self, simd: Simd, scratch: &ScratchPool) {
        match &self.w.panels {
            Panels::F32(lines) => self.run_lines(simd, lines, &Scales::None),
            Panels::Bf16(lines) => self.run_lines(simd, lines, &Scales::None),
            Panels::Four(lines, scales) => self.run_quants(simd, scratch, lines, scales),
            Panels::Eight(lines, scales) => self.run_quants(simd, scratch, lines, scales),
        }
    }

    fn run_lines<L: Line>(&self, simd: Simd, lines: &[L], scales: &Scales) {
        threads::split(self.w.num_panels(), self.num_parts(), &|panels| {
            simd.run(Part { job: self, lines, first_panel: 0, scales, panels, simd });
        });
    }

    fn run_quants<L: Line>(&self, simd: Simd, scratch: &ScratchPool, lines: &[L], scales: &Scales) {
        if self.num_rows < MANY_ROWS {
            return self.run_lines(simd, lines, scales);
        }
        let (num_tiles, panel_len) = (self.w.num_tiles(), self.w.panel_len::<L>());
        threads::split(self.w.num_panels(), self.num_parts(), &|panels| {
            scratch.with(|scratch| {
                let expanded = scratch.lines(self.w.panel_len::<F32Line>());
                for panel in panels {
                    let lines = &lines[panel * panel_len..][..panel_len];
                    let first_half = 2 * panel * num_tiles;
                    simd.run(Expand { lines, scales, first_half, to: expanded });
                    simd.run(Part {
                        job: self,
                        lines: &*expanded,
                        first_panel: panel,
                        scales: &Scales::None,
                        panels: panel..panel + 1,
                        simd,
                    });
                }
            });
        });
    }

    /// Parts in which to cut the panels.
    pub fn num_parts(&self) -> usize {
        let num_panels = self.w.num_panels();
        let num_weights = num_panels * 2 * NUM_LANES * self.w.num_inputs;
        threads::num_parts(num_panels, self.num_rows.max(1) * num_weights)
    }

    /// Finishes the dot products of one row and panel. No other thread writes the panel's outputs.
    #[inline(always)]
    pub fn finish<V: F32x16>(&self, row: usize, panel_idx: usize, dots: &[Lanes; 2]) {
        let width = self.w.panel_width();
        let first = panel_idx * width;
        let len = width.min(self.w.num_outputs - first);
        let start = row * self.stride + first;
        // SAFETY: `split` gives each panel to one part, and a part finishes one row at a time.
        let out = unsafe { self.out.slice_mut(start..start + len) };
        if len == width {
            return self.finish_whole::<V>(panel_idx, dots, out.as_chunks_mut().0);
        }
        let mut whole = [[0.0; NUM_LANES]; 2];
        whole.as_flattened_mut()[..len].copy_from_slice(out);
        self.finish_whole::<V>(panel_idx, dots, &mut whole[..width / NUM_LANES]);
        out.copy_from_slice(&whole.as_flattened()[..len]);
    }

    /// The same, if no output is padding.
    #[inline(always)]
    fn finish_whole<V: F32x16>(&self, panel_idx: usize, dots: &[Lanes; 2], out: &mut [Lanes]) {
        let mut sums = [V::load(&dots[0]), V::load(&dots[1])];
        if let Some(bias) = &self.w.bias {
            let bias = &bias[panel_idx];
            sums = [sums[0].add(V::load(&bias[0])), sums[1].add(V::load(&bias[1]))];
        }
        if let Epilogue::Activate(activation) = self.epilogue {
            let first = activate(activation, sums[0]);
            if self.w.is_gated {
                return first.mul(sums[1]).store(&mut out[0]);
            }
            sums = [first, activate(activation, sums[1])];
        }
        for (sum, out) in sums.into_iter().zip(out) {
            let adds = self.epilogue == Epilogue::Add;
            let sum = if adds { sum.add(V::load(out)) } else { sum };
            sum.store(out);
        }
    }
}

/// Writes the weights of a panel of quants.
struct Expand<'a, L> {
    lines: &'a [L],
    scales: &'a Scales,
    /// Its first half among all that have scales.
    first_half: usize,
    to: &'a mut [F32Line],
}

impl<L: Line> Kernel for Expand<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(self) {
        let Self { lines, scales, first_half, to } = self;
        let tiles = lines.chunks_exact(2 * L::TILE_LINES);
        let to = to.chunks_exact_mut(2 * F32Line::TILE_LINES);
        for (tile_idx, (lines, to)) in tiles.zip(to).enumerate() {
            for half in 0..2 {
                let [scale, offset] = scales.load::<V>(first_half + 2 * tile_idx + half);
                for i in 0..TILE_INPUTS {
                    let line = &lines[2 * (i % L::TILE_LINES) + half];
                    let stored = line.input::<V>(i / L::TILE_LINES);
                    let to = &mut to[2 * (i % F32Line::TILE_LINES) + half];
                    to.store(i / F32Line::TILE_LINES, stored.mul_add(scale, offset));
                }
            }
        }
    }
}

/// Some panels of a job, all rows.
struct Part<'a, L> {
    job: &'a Job<'a>,
    /// The lines from `first_panel` on.
    lines: &'a [L],
    first_panel: usize,
    scales: &'a Scales,
    panels: Range<usize>,
    simd: Simd,
}

impl<L: Line> Kernel for Part<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(self) {
        let (tile_rows, tile_panels) = tile_shape::<V>(self.job.num_rows);
        let num_tiles = self.job.num_rows.div_ceil(tile_rows);
        let mut panel_idx = self.panels.start;
        while panel_idx < self.panels.end {
            let fits = self.panels.end - panel_idx >= tile_panels;
            let num_panels = if fits { tile_panels } else { 1 };
            for tile_idx in 0..num_tiles {
                // As equal as can be: the last tile of thirteen rows would have a single one.
                let first = self.job.num_rows * tile_idx / num_tiles;
                let end = self.job.num_rows * (tile_idx + 1) / num_tiles;
                self.tile::<V>(first, end - first, panel_idx, num_panels);
            }
            panel_idx += num_panels;
        }
    }
}

/// Rows and panels of the tiles for `num_rows` rows.
fn tile_shape<V: F32x16>(num_rows: usize) -> (usize, usize) {
    match (V::NUM_REGISTERS >= 32, num_rows) {
        (true, 0..=2) => (2, 4),
        (true, 3..=6) => (6, 2),
        (true, _) => (12, 1),
        (false, 0..=1) => (1, 2),
        (false, _) => (3, 1),
    }
}

impl<L: Line> Part<'_, L> {
    #[inline(always)]
    fn tile<V: F32x16>(&self, row: usize, num_rows: usize, panel: usize, num_panels: usize) {
        match (num_rows, num_panels) {
            (1, 1) => self.tile_of::<V, 1, 1>(row, panel),
            (2, 1) => self.tile_of::<V, 2, 1>(row, panel),
            (3, 1) => self.tile_of::<V, 3, 1>(row, panel),
            (1, 2) => self.tile_of::<V, 1, 2>(row, panel),
            _ if V::NUM_REGISTERS < 32 => unreachable!("no tile of {num_rows} by {num_panels}"),
            (4, 1) => self.tile_of::<V, 4, 1>(row, panel),
            (5, 1) => self.tile_of::<V, 5, 1>(row, panel),
            (6, 1) => self.tile_of::<V, 6, 1>(row, panel),
            (7, 1) => self.tile_of::<V, 7, 1>(row, panel),
            (8, 1) => self.tile_of::<V, 8, 1>(row, panel),
            (9, 1) => self.tile_of::<V, 9, 1>(row, panel),
            (10, 1) => self.tile_of::<V, 10, 1>(row, panel),
            (11, 1) => self.tile_of::<V, 11, 1>(row, panel),
            (12, 1) => self.tile_of::<V, 12, 1>(row, panel),
            (3, 2) => self.tile_of::<V, 3, 2>(row, panel),
            (4, 2) => self.tile_of::<V, 4, 2>(row, panel),
            (5, 2) => self.tile_of::<V, 5, 2>(row, panel),
            (6, 2) => self.tile_of::<V, 6, 2>(row, panel),
            (1, 4) => self.tile_of::<V, 1, 4>(row, panel),
            (2, 4) => self.tile_of::<V, 2, 4>(row, panel),
            _ => unreachable!("no tile of {num_rows} by {num_panels}"),
        }
    }

    #[inline(always)]
    fn tile_of<V: F32x16, const R: usize, const P: usize>(&self, row: usize, panel: usize) {
        let (num_inputs, panel_len) = (self.job.w.num_inputs, self.job.w.panel_len::<L>());
        let mut x = [&self.job.x[..0]; R];
        for (r, x) in x.iter_mut().enumerate() {
            *x = &self.job.x[(row + r) * num_inputs..][..num_inputs];
        }
        let mut lines = [&self.lines[..0]; P];
        for (p, lines) in lines.iter_mut().enumerate() {
            *lines = &self.lines[(panel - self.first_panel + p) * panel_len..][..panel_len];
        }
        let weights = Weights { lines, scales: self.scales, panel };
        // Through memory, so that the accumulators stay registers whatever is done with them.
        let mut dots = [[[[0.0; NUM_LANES]; 2]; P]; R];
        // SAFETY: the slices were cut to `num_inputs` and to the lines of as many.
        unsafe { dot_products::<V, L, R, P>(num_inputs, &x, &weights, &mut dots) };
        finish_apart(self.simd, Finish { job: self.job, row, panel, dots: &dots });
    }
}

/// A tile's dot products.
struct Finish<'a, const P: usize> {
    job: &'a Job<'a>,
    row: usize,
    panel: usize,
    dots: &'a [[[Lanes; 2]; P]],
}

/// Finishes in a function of its own: beside what the activations keep in registers, the loop over
/// the inputs would lose some of its own (3 % of the time at one row; `examples/gemm.rs`).
#[inline(never)]
fn finish_apart<const P: usize>(simd: Simd, tile: Finish<'_, P>) {
    simd.run(tile);
}

impl<const P: usize> Kernel for Finish<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(self) {
        for (r, dots) in self.dots.iter().enumerate() {
            for (p, dots) in dots.iter().enumerate() {
                self.job.finish::<V>(self.row + r, self.panel + p, dots);
            }
        }
    }
}

/// P panels that follow each other.
struct Weights<'a, L, const P: usize> {
    lines: [&'a [L]; P],
    scales: &'a Scales,
    /// The first of them.
    panel: usize,
}

/// Scale and offset for both halves of P panels.
type TileScales<V, const P: usize> = [[[V; 2]; 2]; P];

impl<L: Line, const P: usize> Weights<'_, L, P> {
    /// Those of a tile.
    #[inline(always)]
    fn scales<V: F32x16>(&self, tile_idx: usize) -> TileScales<V, P> {
        let mut scales = [[[V::splat(0.0); 2]; 2]; P];
        if L::IS_SCALED {
            let num_tiles = self.lines[0].len() / (2 * L::TILE_LINES);
            for (p, scales) in scales.iter_mut().enumerate() {
                let first = 2 * ((self.panel + p) * num_tiles + tile_idx);
                *scales = [self.scales.load(first), self.scales.load(first + 1)];
            }
        }
        scales
    }
}

/// The dot products of R rows with P panels.
///
/// # Safety
///
/// All slices of `x` have `num_inputs` elements, all of `lines` the lines of whole tiles for them.
#[inline(always)]
unsafe fn dot_products<V: F32x16, L: Line, const R: usize, const P: usize>(
    num_inputs: usize,
    x: &[&[f32]; R],
    weights: &Weights<'_, L, P>,
    dots: &mut [[[Lanes; 2]; P]; R],
) {
    let mut sums = [[[V::splat(0.0); 2]; P]; R];
    for tile_idx in 0..num_inputs.div_ceil(TILE_INPUTS) {
        let tile = Tile { num_inputs, x, weights, idx: tile_idx, scales: weights.scales(tile_idx) };
        // SAFETY: the tile's lines are there, and the inputs end with `num_inputs`.
        unsafe {
            if L::IS_SCALED {
                // One loop for all: as many copies as inputs would be much code.
                for input in 0..L::NUM_INPUTS {
                    tile.add_inputs(input, &mut sums);
                }
            } else {
                tile.add_inputs(0, &mut sums);
                tile.add_inputs(1, &mut sums);
            }
        }
    }
    for r in 0..R {
        for p in 0..P {
            for half in 0..2 {
                sums[r][p][half].store(&mut dots[r][p][half]);
            }
        }
    }
}

/// A tile of P panels, and the rows.
struct Tile<'a, V, L, const R: usize, const P: usize> {
    num_inputs: usize,
    x: &'a [&'a [f32]; R],
    weights: &'a Weights<'a, L, P>,
    idx: usize,
    scales: TileScales<V, P>,
}

impl<V: F32x16, L: Line, const R: usize, const P: usize> Tile<'_, V, L, R, P> {
    /// Adds the products of those inputs that are `input` of their lines.
    ///
    /// # Safety
    ///
    /// `x` has `num_inputs` inputs, and the tile's lines are there.
    #[inline(always)]
    unsafe fn add_inputs(&self, input: usize, sums: &mut [[[V; 2]; P]; R]) {
        let x = self.x;
        let first_line = self.idx * 2 * L::TILE_LINES;
        let first = self.idx * TILE_INPUTS + input * L::TILE_LINES;
        let end = self.num_inputs.min(first + L::TILE_LINES);
        for (i, k) in (first..end).enumerate() {
            let mut weights = [[V::splat(0.0); 2]; P];
            for p in 0..P {
                for (half, weights) in weights[p].iter_mut().enumerate() {
                    let lines = self.weights.lines[p];
                    // SAFETY: the caller promises the lines.
                    let line = unsafe { lines.get_unchecked(first_line + 2 * i + half) };
                    let [scale, offset] = self.scales[p][half];
                    let stored = line.input::<V>(input);
                    *weights = if L::IS_SCALED { stored.mul_add(scale, offset) } else { stored };
                }
            }
            for r in 0..R {
                // SAFETY: the caller promises the inputs.
                let x = V::splat(unsafe { *x[r].get_unchecked(k) });
                for p in 0..P {
                    for half in 0..2 {
                        sums[r][p][half] = x.mul_add(weights[p][half], sums[r][p][half]);
                    }
                }
            }
        }
    }
}
