//! Weights as the matmul reads them: panels of 32 outputs, input by input.
//!
//! A *line* holds one input's weights of a panel's outputs, as two vectors of sixteen. In bfloat16 it
//! is one cache line: output `j` in the low half and output `j + 16` in the high half of word `j`, so
//! a shift and a mask make the two vectors. A panel of a gated layer holds sixteen gates (low) and
//! their ups (high) instead, so that both end in the same lane.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use half::bf16;

use super::simd::{F32x16, Lanes, NUM_LANES};
use super::table::to_f32;
use crate::backend::{MatrixView, WeightSlice};

/// The weights of one input in a panel.
pub trait Line: Copy + Default + Send + Sync {
    /// A weight as stored.
    type Weight: Copy;
    /// Both vectors.
    fn unpack<V: F32x16>(&self) -> [V; 2];
    /// Puts `weight` into lane `lane` of vector `half`.
    fn set(&mut self, half: usize, lane: usize, weight: Self::Weight);
}

/// A line of bfloat16.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct Bf16Line([u32; NUM_LANES]);

impl Line for Bf16Line {
    type Weight = bf16;

    #[inline(always)]
    fn unpack<V: F32x16>(&self) -> [V; 2] {
        [V::from_low_halves(&self.0), V::from_high_halves(&self.0)]
    }

    fn set(&mut self, half: usize, lane: usize, weight: bf16) {
        self.0[lane] |= u32::from(weight.to_bits()) << (16 * half);
    }
}

/// A line of f32: for checkpoints whose weights bfloat16 can't hold exactly.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct F32Line([Lanes; 2]);

impl Line for F32Line {
    type Weight = f32;

    #[inline(always)]
    fn unpack<V: F32x16>(&self) -> [V; 2] {
        [V::load(&self.0[0]), V::load(&self.0[1])]
    }

    fn set(&mut self, half: usize, lane: usize, weight: f32) {
        self.0[half][lane] = weight;
    }
}

/// `num_inputs` lines for each panel, panel after panel.
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

    /// Outputs of a panel.
    pub fn panel_width(&self) -> usize {
        if self.is_gated { NUM_LANES } else { 2 * NUM_LANES }
    }

    /// Panels, the last one padded with zeros.
    pub fn num_panels(&self) -> usize {
        self.num_outputs.div_ceil(self.panel_width())
    }

    fn pack(parts: &[MatrixView<'_>], num_outputs: usize, is_gated: bool) -> Self {
        let num_inputs = parts.first().expect("a matrix has a part").num_cols;
        for part in parts {
            assert_eq!(part.num_cols, num_inputs, "stacked matrices have the same inputs");
        }
        let empty = Panels::Bf16(Vec::new());
        let mut matrix = Self { panels: empty, num_inputs, num_outputs, is_gated };
        matrix.panels = if let Some(rows) = all_bf16(parts) {
            Panels::Bf16(matrix.pack_lines(&rows))
        } else {
            let values: Vec<Vec<f32>> = parts.iter().map(|part| to_f32(part.values)).collect();
            let rows = values.iter().flat_map(|part| part.chunks_exact(num_inputs));
            Panels::F32(matrix.pack_lines(&rows.collect::<Vec<_>>()))
        };
        matrix
    }

    fn pack_lines<L: Line>(&self, rows: &[&[L::Weight]]) -> Vec<L> {
        let mut lines = vec![L::default(); self.num_panels() * self.num_inputs];
        for (panel_idx, panel) in lines.chunks_exact_mut(self.num_inputs).enumerate() {
            for half in 0..2 {
                for lane in 0..NUM_LANES {
                    let Some(row) = self.source_row(panel_idx, half, lane) else { continue };
                    for (line, weight) in panel.iter_mut().zip(rows[row]) {
                        line.set(half, lane, *weight);
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
