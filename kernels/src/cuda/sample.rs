//! Draws from logits: the twin of `sample.cu`.

use std::num::NonZeroU32;

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};
use crate::sampling::{Sampling, uniform};

/// One draw; see `params.h`.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Draw {
    /// Whose answer it is; `u32::MAX` for padding.
    pub choice: u32,
    /// At least 1; at most so many of the most probable tokens, all if there are no more.
    pub top_k: u32,
    /// Above 0.
    pub temperature: f32,
    /// In (0, 1].
    pub top_p: f32,
    /// From [0, 1).
    pub uniform: f64,
}

impl Draw {
    /// The draw of a choice.
    pub fn new(choice: u32, sampling: &Sampling) -> Self {
        let Sampling { temperature, top_k, top_p, key } = *sampling;
        assert!(temperature > 0.0, "temperature {temperature}");
        assert!(top_p > 0.0 && top_p <= 1.0, "top_p {top_p}");
        let top_k = top_k.map_or(u32::MAX, NonZeroU32::get);
        Self { choice, top_k, temperature, top_p, uniform: uniform(key) }
    }
}

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SampleParams {
    /// `[num_draws]` [`Draw`]
    pub draws: DevicePtr,
    /// `[num_choices]` [`HeadChoice`](super::head::HeadChoice)
    pub choices: DevicePtr,
    /// `[lists][ceil(V / 32)]` u32, a bit a token
    pub banned: DevicePtr,
    /// `[sampled][V]` f32, by the choices' `logits_row`
    pub logits: DevicePtr,
    /// `[num_choices]` f32, as the merge gave them
    pub logsums: DevicePtr,
    /// `[num_choices]` [`Chosen`](super::head::Chosen): the token is replaced, and the score moved
    /// to it
    pub chosen: DevicePtr,
    /// Tokens of the vocabulary.
    pub vocab_len: u32,
    /// Fills the struct up.
    pub padding: u32,
}

/// A token's id has so many bits in its rank.
const ID_BITS: u32 = 20;

/// A CTA a draw.
pub fn shape(num_draws: u32) -> LaunchShape {
    LaunchShape { grid: [num_draws, 1, 1], num_threads: 1024, shared_bytes: 0 }
}

impl SampleParams {
    /// Makes `num_draws` draws.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say, the draws
    /// are as [`Draw`] says, and each one's choice has a row of logits.
    pub unsafe fn launch(&self, runtime: &dyn Runtime, num_draws: u32) -> Result<(), DeviceError> {
        assert!(self.vocab_len < 1 << ID_BITS, "{} tokens", self.vocab_len);
        let kernel = runtime.kernel(&KernelFile::plain("sample.cu"), "sample")?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape(num_draws), &mut Args::one(self)) }
    }
}
