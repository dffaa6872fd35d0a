//! One logit a target: the twin of `target_logits.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct TargetLogitsParams {
    /// `[R][num_inputs]` bf16
    pub x: DevicePtr,
    /// `[V][num_inputs]` bf16
    pub w: DevicePtr,
    /// `[num_targets]` u32; `u32::MAX` for padding
    pub rows: DevicePtr,
    /// `[num_targets]` u32
    pub tokens: DevicePtr,
    /// `[num_targets]` f32
    pub out: DevicePtr,
    /// Targets, padding included.
    pub num_targets: u32,
    /// A multiple of 8.
    pub num_inputs: u32,
}

/// Targets of a CTA, which is one warp.
const NUM_TARGETS: u32 = 8;

/// A warp for each 8 targets.
pub fn shape(num_targets: u32) -> LaunchShape {
    let grid = [num_targets.div_ceil(NUM_TARGETS), 1, 1];
    LaunchShape { grid, num_threads: 32, shared_bytes: 0 }
}

impl TargetLogitsParams {
    /// Makes all dot products.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say; rows and
    /// tokens are there.
    pub unsafe fn launch(&self, runtime: &dyn Runtime) -> Result<(), DeviceError> {
        assert!(self.num_inputs.is_multiple_of(8), "rows of {} elements", self.num_inputs);
        let kernel = runtime.kernel(&KernelFile::plain("target_logits.cu"), "target_logits")?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape(self.num_targets), &mut Args::one(self)) }
    }
}
