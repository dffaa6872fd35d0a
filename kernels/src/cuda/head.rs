//! Logits reduced to what is wanted of them: the twin of `head.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};

/// Where a struct says "none".
pub const NONE: u32 = u32::MAX;

/// What is wanted of one row's logits; see `params.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct HeadChoice {
    /// Of `x`; [`NONE`] for padding.
    pub row: u32,
    /// This token, whatever the logits; [`NONE`] chooses.
    pub forced: u32,
    /// Of `banned`; [`NONE`] bans nothing.
    pub ban_list: u32,
    /// Of `logits`, where the row's logits go for sampling; [`NONE`] if greedy.
    pub logits_row: u32,
    /// 1: the score is a log-probability, 0: it is a logit.
    pub is_logprob: u32,
}

/// What a tile of the vocabulary says of one choice; see `params.h`.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct HeadPartial {
    /// Of tokens that aren't banned.
    pub best_logit: f32,
    /// The lowest of equals; [`NONE`] if all are banned.
    pub best_token: u32,
    /// Of all tokens.
    pub max_logit: f32,
    /// Of all tokens: the sum of `e^(logit - max_logit)`.
    pub sum_exp: f32,
}

/// A choice's answer; see `params.h`.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Chosen {
    /// The token.
    pub token: u32,
    /// Its score.
    pub score: f32,
}

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct HeadParams {
    /// `[R][num_inputs]` bf16, normalised
    pub x: DevicePtr,
    /// `[V][num_inputs]` bf16
    pub w: DevicePtr,
    /// `[num_choices]` [`HeadChoice`]
    pub choices: DevicePtr,
    /// `[lists][ceil(V / 32)]` u32, a bit a token
    pub banned: DevicePtr,
    /// `[num_choices][num_tiles(V)]` [`HeadPartial`]
    pub partials: DevicePtr,
    /// `[num_choices]` f32
    pub forced_logits: DevicePtr,
    /// `[sampled][V]` f32
    pub logits: DevicePtr,
    /// Choices, padding included.
    pub num_choices: u32,
    /// Tokens of the vocabulary.
    pub vocab_len: u32,
    /// A multiple of 8.
    pub num_inputs: u32,
    /// Fills the struct up.
    pub padding: u32,
}

/// Tokens of a tile of the vocabulary.
const VOCAB_TILE: u32 = 64;

/// Tiles of a vocabulary.
pub fn num_tiles(vocab_len: u32) -> u32 {
    vocab_len.div_ceil(VOCAB_TILE)
}

/// The kernel for so many choices, which has the fewest columns that suffice, and its launch.
pub fn shape(vocab_len: u32, num_choices: u32) -> (&'static str, LaunchShape) {
    const NUM_STAGES: u32 = 4;
    let (name, num_columns, stage_inputs, num_threads) = match num_choices {
        0..=8 => ("head_8", 8, 128, 256),
        9..=16 => ("head_16", 16, 128, 256),
        _ => ("head_64", 64, 64, 128),
    };
    let grid = [num_tiles(vocab_len), num_choices.div_ceil(num_columns), 1];
    let shared_bytes = NUM_STAGES * (VOCAB_TILE + num_columns) * stage_inputs * 2;
    (name, LaunchShape { grid, num_threads, shared_bytes })
}

impl HeadParams {
    /// Makes the logits of all choices.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say; rows, forced
    /// tokens, lists and rows of logits are there.
    pub unsafe fn launch(&self, runtime: &dyn Runtime) -> Result<(), DeviceError> {
        assert!(self.num_inputs.is_multiple_of(8), "rows of {} elements", self.num_inputs);
        let num_weights = self.vocab_len.checked_mul(self.num_inputs);
        assert!(num_weights.is_some(), "the kernel counts weights in 32 bits");
        let (name, shape) = shape(self.vocab_len, self.num_choices);
        let kernel = runtime.kernel(&KernelFile::plain("head.cu"), name)?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape, &mut Args::one(self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn the_fewest_columns_that_suffice_and_all_tokens() {
        let of = |vocab_len, num_choices| {
            let (name, shape) = shape(vocab_len, num_choices);
            (name, shape.grid, shape.shared_bytes)
        };
        assert_eq!(of(64, 1), ("head_8", [1, 1, 1], 73_728));
        assert_eq!(of(65, 8), ("head_8", [2, 1, 1], 73_728));
        assert_eq!(of(32_016, 9), ("head_16", [501, 1, 1], 81_920));
        assert_eq!(of(152_064, 17), ("head_64", [2376, 1, 1], 65_536));
        assert_eq!(of(100, 65), ("head_64", [2, 2, 1], 65_536));
    }
}
