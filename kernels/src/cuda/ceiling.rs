//! What a device can do at best: the twin of `ceiling.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{
    Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime, TENSOR_BOX_COLS, TensorMapShape,
};

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct CeilingParams {
    /// What is copied, or pairs of bfloat16.
    pub x: DevicePtr,
    /// Pairs of bfloat16.
    pub y: DevicePtr,
    /// What came of it.
    pub out: DevicePtr,
    /// Of a product.
    pub num_steps: u32,
    /// Fills the struct up.
    pub padding: u32,
}

/// Bytes that a CTA copies.
pub const COPY_BYTES: usize = 256 * 4 * 16;
/// Warps of a CTA that multiplies, each of which has `[16][8]` sums.
pub const NUM_WARPS: usize = 8;
/// Operations of a CTA of `multiply` in a step.
pub const MULTIPLY_FLOPS: usize = NUM_WARPS * 8 * 4096;
/// Rows of x, and columns of the sums, in `multiply_group`.
pub const GROUP_DIMS: [u32; 2] = [128, 256];
/// Operations of a CTA of `multiply_group` in a step.
pub const GROUP_FLOPS: usize = 16 * 2 * (2 * 64 * 256 * 16);
/// So often a step of `multiply_group` adds the whole product.
pub const GROUP_ROUNDS: usize = 4;

impl CeilingParams {
    /// Copies so many times [`COPY_BYTES`].
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// `x` and `out` point to so many bytes of the runtime's device.
    pub unsafe fn launch_copy(
        &self,
        runtime: &dyn Runtime,
        num_ctas: u32,
    ) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        unsafe { self.launch(runtime, "copy", num_ctas) }
    }

    /// Multiplies in so many CTAs.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to `x[16, 16]`, `y[8, 16]` and `[num_ctas][8][16][8]` floats.
    pub unsafe fn launch_multiply(
        &self,
        runtime: &dyn Runtime,
        num_ctas: u32,
    ) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        unsafe { self.launch(runtime, "multiply", num_ctas) }
    }

    /// Multiplies in so many CTAs of two warpgroups; only on Hopper.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to `x[128, 64]`, `y[256, 64]` and `[num_ctas][128][256]` floats.
    pub unsafe fn launch_group(
        &self,
        runtime: &dyn Runtime,
        num_ctas: u32,
    ) -> Result<(), DeviceError> {
        let kernel = runtime.kernel(&KernelFile::plain("ceiling.cu"), "multiply_group")?;
        let mut args = Args::default();
        for (base, num_rows) in [self.x, self.y].into_iter().zip(GROUP_DIMS) {
            let num_cols = TENSOR_BOX_COLS;
            let tensor = TensorMapShape { base, num_rows, num_cols, box_rows: num_rows };
            args.push_tensor_map(&runtime.tensor_map(&tensor)?);
        }
        args.push(self);
        let shared_bytes = GROUP_DIMS.iter().sum::<u32>() * TENSOR_BOX_COLS * 2;
        let shape = LaunchShape { grid: [num_ctas, 1, 1], num_threads: 256, shared_bytes };
        // SAFETY: the caller's promise; these are the kernel's parameters.
        unsafe { runtime.launch(kernel, shape, &mut args) }
    }

    unsafe fn launch(
        &self,
        runtime: &dyn Runtime,
        name: &str,
        num_ctas: u32,
    ) -> Result<(), DeviceError> {
        let kernel = runtime.kernel(&KernelFile::plain("ceiling.cu"), name)?;
        let shape = LaunchShape { grid: [num_ctas, 1, 1], num_threads: 256, shared_bytes: 0 };
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape, &mut Args::one(self)) }
    }
}
