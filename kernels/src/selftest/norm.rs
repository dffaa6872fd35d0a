//! `norm.cu`: against the formulas, and a row alone against the same row among others.

use half::bf16;

use super::compare::{BF16_ALLOWED, greater, relative_error, widen, wrong_unless};
use super::{Case, Finding, Input, time};
use crate::cuda::norm::NormParams;
use crate::reference;
use crate::runtime::{Buffer, DeviceError, DevicePtr, SharedRuntime};

/// Rows, width.
const SHAPES: [[usize; 2]; 7] =
    [[1, 8], [3, 256], [8, 576], [9, 4096], [17, 264], [40, 64], [2, 5000]];
const TIMED: [[usize; 2]; 3] = [[1, 4096], [64, 4096], [512, 4096]];

/// Which normalisation.
#[derive(Clone, Copy)]
enum Norm {
    Rms { weight_offset: f32 },
    Layer,
}

const NORMS: [(&str, Norm); 3] = [
    ("rms_norm", Norm::Rms { weight_offset: 0.0 }),
    ("rms_norm with offset", Norm::Rms { weight_offset: 1.0 }),
    ("layer_norm", Norm::Layer),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, norm) in NORMS {
        let shape = |[num_rows, width]: [usize; 2]| format!("{name}, {num_rows} rows of {width}");
        for dims in SHAPES {
            cases.push(Case::small("norm", shape(dims), move |runtime| check(runtime, norm, dims)));
        }
        for dims in TIMED {
            cases.push(Case::timed("norm", shape(dims), move |runtime| check(runtime, norm, dims)));
        }
    }
    cases
}

/// The timed case of these dimensions.
pub fn sized(is_layer: bool, dims: [usize; 2]) -> Case {
    let (name, norm) = NORMS[if is_layer { 2 } else { 0 }];
    let shape = format!("{name}, {} rows of {}", dims[0], dims[1]);
    Case::timed("norm", shape, move |runtime| check(runtime, norm, dims))
}

const EPS: f32 = 1e-5;

fn check(
    runtime: &SharedRuntime,
    norm: Norm,
    [num_rows, width]: [usize; 2],
) -> Result<Finding, DeviceError> {
    let mut input = Input::new("norm");
    // Away from zero, so that a mean forgotten or taken twice is seen.
    let x: Vec<f32> = input.floats(num_rows * width).iter().map(|x| x * 3.0 + 0.5).collect();
    let weight = input.floats(width);
    let bias = input.floats(width);
    let x_buffer = Buffer::of(runtime, &x)?;
    let weight_buffer = Buffer::of(runtime, &weight)?;
    let bias_buffer = Buffer::of(runtime, &bias)?;
    let out = Buffer::zeroed(runtime, num_rows * width * 2)?;
    let mut params = NormParams {
        x: x_buffer.ptr(),
        weight: weight_buffer.ptr(),
        bias: bias_buffer.ptr(),
        out: out.ptr(),
        width: width as u32,
        eps: EPS,
        weight_offset: 0.0,
        padding: 0,
    };
    if let Norm::Rms { weight_offset } = norm {
        params.weight_offset = weight_offset;
        params.bias = DevicePtr::NULL;
    }
    // SAFETY: the buffers have the sizes that the parameters say.
    let micros = time(runtime, || unsafe { launch(runtime, &params, norm, num_rows) })?;
    let found: Vec<bf16> = out.read(0, num_rows * width)?;
    // The last row again, as the first and only one.
    params.x = params.x.offset((num_rows - 1) * width * 4);
    // SAFETY: the row is the last one of the buffer.
    unsafe { launch(runtime, &params, norm, 1)? };
    let alone: Vec<bf16> = out.read(0, width)?;
    let expected: Vec<f64> =
        x.chunks(width).flat_map(|x| reference_row(norm, x, &weight, &bias)).collect();
    let is_invariant = alone == found[(num_rows - 1) * width..];
    let error = greater(relative_error(&widen(&found), &expected), wrong_unless(is_invariant));
    let bytes = (num_rows * width * 6) as f64;
    Ok(Finding { error, allowed: BF16_ALLOWED, bytes, flops: 0.0, micros })
}

/// # Safety
///
/// As of the launches themselves.
unsafe fn launch(
    runtime: &SharedRuntime,
    params: &NormParams,
    norm: Norm,
    num_rows: usize,
) -> Result<(), DeviceError> {
    match norm {
        // SAFETY: the caller's promise.
        Norm::Rms { .. } => unsafe { params.launch_rms(&**runtime, num_rows as u32) },
        // SAFETY: the caller's promise.
        Norm::Layer => unsafe { params.launch_layer(&**runtime, num_rows as u32) },
    }
}

fn reference_row(norm: Norm, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f64> {
    match norm {
        Norm::Rms { weight_offset } => {
            let weight: Vec<f32> = weight.iter().map(|w| w + weight_offset).collect();
            reference::rms_norm(x, &weight, f64::from(EPS))
        }
        Norm::Layer => reference::layer_norm(x, weight, bias, f64::from(EPS)),
    }
}
