//! Normalisations: the twin of `norm.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct NormParams {
    /// `[num_rows][width]` f32
    pub x: DevicePtr,
    /// `[width]` f32
    pub weight: DevicePtr,
    /// `[width]` f32; only a layer norm reads it
    pub bias: DevicePtr,
    /// `[num_rows][width]` bf16
    pub out: DevicePtr,
    /// A multiple of 8.
    pub width: u32,
    /// Keeps the root from zero.
    pub eps: f32,
    /// Added to the weights of an RMS norm.
    pub weight_offset: f32,
    /// Fills the struct up.
    pub padding: u32,
}

/// A CTA a row.
pub fn shape(num_rows: u32) -> LaunchShape {
    LaunchShape { grid: [num_rows, 1, 1], num_threads: 256, shared_bytes: 0 }
}

impl NormParams {
    /// Divides `num_rows` rows by their root mean square.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say.
    pub unsafe fn launch_rms(
        &self,
        runtime: &dyn Runtime,
        num_rows: u32,
    ) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        unsafe { self.launch(runtime, num_rows, "rms_norm") }
    }

    /// Moves `num_rows` rows to mean 0 and variance 1.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say.
    pub unsafe fn launch_layer(
        &self,
        runtime: &dyn Runtime,
        num_rows: u32,
    ) -> Result<(), DeviceError> {
        assert_ne!(self.bias, DevicePtr::NULL, "a layer norm has a bias");
        assert!(self.weight_offset.abs() <= 0.0, "a layer norm's weights are taken as they are");
        // SAFETY: the caller's promise.
        unsafe { self.launch(runtime, num_rows, "layer_norm") }
    }

    unsafe fn launch(
        &self,
        runtime: &dyn Runtime,
        num_rows: u32,
        name: &str,
    ) -> Result<(), DeviceError> {
        assert!(self.width.is_multiple_of(8), "rows of {} elements", self.width);
        let kernel = runtime.kernel(&KernelFile::plain("norm.cu"), name)?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape(num_rows), &mut Args::one(self)) }
    }
}
