//! The rotary embedding, and the way of keys and values into their slots: the twin of
//! `rope_store.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct RopeStoreParams {
    /// `[num_rows][(num_heads + 2 * num_kv_heads) * head_dim]` f32: queries, keys, values
    pub qkv: DevicePtr,
    /// `[head_dim]` f32, or null: the queries' norm
    pub query_norm: DevicePtr,
    /// `[head_dim]` f32, or null: the keys' norm
    pub key_norm: DevicePtr,
    /// `[positions][half_dim]` f32
    pub cos: DevicePtr,
    /// `[positions][half_dim]` f32
    pub sin: DevicePtr,
    /// `[num_rows]` u32
    pub positions: DevicePtr,
    /// `[num_rows]` u32: block * 16 + offset; `u32::MAX` for rows that are padding
    pub slots: DevicePtr,
    /// `[B][num_kv_heads][16][head_dim]` bf16 of this layer
    pub keys: DevicePtr,
    /// `[B][num_kv_heads][16][head_dim]` bf16 of this layer
    pub values: DevicePtr,
    /// Query heads.
    pub num_heads: u32,
    /// Key heads, and as many value heads.
    pub num_kv_heads: u32,
    /// Elements of a head.
    pub head_dim: u32,
    /// Pairs that are rotated.
    pub half_dim: u32,
    /// 0: `(i, i + half_dim)` are a pair, 1: `(2i, 2i + 1)` are.
    pub interleaved: u32,
    /// Added to the mean square of a head that has a norm.
    pub norm_eps: f32,
}

/// Heads of a CTA: a warp each.
const HEADS_PER_CTA: u32 = 4;

/// A warp a head, be it of queries, keys or values.
pub fn shape(num_rows: u32, num_heads: u32, num_kv_heads: u32) -> LaunchShape {
    let num_groups = (num_heads + 2 * num_kv_heads).div_ceil(HEADS_PER_CTA);
    LaunchShape {
        grid: [num_rows, num_groups, 1],
        num_threads: 32 * HEADS_PER_CTA,
        shared_bytes: 0,
    }
}

impl RopeStoreParams {
    /// Rotates and stores `num_rows` rows.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say; the tables
    /// have every position, the cache every slot, and no two rows have the same slot.
    pub unsafe fn launch(&self, runtime: &dyn Runtime, num_rows: u32) -> Result<(), DeviceError> {
        assert!(2 * self.half_dim <= self.head_dim, "pairs lie within a head");
        let shape = shape(num_rows, self.num_heads, self.num_kv_heads);
        let kernel = runtime.kernel(&KernelFile::plain("rope_store.cu"), "rope_store")?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape, &mut Args::one(self)) }
    }
}
