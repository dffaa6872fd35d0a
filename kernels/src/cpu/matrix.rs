//! Weights as the matmuls read them: panels of 32 outputs, in two halves of sixteen.
//!
//! A half's weights of 32 inputs that follow each other are a tile, of [lines](super::line). Lines
//! of both halves alternate; the last inputs are padded to whole tiles with zeros.
//!
//! A panel of a gated layer holds sixteen gates (first half) and their ups (second half), so that
//! both end in the same lane.

use half::bf16;

use super::line::{Bf16Line, EightBitLine, F32Line, FourBitLine, Line};
use super::scales::Scales;
use super::simd::{Lanes, NUM_LANES};
use crate::backend::{MatrixView, WeightSlice};
use crate::quantised::Quantisation;

/// Inputs of a tile.
pub const TILE_INPUTS: usize = 32;

/// [`Matrix::panel_len`] lines for each panel, panel after panel.
pub enum Panels {
    /// The checkpoint is bfloat16.
    Bf16(Vec<Bf16Line>),
    /// Neither that nor quantised, or quantised in a way that no line can hold.
    F32(Vec<F32Line>),
    /// Quants of up to 4 bits.
    Four(Vec<FourBitLine>, Scales),
    /// Quants of up to 8 bits.
    Eight(Vec<EightBitLine>, Scales),
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
        self.num_inputs.div_ceil(TILE_INPUTS)
    }

    /// Lines of a panel.
    pub fn panel_len<L: Line>(&self) -> usize {
        self.num_tiles() * 2 * L::TILE_LINES
    }

    fn pack(parts: &[MatrixView<'_>], num_outputs: usize, is_gated: bool) -> Self {
        let num_inputs = parts.first().expect("a matrix has a part").num_cols;
        for part in parts {
            assert_eq!(part.num_cols, num_inputs, "stacked matrices have the same inputs");
            assert_eq!(part.values.len(), part.num_rows * num_inputs, "values fill the matrix");
        }
        let empty = Panels::Bf16(Vec::new());
        let mut matrix = Self { panels: empty, num_inputs, num_outputs, is_gated, bias: None };
        matrix.panels = matrix.pack_panels(parts);
        matrix
    }

    fn pack_panels(&self, parts: &[MatrixView<'_>]) -> Panels {
        if let Some(rows) = all_bf16(parts) {
            return Panels::Bf16(self.pack_lines(|row| rows[row].iter().copied()));
        }
        if let Some((kind, rows)) = all_quantised(parts)
            && Scales::can_hold(kind)
        {
            let quants = |row: usize| kind.runs(rows[row]).flat_map(|run| run.quants);
            let scales = Scales::pack(self, kind, &rows);
            return match kind {
                Quantisation::Q4_0 | Quantisation::Q4_1 | Quantisation::Q4K => {
                    Panels::Four(self.pack_lines(quants), scales)
                }
                _ => Panels::Eight(self.pack_lines(quants), scales),
            };
        }
        let values: Vec<_> = parts.iter().map(|part| part.values.to_f32()).collect();
        let rows = values.iter().flat_map(|part| part.chunks_exact(self.num_inputs));
        let rows: Vec<_> = rows.collect();
        Panels::F32(self.pack_lines(|row| rows[row].iter().copied()))
    }

    /// Lines of the weights that `row` gives of each row.
    fn pack_lines<L: Line, R: Iterator<Item = L::Weight>>(
        &self,
        row: impl Fn(usize) -> R,
    ) -> Vec<L> {
        let panel_len = self.panel_len::<L>();
        let mut lines = vec![L::default(); self.num_panels() * panel_len];
        for (panel_idx, panel) in lines.chunks_exact_mut(panel_len).enumerate() {
            for half in 0..2 {
                for lane in 0..NUM_LANES {
                    let Some(source) = self.source_row(panel_idx, half, lane) else { continue };
                    for (i, weight) in row(source).enumerate() {
                        let (tile, in_tile) = (i / TILE_INPUTS, i % TILE_INPUTS);
                        let line = tile * L::TILE_LINES + in_tile % L::TILE_LINES;
                        panel[2 * line + half].set(in_tile / L::TILE_LINES, lane, weight);
                    }
                }
            }
        }
        lines
    }

    /// The row of all parts together whose weights go to a place; `None` is padding.
    pub fn source_row(&self, panel_idx: usize, half: usize, lane: usize) -> Option<usize> {
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
        rows.extend(values.chunks_exact(part.num_cols));
    }
    Some(rows)
}

/// How `parts` are quantised, and their rows, if all are quantised the same way.
fn all_quantised<'a>(parts: &[MatrixView<'a>]) -> Option<(Quantisation, Vec<&'a [u8]>)> {
    let WeightSlice::Quantised(kind, _) = parts.first()?.values else { return None };
    let mut rows = Vec::new();
    for part in parts {
        match part.values {
            WeightSlice::Quantised(other, bytes) if other == kind => {
                rows.extend(bytes.chunks_exact(kind.num_bytes(part.num_cols)));
            }
            _ => return None,
        }
    }
    Some((kind, rows))
}
