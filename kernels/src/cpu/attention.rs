//! Causal attention over blocks of keys and values.
//!
//! For each query, in the order of positions from the first that it sees: all scores, their
//! softmax, the weighted sum of the values. What a query sees is computed from its own positions
//! only, in that one order, so neither chunks of a prefill nor the batch change a bit.
//!
//! Queries that see the same keys and values run together, as [`units`](super::units): each vector
//! of keys or values is read once for all of them. What only some of a unit's queries see, each
//! computes alone, in the same order. Their scores are the scratch; threads take units.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use std::ops::Range;

use super::cache::Cache;
use super::rows::Rows;
use super::scratch::ScratchPool;
use super::simd::{F32x16, Kernel, Lanes, NUM_LANES, Simd, SimdLevel};
use super::softmax::{exponentiate, greatest};
use super::threads::{self, Shared};
use super::units::{MAX_QUERIES, Unit, UnitRow, units};
use crate::backend::AttentionShape;
use crate::layout::{BLOCK_LEN, BlockId, Layout, Segment};

/// `out [rows, q_width]` from the query part of `qkv`.
pub fn attention(
    simd: Simd,
    scratch: &ScratchPool,
    qkv: &Rows,
    layout: &Layout,
    cache: &Cache,
    out: &mut Rows,
) {
    let shape = cache.shape;
    assert_eq!(qkv.width(), shape.qkv_width(), "a row is query, key and value");
    assert_eq!(out.width(), shape.q_width(), "an output row has all heads");
    let qkv = qkv.first(layout.num_rows());
    let out = Shared::new(out.first_mut(layout.num_rows()));
    // Each query keeps a few accumulators in registers.
    let max_queries = if simd.level() == SimdLevel::Avx512 { MAX_QUERIES } else { 4 };
    let job = Job { qkv, layout, shape, cache, max_queries, out };
    let total: usize = units(layout, shape, max_queries).map(|unit| unit.cost()).sum();
    let num_parts = threads::num_parts(total, total * 2 * shape.head_dim);
    let longest = layout.segments.iter().map(Segment::end_position).max().unwrap_or(0);
    let scores_len = max_queries * longest.next_multiple_of(BLOCK_LEN);
    threads::split(total, num_parts, &|costs| {
        scratch.with(|scratch| {
            let (scores, _) = scratch.floats(scores_len).as_chunks_mut();
            simd.run(Part { job: &job, costs, scores });
        });
    });
}

struct Job<'a> {
    qkv: &'a [f32],
    layout: &'a Layout,
    shape: AttentionShape,
    cache: &'a Cache,
    max_queries: usize,
    out: Shared<'a>,
}

/// The units that begin at some part of all units' cost.
struct Part<'a> {
    job: &'a Job<'a>,
    costs: Range<usize>,
    scores: &'a mut [Lanes],
}

impl Kernel for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(self) {
        let mut cost = 0;
        for unit in units(self.job.layout, self.job.shape, self.job.max_queries) {
            if self.costs.contains(&cost) {
                self.job.attend_unit::<V>(&unit, self.scores);
            }
            cost += unit.cost();
        }
    }
}

