//! Keys and values of one layer, block by block.
//!
//! A block's keys are `[kv_head][head_dim][position]` and its values
//! `[kv_head][position][head_dim]`, so that scores are computed for sixteen positions at once and
//! weighted sums for sixteen elements.

use super::floats::Floats;
use super::simd::NUM_LANES;
use crate::backend::AttentionShape;
use crate::layout::{BLOCK_LEN, BlockId};

const _: () = assert!(BLOCK_LEN == NUM_LANES, "a vector holds one element of a block's keys");

/// The blocks of one layer.
pub struct Cache {
    keys: Floats,
    values: Floats,
    /// The shape of the layer.
    pub shape: AttentionShape,
}

impl Cache {
    /// Zeroed blocks; `head_dim` is a multiple of sixteen.
    pub fn new(num_blocks: usize, shape: AttentionShape) -> Self {
        assert_eq!(shape.head_dim % NUM_LANES, 0, "head_dim {} of whole vectors", shape.head_dim);
        assert_eq!(shape.num_heads % shape.num_kv_heads, 0, "groups of equal size");
        let len = num_blocks * block_len(shape);
        Self { keys: Floats::zeroed(len), values: Floats::zeroed(len), shape }
    }

    /// Bytes of one block.
    pub fn block_bytes(shape: AttentionShape) -> usize {
        2 * block_len(shape) * size_of::<f32>()
    }

    /// The keys of a block and head, `[head_dim][position]`.
    pub fn keys(&self, block: BlockId, kv_head: usize) -> &[f32] {
        let start = self.head_start(block, kv_head);
        &self.keys[start..start + self.head_len()]
    }

    /// The values of a block and head, `[position][head_dim]`.
    pub fn values(&self, block: BlockId, kv_head: usize) -> &[f32] {
        let start = self.head_start(block, kv_head);
        &self.values[start..start + self.head_len()]
    }

    /// Writes a position's key and value of all heads.
    pub fn store(&mut self, block: BlockId, slot: usize, key: &[f32], value: &[f32]) {
        assert!(slot < BLOCK_LEN, "slot {slot} of a block");
        let head_dim = self.shape.head_dim;
        let heads = key.chunks_exact(head_dim).zip(value.chunks_exact(head_dim));
        for (kv_head, (key, value)) in heads.enumerate() {
            let start = self.head_start(block, kv_head);
            let keys = self.keys[start..start + key.len() * BLOCK_LEN].chunks_exact_mut(BLOCK_LEN);
            keys.zip(key).for_each(|(keys, key)| keys[slot] = *key);
            self.values[start + slot * head_dim..][..head_dim].copy_from_slice(value);
        }
    }

    /// Copies whole blocks.
    pub fn copy(&mut self, copies: &[(BlockId, BlockId)]) {
        let len = block_len(self.shape);
        for (from, to) in copies {
            let from = from.0 as usize * len..(from.0 as usize + 1) * len;
            self.keys.copy_within(from.clone(), to.0 as usize * len);
            self.values.copy_within(from, to.0 as usize * len);
        }
    }

    fn head_len(&self) -> usize {
        BLOCK_LEN * self.shape.head_dim
    }

    fn head_start(&self, block: BlockId, kv_head: usize) -> usize {
        debug_assert!(kv_head < self.shape.num_kv_heads, "kv head {kv_head}");
        (block.0 as usize * self.shape.num_kv_heads + kv_head) * self.head_len()
    }
}

/// Elements of a block's keys, and of its values.
fn block_len(shape: AttentionShape) -> usize {
    BLOCK_LEN * shape.kv_width()
}
