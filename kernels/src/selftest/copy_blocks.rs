//! `copy_blocks.cu`: bit for bit, and nothing else may change.

use super::compare::wrong_unless;
use super::{Case, Finding, Input, time};
use crate::cuda::copy_blocks::CopyBlocksParams;
use crate::runtime::{Buffer, DeviceError, SharedRuntime};

/// Copies, planes, blocks, floats of a block.
const SHAPES: [[usize; 4]; 4] = [[1, 2, 2, 4], [3, 4, 9, 256], [8, 2, 17, 1280], [9, 3, 40, 4100]];
const TIMED: [[usize; 4]; 1] = [[8, 64, 64, 32 * 128 * 16 / 2]];

pub fn cases() -> Vec<Case> {
    let shape = |[num_copies, num_planes, num_blocks, width]: [usize; 4]| {
        let block_bytes = width * 4;
        format!("{num_copies} of {num_blocks} blocks of {block_bytes} bytes, {num_planes} planes")
    };
    let small = SHAPES
        .into_iter()
        .map(|dims| Case::small("copy_blocks", shape(dims), move |runtime| check(runtime, dims)));
    let timed = TIMED
        .into_iter()
        .map(|dims| Case::timed("copy_blocks", shape(dims), move |runtime| check(runtime, dims)));
    small.chain(timed).collect()
}

fn check(
    runtime: &SharedRuntime,
    [num_copies, num_planes, num_blocks, width]: [usize; 4],
) -> Result<Finding, DeviceError> {
    let mut input = Input::new("copy_blocks");
    let mut cache = input.floats(num_planes * num_blocks * width);
    // From the blocks in front to those behind, and one copy of padding.
    let mut from: Vec<u32> = (0..num_copies as u32).map(|i| i / 2).collect();
    let mut to: Vec<u32> = (0..num_copies).map(|i| (num_blocks - 1 - i) as u32).collect();
    from.push(u32::MAX);
    to.push(u32::MAX);
    let cache_buffer = Buffer::of(runtime, &cache)?;
    let from_buffer = Buffer::of(runtime, &from)?;
    let to_buffer = Buffer::of(runtime, &to)?;
    let params = CopyBlocksParams {
        cache: cache_buffer.ptr(),
        from: from_buffer.ptr(),
        to: to_buffer.ptr(),
        plane_bytes: (num_blocks * width * 4) as u64,
        block_bytes: (width * 4) as u32,
        padding: 0,
    };
    let micros = time(runtime, || {
        // SAFETY: the buffers have the sizes that the parameters say, and no block is in `from` and
        // in `to`.
        unsafe { params.launch(&**runtime, (num_copies + 1) as u32, num_planes as u32) }
    })?;
    let found: Vec<f32> = cache_buffer.read(0, cache.len())?;
    for plane in cache.chunks_mut(num_blocks * width) {
        for (from, to) in from.iter().zip(&to).take(num_copies) {
            let start = *from as usize * width;
            plane.copy_within(start..start + width, *to as usize * width);
        }
    }
    let bytes = (2 * num_copies * num_planes * width * 4) as f64;
    Ok(Finding { error: wrong_unless(found == cache), allowed: 0.0, bytes, flops: 0.0, micros })
}
