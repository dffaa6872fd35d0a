//! Attention over block tables: the twin of `attention.cu`. Who attends to what where is planned by
//! [`attention_plan`](super::attention_plan).

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};

/// The head sizes that the kernels are compiled for.
pub const HEAD_DIMS: [u32; 6] = [64, 80, 96, 128, 160, 256];
/// Positions of a leaf; see `params.h`.
pub const LEAF_LEN: u32 = 64;
/// Positions of a span; see `params.h`.
pub const SPAN_LEN: u32 = 256;
/// Stacked rows that an item of `attention_few` has at most.
pub const FEW_ROWS: u32 = 16;
/// Stacked rows that an item of `attention_many` has at most.
pub const MANY_ROWS: u32 = 64;

/// Rows that see the same blocks; see `params.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct AttentionItem {
    /// In the queries of all items.
    pub first_query: u32,
    /// 0 for padding.
    pub num_queries: u32,
    /// Where the block table begins.
    pub first_block: u32,
    /// The first position, a multiple of [`LEAF_LEN`].
    pub begin: u32,
    /// Behind the last key that one of the rows sees.
    pub end: u32,
    /// 1: goes on with a span that another item began.
    pub is_rest: u32,
}

/// A row in an item; see `params.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct AttentionQuery {
    /// The row of the pass.
    pub row: u32,
    /// Where its result goes; `u32::MAX`: it's the row's whole result.
    pub partial: u32,
}

/// What a partial's sums stand for; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct AttentionState {
    /// The greatest score.
    pub max: f32,
    /// The sum of the weights.
    pub sum: f32,
    /// 1: goes on with the span of the partial before.
    pub is_rest: u32,
    /// Fills the struct up.
    pub padding: u32,
}

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct AttentionParams {
    /// `[num_rows][(num_heads + 2 * num_kv_heads) * head_dim]` f32; the queries are read
    pub qkv: DevicePtr,
    /// `[num_rows]` u32
    pub positions: DevicePtr,
    /// [`AttentionItem`]s of this launch
    pub items: DevicePtr,
    /// [`AttentionQuery`]s of all items
    pub queries: DevicePtr,
    /// The block tables, u32
    pub blocks: DevicePtr,
    /// `[B][num_kv_heads][16][head_dim]` bf16 of this layer
    pub keys: DevicePtr,
    /// `[B][num_kv_heads][16][head_dim]` bf16 of this layer
    pub values: DevicePtr,
    /// `[partials][num_heads][head_dim]` f32
    pub partial_sums: DevicePtr,
    /// `[partials][num_heads]` [`AttentionState`]s
    pub partial_states: DevicePtr,
    /// `[num_rows][num_heads * head_dim]` bf16
    pub out: DevicePtr,
    /// Query heads.
    pub num_heads: u32,
    /// Key heads, and as many value heads.
    pub num_kv_heads: u32,
    /// Positions that a row sees at most, its own included; `u32::MAX` for all.
    pub window: u32,
    /// Of the scores, times log2(e).
    pub scale: f32,
}

/// A row whose result is in several partials; see `params.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct AttentionMerge {
    /// The row of the pass; `u32::MAX` for padding.
    pub row: u32,
    /// The first of its partials.
    pub first_partial: u32,
    /// How many follow each other.
    pub num_partials: u32,
}

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct AttentionMergeParams {
    /// [`AttentionMerge`]s
    pub merges: DevicePtr,
    /// `[partials][num_heads][head_dim]` f32
    pub partial_sums: DevicePtr,
    /// `[partials][num_heads]` [`AttentionState`]s
    pub partial_states: DevicePtr,
    /// `[num_rows][num_heads * head_dim]` bf16
    pub out: DevicePtr,
    /// Query heads.
    pub num_heads: u32,
    /// Fills the struct up.
    pub padding: u32,
}

const NUM_THREADS: u32 = 128;
const NUM_WARPS: u32 = 4;
const BLOCK_LEN: u32 = crate::layout::BLOCK_LEN as u32;

/// Bytes of a row of keys or values in shared memory, padding included.
fn row_bytes(head_dim: u32) -> u32 {
    2 * head_dim + 16
}

