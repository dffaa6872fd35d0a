//! Keys and values of all layers on the device.
//!
//! `[layers][2][blocks][kv_heads][16][head_dim]` bfloat16: a plane is the keys or the values of one
//! layer, and in a plane a head's part of a block lies together.

use half::bf16;

use crate::backend::AttentionShape;
use crate::layout::BLOCK_LEN;
use crate::runtime::{Buffer, DeviceError, DevicePtr, SharedRuntime};

/// The blocks of all layers.
pub struct Cache {
    buffer: Buffer,
    num_layers: usize,
    num_blocks: usize,
    /// The shape of every layer.
    pub shape: AttentionShape,
}

impl Cache {
    /// Zeroed blocks.
    pub fn new(
        runtime: &SharedRuntime,
        num_layers: usize,
        num_blocks: usize,
        shape: AttentionShape,
    ) -> Result<Self, DeviceError> {
        let buffer = Buffer::zeroed(runtime, num_layers * num_blocks * Self::block_bytes(shape))?;
        Ok(Self { buffer, num_layers, num_blocks, shape })
    }

    /// Bytes of one block in one layer: its keys and its values.
    pub fn block_bytes(shape: AttentionShape) -> usize {
        2 * Self::plane_block_bytes(shape)
    }

    /// Bytes of one block's keys in one layer.
    pub fn plane_block_bytes(shape: AttentionShape) -> usize {
        BLOCK_LEN * shape.kv_width() * size_of::<bf16>()
    }

    /// Bytes of a plane.
    pub fn plane_bytes(&self) -> usize {
        self.num_blocks * Self::plane_block_bytes(self.shape)
    }

    /// Keys and values of all layers.
    pub fn num_planes(&self) -> usize {
        2 * self.num_layers
    }

    /// The first plane.
    pub fn ptr(&self) -> DevicePtr {
        self.buffer.ptr()
    }

    /// The keys of a layer, and its values.
    pub fn layer(&self, layer_idx: usize) -> (DevicePtr, DevicePtr) {
        assert!(layer_idx < self.num_layers, "layer {layer_idx} of {}", self.num_layers);
        let keys = self.ptr().offset(2 * layer_idx * self.plane_bytes());
        (keys, keys.offset(self.plane_bytes()))
    }
}
