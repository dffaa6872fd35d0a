//! Causal attention over blocks of keys and values.
//!
//! For each query, in the order of positions from zero: all scores, their softmax, the weighted sum of
//! the values. What a query sees is computed from its own positions only, in that one order, so
//! neither chunks of a prefill nor the batch change a bit.
//!
//! A *unit* is up to four queries that share keys and values: the heads of one KV head, of as many
//! rows as fit. Each vector of keys or values is read once for all of them. Their scores, four floats
//! for each position, are the scratch; threads take units.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use std::ops::Range;

use super::cache::Cache;
use super::rows::Rows;
use super::scratch::ScratchPool;
use super::simd::{F32x16, Kernel, Lanes, NUM_LANES, Simd};
use super::softmax::{exponentiate, greatest};
use super::threads::{self, Shared};
use crate::backend::AttentionShape;
use crate::layout::{BLOCK_LEN, BlockId, Layout, Segment};

/// Queries of a unit: four with four blocks keep sixteen accumulators.
const MAX_QUERIES: usize = 4;

/// `out [rows, q_width]` from the query part of `qkv`.
pub fn attention(
    simd: Simd,
    scratch: &ScratchPool,
    qkv: &Rows,
    layout: &Layout,
    shape: AttentionShape,
    cache: &Cache,
    out: &mut Rows,
) {
    assert_eq!(qkv.width(), shape.qkv_width(), "a row is query, key and value");
    assert_eq!(out.width(), shape.q_width(), "an output row has all heads");
    assert_eq!(cache.shape, shape, "the cache is of another layer");
    let qkv = qkv.first(layout.num_rows());
    let out = Shared::new(out.first_mut(layout.num_rows()));
    let job = Job { qkv, layout, shape, cache, out };
    let total: usize = job.units().map(|unit| unit.cost()).sum();
    let num_parts = threads::num_parts(total, total * 2 * shape.head_dim);
    let longest = layout.segments.iter().map(Segment::end_position).max().unwrap_or(0);
    let scores_len = MAX_QUERIES * longest.next_multiple_of(BLOCK_LEN);
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
    out: Shared<'a>,
}

/// Queries that share their keys and values.
struct Unit<'a> {
    segment: &'a Segment,
    rows: Range<usize>,
    kv_head: usize,
    heads: Range<usize>,
}

impl Unit<'_> {
    fn num_queries(&self) -> usize {
        self.rows.len() * self.heads.len()
    }

    /// Positions that row `row` sees.
    fn visible(&self, row: usize) -> usize {
        self.segment.position(row) + 1
    }

    /// Positions that all queries together see, about.
    fn cost(&self) -> usize {
        self.num_queries() * self.visible(self.rows.end - 1)
    }
}

impl<'a> Job<'a> {
    /// All units, in an order that depends on the layout alone.
    fn units(&self) -> impl Iterator<Item = Unit<'a>> {
        let group = self.shape.num_heads / self.shape.num_kv_heads;
        let unit_heads = group.min(MAX_QUERIES);
        let unit_rows = MAX_QUERIES / unit_heads;
        let num_kv_heads = self.shape.num_kv_heads;
        self.layout.segments.iter().flat_map(move |segment| {
            segment.rows.clone().step_by(unit_rows).flat_map(move |row| {
                let rows = row..(row + unit_rows).min(segment.rows.end);
                (0..num_kv_heads).flat_map(move |kv_head| {
                    let rows = rows.clone();
                    let end = (kv_head + 1) * group;
                    (kv_head * group..end).step_by(unit_heads).map(move |head| {
                        let heads = head..(head + unit_heads).min(end);
                        Unit { segment, rows: rows.clone(), kv_head, heads }
                    })
                })
            })
        })
    }
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
        for unit in self.job.units() {
            if self.costs.contains(&cost) {
                match unit.num_queries() {
                    1 => self.job.attend::<V, 1>(&unit, self.scores),
                    2 => self.job.attend::<V, 2>(&unit, self.scores),
                    3 => self.job.attend::<V, 3>(&unit, self.scores),
                    _ => self.job.attend::<V, 4>(&unit, self.scores),
                }
            }
            cost += unit.cost();
        }
    }
}

