//! `rope_store.cu`: both pairings, heads rotated in part, padding; what isn't written stays.

use half::bf16;

use super::compare::{BF16_ALLOWED, greater, relative_error, widen};
use super::{Case, Finding, Input, time};
use crate::backend::RopeTable;
use crate::cuda::rope_store::RopeStoreParams;
use crate::layout::BLOCK_LEN;
use crate::reference;
use crate::runtime::{Buffer, DeviceError, SharedRuntime};

#[derive(Clone, Copy)]
struct Shape {
    num_rows: usize,
    num_heads: usize,
    num_kv_heads: usize,
    head_dim: usize,
    half_dim: usize,
    is_interleaved: bool,
}

impl Shape {
    fn new(dims: [usize; 5], is_interleaved: bool) -> Self {
        let [num_rows, num_heads, num_kv_heads, head_dim, half_dim] = dims;
        Self { num_rows, num_heads, num_kv_heads, head_dim, half_dim, is_interleaved }
    }

    fn title(self) -> String {
        let pairing = if self.is_interleaved { "interleaved" } else { "neox" };
        format!(
            "{} rows, {}/{} heads of {}, {} pairs, {pairing}",
            self.num_rows, self.num_heads, self.num_kv_heads, self.head_dim, self.half_dim
        )
    }

    fn row_width(self) -> usize {
        (self.num_heads + 2 * self.num_kv_heads) * self.head_dim
    }

    fn num_cached(self) -> usize {
        NUM_BLOCKS * BLOCK_LEN * self.num_kv_heads * self.head_dim
    }
}

const NUM_BLOCKS: usize = 40;
const NUM_POSITIONS: usize = 100;

/// Rows, query heads, key heads, elements of a head, pairs.
const SHAPES: [[usize; 5]; 6] = [
    [1, 1, 1, 8, 4],
    [3, 4, 2, 64, 32],
    [8, 9, 3, 80, 20],
    [9, 3, 1, 96, 48],
    [17, 2, 2, 128, 64],
    [40, 1, 1, 256, 96],
];
const TIMED: [usize; 5] = [512, 32, 32, 128, 64];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for is_interleaved in [false, true] {
        for dims in SHAPES {
            let shape = Shape::new(dims, is_interleaved);
            let run = move |runtime: &SharedRuntime| check(runtime, shape);
            cases.push(Case::small("rope_store", shape.title(), run));
        }
        let shape = Shape::new(TIMED, is_interleaved);
        let run = move |runtime: &SharedRuntime| check(runtime, shape);
        cases.push(Case::timed("rope_store", shape.title(), run));
    }
    cases
}

/// The input, and what becomes of it.
struct Rows {
    qkv: Vec<f32>,
    rope: RopeTable,
    positions: Vec<u32>,
    slots: Vec<u32>,
}

impl Rows {
    fn new(shape: Shape) -> Self {
        let mut input = Input::new("rope_store");
        let qkv = input.floats(shape.num_rows * shape.row_width());
        let half_dim = shape.half_dim;
        let angles: Vec<f32> =
            input.floats(NUM_POSITIONS * half_dim).iter().map(|x| x * 9.0).collect();
        let cos = angles.iter().map(|angle| angle.cos()).collect();
        let sin = angles.iter().map(|angle| angle.sin()).collect();
        let rope = RopeTable { half_dim, cos, sin };
        let positions = (0..shape.num_rows).map(|_| input.below(NUM_POSITIONS) as u32).collect();
        // A step that shares no factor with their number scatters the slots; every fifth row is
        // padding.
        let slot = |row: usize| (row * 203 + 7) % (NUM_BLOCKS * BLOCK_LEN);
        let slots =
            (0..shape.num_rows).map(|row| if row % 5 == 4 { u32::MAX } else { slot(row) as u32 });
        Self { qkv, rope, positions, slots: slots.collect() }
    }

