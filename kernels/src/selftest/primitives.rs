//! `primitives.cu`: against plain loops that are written from the layouts of the PTX ISA.

use half::bf16;

use super::compare::{relative_error, wrong_unless};
use super::{Case, Finding, Input};
use crate::cuda::primitives::PrimitiveParams;
use crate::runtime::{Buffer, DeviceError, DevicePtr, SharedRuntime, TensorMapShape};

/// Elements of a row of 16 bytes.
const CHUNK: usize = 8;
/// Elements of a row of a box.
const BOX: usize = 64;
/// Rows of a product by wgmma.
const GROUP_ROWS: usize = 64;
/// Errors of sums of up to 256 products in single precision.
const F32_ALLOWED: f64 = 1e-4;

/// Rows and columns of the tensor, rows of the box, and where it begins: inside, over the edges, beyond.
const BOXES: [[usize; 5]; 4] =
    [[64, 64, 64, 0, 0], [40, 72, 16, 8, 64], [20, 200, 24, 16, 128], [9, 64, 8, 16, 0]];

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::small("primitives", "mma".to_owned(), fragments),
        Case::small("primitives", "ldmatrix".to_owned(), matrices),
        Case::small("primitives", "cp.async".to_owned(), |runtime| copies(runtime, 64)),
        Case::small("primitives", "cp.async of 23 rows".to_owned(), |runtime| copies(runtime, 23)),
    ];
    for dims in BOXES {
        let shape = format!("TMA of {dims:?}");
        let check = move |runtime: &_| tensor_box(runtime, dims);
        cases.push(Case::small("primitives", shape, check).for_hopper());
    }
    for (num_cols, num_steps) in [(128, 1), (128, 3), (256, 1), (256, 4)] {
        let shape = format!("wgmma of {num_cols} columns, {num_steps} steps");
        let check = move |runtime: &_| warpgroup(runtime, num_cols, num_steps);
        cases.push(Case::small("primitives", shape, check).for_hopper());
    }
    cases
}

const NOTHING: PrimitiveParams = PrimitiveParams {
    x: DevicePtr::NULL,
    y: DevicePtr::NULL,
    out: DevicePtr::NULL,
    num_rows: 0,
    num_steps: 0,
    first_col: 0,
    first_row: 0,
};

fn found(error: f64, allowed: f64) -> Finding {
    Finding { error, allowed, ..Finding::default() }
}

/// `x · y^T` in double precision, of rows of `width`.
fn product(x: &[bf16], y: &[bf16], width: usize) -> Vec<f64> {
    let dot = |x: &[bf16], y: &[bf16]| x.iter().zip(y).map(|(x, y)| x.to_f64() * y.to_f64()).sum();
    x.chunks(width).flat_map(|x| y.chunks(width).map(move |y| dot(x, y))).collect()
}

fn fragments(runtime: &SharedRuntime) -> Result<Finding, DeviceError> {
    let mut input = Input::new("mma");
    let (x, y, sums) = (input.bf16s(16 * 16), input.bf16s(8 * 16), input.floats(16 * 8));
    let (x_buffer, y_buffer) = (Buffer::of(runtime, &x)?, Buffer::of(runtime, &y)?);
    let out = Buffer::of(runtime, &sums)?;
    let params =
        PrimitiveParams { x: x_buffer.ptr(), y: y_buffer.ptr(), out: out.ptr(), ..NOTHING };
    // SAFETY: the buffers have the sizes that the kernel says.
    unsafe { params.launch(&**runtime, "mma_fragments", 32)? };
    let expected: Vec<f64> =
        product(&x, &y, 16).iter().zip(&sums).map(|(x, sum)| x + f64::from(*sum)).collect();
    Ok(found(relative_error(&out.read(0, 16 * 8)?, &expected), F32_ALLOWED))
}

fn matrices(runtime: &SharedRuntime) -> Result<Finding, DeviceError> {
    let x: Vec<u16> = (0..32 * CHUNK as u16).collect();
    let x_buffer = Buffer::of(runtime, &x)?;
    let out = Buffer::zeroed(runtime, 32 * 12 * 4)?;
    let params = PrimitiveParams { x: x_buffer.ptr(), out: out.ptr(), ..NOTHING };
    // SAFETY: the buffers have the sizes that the kernel says.
    unsafe { params.launch(&**runtime, "matrix_lanes", 32)? };
    // Element (row, col) of matrix i, and the two that a lane gets.
    let element = |i: usize, row: usize, col: usize| u32::from(x[(8 * i + row) * CHUNK + col]);
    let lane = |lane: usize| {
        let (g, t) = (lane / 4, lane % 4);
        let straight = move |i| element(i, g, 2 * t) | element(i, g, 2 * t + 1) << 16;
        let turned = move |i| element(i, 2 * t, g) | element(i, 2 * t + 1, g) << 16;
        let four = (0..4).map(straight).chain((0..4).map(turned));
        four.chain((0..2).map(straight)).chain((0..2).map(turned)).collect::<Vec<u32>>()
    };
    let expected: Vec<u32> = (0..32).flat_map(lane).collect();
    Ok(found(wrong_unless(out.read::<u32>(0, 32 * 12)? == expected), 0.0))
}

