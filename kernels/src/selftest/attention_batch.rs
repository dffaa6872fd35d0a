//! Sequences with keys and values in blocks, as the cases of attention want them, and what
//! attention makes of them, by the kernels and in double precision.

use std::fmt;
use std::ops::Range;

use half::bf16;

use super::compare::greater;
use super::{Input, time};
use crate::cuda::attention::{AttentionMergeParams, AttentionParams, AttentionState, takes_spans};
use crate::cuda::attention_plan::{AttentionPlan, Grouping, PlanShape};
use crate::layout::{BLOCK_LEN, BlockId, Layout, TokenId};
use crate::reference;
use crate::runtime::{Buffer, DeviceError, SharedRuntime};

/// An attention.
#[derive(Clone, Copy)]
pub struct Shape {
    num_heads: usize,
    num_kv_heads: usize,
    head_dim: usize,
    window: Option<u32>,
}

impl Shape {
    /// Query heads, key heads, elements of a head.
    pub fn new([num_heads, num_kv_heads, head_dim]: [usize; 3], window: Option<u32>) -> Self {
        Self { num_heads, num_kv_heads, head_dim, window }
    }

    /// Elements of an output row.
    pub fn out_width(self) -> usize {
        self.num_heads * self.head_dim
    }

    fn block_len(self) -> usize {
        BLOCK_LEN * self.num_kv_heads * self.head_dim
    }

    /// The positions that a row at `position` sees.
    fn keys_of(self, position: usize) -> Range<usize> {
        let first = self.window.map_or(0, |window| (position + 1).saturating_sub(window as usize));
        first..position + 1
    }

    /// As the score's exponent to base e has it.
    fn scale(self) -> f64 {
        1.0 / (self.head_dim as f64).sqrt()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} heads of {}", self.num_heads, self.num_kv_heads, self.head_dim)?;
        self.window.map_or(Ok(()), |window| write!(f, ", window {window}"))
    }
}

/// How rows are put together, which changes no bit.
#[derive(Clone, Copy)]
pub struct Way {
    grouping: Grouping,
    /// Whether long segments get items of all their spans.
    takes_wholes: bool,
}

impl Way {
    /// Each span of each sequence by itself.
    pub const SPANS: Self = Self { grouping: Grouping::Off, takes_wholes: false };
    /// Sequences by themselves, as on a device.
    pub const ALONE: Self = Self { grouping: Grouping::Off, takes_wholes: true };
    /// As on a device.
    pub const USUAL: Self = Self { grouping: Grouping::WherePays, takes_wholes: true };
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::SPANS,
        Self::ALONE,
        Self::USUAL,
        Self { grouping: Grouping::Always, takes_wholes: false },
    ];
}

/// Rows of a sequence: its number, and their positions.
pub type Rows = (usize, Range<usize>);

/// Sequences, and their keys and values in one layer's blocks.
pub struct Batch {
    shape: Shape,
    /// Block table and tokens of each sequence.
    sequences: Vec<(Vec<BlockId>, usize)>,
    keys: Vec<bf16>,
    values: Vec<bf16>,
    /// Where keys, values and queries come from.
    pool: Vec<f32>,
}

impl Batch {
    /// No sequences yet.
    pub fn new(shape: Shape) -> Self {
        const POOL_LEN: usize = 100_003;
        let pool = Input::new("attention").floats(POOL_LEN + 64 * 256);
        Self { shape, sequences: Vec::new(), keys: Vec::new(), values: Vec::new(), pool }
    }

    /// Random numbers, the same for the same `number`.
    fn random(&self, number: usize, len: usize) -> &[f32] {
        &self.pool[number * 7919 % (self.pool.len() - len)..][..len]
    }

    /// A new sequence of `len` tokens. Slots behind them hold what must not be touched.
    pub fn push(&mut self, len: usize) -> usize {
        self.push_from(Vec::new(), 0, len)
    }

    /// A sequence whose first `num_shared` tokens are those of `parent`: whole blocks are shared, a
    /// block in part is copied.
    pub fn fork(&mut self, parent: usize, num_shared: usize, len: usize) -> usize {
        let parent_blocks = self.sequences[parent].0.clone();
        let num_blocks = num_shared / BLOCK_LEN;
        let fork =
            self.push_from(parent_blocks[..num_blocks].to_vec(), num_blocks * BLOCK_LEN, len);
        for position in num_blocks * BLOCK_LEN..num_shared {
            for kv_head in 0..self.shape.num_kv_heads {
                let from = self.line(parent, position, kv_head);
                let to = self.line(fork, position, kv_head);
                self.keys.copy_within(from, to.start);
                let from = self.line(parent, position, kv_head);
                self.values.copy_within(from, to.start);
            }
        }
        fork
    }

