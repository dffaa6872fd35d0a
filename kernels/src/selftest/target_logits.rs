//! `target_logits.cu`: against the exact logits, and the same bits as the head's.

use super::compare::{greater, wrong_unless};
use super::vocabulary::{NUM_ROWS, Vocabulary};
use super::{Case, Finding, Input, time};
use crate::cuda::head::{HeadChoice, NONE};
use crate::cuda::target_logits::TargetLogitsParams;
use crate::runtime::{Buffer, DeviceError, SharedRuntime};

/// Targets, tokens, inputs.
const SHAPES: [[usize; 3]; 6] =
    [[1, 16, 8], [3, 100, 256], [8, 64, 72], [9, 100, 576], [17, 50, 4096], [40, 1000, 136]];
const TIMED: [[usize; 3]; 4] =
    [[6, 32_016, 4096], [64, 32_016, 4096], [512, 32_016, 4096], [512, 152_064, 3584]];

pub fn cases() -> Vec<Case> {
    let small = SHAPES.into_iter().map(|dims| {
        let run = move |runtime: &SharedRuntime| check(runtime, dims);
        Case::small("target_logits", title(dims), run)
    });
    small.chain(TIMED.map(sized)).collect()
}

/// The timed case of these dimensions.
pub fn sized(dims: [usize; 3]) -> Case {
    Case::timed("target_logits", title(dims), move |runtime: &SharedRuntime| check(runtime, dims))
}

fn title([num_targets, vocab_len, num_inputs]: [usize; 3]) -> String {
    format!("{num_targets} targets of {vocab_len} tokens, {num_inputs} inputs")
}

/// What a logit may be off, relative to the sum of its products' sizes.
const LOGIT_ALLOWED: f64 = 1e-6;

fn check(
    runtime: &SharedRuntime,
    [num_targets, vocab_len, num_inputs]: [usize; 3],
) -> Result<Finding, DeviceError> {
    let vocabulary = Vocabulary::new(runtime, vocab_len, num_inputs)?;
    let mut input = Input::new("target_logits");
    // The target in the middle is padding.
    let row = |i: usize| if i == num_targets / 2 && i > 0 { NONE } else { (i % NUM_ROWS) as u32 };
    let rows: Vec<u32> = (0..num_targets).map(row).collect();
    let tokens: Vec<u32> = rows.iter().map(|_| input.below(vocab_len) as u32).collect();
    let rows_buffer = Buffer::of(runtime, &rows)?;
    let tokens_buffer = Buffer::of(runtime, &tokens)?;
    let out = Buffer::of(runtime, &vec![7.0_f32; num_targets])?;
    let params = TargetLogitsParams {
        x: vocabulary.x.ptr(),
        w: vocabulary.w.ptr(),
        rows: rows_buffer.ptr(),
        tokens: tokens_buffer.ptr(),
        out: out.ptr(),
        num_targets: num_targets as u32,
        num_inputs: num_inputs as u32,
    };
    // SAFETY: the buffers have the sizes that the parameters say.
    let micros = time(runtime, || unsafe { params.launch(&**runtime) })?;
    let found: Vec<f32> = out.read(0, num_targets)?;
    let asked = |(row, token): (&u32, &u32)| HeadChoice {
        row: *row,
        forced: *token,
        ban_list: NONE,
        logits_row: NONE,
        is_logprob: 0,
    };
    let choices: Vec<HeadChoice> = rows.iter().zip(&tokens).map(asked).collect();
    let of_head = vocabulary.answers(runtime, &choices, &[], 0)?;
    let mut error = 0.0;
    for (i, logit) in found.iter().enumerate() {
        let expected = match rows[i] {
            NONE => 7.0,
            _ => of_head.chosen[i].score,
        };
        error = greater(error, wrong_unless(logit.to_bits() == expected.to_bits()));
        if rows[i] != NONE {
            let token = tokens[i] as usize;
            error = greater(error, vocabulary.logit_error(rows[i] as usize, token, *logit));
        }
    }
    let bytes = (num_targets * num_inputs * 4) as f64;
    let flops = (2 * num_targets * num_inputs) as f64;
    Ok(Finding { error, allowed: LOGIT_ALLOWED, bytes, flops, micros })
}