fn copies(runtime: &SharedRuntime, num_rows: usize) -> Result<Finding, DeviceError> {
    let mut input = Input::new("cp.async");
    // Only what is copied is there.
    let (x, y) = (input.bf16s(num_rows * CHUNK), input.bf16s(num_rows * CHUNK));
    let (x_buffer, y_buffer) = (Buffer::of(runtime, &x)?, Buffer::of(runtime, &y)?);
    let out = Buffer::zeroed(runtime, 2 * 64 * CHUNK * 2)?;
    let params = PrimitiveParams {
        x: x_buffer.ptr(),
        y: y_buffer.ptr(),
        out: out.ptr(),
        num_rows: num_rows as u32,
        ..NOTHING
    };
    // SAFETY: the buffers have the sizes that the kernel says.
    unsafe { params.launch(&**runtime, "copy_tile", 64)? };
    let padded = |rows: &[bf16]| {
        let mut rows = rows.to_vec();
        rows.resize(64 * CHUNK, bf16::ZERO);
        rows.chunks(CHUNK).rev().flatten().copied().collect::<Vec<_>>()
    };
    let expected = [padded(&x), padded(&y)].concat();
    Ok(found(wrong_unless(out.read::<bf16>(0, expected.len())? == expected), 0.0))
}

fn tensor_box(
    runtime: &SharedRuntime,
    [num_rows, num_cols, box_rows, first_row, first_col]: [usize; 5],
) -> Result<Finding, DeviceError> {
    let x = Input::new("TMA").bf16s(num_rows * num_cols);
    let x_buffer = Buffer::of(runtime, &x)?;
    let out = Buffer::zeroed(runtime, box_rows * BOX * 2)?;
    let tensor = tensor(&x_buffer, num_rows, num_cols, box_rows);
    let params = PrimitiveParams {
        out: out.ptr(),
        num_rows: box_rows as u32,
        first_col: first_col as u32,
        first_row: first_row as u32,
        ..NOTHING
    };
    // SAFETY: the buffers have the sizes that the kernel and the tensor say.
    unsafe { params.launch_with_maps(&**runtime, "load_tile", 128, &[tensor])? };
    let mut expected = vec![bf16::ZERO; box_rows * BOX];
    for row in 0..box_rows.min(num_rows.saturating_sub(first_row)) {
        for col in 0..BOX.min(num_cols - first_col) {
            // The 16-byte chunk of a row is exchanged by the row's place in its atom of eight.
            let chunk = (col / CHUNK) ^ (row % 8);
            expected[row * BOX + chunk * CHUNK + col % CHUNK] =
                x[(first_row + row) * num_cols + first_col + col];
        }
    }
    Ok(found(wrong_unless(out.read::<bf16>(0, expected.len())? == expected), 0.0))
}

fn tensor(x: &Buffer, num_rows: usize, num_cols: usize, box_rows: usize) -> TensorMapShape {
    TensorMapShape {
        base: x.ptr(),
        num_rows: num_rows as u32,
        num_cols: num_cols as u32,
        box_rows: box_rows as u32,
    }
}

fn warpgroup(
    runtime: &SharedRuntime,
    num_cols: usize,
    num_steps: usize,
) -> Result<Finding, DeviceError> {
    let mut input = Input::new("wgmma");
    let width = num_steps * BOX;
    let (x, y) = (input.bf16s(GROUP_ROWS * width), input.bf16s(num_cols * width));
    let (x_buffer, y_buffer) = (Buffer::of(runtime, &x)?, Buffer::of(runtime, &y)?);
    let out = Buffer::zeroed(runtime, GROUP_ROWS * num_cols * 4)?;
    let tensors = [
        tensor(&x_buffer, GROUP_ROWS, width, GROUP_ROWS),
        tensor(&y_buffer, num_cols, width, num_cols),
    ];
    let params = PrimitiveParams { out: out.ptr(), num_steps: num_steps as u32, ..NOTHING };
    let name = format!("wgmma_tile_{num_cols}");
    // SAFETY: the buffers have the sizes that the kernel and the tensors say.
    unsafe { params.launch_with_maps(&**runtime, &name, 128, &tensors)? };
    let found_sums = out.read(0, GROUP_ROWS * num_cols)?;
    Ok(found(relative_error(&found_sums, &product(&x, &y, width)), F32_ALLOWED))
}
