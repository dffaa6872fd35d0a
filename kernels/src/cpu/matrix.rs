//! Weights as the matmuls read them: panels of 32 outputs, in two halves of sixteen.
//!
//! A *line* holds the weights of two inputs for the sixteen outputs of a half, as two vectors. In
//! bfloat16 it is one cache line: output `j` in word `j`, the first input in the low half and the
//! second in the high half, so a shift or a mask makes a vector.
//!
//! The inputs of a line are `i` and `i + 16` of 32 that follow each other. Sixteen lines of a half
//! are thus a tile of these 32 inputs, as the tile unit wants it, and vectors take the inputs in
//! order: all first ones, then all second ones. Lines of both halves alternate; the last inputs are
//! padded to whole tiles with zeros.
//!
//! A panel of a gated layer holds sixteen gates (first half) and their ups (second half), so that
//! both end in the same lane.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use half::bf16;

use super::simd::{F32x16, Lanes, NUM_LANES};
use crate::backend::{MatrixView, WeightSlice};

/// Lines of a half, and first inputs of its lines, in 32 inputs.
pub const TILE_LINES: usize = 16;

/// The weights of two inputs for half a panel.
pub trait Line: Copy + Default + Send + Sync {
    /// A weight as stored.
    type Weight: Copy;
    /// The weights of the first input (0) or the second one (1).
    fn input<V: F32x16, const I: usize>(&self) -> V;
    /// Puts the weight of input 0 or 1 into lane `lane`.
    fn set(&mut self, input: usize, lane: usize, weight: Self::Weight);
}

/// A line of bfloat16.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct Bf16Line([u32; NUM_LANES]);

impl Line for Bf16Line {
    type Weight = bf16;

    #[inline(always)]
    fn input<V: F32x16, const I: usize>(&self) -> V {
        if I == 0 { V::from_low_halves(&self.0) } else { V::from_high_halves(&self.0) }
    }

    fn set(&mut self, input: usize, lane: usize, weight: bf16) {
        self.0[lane] |= u32::from(weight.to_bits()) << (16 * input);
    }
}

/// A line of f32: for checkpoints whose weights bfloat16 can't hold exactly.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct F32Line([Lanes; 2]);

impl Line for F32Line {
    type Weight = f32;

    #[inline(always)]
    fn input<V: F32x16, const I: usize>(&self) -> V {
        V::load(&self.0[I])
    }

    fn set(&mut self, input: usize, lane: usize, weight: f32) {
        self.0[input][lane] = weight;
    }
}

/// [`Matrix::panel_len`] lines for each panel, panel after panel.
pub enum Panels {
    /// The checkpoint is bfloat16.
    Bf16(Vec<Bf16Line>),
    /// It is not.
    F32(Vec<F32Line>),
}

/// A packed weight matrix.
pub struct Matrix {
    /// The weights.
    pub panels: Panels,
    /// Elements of an input row.
    pub num_inputs: usize,
    /// Elements of an output row.
    pub num_outputs: usize,
    /// Whether each output is made of a gate and an up.
    pub is_gated: bool,
    /// Added to the dot products, in the places of each panel; padded with zeros.
    pub bias: Option<Vec<[Lanes; 2]>>,
}

