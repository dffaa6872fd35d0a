//! The rotary embedding, and the way of keys and values into the cache.

use super::cache::Cache;
use super::norm::{Norm, normalise_heads};
use super::rows::Rows;
use super::simd::Simd;
use super::threads;
use crate::backend::{AttentionShape, RopeTable};
use crate::layout::Layout;

/// Normalises the heads of queries and keys, if there are norms for them, and rotates them in
/// place; then stores keys and values.
pub fn rotate_and_store(
    simd: Simd,
    qkv: &mut Rows,
    head_norms: Option<&[Norm; 2]>,
    layout: &Layout,
    rope: &RopeTable,
    cache: &mut Cache,
) {
    let shape = cache.shape;
    assert_eq!(qkv.width(), shape.qkv_width(), "a row is query, key and value");
    assert!(2 * rope.half_dim <= shape.head_dim, "pairs lie within a head");
    let (num_rows, width) = (layout.num_rows(), qkv.width());
    let num_parts = threads::num_parts(num_rows, num_rows * width);
    threads::split_rows(qkv.first_mut(num_rows), width, num_parts, &|first, rows| {
        if let Some(norms) = head_norms {
            normalise_heads(simd, rows, shape, norms);
        }
        rotate(first, rows, layout, shape, rope);
    });
    // By one thread: rows of one block share cache lines, and the stores are few beside the
    // matmuls.
    for segment in &layout.segments {
        for row in segment.rows.clone() {
            let (block, slot) = layout.slot(segment, segment.position(row));
            let (key, value) = qkv.row(row)[shape.q_width()..].split_at(shape.kv_width());
            cache.store(block, slot, key, value);
        }
    }
}

/// Rotates `rows`, which begin at row `first` of the pass.
fn rotate(
    first: usize,
    rows: &mut [f32],
    layout: &Layout,
    shape: AttentionShape,
    rope: &RopeTable,
) {
    let width = shape.qkv_width();
    let end = first + rows.len() / width;
    for segment in &layout.segments {
        for row in segment.rows.start.max(first)..segment.rows.end.min(end) {
            let start = segment.position(row) * rope.half_dim;
            let cos = &rope.cos[start..start + rope.half_dim];
            let sin = &rope.sin[start..start + rope.half_dim];
            let queries_and_keys =
                &mut rows[(row - first) * width..][..shape.q_width() + shape.kv_width()];
            for head in queries_and_keys.chunks_exact_mut(shape.head_dim) {
                rotate_head(head, cos, sin);
            }
        }
    }
}

fn rotate_head(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (low, rest) = head.split_at_mut(cos.len());
    for (((a, b), cos), sin) in low.iter_mut().zip(rest).zip(cos).zip(sin) {
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}
