//! What a model's arrays are on the device: weights and activations.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use half::bf16;

use crate::backend::{MatrixShape, MatrixView, NormKind, NormView, RopeTable, WeightSlice};
use crate::runtime::{Buffer, DeviceError, DevicePtr, SharedRuntime};

/// A gate's and its up's rows lie in turns of so many, so that one thread holds both of an output;
/// see `SILU_GATE_BF16` in `params.h`.
const GATE_TURN: usize = 8;

/// Passes are padded by fewer rows than this.
pub const ROW_PADDING: usize = 8;

/// A weight matrix, bfloat16, row-major as in the checkpoint, and its bias.
pub struct Matrix {
    buffer: Buffer,
    bias: Option<Vector>,
    /// Whether it holds gates and ups in turns.
    is_gated: bool,
    /// Rows.
    pub num_outputs: u32,
    /// Columns.
    pub num_inputs: u32,
}

impl Matrix {
    /// `parts` on top of each other.
    pub fn stacked(runtime: &SharedRuntime, parts: &[MatrixView<'_>]) -> Result<Self, DeviceError> {
        let num_cols = parts[0].num_cols;
        let num_rows = parts.iter().map(|part| part.num_rows).sum();
        let matrix = Self::new(runtime, num_rows, num_cols)?;
        let mut start = 0;
        for part in parts {
            assert_eq!(part.num_cols, num_cols, "parts of one matrix have the same inputs");
            let values = to_bf16(part.values);
            assert_eq!(values.len(), part.num_rows * num_cols, "values fill the matrix");
            matrix.buffer.write(start, &values)?;
            start += size_of_val(&*values);
        }
        Ok(matrix)
    }

    /// `gate` and `up` in turns.
    pub fn gated(
        runtime: &SharedRuntime,
        gate: MatrixView<'_>,
        up: MatrixView<'_>,
    ) -> Result<Self, DeviceError> {
        assert_eq!((gate.num_rows, gate.num_cols), (up.num_rows, up.num_cols), "equal shapes");
        assert_eq!(gate.num_rows % GATE_TURN, 0, "{} rows in turns of 8", gate.num_rows);
        let matrix = Self::new(runtime, 2 * gate.num_rows, gate.num_cols)?;
        let turn = GATE_TURN * gate.num_cols;
        matrix.buffer.write(0, &in_turns(&to_bf16(gate.values), &to_bf16(up.values), turn))?;
        Ok(Self { is_gated: true, ..matrix })
    }

    /// The same with a bias: an element for each row of the parts.
    pub fn with_bias(
        self,
        runtime: &SharedRuntime,
        bias: Option<&[f32]>,
    ) -> Result<Self, DeviceError> {
        let Some(bias) = bias else { return Ok(self) };
        assert_eq!(bias.len(), self.num_outputs as usize, "a bias for each row");
        let bias = if self.is_gated {
            let (gate, up) = bias.split_at(bias.len() / 2);
            Vector::new(runtime, &in_turns(gate, up, GATE_TURN))?
        } else {
            Vector::new(runtime, bias)?
        };
        Ok(Self { bias: Some(bias), ..self })
    }

    fn new(runtime: &SharedRuntime, num_rows: usize, num_cols: usize) -> Result<Self, DeviceError> {
        assert!(num_cols.is_multiple_of(8), "{num_cols} inputs: rows of whole 16-byte words");
        let buffer = Buffer::zeroed(runtime, num_rows * num_cols * size_of::<bf16>())?;
        let (num_outputs, num_inputs) = (num_rows as u32, num_cols as u32);
        Ok(Self { buffer, bias: None, is_gated: false, num_outputs, num_inputs })
    }

    /// Bytes of such parts.
    pub fn bytes_of(parts: &[MatrixShape]) -> usize {
        let len: usize = parts.iter().map(|part| part.num_rows * part.num_cols).sum();
        len * size_of::<bf16>()
    }

    /// The first weight.
    pub fn ptr(&self) -> DevicePtr {
        self.buffer.ptr()
    }

    /// The first bias, or null.
    pub fn bias(&self) -> DevicePtr {
        self.bias.as_ref().map_or(DevicePtr::NULL, Vector::ptr)
    }

    /// Whether it holds gates and ups in turns.
    pub fn is_gated(&self) -> bool {
        self.is_gated
    }
}

/// `gate` and `up`, so many elements of each in turn.
fn in_turns<T: Copy>(gate: &[T], up: &[T], turn: usize) -> Vec<T> {
    let turns = gate.chunks_exact(turn).zip(up.chunks_exact(turn));
    turns.flat_map(|(gate, up)| [gate, up]).flatten().copied().collect()
}

/// A matrix that several share: the embedding, and the head, which may be the same.
#[derive(Clone)]
pub struct Table(Arc<Matrix>);

impl Table {
    /// The rows of `matrix`.
    pub fn new(matrix: Matrix) -> Self {
        Self(Arc::new(matrix))
    }
}

impl Deref for Table {
    type Target = Matrix;