impl Job<'_> {
    /// The attention of a unit's Q queries.
    #[inline(always)]
    fn attend<V: F32x16, const Q: usize>(&self, unit: &Unit<'_>, scores: &mut [Lanes]) {
        assert_eq!(unit.num_queries(), Q, "the queries of the unit");
        let head_dim = self.shape.head_dim;
        let mut queries = [&self.qkv[..0]; Q];
        let mut visible = [0; Q];
        let mut out_starts = [0; Q];
        for q in 0..Q {
            let row = unit.rows.start + q / unit.heads.len();
            let head_start = (unit.heads.start + q % unit.heads.len()) * head_dim;
            queries[q] = &self.qkv[row * self.shape.qkv_width() + head_start..][..head_dim];
            visible[q] = unit.visible(row);
            out_starts[q] = row * self.shape.q_width() + head_start;
        }
        let table = &self.layout.blocks[unit.segment.blocks.clone()];
        let table = &table[..visible[Q - 1].div_ceil(BLOCK_LEN)];
        let (scores, _) = scores.split_at_mut(Q * table.len());

        self.score::<V, Q>(&queries, table, unit.kv_head, scores);
        let mut sums = [0.0; Q];
        for (q, scores) in scores.chunks_exact_mut(table.len()).enumerate() {
            sums[q] = softmax::<V>(scores, visible[q]);
        }

        // SAFETY: a unit is in one part only, and no two units share a row and a head.
        let mut out =
            out_starts.map(|start| unsafe { self.out.slice_mut(start..start + head_dim) });
        let mut weights = [&scores.as_flattened()[..0]; Q];
        for (q, scores) in scores.chunks_exact(table.len()).enumerate() {
            weights[q] = scores.as_flattened();
            out[q].fill(0.0);
        }
        // What the first row sees, all see; the later rows go on alone, in the same order.
        self.weigh::<V, Q>(&weights, table, unit.kv_head, 0..visible[0], &mut out);
        for q in 0..Q {
            let (rest, mut alone) = (visible[0]..visible[q], [&mut *out[q]]);
            self.weigh::<V, 1>(&[weights[q]], table, unit.kv_head, rest, &mut alone);
            for out in &mut *out[q] {
                *out /= sums[q];
            }
        }
    }

    /// `scores[q][position] = queries[q] · keys[position] / sqrt(head_dim)`, each one accumulator over
    /// the elements of the head in order.
    #[inline(always)]
    fn score<V: F32x16, const Q: usize>(
        &self,
        queries: &[&[f32]; Q],
        table: &[BlockId],
        kv_head: usize,
        scores: &mut [Lanes],
    ) {
        let mut block_idx = 0;
        while V::NUM_REGISTERS >= 32 && block_idx + 4 <= table.len() {
            self.score_blocks::<V, Q, 4>(queries, table, block_idx, kv_head, scores);
            block_idx += 4;
        }
        while block_idx < table.len() {
            self.score_blocks::<V, Q, 1>(queries, table, block_idx, kv_head, scores);
            block_idx += 1;
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
                sums[q][b].mul(scale).store(&mut scores[q * table.len() + block_idx + b]);
            }
        }
    }

    /// `out[q] += Σ weights[q][position] * values[position]` over `positions`, in order.
    #[inline(always)]
    fn weigh<V: F32x16, const Q: usize>(
        &self,
        weights: &[&[f32]; Q],
        table: &[BlockId],
        kv_head: usize,
        positions: Range<usize>,
        out: &mut [&mut [f32]; Q],
    ) {
        if positions.is_empty() {
            return;
        }
        let mut d = 0;
        while V::NUM_REGISTERS >= 32 && d + 4 * NUM_LANES <= self.shape.head_dim {
            self.weigh_elements::<V, Q, 4>(weights, table, kv_head, positions.clone(), d, out);
            d += 4 * NUM_LANES;
        }
        while d < self.shape.head_dim {
            self.weigh_elements::<V, Q, 1>(weights, table, kv_head, positions.clone(), d, out);
            d += NUM_LANES;
        }
    }

    #[inline(always)]
    fn weigh_elements<V: F32x16, const Q: usize, const C: usize>(
        &self,
        weights: &[&[f32]; Q],
        table: &[BlockId],
        kv_head: usize,
        positions: Range<usize>,
        d: usize,
        out: &mut [&mut [f32]; Q],
    ) {
        let mut sums = [[V::splat(0.0); C]; Q];
        for q in 0..Q {
            let (out, _) = out[q][d..].as_chunks();
            for c in 0..C {
                sums[q][c] = V::load(&out[c]);
            }
        }
        let mut position = positions.start;
        while position < positions.end {
            let block_idx = position / BLOCK_LEN;
            let block_end = positions.end.min((block_idx + 1) * BLOCK_LEN);
            let values = self.cache.values(table[block_idx], kv_head);
            let slots = values.chunks_exact(self.shape.head_dim).skip(position % BLOCK_LEN);
            for (position, value) in (position..block_end).zip(slots) {
                let (value, _) = value[d..].as_chunks();
                let value = value.first_chunk::<C>().expect("C vectors from `d` on");
                for q in 0..Q {
                    let weight = V::splat(weights[q][position]);
                    for c in 0..C {
                        sums[q][c] = weight.mul_add(V::load(&value[c]), sums[q][c]);
                    }
                }
            }
            position = block_end;
        }
        for q in 0..Q {
            let (out, _) = out[q][d..].as_chunks_mut();
            for c in 0..C {
                sums[q][c].store(&mut out[c]);
            }
        }
    }
}

/// Turns the scores of the first `visible` positions into weights, all others into zero; the sum of
/// the weights is given.
#[inline(always)]
fn softmax<V: F32x16>(scores: &mut [Lanes], visible: usize) -> f32 {
    scores.as_flattened_mut()[visible..].fill(f32::NEG_INFINITY);
    // Whole blocks of zeros would not change the sum, but cost time.
    let scores = &mut scores[..visible.div_ceil(NUM_LANES)];
    let greatest = greatest::<V>(scores);
    exponentiate::<V>(scores, greatest)
}
