//! `ceiling.cu`: that it computes what it says, and then how fast a device does it.

use half::bf16;

use super::compare::{relative_error, wrong_unless};
use super::{Case, Finding, Input, time};
use crate::cuda::ceiling::{
    COPY_BYTES, CeilingParams, GROUP_DIMS, GROUP_FLOPS, GROUP_ROUNDS, MULTIPLY_FLOPS, NUM_WARPS,
};
use crate::runtime::{Buffer, DeviceError, DevicePtr, SharedRuntime, TENSOR_BOX_COLS};

/// Bytes of the copy that is timed: more than any cache holds.
const LARGE_BYTES: usize = 1 << 29;
/// Steps of the products that are timed: a millisecond or more.
const NUM_STEPS: u32 = 8192;
const NUM_GROUP_STEPS: u32 = 512;
/// Errors of sums of some hundred products in single precision.
const F32_ALLOWED: f64 = 1e-4;

/// What a device can do at best.
#[derive(Clone, Copy, Debug)]
pub struct Ceilings {
    /// Bytes that a large copy reads and writes.
    pub bytes_per_second: f64,
    /// Multiplications and additions of the tensor cores: what a large product could do.
    pub flops_per_second: f64,
}

impl Ceilings {
    /// Measures them; `None` on the emulator, whose time means nothing.
    ///
    /// # Errors
    ///
    /// The device failed, or has less than a gibibyte left.
    pub fn measure(runtime: &SharedRuntime) -> Result<Option<Self>, DeviceError> {
        let num_processors = runtime.info().num_processors;
        let copied = copy(runtime, LARGE_BYTES / COPY_BYTES)?;
        let mut products = vec![multiply(runtime, 2 * num_processors, NUM_STEPS)?];
        if runtime.info().is_hopper {
            products.push(multiply_group(runtime, num_processors, NUM_GROUP_STEPS)?);
        }
        let Some(micros) = copied.micros else { return Ok(None) };
        let rate = |finding: &Finding| finding.micros.map_or(0.0, |us| finding.flops / us * 1e6);
        Ok(Some(Self {
            bytes_per_second: copied.bytes / micros * 1e6,
            flops_per_second: products.iter().map(rate).fold(0.0, f64::max),
        }))
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::small("ceiling", "a copy".to_owned(), |runtime| copy(runtime, 3)),
        Case::small("ceiling", "products by mma".to_owned(), |runtime| multiply(runtime, 2, 3)),
        Case::small("ceiling", "products by wgmma".to_owned(), |runtime| {
            multiply_group(runtime, 2, 2)
        })
        .for_hopper(),
    ]
}

fn copy(runtime: &SharedRuntime, num_ctas: usize) -> Result<Finding, DeviceError> {
    let num_bytes = num_ctas * COPY_BYTES;
    let x: Vec<u32> = (0..num_bytes as u32 / 4).collect();
    let (x_buffer, out) = (Buffer::of(runtime, &x)?, Buffer::zeroed(runtime, num_bytes)?);
    let params = CeilingParams {
        x: x_buffer.ptr(),
        y: DevicePtr::NULL,
        out: out.ptr(),
        num_steps: 0,
        padding: 0,
    };
    // SAFETY: both buffers have as many bytes as are copied.
    let micros = time(runtime, || unsafe { params.launch_copy(&**runtime, num_ctas as u32) })?;
    let error = wrong_unless(out.read::<u32>(0, x.len())? == x);
    Ok(Finding { error, allowed: 0.0, bytes: 2.0 * num_bytes as f64, flops: 0.0, micros })
}

fn multiply(
    runtime: &SharedRuntime,
    num_ctas: u32,
    num_steps: u32,
) -> Result<Finding, DeviceError> {
    let product = Product::new(runtime, [16, 8, 16], num_ctas as usize * NUM_WARPS)?;
    let params = product.params(num_steps);
    // SAFETY: the buffers have the sizes that the kernel says.
    let micros = time(runtime, || unsafe { params.launch_multiply(&**runtime, num_ctas) })?;
    let flops = num_ctas as usize * num_steps as usize * MULTIPLY_FLOPS;
    product.finding(8 * num_steps as usize, flops, micros)
}

fn multiply_group(
    runtime: &SharedRuntime,
    num_ctas: u32,
    num_steps: u32,
) -> Result<Finding, DeviceError> {
    let [num_rows, num_cols] = GROUP_DIMS.map(|num| num as usize);
    let dims = [num_rows, num_cols, TENSOR_BOX_COLS as usize];
    let product = Product::new(runtime, dims, num_ctas as usize)?;
    let params = product.params(num_steps);
    // SAFETY: the buffers have the sizes that the kernel says.
    let micros = time(runtime, || unsafe { params.launch_group(&**runtime, num_ctas) })?;
    let flops = num_ctas as usize * num_steps as usize * GROUP_FLOPS;
    product.finding(GROUP_ROUNDS * num_steps as usize, flops, micros)
}

/// A small product, and room for its sums, many times.
struct Product {
    buffers: [Buffer; 3],
    expected: Vec<f64>,
}

impl Product {
    fn new(
        runtime: &SharedRuntime,
        [num_rows, num_cols, width]: [usize; 3],
        num_sums: usize,
    ) -> Result<Self, DeviceError> {
        let mut input = Input::new("ceiling");
        let (x, y) = (input.bf16s(num_rows * width), input.bf16s(num_cols * width));
        let dot = |x: &[bf16], y: &[bf16]| -> f64 {
            x.iter().zip(y).map(|(x, y)| x.to_f64() * y.to_f64()).sum()
        };
        let row = |x| y.chunks(width).map(move |y| dot(x, y));
        let expected: Vec<f64> = x.chunks(width).flat_map(row).collect();
        let out = Buffer::zeroed(runtime, num_sums * expected.len() * 4)?;
        let buffers = [Buffer::of(runtime, &x)?, Buffer::of(runtime, &y)?, out];
        Ok(Self { buffers, expected })
    }

    fn params(&self, num_steps: u32) -> CeilingParams {
        let [x, y, out] = self.buffers.each_ref().map(Buffer::ptr);
        CeilingParams { x, y, out, num_steps, padding: 0 }
    }

    /// What was found if all sums are so many times the product.
    fn finding(
        &self,
        num_times: usize,
        flops: usize,
        micros: Option<f64>,
    ) -> Result<Finding, DeviceError> {
        let [.., out] = &self.buffers;
        let sums: Vec<f32> = out.read(0, out.num_bytes() / 4)?;
        let scaled: Vec<f32> = sums.iter().map(|sum| sum / num_times as f32).collect();
        let num_copies = sums.len() / self.expected.len();
        let error = relative_error(&scaled, &self.expected.repeat(num_copies));
        Ok(Finding { error, allowed: F32_ALLOWED, bytes: 0.0, flops: flops as f64, micros })
    }
}
