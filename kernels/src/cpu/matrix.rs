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
use crate::backend::{MatrixShape, MatrixView, WeightKind, WeightSlice};
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

    /// Bytes of the panels of such parts.
    pub fn bytes_of(parts: &[MatrixShape], is_gated: bool) -> usize {
        let num_rows: usize = parts.iter().map(|part| part.num_rows).sum();
        let num_outputs = if is_gated { num_rows / 2 } else { num_rows };
        let matrix = Self::empty(parts[0].num_cols, num_outputs, is_gated);
        let tile_bytes = match Form::of(parts.iter().map(|part| part.kind)) {
            Form::Bf16 => lines_bytes::<Bf16Line>(),
            Form::F32 => lines_bytes::<F32Line>(),
            Form::Four(kind) => lines_bytes::<FourBitLine>() + Scales::tile_bytes(kind),
            Form::Eight(kind) => lines_bytes::<EightBitLine>() + Scales::tile_bytes(kind),
        };
        matrix.num_panels() * matrix.num_tiles() * 2 * tile_bytes
    }

    fn empty(num_inputs: usize, num_outputs: usize, is_gated: bool) -> Self {
        let panels = Panels::Bf16(Vec::new());
        Self { panels, num_inputs, num_outputs, is_gated, bias: None }
    }

    fn pack(parts: &[MatrixView<'_>], num_outputs: usize, is_gated: bool) -> Self {
        let num_inputs = parts.first().expect("a matrix has a part").num_cols;
        for part in parts {
            assert_eq!(part.num_cols, num_inputs, "stacked matrices have the same inputs");
            assert_eq!(part.values.len(), part.num_rows * num_inputs, "values fill the matrix");
        }
        let mut matrix = Self::empty(num_inputs, num_outputs, is_gated);
        matrix.panels = matrix.pack_panels(parts);
        matrix
    }

    fn pack_panels(&self, parts: &[MatrixView<'_>]) -> Panels {
        match Form::of(parts.iter().map(|part| part.values.kind())) {
            Form::Bf16 => {
                let rows = bf16_rows(parts);
                Panels::Bf16(self.pack_lines(|row| rows[row].iter().copied()))
            }
            Form::F32 => {
                let values: Vec<_> = parts.iter().map(|part| part.values.to_f32()).collect();
                let rows = values.iter().flat_map(|part| part.chunks_exact(self.num_inputs));
                let rows: Vec<_> = rows.collect();
                Panels::F32(self.pack_lines(|row| rows[row].iter().copied()))
            }
            Form::Four(kind) => {
                let rows = quantised_rows(parts);
                let quants = self.pack_lines(|row| kind.runs(rows[row]).flat_map(|run| run.quants));
                Panels::Four(quants, Scales::pack(self, kind, &rows))
            }
            Form::Eight(kind) => {
                let rows = quantised_rows(parts);
                let quants = self.pack_lines(|row| kind.runs(rows[row]).flat_map(|run| run.quants));
                Panels::Eight(quants, Scales::pack(self, kind, &rows))
            }
        }
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

/// What the lines of a matrix hold.
enum Form {
    Bf16,
    F32,
    Four(Quantisation),
    Eight(Quantisation),
}

impl Form {
    /// The form of a matrix whose parts are stored so: single precision, unless all are bfloat16 or
    /// are quantised the same way, which a line can hold.
    fn of(mut kinds: impl Iterator<Item = WeightKind>) -> Self {
        let first = kinds.next().expect("a matrix has a part");
        if kinds.any(|kind| kind != first) {
            return Self::F32;
        }
        match first {
            WeightKind::Bf16 => Self::Bf16,
            WeightKind::F16 | WeightKind::F32 | WeightKind::Quantised(Quantisation::Q6K) => {
                Self::F32
            }
            WeightKind::Quantised(kind) => match kind {
                Quantisation::Q4_0 | Quantisation::Q4_1 | Quantisation::Q4K => Self::Four(kind),
                _ => Self::Eight(kind),
            },
        }
    }
}

/// Bytes of the lines of half a tile.
const fn lines_bytes<L: Line>() -> usize {
    L::TILE_LINES * size_of::<L>()
}

/// The rows of `parts`, all of which are bfloat16.
fn bf16_rows<'a>(parts: &[MatrixView<'a>]) -> Vec<&'a [bf16]> {
    let rows = parts.iter().flat_map(|part| match part.values {
        WeightSlice::Bf16(values) => values.chunks_exact(part.num_cols),
        _ => unreachable!("all parts are bfloat16"),
    });
    rows.collect()
}

/// The packets of each row of `parts`, all of which are quantised.
fn quantised_rows<'a>(parts: &[MatrixView<'a>]) -> Vec<&'a [u8]> {
    let rows = parts.iter().flat_map(|part| match part.values {
        WeightSlice::Quantised(kind, bytes) => bytes.chunks_exact(kind.num_bytes(part.num_cols)),
        _ => unreachable!("all parts are quantised"),
    });
    rows.collect()
}