/// A CTA an item and key head; a ring of blocks for each warp.
pub fn few_shape(head_dim: u32, num_items: u32, num_kv_heads: u32) -> LaunchShape {
    let num_stages = if head_dim <= 160 { 3 } else { 2 };
    LaunchShape {
        grid: [num_items, num_kv_heads, 1],
        num_threads: NUM_THREADS,
        shared_bytes: NUM_WARPS * num_stages * BLOCK_LEN * row_bytes(head_dim),
    }
}

/// A CTA an item and key head; a ring of two leaves, the queries where registers don't hold them,
/// and the whole's sums if items of several spans are among them.
pub fn many_shape(
    head_dim: u32,
    num_items: u32,
    num_kv_heads: u32,
    takes_spans: bool,
) -> LaunchShape {
    let ring_bytes = 2 * LEAF_LEN * row_bytes(head_dim);
    let query_bytes = if head_dim <= 160 { 0 } else { MANY_ROWS * row_bytes(head_dim) };
    let whole_bytes = MANY_ROWS * 4 * (head_dim + 8);
    LaunchShape {
        grid: [num_items, num_kv_heads, 1],
        num_threads: NUM_THREADS,
        shared_bytes: ring_bytes + query_bytes + if takes_spans { whole_bytes } else { 0 },
    }
}

/// Whether `attention_many` can take several spans in one item, in so much shared memory.
pub fn takes_spans(head_dim: u32, max_shared_bytes: u32) -> bool {
    many_shape(head_dim, 1, 1, true).shared_bytes <= max_shared_bytes
}

/// A warp a row and head.
pub fn merge_shape(num_merges: u32, num_heads: u32) -> LaunchShape {
    LaunchShape {
        grid: [num_merges, num_heads.div_ceil(NUM_WARPS), 1],
        num_threads: NUM_THREADS,
        shared_bytes: 0,
    }
}

/// The kernels of a head size.
fn file(head_dim: u32) -> KernelFile {
    assert!(HEAD_DIMS.contains(&head_dim), "heads of {head_dim} elements");
    KernelFile { name: "attention.cu", constants: vec![("HEAD_DIM", head_dim)] }
}

impl AttentionParams {
    /// Runs `num_items` items of a plan's `few`.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say, and the
    /// items, queries, blocks and partials that are referred to are there.
    pub unsafe fn launch_few(
        &self,
        runtime: &dyn Runtime,
        head_dim: u32,
        num_items: u32,
    ) -> Result<(), DeviceError> {
        let shape = few_shape(head_dim, num_items, self.num_kv_heads);
        // SAFETY: the caller's promise.
        unsafe { self.launch(runtime, head_dim, "attention_few", shape) }
    }

    /// Runs `num_items` items of a plan's `many`.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// As for [`AttentionParams::launch_few`].
    pub unsafe fn launch_many(
        &self,
        runtime: &dyn Runtime,
        head_dim: u32,
        num_items: u32,
    ) -> Result<(), DeviceError> {
        let takes_spans = takes_spans(head_dim, runtime.info().max_shared_bytes);
        let shape = many_shape(head_dim, num_items, self.num_kv_heads, takes_spans);
        // SAFETY: the caller's promise.
        unsafe { self.launch(runtime, head_dim, "attention_many", shape) }
    }

    unsafe fn launch(
        &self,
        runtime: &dyn Runtime,
        head_dim: u32,
        name: &str,
        shape: LaunchShape,
    ) -> Result<(), DeviceError> {
        assert!(self.num_heads.is_multiple_of(self.num_kv_heads), "heads share key heads evenly");
        assert!(self.num_heads / self.num_kv_heads <= MANY_ROWS, "a row's heads are in one tile");
        assert!(self.scale > 0.0, "the greatest score stays the greatest");
        assert!(self.window > 0, "a row sees itself");
        if shape.grid[0] == 0 {
            return Ok(());
        }
        let kernel = runtime.kernel(&file(head_dim), name)?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape, &mut Args::one(self)) }
    }
}

impl AttentionMergeParams {
    /// Merges the partials of `num_merges` rows.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say, and the
    /// partials that are referred to were written.
    pub unsafe fn launch(
        &self,
        runtime: &dyn Runtime,
        head_dim: u32,
        num_merges: u32,
    ) -> Result<(), DeviceError> {
        if num_merges == 0 {
            return Ok(());
        }
        let kernel = runtime.kernel(&file(head_dim), "attention_merge")?;
        let shape = merge_shape(num_merges, self.num_heads);
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape, &mut Args::one(self)) }
    }
}
