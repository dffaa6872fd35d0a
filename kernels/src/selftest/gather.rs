//! `gather.cu`: bit for bit.

use super::{Case, Finding, Input, time};
use crate::cuda::gather::GatherParams;
use crate::runtime::{Buffer, DeviceError, SharedRuntime};

/// Rows of `out`, rows of `x`, floats of a row.
const SHAPES: [[usize; 3]; 4] = [[1, 1, 4], [7, 3, 64], [33, 40, 576], [2, 5, 4100]];

pub fn cases() -> Vec<Case> {
    let case = |[num_rows, num_from, width]: [usize; 3]| {
        let shape = format!("{num_rows} of {num_from} rows of {width}");
        Case::small("gather", shape, move |runtime| check(runtime, num_rows, num_from, width))
    };
    SHAPES.map(case).into()
}

fn check(
    runtime: &SharedRuntime,
    num_rows: usize,
    num_from: usize,
    width: usize,
) -> Result<Finding, DeviceError> {
    let mut input = Input::new("gather");
    let x = input.floats(num_from * width);
    // The last row is padding, which must stay as it was.
    let mut row_idx: Vec<u32> = (0..num_rows).map(|_| input.below(num_from) as u32).collect();
    row_idx.push(u32::MAX);
    let x_buffer = Buffer::of(runtime, &x)?;
    let idx_buffer = Buffer::of(runtime, &row_idx)?;
    let out = Buffer::of(runtime, &vec![7.0_f32; (num_rows + 1) * width])?;
    let params = GatherParams {
        x: x_buffer.ptr(),
        row_idx: idx_buffer.ptr(),
        out: out.ptr(),
        row_bytes: (width * 4) as u32,
        padding: 0,
    };
    // SAFETY: the buffers have the sizes that the parameters say.
    let micros = time(runtime, || unsafe { params.launch(&**runtime, (num_rows + 1) as u32) })?;
    let found: Vec<f32> = out.read(0, (num_rows + 1) * width)?;
    let expected = row_idx.iter().flat_map(|from| match *from {
        u32::MAX => vec![7.0; width],
        from => x[from as usize * width..][..width].to_vec(),
    });
    let is_same = found.iter().copied().eq(expected);
    let bytes = (2 * num_rows * width * 4) as f64;
    let error = if is_same { 0.0 } else { 1.0 };
    Ok(Finding { error, allowed: 0.0, bytes, flops: 0.0, micros })
}
