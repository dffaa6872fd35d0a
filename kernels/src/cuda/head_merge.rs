//! The answers from the tiles of the vocabulary: the twin of `head_merge.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct HeadMergeParams {
    /// `[num_choices]` [`HeadChoice`](super::head::HeadChoice)
    pub choices: DevicePtr,
    /// `[num_choices][num_tiles]` [`HeadPartial`](super::head::HeadPartial)
    pub partials: DevicePtr,
    /// `[num_choices]` f32
    pub forced_logits: DevicePtr,
    /// `[num_choices]` [`Chosen`](super::head::Chosen)
    pub chosen: DevicePtr,
    /// `[num_choices]` f32: the logarithm of the sum of `e^logit` over all tokens
    pub logsums: DevicePtr,
    /// Tiles of the vocabulary.
    pub num_tiles: u32,
    /// Fills the struct up.
    pub padding: u32,
}

/// A CTA a choice.
pub fn shape(num_choices: u32) -> LaunchShape {
    LaunchShape { grid: [num_choices, 1, 1], num_threads: 256, shared_bytes: 0 }
}

impl HeadMergeParams {
    /// Answers `num_choices` choices.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say.
    pub unsafe fn launch(
        &self,
        runtime: &dyn Runtime,
        num_choices: u32,
    ) -> Result<(), DeviceError> {
        let kernel = runtime.kernel(&KernelFile::plain("head_merge.cu"), "head_merge")?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape(num_choices), &mut Args::one(self)) }
    }
}