    fn deref(&self) -> &Matrix {
        &self.0
    }
}

/// The tables of the rotary embedding.
pub struct Rope {
    /// `[positions][half_dim]` f32
    pub cos: Buffer,
    /// `[positions][half_dim]` f32
    pub sin: Buffer,
    /// Pairs of a head.
    pub half_dim: usize,
}

impl Rope {
    /// A copy of `table`.
    pub fn new(runtime: &SharedRuntime, table: &RopeTable) -> Result<Self, DeviceError> {
        let cos = Buffer::of(runtime, &table.cos)?;
        Ok(Self { cos, sin: Buffer::of(runtime, &table.sin)?, half_dim: table.half_dim })
    }
}

/// A vector of weights, f32.
pub struct Vector {
    buffer: Buffer,
    /// Elements.
    pub len: usize,
}

impl Vector {
    /// A copy of `values`.
    pub fn new(runtime: &SharedRuntime, values: &[f32]) -> Result<Self, DeviceError> {
        Ok(Self { buffer: Buffer::of(runtime, values)?, len: values.len() })
    }

    /// The first element.
    pub fn ptr(&self) -> DevicePtr {
        self.buffer.ptr()
    }
}

/// A normalisation's weights.
pub struct Norm {
    /// `[width]`
    pub weight: Vector,
    /// `[width]`, of a layer norm; an RMS norm has none.
    pub bias: Option<Vector>,
    /// Keeps the root from zero.
    pub eps: f32,
}

impl Norm {
    /// A copy of `view`.
    pub fn new(runtime: &SharedRuntime, view: NormView<'_>) -> Result<Self, DeviceError> {
        let weight = Vector::new(runtime, view.weight)?;
        let bias = match view.kind {
            NormKind::Rms => None,
            NormKind::Layer { bias } => {
                assert_eq!(bias.len(), weight.len, "a bias for each weight");
                Some(Vector::new(runtime, bias)?)
            }
        };
        Ok(Self { weight, bias, eps: view.eps })
    }
}

/// Activations: up to `capacity` rows of `width` elements of type `T`.
pub struct RowsOf<T> {
    buffer: Buffer,
    capacity: usize,
    /// Elements of a row.
    pub width: usize,
    element: PhantomData<fn() -> T>,
}

/// Rows of f32.
pub type Rows = RowsOf<f32>;

/// Rows that matrices are multiplied by.
pub type Inputs = RowsOf<bf16>;

impl<T> RowsOf<T> {
    /// Zeroed rows.
    pub fn new(
        runtime: &SharedRuntime,
        capacity: usize,
        width: usize,
    ) -> Result<Self, DeviceError> {
        let row_bytes = width * size_of::<T>();
        assert!(row_bytes.is_multiple_of(16), "rows of whole 16-byte words, not {row_bytes} bytes");
        let capacity = capacity.next_multiple_of(ROW_PADDING);
        let buffer = Buffer::zeroed(runtime, capacity * row_bytes)?;
        Ok(Self { buffer, capacity, width, element: PhantomData })
    }

    /// The first row, if there is room for `num_rows`.
    pub fn first(&self, num_rows: u32) -> DevicePtr {
        assert!(num_rows as usize <= self.capacity, "{num_rows} rows, room for {}", self.capacity);
        self.buffer.ptr()
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.width * size_of::<T>()
    }
}

/// The same values rounded to bfloat16; borrowed if they are.
fn to_bf16(values: WeightSlice<'_>) -> Cow<'_, [bf16]> {
    match values {
        WeightSlice::Bf16(values) => values.into(),
        WeightSlice::F16(values) => {
            values.iter().map(|value| bf16::from_f32(value.to_f32())).collect()
        }
        WeightSlice::F32(values) => values.iter().copied().map(bf16::from_f32).collect(),
        // Kernels that read packets don't exist yet.
        WeightSlice::Quantised(kind, bytes) => kind.expand(bytes).map(bf16::from_f32).collect(),
    }
}
