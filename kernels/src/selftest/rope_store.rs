//! `rope_store.cu`: both pairings, heads rotated in part, norms of heads, padding; what isn't
//! written stays.

use half::bf16;

use super::compare::{BF16_ALLOWED, greater, relative_error, widen};
use super::{Case, Finding, Input, time};
use crate::backend::RopeTable;
use crate::cuda::rope_store::RopeStoreParams;
use crate::layout::BLOCK_LEN;
use crate::reference;
use crate::runtime::{Buffer, DeviceError, DevicePtr, SharedRuntime};

#[derive(Clone, Copy)]
struct Shape {
    num_rows: usize,
    num_heads: usize,
    num_kv_heads: usize,
    head_dim: usize,
    half_dim: usize,
    is_interleaved: bool,
    has_norms: bool,
}

impl Shape {
    fn new(dims: [usize; 5], is_interleaved: bool, has_norms: bool) -> Self {
        let [num_rows, num_heads, num_kv_heads, head_dim, half_dim] = dims;
        Self { num_rows, num_heads, num_kv_heads, head_dim, half_dim, is_interleaved, has_norms }
    }

    fn title(self) -> String {
        let Self { num_rows, num_heads, num_kv_heads, head_dim, half_dim, .. } = self;
        let pairing = if self.is_interleaved { "interleaved" } else { "neox" };
        let norms = if self.has_norms { ", normalised" } else { "" };
        format!(
            "{num_rows} rows, {num_heads}/{num_kv_heads} heads of {head_dim}, {half_dim} pairs, \
             {pairing}{norms}"
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
/// Pairing and norms.
const KINDS: [(bool, bool); 3] = [(false, false), (true, false), (false, true)];
const EPS: f32 = 1e-5;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (is_interleaved, has_norms) in KINDS {
        for dims in SHAPES {
            let shape = Shape::new(dims, is_interleaved, has_norms);
            let run = move |runtime: &SharedRuntime| check(runtime, shape);
            cases.push(Case::small("rope_store", shape.title(), run));
        }
        let shape = Shape::new(TIMED, is_interleaved, has_norms);
        let run = move |runtime: &SharedRuntime| check(runtime, shape);
        cases.push(Case::timed("rope_store", shape.title(), run));
    }
    cases
}

/// The input, and what becomes of it.
struct Rows {
    qkv: Vec<f32>,
    /// The weights of the queries' norm, then of the keys'.
    norms: [Vec<f32>; 2],
    rope: RopeTable,
    positions: Vec<u32>,
    slots: Vec<u32>,
}

impl Rows {
    fn new(shape: Shape) -> Self {
        let mut input = Input::new("rope_store");
        let qkv = input.floats(shape.num_rows * shape.row_width());
        let norms = [(); 2].map(|()| input.floats(shape.head_dim));
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
        Self { qkv, norms, rope, positions, slots: slots.collect() }
    }

    /// Queries, keys and values afterwards, where the cache was 7 before.
    fn expected(&self, shape: Shape) -> [Vec<f64>; 3] {
        let mut qkv: Vec<f64> = self.qkv.iter().map(|x| f64::from(*x)).collect();
        let (mut keys, mut values) = (vec![7.0; shape.num_cached()], vec![7.0; shape.num_cached()]);
        let dim = shape.head_dim;
        for (row, slot) in self.slots.iter().enumerate().filter(|(_, slot)| **slot != u32::MAX) {
            let start = row * shape.row_width();
            for (i, head) in self.qkv[start..][..shape.row_width()].chunks(dim).enumerate() {
                let norm = &self.norms[usize::from(i >= shape.num_heads)];
                let rotated = self.rotate(&normalised(head, norm, shape), row, shape);
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

/// A head as it is rotated.
fn normalised(head: &[f32], weight: &[f32], shape: Shape) -> Vec<f32> {
    if !shape.has_norms {
        return head.to_vec();
    }
    reference::rms_norm(head, weight, f64::from(EPS)).iter().map(|x| *x as f32).collect()
}

fn check(runtime: &SharedRuntime, shape: Shape) -> Result<Finding, DeviceError> {
    let rows = Rows::new(shape);
    let qkv = Buffer::of(runtime, &rows.qkv)?;
    let norms = [Buffer::of(runtime, &rows.norms[0])?, Buffer::of(runtime, &rows.norms[1])?];
    let norm = |idx: usize| if shape.has_norms { norms[idx].ptr() } else { DevicePtr::NULL };
    let cos = Buffer::of(runtime, &rows.rope.cos)?;
    let sin = Buffer::of(runtime, &rows.rope.sin)?;
    let positions = Buffer::of(runtime, &rows.positions)?;
    let slots = Buffer::of(runtime, &rows.slots)?;
    let before = vec![bf16::from_f32(7.0); shape.num_cached()];
    let [keys, values] = [Buffer::of(runtime, &before)?, Buffer::of(runtime, &before)?];
    let params = RopeStoreParams {
        qkv: qkv.ptr(),
        query_norm: norm(0),
        key_norm: norm(1),
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
        norm_eps: EPS,
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
