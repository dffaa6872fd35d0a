//! The functions of `ptx.cuh`, each by itself: the twin of `primitives.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{
    Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime, TENSOR_BOX_COLS, TensorMapShape,
};

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct PrimitiveParams {
    /// Pairs of bfloat16.
    pub x: DevicePtr,
    /// Pairs of bfloat16.
    pub y: DevicePtr,
    /// What came of it.
    pub out: DevicePtr,
    /// That are copied.
    pub num_rows: u32,
    /// Columns of x and y, by 64.
    pub num_steps: u32,
    /// Of the box that TMA reads.
    pub first_col: u32,
    /// Of the box that TMA reads.
    pub first_row: u32,
}

impl PrimitiveParams {
    /// Runs a kernel that takes no tensor maps.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as the kernel says.
    pub unsafe fn launch(
        &self,
        runtime: &dyn Runtime,
        name: &str,
        num_threads: u32,
    ) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        unsafe { self.launch_with_maps(runtime, name, num_threads, &[]) }
    }

    /// Runs a kernel of one warpgroup that reads boxes of these tensors.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as the kernel says, those of
    /// the tensors included.
    pub unsafe fn launch_with_maps(
        &self,
        runtime: &dyn Runtime,
        name: &str,
        num_threads: u32,
        tensors: &[TensorMapShape],
    ) -> Result<(), DeviceError> {
        let kernel = runtime.kernel(&KernelFile::plain("primitives.cu"), name)?;
        let mut args = Args::default();
        for tensor in tensors {
            args.push_tensor_map(&runtime.tensor_map(tensor)?);
        }
        args.push(self);
        let tile_bytes = |tensor: &TensorMapShape| tensor.box_rows * TENSOR_BOX_COLS * 2;
        let shared_bytes = tensors.iter().map(tile_bytes).sum();
        let shape = LaunchShape { grid: [1, 1, 1], num_threads, shared_bytes };
        // SAFETY: the caller's promise; these are the kernel's parameters.
        unsafe { runtime.launch(kernel, shape, &mut args) }
    }
}