    fn push_from(&mut self, mut blocks: Vec<BlockId>, num_filled: usize, len: usize) -> usize {
        let block_len = self.shape.block_len();
        while blocks.len() * BLOCK_LEN < len {
            blocks.push(BlockId((self.keys.len() / block_len) as u32));
            self.keys.resize(self.keys.len() + block_len, bf16::NAN);
            self.values.resize(self.keys.len(), bf16::NAN);
        }
        let sequence = self.sequences.len();
        self.sequences.push((blocks, len));
        for position in num_filled..len {
            for kv_head in 0..self.shape.num_kv_heads {
                let line = self.line(sequence, position, kv_head);
                for (i, at) in line.clone().enumerate() {
                    self.keys[at] = bf16::from_f32(self.random(line.start, line.len())[i]);
                    self.values[at] = bf16::from_f32(self.random(line.start + 1, line.len())[i]);
                }
            }
        }
        sequence
    }

    /// Where the keys of a position and head are, and its values.
    fn line(&self, sequence: usize, position: usize, kv_head: usize) -> Range<usize> {
        let block = self.sequences[sequence].0[position / BLOCK_LEN].0 as usize;
        let head = block * self.shape.num_kv_heads + kv_head;
        let start = (head * BLOCK_LEN + position % BLOCK_LEN) * self.shape.head_dim;
        start..start + self.shape.head_dim
    }

    /// The queries of a row: large, so that some keys weigh much more than others.
    fn queries(&self, sequence: usize, position: usize) -> impl Iterator<Item = f32> {
        let number = sequence * 10_007 + position + 1;
        self.random(number, self.shape.out_width()).iter().map(|x| 8.0 * x)
    }

    /// The rows one by one, as they lie in a pass.
    fn each(rows: &[Rows]) -> impl Iterator<Item = (usize, usize)> {
        rows.iter().flat_map(|(sequence, positions)| positions.clone().map(|at| (*sequence, at)))
    }

    /// The bytes that have to be moved for some rows, each key once, and the operations on them.
    pub fn work(&self, rows: &[Rows]) -> [f64; 2] {
        let shape = self.shape;
        let mut is_seen = vec![false; self.keys.len() / shape.head_dim];
        let (mut num_rows, mut num_products) = (0, 0);
        for (sequence, position) in Self::each(rows) {
            num_rows += 1;
            for key in shape.keys_of(position) {
                is_seen[self.line(sequence, key, 0).start / shape.head_dim] = true;
                num_products += 1;
            }
        }
        let num_keys = is_seen.into_iter().filter(|is_seen| *is_seen).count();
        let key_bytes = num_keys * shape.num_kv_heads * shape.head_dim * 4;
        let row_bytes = num_rows * shape.out_width() * 6;
        [(key_bytes + row_bytes) as f64, (num_products * shape.out_width() * 4) as f64]
    }

    /// How far off `out` is, relative to the weighted magnitudes of the values. Of many rows some
    /// are looked at.
    pub fn error(&self, rows: &[Rows], out: &[bf16]) -> f64 {
        const MAX_ROWS: usize = 150;
        let width = self.shape.out_width();
        assert_eq!(out.len(), Self::each(rows).count() * width);
        let step = (out.len() / width).div_ceil(MAX_ROWS);
        let found = out.chunks(width).zip(Self::each(rows)).step_by(step);
        found.fold(0.0, |error, (found, (sequence, position))| {
            let expected = self.expected(sequence, position);
            let errors = found.iter().zip(expected).map(|(found, (expected, magnitude))| {
                (f64::from(found.to_f32()) - expected).abs() / magnitude
            });
            errors.fold(error, greater)
        })
    }

    /// The output row in double precision, and with the values' magnitudes in their place.
    fn expected(&self, sequence: usize, position: usize) -> Vec<(f64, f64)> {
        let shape = self.shape;
        let queries: Vec<f32> =
            self.queries(sequence, position).map(|x| bf16::from_f32(x).to_f32()).collect();
        let mut out = Vec::new();
        for (head, query) in queries.chunks(shape.head_dim).enumerate() {
            let kv_head = head * shape.num_kv_heads / shape.num_heads;
            let lines: Vec<_> =
                shape.keys_of(position).map(|key| self.line(sequence, key, kv_head)).collect();
            let score = |line: &Range<usize>| {
                let keys: Vec<f32> = self.keys[line.clone()].iter().map(|x| x.to_f32()).collect();
                reference::dot(query, &keys) * shape.scale()
            };
            let weights = reference::softmax(&lines.iter().map(score).collect::<Vec<_>>());
            let mut sums = vec![(0.0, 0.0); shape.head_dim];
            for (line, weight) in lines.into_iter().zip(weights) {
                for (sum, value) in sums.iter_mut().zip(&self.values[line]) {
                    let part = weight * f64::from(value.to_f32());
                    *sum = (sum.0 + part, sum.1 + part.abs());
                }
            }
            out.extend(sums);
        }
        out
    }

    /// The pass of some rows.
    fn layout(&self, rows: &[Rows]) -> Layout {
        let mut layout = Layout::default();
        for (sequence, positions) in rows {
            let tokens = vec![TokenId(0); positions.len()];
            layout.push(&tokens, positions.start, &self.sequences[*sequence].0);
        }
        layout
    }

