//! Rows, a vocabulary, and its answers: what the self-tests of the head's kernels share.

use half::bf16;

use super::compare::widen;
use super::{Input, time};
use crate::cuda::head::{Chosen, HeadChoice, HeadParams, HeadPartial, num_tiles};
use crate::cuda::head_merge::HeadMergeParams;
use crate::reference;
use crate::runtime::{Buffer, DeviceError, SharedRuntime};

/// Rows of x.
pub const NUM_ROWS: usize = 9;

/// Tokens have the weights of the token with so many ids less: equal logits everywhere, and a
/// reference that is soon made.
const MAX_DISTINCT: usize = 997;

/// Rows and the weights of a vocabulary.
pub struct Vocabulary {
    pub vocab_len: usize,
    pub num_inputs: usize,
    pub num_distinct: usize,
    pub x: Buffer,
    pub w: Buffer,
    /// `[NUM_ROWS][num_distinct]`
    logits: Vec<f64>,
    /// What a logit's rounding errors are proportional to, likewise.
    magnitudes: Vec<f64>,
}

/// What the kernels gave.
pub struct Answers {
    pub chosen: Vec<Chosen>,
    pub logsums: Vec<f32>,
    /// `[num_logits_rows][vocab_len]`
    pub logits: Vec<f32>,
    /// Of both kernels.
    pub micros: Option<f64>,
}

impl Vocabulary {
    pub fn new(
        runtime: &SharedRuntime,
        vocab_len: usize,
        num_inputs: usize,
    ) -> Result<Self, DeviceError> {
        let mut input = Input::new("vocabulary");
        let num_distinct = MAX_DISTINCT.min(vocab_len.div_ceil(2));
        // Logits of about 2, so that several tokens have a share of the probability.
        let scale = bf16::from_f32(6.0 / (num_inputs as f32).sqrt()).to_f32();
        let x = input.floats(NUM_ROWS * num_inputs).into_iter().map(|x| x * scale);
        let x: Vec<bf16> = x.map(bf16::from_f32).collect();
        let distinct = input.bf16s(num_distinct * num_inputs);
        let rows = (0..vocab_len).map(|token| token % num_distinct * num_inputs);
        let w: Vec<bf16> =
            rows.flat_map(|start| &distinct[start..start + num_inputs]).copied().collect();
        let (exact_x, exact_w) = (widen(&x), widen(&distinct));
        let of_all = |of: fn(&[f32], &[f32]) -> f64| {
            let rows = exact_x.chunks(num_inputs);
            let products = rows.flat_map(|x| exact_w.chunks(num_inputs).map(move |w| of(x, w)));
            products.collect()
        };
        Ok(Self {
            vocab_len,
            num_inputs,
            num_distinct,
            x: Buffer::of(runtime, &x)?,
            w: Buffer::of(runtime, &w)?,
            logits: of_all(reference::dot),
            magnitudes: of_all(reference::dot_magnitude),
        })
    }

    /// The exact logit.
    pub fn logit(&self, row: usize, token: usize) -> f64 {
        self.logits[row * self.num_distinct + token % self.num_distinct]
    }

    /// How far a logit is off, relative to the sum of its products' sizes.
    pub fn logit_error(&self, row: usize, token: usize, found: f32) -> f64 {
        let magnitude = self.magnitudes[row * self.num_distinct + token % self.num_distinct];
        (f64::from(found) - self.logit(row, token)).abs() / magnitude
    }

    /// The logarithm of the sum of `e^logit`.
    pub fn logsum(&self, row: usize) -> f64 {
        let powers = (0..self.vocab_len).map(|token| self.logit(row, token).exp());
        powers.sum::<f64>().ln()
    }

    /// Answers `choices`; `banned` are lists of a bit a token.
    pub fn answers(
        &self,
        runtime: &SharedRuntime,
        choices: &[HeadChoice],
        banned: &[u32],
        num_logits_rows: usize,
    ) -> Result<Answers, DeviceError> {
        let num_tiles = num_tiles(self.vocab_len as u32);
        let num_partials = choices.len() * num_tiles as usize;
        let choices_buffer = Buffer::of(runtime, choices)?;
        let banned = Buffer::of(runtime, banned)?;
        let partials = Buffer::zeroed(runtime, num_partials * size_of::<HeadPartial>())?;
        let forced_logits = Buffer::zeroed(runtime, choices.len() * 4)?;
        let logits = Buffer::zeroed(runtime, num_logits_rows * self.vocab_len * 4)?;
        let chosen = Buffer::zeroed(runtime, choices.len() * size_of::<Chosen>())?;
        let logsums = Buffer::zeroed(runtime, choices.len() * 4)?;
        let head = HeadParams {
            x: self.x.ptr(),
            w: self.w.ptr(),
            choices: choices_buffer.ptr(),
            banned: banned.ptr(),
            partials: partials.ptr(),
            forced_logits: forced_logits.ptr(),
            logits: logits.ptr(),
            num_choices: choices.len() as u32,
            vocab_len: self.vocab_len as u32,
            num_inputs: self.num_inputs as u32,
            padding: 0,
        };
        let merge = HeadMergeParams {
            choices: choices_buffer.ptr(),
            partials: partials.ptr(),
            forced_logits: forced_logits.ptr(),
            chosen: chosen.ptr(),
            logsums: logsums.ptr(),
            num_tiles,
            padding: 0,
        };
        let micros = time(runtime, || {
            // SAFETY: the buffers have the sizes that the parameters say.
            unsafe { head.launch(&**runtime)? };
            // SAFETY: likewise.
            unsafe { merge.launch(&**runtime, choices.len() as u32) }
        })?;
        Ok(Answers {
            chosen: chosen.read(0, choices.len())?,
            logsums: logsums.read(0, choices.len())?,
            logits: logits.read(0, num_logits_rows * self.vocab_len)?,
            micros,
        })
    }
}

/// A list of banned tokens, a bit a token.
pub fn ban_list(vocab_len: usize, is_banned: impl Fn(usize) -> bool) -> Vec<u32> {
    let mut list = vec![0_u32; vocab_len.div_ceil(32)];
    for token in (0..vocab_len).filter(|token| is_banned(*token)) {
        list[token / 32] |= 1 << (token % 32);
    }
    list
}