impl Job<'_> {
    #[inline(always)]
    fn attend_unit<V: F32x16>(&self, unit: &Unit, scores: &mut [Lanes]) {
        match unit.num_queries() {
            1 => self.attend::<V, 1>(unit, scores),
            2 => self.attend::<V, 2>(unit, scores),
            3 => self.attend::<V, 3>(unit, scores),
            4 => self.attend::<V, 4>(unit, scores),
            _ if V::NUM_REGISTERS < 32 => unreachable!("at most four queries"),
            5 => self.attend::<V, 5>(unit, scores),
            6 => self.attend::<V, 6>(unit, scores),
            7 => self.attend::<V, 7>(unit, scores),
            8 => self.attend::<V, 8>(unit, scores),
            _ => unreachable!("at most eight queries"),
        }
    }

    /// The attention of a unit's Q queries.
    #[inline(always)]
    fn attend<V: F32x16, const Q: usize>(&self, unit: &Unit, scores: &mut [Lanes]) {
        assert_eq!(unit.num_queries(), Q, "the queries of the unit");
        let head_dim = self.shape.head_dim;
        let mut rows = [unit.rows()[0]; Q];
        let mut queries = [&self.qkv[..0]; Q];
        let mut outs = [(); Q].map(|()| &mut [][..]);
        for q in 0..Q {
            rows[q] = unit.rows()[q / unit.heads.len()];
            let head_start = (unit.heads.start + q % unit.heads.len()) * head_dim;
            queries[q] = &self.qkv[rows[q].row * self.shape.qkv_width() + head_start..][..head_dim];
            let start = rows[q].row * self.shape.q_width() + head_start;
            // SAFETY: a unit is in one part only, and no two units share a row and a head.
            outs[q] = unsafe { self.out.slice_mut(start..start + head_dim) };
            outs[q].fill(0.0);
        }

        let visible = unit.visible();
        let (first, stride) = (visible.start / BLOCK_LEN, visible.end.div_ceil(BLOCK_LEN));
        let num_shared = unit.num_shared_blocks.min(stride);
        let table = &rows[0].table(self.layout)[..num_shared];
        self.score::<V, Q>(&queries, table, first, unit.kv_head, scores, stride);
        let mut sums = [0.0; Q];
        for (q, scores) in scores.chunks_exact_mut(stride).take(Q).enumerate() {
            let blocks = rows[q].visible_blocks();
            let table = &rows[q].table(self.layout)[..blocks.end];
            let first = num_shared.max(blocks.start);
            self.score::<V, 1>(&[queries[q]], table, first, unit.kv_head, scores, stride);
            sums[q] = softmax::<V>(scores, rows[q].first_visible..rows[q].end_visible);
        }

        let mut weights = [&scores[..0]; Q];
        for (q, scores) in scores.chunks_exact(stride).take(Q).enumerate() {
            weights[q] = scores;
        }
        let shared = seen_by_all(&rows, num_shared);
        for q in 0..Q {
            let before = rows[q].first_visible..shared.start;
            self.weigh::<V, 1>(&[weights[q]], table, unit.kv_head, before, &mut [&mut *outs[q]]);
        }
        self.weigh::<V, Q>(&weights, table, unit.kv_head, shared.clone(), &mut outs);
        for q in 0..Q {
            let rest = shared.end.max(rows[q].first_visible)..rows[q].end_visible;
            let table = rows[q].table(self.layout);
            self.weigh::<V, 1>(&[weights[q]], table, unit.kv_head, rest, &mut [&mut *outs[q]]);
            outs[q].iter_mut().for_each(|out| *out /= sums[q]);
        }
    }

    /// `scores[q][position] = queries[q] · keys[position] / sqrt(head_dim)` from block `first` on,
    /// each one accumulator over the elements of the head in order. Queries' scores begin `stride`
    /// vectors apart.
    #[inline(always)]
    fn score<V: F32x16, const Q: usize>(
        &self,
        queries: &[&[f32]; Q],
        table: &[BlockId],
        first: usize,
        kv_head: usize,
        scores: &mut [Lanes],
        stride: usize,
    ) {
        let mut idx = first;
        while V::NUM_REGISTERS >= 32 && Q <= 6 && idx + 4 <= table.len() {
            self.score_blocks::<V, Q, 4>(queries, table, idx, kv_head, scores, stride);
            idx += 4;
        }
        while V::NUM_REGISTERS >= 32 && Q > 6 && idx + 3 <= table.len() {
            self.score_blocks::<V, Q, 3>(queries, table, idx, kv_head, scores, stride);
            idx += 3;
        }
        while idx < table.len() {
            self.score_blocks::<V, Q, 1>(queries, table, idx, kv_head, scores, stride);
            idx += 1;
        }
    }

    #[inline(always)]
    fn score_blocks<V: F32x16, const Q: usize, const B: usize>(
        &self,
        queries: &[&[f32]; Q],
        table: &[BlockId],
        block_idx: usize,
        kv_head: usize,
        scores: &mut [Lanes],
        stride: usize,
    ) {
        let head_dim = self.shape.head_dim;
        let mut keys: [&[Lanes]; B] = [&[]; B];
        for b in 0..B {
            keys[b] = self.cache.keys(table[block_idx + b], kv_head).as_chunks().0;
            assert_eq!(keys[b].len(), head_dim, "a vector for each element");
        }
        let mut sums = [[V::splat(0.0); B]; Q];
        for d in 0..head_dim {
            let mut key = [V::splat(0.0); B];
            for b in 0..B {
                // SAFETY: asserted above.
                key[b] = V::load(unsafe { keys[b].get_unchecked(d) });
            }
            for q in 0..Q {
                // SAFETY: `attend` cut the queries to `head_dim`.
                let query = V::splat(unsafe { *queries[q].get_unchecked(d) });
                for b in 0..B {
                    sums[q][b] = query.mul_add(key[b], sums[q][b]);
                }
            }
        }
        let scale = V::splat(1.0 / (head_dim as f32).sqrt());
        for q in 0..Q {
            for b in 0..B {
                sums[q][b].mul(scale).store(&mut scores[q * stride + block_idx + b]);
            }
        }
    }

    /// `outs[q] += Σ weights[q][position] * values[position]` over `positions`, in order.
    #[inline(always)]
    fn weigh<V: F32x16, const Q: usize>(
        &self,
        weights: &[&[Lanes]; Q],
        table: &[BlockId],
        kv_head: usize,
        positions: Range<usize>,
        outs: &mut [&mut [f32]; Q],
    ) {
        if positions.is_empty() {
            return;
        }
        let num_vectors = self.shape.head_dim / NUM_LANES;
        let mut first = 0;
        while V::NUM_REGISTERS >= 32 && Q <= 6 && first + 4 <= num_vectors {
            self.weigh_vectors::<V, Q, 4>(weights, table, kv_head, positions.clone(), first, outs);
            first += 4;
        }
        while V::NUM_REGISTERS >= 32 && Q > 6 && first + 2 <= num_vectors {
            self.weigh_vectors::<V, Q, 2>(weights, table, kv_head, positions.clone(), first, outs);
            first += 2;
        }
        while first < num_vectors {
            self.weigh_vectors::<V, Q, 1>(weights, table, kv_head, positions.clone(), first, outs);
            first += 1;
        }
    }

    /// The same for C vectors of the head.
    #[inline(always)]
    fn weigh_vectors<V: F32x16, const Q: usize, const C: usize>(
        &self,
        weights: &[&[Lanes]; Q],
        table: &[BlockId],
        kv_head: usize,
        positions: Range<usize>,
        first: usize,
        outs: &mut [&mut [f32]; Q],
    ) {
        let num_vectors = self.shape.head_dim / NUM_LANES;
        let mut sums = [[V::splat(0.0); C]; Q];
        for q in 0..Q {
            let (out, _) = outs[q].as_chunks();
            for c in 0..C {
                sums[q][c] = V::load(&out[first + c]);
            }
        }
        let mut position = positions.start;
        while position < positions.end {
            let block_idx = position / BLOCK_LEN;
            let end = positions.end.min((block_idx + 1) * BLOCK_LEN);
            let (values, _) = self.cache.values(table[block_idx], kv_head).as_chunks();
            assert_eq!(values.len(), BLOCK_LEN * num_vectors, "the vectors of a block");
            assert!(first + C <= num_vectors, "C vectors from the first on");
            let mut block_weights = [&[0.0; NUM_LANES]; Q];
            for q in 0..Q {
                block_weights[q] = &weights[q][block_idx];
            }
            for slot in position % BLOCK_LEN..end - block_idx * BLOCK_LEN {
                let mut value = [V::splat(0.0); C];
                for (c, value) in value.iter_mut().enumerate() {
                    let idx = slot * num_vectors + first + c;
                    // SAFETY: a slot of the block and a vector of the head, asserted above.
                    *value = V::load(unsafe { values.get_unchecked(idx) });
                }
                for q in 0..Q {
                    // SAFETY: a block has as many weights as slots.
                    let weight = V::splat(unsafe { *block_weights[q].get_unchecked(slot) });
                    for c in 0..C {
                        sums[q][c] = weight.mul_add(value[c], sums[q][c]);
                    }
                }
            }
            position = end;
        }
        for q in 0..Q {
            let (out, _) = outs[q].as_chunks_mut();
            for c in 0..C {
                sums[q][c].store(&mut out[first + c]);
            }
        }
    }
}

/// The positions in the first `num_shared` blocks that all rows see; empty, but still in these
/// blocks, if there are none.
#[inline(always)]
fn seen_by_all(rows: &[UnitRow], num_shared: usize) -> Range<usize> {
    let first = rows.iter().map(|row| row.first_visible).max().expect("a query");
    let end = rows.iter().map(|row| row.end_visible).min().expect("a query");
    let end = end.min(num_shared * BLOCK_LEN);
    first.min(end)..end
}

/// Turns the scores of the `visible` positions into weights, all others of their blocks into zero;
/// the sum of the weights is given.
#[inline(always)]
fn softmax<V: F32x16>(scores: &mut [Lanes], visible: Range<usize>) -> f32 {
    // Whole blocks of zeros would not change the sum, but cost time.
    let first = visible.start / NUM_LANES;
    let scores = &mut scores[first..visible.end.div_ceil(NUM_LANES)];
    let flat = scores.as_flattened_mut();
    flat[..visible.start - first * NUM_LANES].fill(f32::NEG_INFINITY);
    flat[visible.end - first * NUM_LANES..].fill(f32::NEG_INFINITY);
    let greatest = greatest::<V>(scores);
    exponentiate::<V>(scores, greatest)
}