    /// Puts keys and values on a device.
    pub fn on<'a>(&'a self, runtime: &'a SharedRuntime) -> Result<OnDevice<'a>, DeviceError> {
        let [keys, values] = [Buffer::of(runtime, &self.keys)?, Buffer::of(runtime, &self.values)?];
        Ok(OnDevice { batch: self, runtime, keys, values })
    }
}

/// A batch whose keys and values are on a device.
pub struct OnDevice<'a> {
    batch: &'a Batch,
    runtime: &'a SharedRuntime,
    keys: Buffer,
    values: Buffer,
}

/// What the kernels made of some rows.
pub struct Run {
    /// The output rows.
    pub out: Vec<bf16>,
    /// How long they took, all together.
    pub micros: Option<f64>,
}

impl OnDevice<'_> {
    /// Attends.
    pub fn run(&self, rows: &[Rows], way: Way) -> Result<Run, DeviceError> {
        let (shape, runtime) = (self.batch.shape, self.runtime);
        let layout = self.batch.layout(rows);
        let plan = self.plan(&layout, way);
        let num_rows = layout.num_rows();
        let [few, many] = [Buffer::of(runtime, &plan.few)?, Buffer::of(runtime, &plan.many)?];
        let queries = Buffer::of(runtime, &plan.queries)?;
        let merges = Buffer::of(runtime, &plan.merges)?;
        let blocks: Vec<u32> = layout.blocks.iter().map(|block| block.0).collect();
        let blocks = Buffer::of(runtime, &blocks)?;
        let positions: Vec<u32> = Batch::each(rows).map(|(_, at)| at as u32).collect();
        let positions = Buffer::of(runtime, &positions)?;
        let qkv = Buffer::of(runtime, &self.qkv(rows))?;
        let num_partials = plan.num_partials as usize * shape.num_heads;
        let partial_sums = Buffer::zeroed(runtime, num_partials * shape.head_dim * 4)?;
        let partial_states = Buffer::zeroed(runtime, num_partials * size_of::<AttentionState>())?;
        let out = Buffer::zeroed(runtime, num_rows * shape.out_width() * 2)?;
        let params = AttentionParams {
            qkv: qkv.ptr(),
            positions: positions.ptr(),
            items: few.ptr(),
            queries: queries.ptr(),
            blocks: blocks.ptr(),
            keys: self.keys.ptr(),
            values: self.values.ptr(),
            partial_sums: partial_sums.ptr(),
            partial_states: partial_states.ptr(),
            out: out.ptr(),
            num_heads: shape.num_heads as u32,
            num_kv_heads: shape.num_kv_heads as u32,
            window: shape.window.unwrap_or(u32::MAX),
            scale: (shape.scale() * std::f64::consts::LOG2_E) as f32,
        };
        let many_params = AttentionParams { items: many.ptr(), ..params };
        let merge_params = AttentionMergeParams {
            merges: merges.ptr(),
            partial_sums: partial_sums.ptr(),
            partial_states: partial_states.ptr(),
            out: out.ptr(),
            num_heads: shape.num_heads as u32,
            padding: 0,
        };
        let head_dim = shape.head_dim as u32;
        let [num_few, num_many, num_merges] =
            [plan.few.len(), plan.many.len(), plan.merges.len()].map(|num| num as u32);
        let micros = time(runtime, || {
            // SAFETY: the buffers have the sizes that the parameters say, and the plan is of the
            // rows, blocks and partials that are in them.
            unsafe {
                params.launch_few(&**runtime, head_dim, num_few)?;
                many_params.launch_many(&**runtime, head_dim, num_many)?;
                merge_params.launch(&**runtime, head_dim, num_merges)
            }
        })?;
        Ok(Run { out: out.read(0, num_rows * shape.out_width())?, micros })
    }

    fn plan(&self, layout: &Layout, way: Way) -> AttentionPlan {
        let (shape, info) = (self.batch.shape, self.runtime.info());
        let plan_shape = PlanShape {
            num_heads: shape.num_heads as u32,
            num_kv_heads: shape.num_kv_heads as u32,
            window: shape.window,
            num_processors: if way.takes_wholes { info.num_processors } else { u32::MAX },
            takes_spans: takes_spans(shape.head_dim as u32, info.max_shared_bytes),
            grouping: way.grouping,
        };
        let mut plan = AttentionPlan::default();
        plan.make(layout, &plan_shape);
        // As in the graphs of a backend: padding does nothing.
        plan.few.push(bytemuck::Zeroable::zeroed());
        plan.many.push(bytemuck::Zeroable::zeroed());
        plan
    }

    /// Rows of queries; the rest of them isn't read.
    fn qkv(&self, rows: &[Rows]) -> Vec<f32> {
        let shape = self.batch.shape;
        let kv_width = 2 * shape.num_kv_heads * shape.head_dim;
        let mut qkv = Vec::new();
        for (sequence, position) in Batch::each(rows) {
            qkv.extend(self.batch.queries(sequence, position));
            qkv.resize(qkv.len() + kv_width, f32::NAN);
        }
        qkv
    }
}
