//! `primitives.cu`: against plain loops that are written from the layouts of the PTX ISA.

use half::bf16;

use super::compare::{greater, relative_error, wrong_unless};
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

/// Rows and columns of the tensor, rows of the box, and where it begins: inside, over the edges,
/// beyond.
const BOXES: [[usize; 5]; 4] =
    [[64, 64, 64, 0, 0], [40, 72, 16, 8, 64], [20, 200, 24, 16, 128], [9, 64, 8, 16, 0]];

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::small("primitives", "mma".to_owned(), fragments),
        Case::small("primitives", "ldmatrix".to_owned(), matrices),
        Case::small("primitives", "cp.async".to_owned(), |runtime| copies(runtime, 64)),
        Case::small("primitives", "cp.async of 23 rows".to_owned(), |runtime| copies(runtime, 23)),
        Case::small("primitives", "bfloat16 and powers of two".to_owned(), numbers),
        Case::small("primitives", "named barriers".to_owned(), pairs),
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
    let title = "part of sums with other bits by wgmma than by mma".to_owned();
    cases.push(Case::small("primitives", title, other_bits).for_hopper());
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
    let width = num_steps * BOX;
    let mut input = Input::new("wgmma");
    let (x, y) = (input.bf16s(GROUP_ROWS * width), input.bf16s(num_cols * width));
    let sums = group_sums(runtime, &x, &y, width)?;
    Ok(found(relative_error(&sums, &product(&x, &y, width)), F32_ALLOWED))
}

/// `x · y^T` by wgmma, of rows of `width`.
fn group_sums(
    runtime: &SharedRuntime,
    x: &[bf16],
    y: &[bf16],
    width: usize,
) -> Result<Vec<f32>, DeviceError> {
    let num_cols = y.len() / width;
    let (x_buffer, y_buffer) = (Buffer::of(runtime, x)?, Buffer::of(runtime, y)?);
    let out = Buffer::zeroed(runtime, GROUP_ROWS * num_cols * 4)?;
    let tensors = [
        tensor(&x_buffer, GROUP_ROWS, width, GROUP_ROWS),
        tensor(&y_buffer, num_cols, width, num_cols),
    ];
    let num_steps = (width / BOX) as u32;
    let params = PrimitiveParams { out: out.ptr(), num_steps, ..NOTHING };
    let name = format!("wgmma_tile_{num_cols}");
    // SAFETY: the buffers have the sizes that the kernel and the tensors say.
    unsafe { params.launch_with_maps(&**runtime, &name, 128, &tensors)? };
    out.read(0, GROUP_ROWS * num_cols)
}

/// Which part of a product's sums has other bits by wgmma than by one mma after the other. Nothing
/// relies on either: it says what a device does.
fn other_bits(runtime: &SharedRuntime) -> Result<Finding, DeviceError> {
    const STEP: usize = 16;
    let mut input = Input::new("wgmma and mma");
    let (x, y) = (input.bf16s(GROUP_ROWS * BOX), input.bf16s(128 * BOX));
    let by_group = group_sums(runtime, &x, &y, BOX)?;
    let out = Buffer::zeroed(runtime, 16 * 8 * 4)?;
    for start in (0..BOX).step_by(STEP) {
        let part = |rows: &[bf16], num: usize| -> Vec<bf16> {
            rows.chunks(BOX).take(num).flat_map(|row| &row[start..start + STEP]).copied().collect()
        };
        let x_buffer = Buffer::of(runtime, &part(&x, 16))?;
        let y_buffer = Buffer::of(runtime, &part(&y, 8))?;
        let params =
            PrimitiveParams { x: x_buffer.ptr(), y: y_buffer.ptr(), out: out.ptr(), ..NOTHING };
        // SAFETY: the buffers have the sizes that the kernel says.
        unsafe { params.launch(&**runtime, "mma_fragments", 32)? };
    }
    let by_warp: Vec<f32> = out.read(0, 16 * 8)?;
    let pairs = by_warp.iter().enumerate().map(|(i, sum)| (sum, by_group[i / 8 * 128 + i % 8]));
    let num_other = pairs.filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    Ok(found(num_other as f64 / by_warp.len() as f64, 1.0))
}

fn numbers(runtime: &SharedRuntime) -> Result<Finding, DeviceError> {
    let mut input = Input::new("numbers");
    // Halves between neighbours, which go to the even one, and the ends of the range.
    let ties = [0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff, 0xbf80_8000];
    let ends = [0.0, -0.0, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, -120.5];
    let mut x: Vec<f32> = ties.map(f32::from_bits).into_iter().chain(ends).collect();
    x.extend(input.floats(80).into_iter().map(|x| x * 20.0));
    let x_buffer = Buffer::of(runtime, &x)?;
    let out = Buffer::zeroed(runtime, x.len() * 3 * 4)?;
    let num_rows = x.len() as u32;
    let params = PrimitiveParams { x: x_buffer.ptr(), out: out.ptr(), num_rows, ..NOTHING };
    // SAFETY: the buffers have the sizes that the kernel says; a CTA has a thread for each number.
    unsafe { params.launch(&**runtime, "numbers", num_rows.next_multiple_of(32))? };
    let words: Vec<u32> = out.read(0, x.len() * 3)?;
    let mut error = 0.0;
    for (x, words) in x.iter().zip(words.chunks(3)) {
        let [low, high] = [*x, -*x].map(|x| u32::from(bf16::from_f32(x).to_bits()));
        error = greater(error, wrong_unless(words[..2] == [low, high << 16 | low]));
        let (found, expected) = (f64::from(f32::from_bits(words[2])), f64::from(*x).exp2());
        let is_same = found.total_cmp(&f64::from(x.exp2())).is_eq();
        error = greater(error, if is_same { 0.0 } else { (found / expected - 1.0).abs() });
    }
    // Two units of the last place.
    Ok(found(error, 2.5e-7))
}

fn pairs(runtime: &SharedRuntime) -> Result<Finding, DeviceError> {
    let x: Vec<u32> = (0..128).map(|i| i * 977).collect();
    let (x_buffer, out) = (Buffer::of(runtime, &x)?, Buffer::zeroed(runtime, 128 * 4)?);
    let params = PrimitiveParams { x: x_buffer.ptr(), out: out.ptr(), ..NOTHING };
    // SAFETY: the buffers have the sizes that the kernel says.
    unsafe { params.launch(&**runtime, "pair_warps", 128)? };
    let expected: Vec<u32> = (0..128).map(|i| x[i ^ 32]).collect();
    Ok(found(wrong_unless(out.read::<u32>(0, 128)? == expected), 0.0))
}
