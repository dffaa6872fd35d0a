//! `embed.cu`: bit for bit, since a bfloat16 times the scale is rounded once.

use super::compare::{widen, wrong_unless};
use super::{Case, Finding, Input, time};
use crate::cuda::embed::EmbedParams;
use crate::runtime::{Buffer, DeviceError, SharedRuntime};

/// Rows, width.
const SHAPES: [[usize; 2]; 6] = [[1, 8], [3, 256], [8, 576], [9, 4096], [17, 1032], [40, 64]];
const TIMED: [[usize; 2]; 2] = [[1, 4096], [512, 4096]];
const VOCAB_LEN: usize = 50;

pub fn cases() -> Vec<Case> {
    let shape = |[num_rows, width]: [usize; 2]| format!("{num_rows} rows of {width}");
    let small = SHAPES.into_iter().map(|dims| {
        let [num_rows, width] = dims;
        Case::small("embed", shape(dims), move |runtime| check(runtime, num_rows, width))
    });
    let timed = TIMED.into_iter().map(|dims| {
        let [num_rows, width] = dims;
        Case::timed("embed", shape(dims), move |runtime| check(runtime, num_rows, width))
    });
    small.chain(timed).collect()
}

fn check(runtime: &SharedRuntime, num_rows: usize, width: usize) -> Result<Finding, DeviceError> {
    let mut input = Input::new("embed");
    let table = input.bf16s(VOCAB_LEN * width);
    let tokens: Vec<u32> = (0..num_rows).map(|_| input.below(VOCAB_LEN) as u32).collect();
    let table_buffer = Buffer::of(runtime, &table)?;
    let tokens_buffer = Buffer::of(runtime, &tokens)?;
    let out = Buffer::zeroed(runtime, num_rows * width * 4)?;
    let scale = 1.7_f32;
    let params = EmbedParams {
        table: table_buffer.ptr(),
        tokens: tokens_buffer.ptr(),
        out: out.ptr(),
        width: width as u32,
        scale,
    };
    // SAFETY: the buffers have the sizes that the parameters say.
    let micros = time(runtime, || unsafe { params.launch(&**runtime, num_rows as u32) })?;
    let found: Vec<f32> = out.read(0, num_rows * width)?;
    let rows = tokens.iter().map(|token| widen(&table[*token as usize * width..][..width]));
    let expected = rows.flatten().map(|x| x * scale);
    let bytes = (num_rows * width * 6) as f64;
    let error = wrong_unless(found.iter().copied().eq(expected));
    Ok(Finding { error, allowed: 0.0, bytes, flops: 0.0, micros })
}
