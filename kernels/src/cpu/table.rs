//! Weights that are read row by row.

use half::bf16;

use super::rows::Rows;
use super::threads;
use crate::backend::{MatrixShape, MatrixView, WeightKind, WeightSlice};
use crate::layout::{Layout, TokenId};
use crate::quantised::Quantisation;

/// The rows of a matrix as the checkpoint has them.
pub struct Table {
    /// The values.
    pub values: TableValues,
    /// Elements of a row.
    pub width: usize,
    /// Rows.
    pub num_rows: usize,
}

/// The values of a table, row-major.
pub enum TableValues {
    /// The checkpoint is bfloat16.
    Bf16(Vec<bf16>),
    /// It is quantised.
    Quantised(Quantisation, Vec<u8>),
    /// Neither.
    F32(Vec<f32>),
}

impl Table {
    /// Copies `view`.
    pub fn new(view: MatrixView<'_>) -> Self {
        assert_eq!(view.values.len(), view.num_rows * view.num_cols, "values fill the table");
        let values = match view.values {
            WeightSlice::Bf16(values) => TableValues::Bf16(values.to_vec()),
            WeightSlice::Quantised(kind, bytes) => TableValues::Quantised(kind, bytes.to_vec()),
            values => TableValues::F32(values.to_f32().into_owned()),
        };
        Self { values, width: view.num_cols, num_rows: view.num_rows }
    }

    /// Bytes of a table of such rows.
    pub fn bytes_of(shape: MatrixShape) -> usize {
        let len = shape.num_rows * shape.num_cols;
        match shape.kind {
            WeightKind::Bf16 => len * size_of::<bf16>(),
            WeightKind::Quantised(kind) => kind.num_bytes(len),
            WeightKind::F16 | WeightKind::F32 => len * size_of::<f32>(),
        }
    }

    /// Where the row of `token` begins.
    pub fn start(&self, token: TokenId) -> usize {
        let row = token.0 as usize;
        assert!(row < self.num_rows, "token {row} of {}", self.num_rows);
        row * self.width
    }

    /// Calls `each` with every element of `out` and of the row of `token`.
    fn visit(&self, token: TokenId, out: &mut [f32], each: impl Fn(&mut f32, f32)) {
        let row = self.start(token)..self.start(token) + self.width;
        assert_eq!(out.len(), self.width, "rows of the same width");
        match &self.values {
            TableValues::F32(values) => {
                out.iter_mut().zip(&values[row]).for_each(|(to, value)| each(to, *value));
            }
            TableValues::Bf16(values) => {
                out.iter_mut().zip(&values[row]).for_each(|(to, value)| each(to, widen(*value)));
            }
            TableValues::Quantised(kind, bytes) => {
                let packets = &bytes[kind.num_bytes(row.start)..kind.num_bytes(row.end)];
                out.iter_mut().zip(kind.expand(packets)).for_each(|(to, value)| each(to, value));
            }
        }
    }
}

/// The f32 of a bfloat16: the same bits that the matmul's shift and mask make.
pub fn widen(value: bf16) -> f32 {
    f32::from_bits(u32::from(value.to_bits()) << 16)
}

/// `out[r] = table[tokens[r]] * scale`, and `+ places[position of r]` if there is such a table.
pub fn embed(table: &Table, scale: f32, places: Option<&Table>, layout: &Layout, out: &mut Rows) {
    let (tokens, width) = (&layout.tokens, table.width);
    assert_eq!(out.width(), width, "a row of the table fills a row");
    let num_parts = threads::num_parts(tokens.len(), tokens.len() * width);
    threads::split_rows(out.first_mut(tokens.len()), width, num_parts, &|first, rows| {
        for (token, row) in tokens[first..].iter().zip(rows.chunks_exact_mut(width)) {
            table.visit(*token, row, |to, value| *to = value * scale);
        }
        if let Some(places) = places {
            let positions = layout.positions().skip(first);
            for (position, row) in positions.zip(rows.chunks_exact_mut(width)) {
                places.visit(TokenId(position as u32), row, |to, value| *to += value);
            }
        }
    });
}

/// `out[i] = x[row_idx[i]]`.
pub fn gather(x: &Rows, row_idx: &[u32], out: &mut Rows) {
    assert_eq!(x.width(), out.width(), "rows keep their width");
    let width = out.width();
    for (row, to) in row_idx.iter().zip(out.first_mut(row_idx.len()).chunks_exact_mut(width)) {
        to.copy_from_slice(x.row(*row as usize));
    }
}
