//! `embed.cu`: bit for bit, since a bfloat16 times the scale, plus that of its place, is rounded
//! once.

use half::bf16;

use super::compare::{widen, wrong_unless};
use super::{Case, Finding, Input, time};
use crate::cuda::embed::EmbedParams;
use crate::runtime::{Buffer, DeviceError, DevicePtr, SharedRuntime};

/// Rows, width.
const SHAPES: [[usize; 2]; 6] = [[1, 8], [3, 256], [8, 576], [9, 4096], [17, 1032], [40, 64]];
const TIMED: [[usize; 2]; 2] = [[1, 4096], [512, 4096]];
const VOCAB_LEN: usize = 50;
const NUM_POSITIONS: usize = 30;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for has_places in [false, true] {
        let shape = |[num_rows, width]: [usize; 2]| {
            let places = if has_places { " with places" } else { "" };
            format!("{num_rows} rows of {width}{places}")
        };
        for dims in SHAPES {
            let run = move |runtime: &_| check(runtime, dims, has_places);
            cases.push(Case::small("embed", shape(dims), run));
        }
        for dims in TIMED {
            let run = move |runtime: &_| check(runtime, dims, has_places);
            cases.push(Case::timed("embed", shape(dims), run));
        }
    }
    cases
}

fn check(
    runtime: &SharedRuntime,
    [num_rows, width]: [usize; 2],
    has_places: bool,
) -> Result<Finding, DeviceError> {
    let mut input = Input::new("embed");
    let table = input.bf16s(VOCAB_LEN * width);
    let places = input.bf16s(NUM_POSITIONS * width);
    let mut below = |end| (0..num_rows).map(|_| input.below(end) as u32).collect::<Vec<_>>();
    let (tokens, positions) = (below(VOCAB_LEN), below(NUM_POSITIONS));
    let table_buffer = Buffer::of(runtime, &table)?;
    let tokens_buffer = Buffer::of(runtime, &tokens)?;
    let places_buffer = Buffer::of(runtime, &places)?;
    let positions_buffer = Buffer::of(runtime, &positions)?;
    let out = Buffer::zeroed(runtime, num_rows * width * 4)?;
    let scale = 1.7_f32;
    let params = EmbedParams {
        table: table_buffer.ptr(),
        tokens: tokens_buffer.ptr(),
        places: if has_places { places_buffer.ptr() } else { DevicePtr::NULL },
        positions: positions_buffer.ptr(),
        out: out.ptr(),
        width: width as u32,
        scale,
    };
    // SAFETY: the buffers have the sizes that the parameters say.
    let micros = time(runtime, || unsafe { params.launch(&**runtime, num_rows as u32) })?;
    let found: Vec<f32> = out.read(0, num_rows * width)?;
    let row = |table: &[bf16], idx: u32| widen(&table[idx as usize * width..][..width]);
    let mut expected = Vec::new();
    for (token, position) in tokens.iter().zip(&positions) {
        let place = if has_places { row(&places, *position) } else { vec![0.0; width] };
        let elements = row(&table, *token).into_iter().zip(place);
        expected.extend(elements.map(|(x, place)| x.mul_add(scale, place)));
    }
    let bytes = (num_rows * width * if has_places { 8 } else { 6 }) as f64;
    Ok(Finding { error: wrong_unless(found == expected), allowed: 0.0, bytes, flops: 0.0, micros })
}