impl Matrix {
    /// All outputs of `parts`, one part after the other.
    pub fn stacked(parts: &[MatrixView<'_>]) -> Self {
        Self::pack(parts, parts.iter().map(|part| part.num_rows).sum(), false)
    }

    /// The outputs of a gated layer.
    pub fn gated(gate: MatrixView<'_>, up: MatrixView<'_>) -> Self {
        assert_eq!(gate.num_rows, up.num_rows, "a gate for each up");
        Self::pack(&[gate, up], gate.num_rows, true)
    }

    /// The same with a bias: an element for each row of the parts.
    #[must_use]
    pub fn with_bias(mut self, bias: Option<&[f32]>) -> Self {
        let Some(bias) = bias else { return self };
        let num_rows = if self.is_gated { 2 * self.num_outputs } else { self.num_outputs };
        assert_eq!(bias.len(), num_rows, "a bias for each row");
        let mut panels = vec![[Lanes::default(); 2]; self.num_panels()];
        for (panel_idx, panel) in panels.iter_mut().enumerate() {
            for (half, lanes) in panel.iter_mut().enumerate() {
                for (lane, place) in lanes.iter_mut().enumerate() {
                    *place = self.source_row(panel_idx, half, lane).map_or(0.0, |row| bias[row]);
                }
            }
        }
        self.bias = Some(panels);
        self
    }

    /// Outputs of a panel.
    pub fn panel_width(&self) -> usize {
        if self.is_gated { NUM_LANES } else { 2 * NUM_LANES }
    }

    /// Panels, the last one padded with zeros.
    pub fn num_panels(&self) -> usize {
        self.num_outputs.div_ceil(self.panel_width())
    }

    /// Tiles of 32 inputs, the last one padded with zeros.
    pub fn num_tiles(&self) -> usize {
        self.num_inputs.div_ceil(2 * TILE_LINES)
    }

    /// Lines of a panel.
    pub fn panel_len(&self) -> usize {
        self.num_tiles() * 2 * TILE_LINES
    }

    fn pack(parts: &[MatrixView<'_>], num_outputs: usize, is_gated: bool) -> Self {
        let num_inputs = parts.first().expect("a matrix has a part").num_cols;
        for part in parts {
            assert_eq!(part.num_cols, num_inputs, "stacked matrices have the same inputs");
        }
        let empty = Panels::Bf16(Vec::new());
        let mut matrix = Self { panels: empty, num_inputs, num_outputs, is_gated, bias: None };
        matrix.panels = if let Some(rows) = all_bf16(parts) {
            Panels::Bf16(matrix.pack_lines(&rows))
        } else {
            let values: Vec<_> = parts.iter().map(|part| part.values.to_f32()).collect();
            for (values, part) in values.iter().zip(parts) {
                assert_eq!(values.len(), part.num_rows * num_inputs, "values fill the matrix");
            }
            let rows = values.iter().flat_map(|part| part.chunks_exact(num_inputs));
            Panels::F32(matrix.pack_lines(&rows.collect::<Vec<_>>()))
        };
        matrix
    }

    fn pack_lines<L: Line>(&self, rows: &[&[L::Weight]]) -> Vec<L> {
        let mut lines = vec![L::default(); self.num_panels() * self.panel_len()];
        for (panel_idx, panel) in lines.chunks_exact_mut(self.panel_len()).enumerate() {
            for half in 0..2 {
                for lane in 0..NUM_LANES {
                    let Some(row) = self.source_row(panel_idx, half, lane) else { continue };
                    for (i, weight) in rows[row].iter().enumerate() {
                        let (tile, input) = (i / (2 * TILE_LINES), i / TILE_LINES % 2);
                        let line = tile * TILE_LINES + i % TILE_LINES;
                        panel[2 * line + half].set(input, lane, *weight);
                    }
                }
            }
        }
        lines
    }

    /// The row of all parts together whose weights go to a place; `None` is padding.
    fn source_row(&self, panel_idx: usize, half: usize, lane: usize) -> Option<usize> {
        let first = panel_idx * self.panel_width() + lane;
        let (output, row) = if self.is_gated {
            (first, half * self.num_outputs + first)
        } else {
            (first + half * NUM_LANES, first + half * NUM_LANES)
        };
        (output < self.num_outputs).then_some(row)
    }
}

/// The rows of `parts`, if all of them are bfloat16.
fn all_bf16<'a>(parts: &[MatrixView<'a>]) -> Option<Vec<&'a [bf16]>> {
    let mut rows = Vec::new();
    for part in parts {
        let WeightSlice::Bf16(values) = part.values else { return None };
        assert_eq!(values.len(), part.num_rows * part.num_cols, "values fill the matrix");
        rows.extend(values.chunks_exact(part.num_cols));
    }
    Some(rows)
}