    /// Queries, keys and values afterwards, where the cache was 7 before.
    fn expected(&self, shape: Shape) -> [Vec<f64>; 3] {
        let mut qkv: Vec<f64> = self.qkv.iter().map(|x| f64::from(*x)).collect();
        let (mut keys, mut values) = (vec![7.0; shape.num_cached()], vec![7.0; shape.num_cached()]);
        let dim = shape.head_dim;
        for (row, slot) in self.slots.iter().enumerate().filter(|(_, slot)| **slot != u32::MAX) {
            let start = row * shape.row_width();
            for (i, head) in self.qkv[start..][..shape.row_width()].chunks(dim).enumerate() {
                let rotated = self.rotate(head, row, shape);
                let Some(kv_head) = i.checked_sub(shape.num_heads) else {
                    qkv[start + i * dim..][..dim].copy_from_slice(&rotated);
                    continue;
                };
                let (block, offset) = (*slot as usize / BLOCK_LEN, *slot as usize % BLOCK_LEN);
                let line = (block * shape.num_kv_heads + kv_head % shape.num_kv_heads) * BLOCK_LEN
                    + offset;
                if kv_head < shape.num_kv_heads {
                    keys[line * dim..][..dim].copy_from_slice(&rotated);
                } else {
                    let head: Vec<f64> = head.iter().map(|x| f64::from(*x)).collect();
                    values[line * dim..][..dim].copy_from_slice(&head);
                }
            }
        }
        [qkv, keys, values]
    }

    /// The reference pairs `(i, i + half_dim)`, so other pairs are brought there and back.
    fn rotate(&self, head: &[f32], row: usize, shape: Shape) -> Vec<f64> {
        let place = |i: usize| match i {
            _ if !shape.is_interleaved || i >= 2 * shape.half_dim => i,
            _ if i < shape.half_dim => 2 * i,
            _ => 2 * (i - shape.half_dim) + 1,
        };
        let paired: Vec<f32> = (0..head.len()).map(|i| head[place(i)]).collect();
        let rotated = reference::rotate(&paired, self.positions[row] as usize, &self.rope);
        let mut out = vec![0.0; head.len()];
        rotated.iter().enumerate().for_each(|(i, x)| out[place(i)] = *x);
        out
    }
}

fn check(runtime: &SharedRuntime, shape: Shape) -> Result<Finding, DeviceError> {
    let rows = Rows::new(shape);
    let qkv = Buffer::of(runtime, &rows.qkv)?;
    let cos = Buffer::of(runtime, &rows.rope.cos)?;
    let sin = Buffer::of(runtime, &rows.rope.sin)?;
    let positions = Buffer::of(runtime, &rows.positions)?;
    let slots = Buffer::of(runtime, &rows.slots)?;
    let before = vec![bf16::from_f32(7.0); shape.num_cached()];
    let [keys, values] = [Buffer::of(runtime, &before)?, Buffer::of(runtime, &before)?];
    let params = RopeStoreParams {
        qkv: qkv.ptr(),
        cos: cos.ptr(),
        sin: sin.ptr(),
        positions: positions.ptr(),
        slots: slots.ptr(),
        keys: keys.ptr(),
        values: values.ptr(),
        num_heads: shape.num_heads as u32,
        num_kv_heads: shape.num_kv_heads as u32,
        head_dim: shape.head_dim as u32,
        half_dim: shape.half_dim as u32,
        interleaved: u32::from(shape.is_interleaved),
        padding: 0,
    };
    // SAFETY: the buffers have the sizes that the parameters say, and the slots differ.
    let launch = || unsafe { params.launch(&**runtime, shape.num_rows as u32) };
    let micros = time(runtime, launch)?;
    // Each launch rotated the queries once more.
    qkv.write(0, &rows.qkv)?;
    launch()?;
    let [expected_qkv, expected_keys, expected_values] = rows.expected(shape);
    let found_qkv: Vec<f32> = qkv.read(0, rows.qkv.len())?;
    // As errors of bfloat16 are to those of f32, so is this factor.
    let mut error = relative_error(&found_qkv, &expected_qkv) * 100.0;
    for (buffer, expected) in [(&keys, expected_keys), (&values, expected_values)] {
        let found: Vec<bf16> = buffer.read(0, shape.num_cached())?;
        error = greater(error, relative_error(&widen(&found), &expected));
    }
    let (q_heads, kv_heads) = (shape.num_heads, shape.num_kv_heads);
    let bytes = (shape.num_rows * shape.head_dim * (q_heads * 8 + kv_heads * 12)) as f64;
    Ok(Finding { error, allowed: BF16_ALLOWED, bytes, flops: 0.0, micros })
}
