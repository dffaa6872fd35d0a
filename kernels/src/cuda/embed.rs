//! Rows of the embedding: the twin of `embed.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct EmbedParams {
    /// `[V][width]` bf16
    pub table: DevicePtr,
    /// `[num_rows]` u32
    pub tokens: DevicePtr,
    /// `[positions][width]` bf16, or null
    pub places: DevicePtr,
    /// `[num_rows]` u32
    pub positions: DevicePtr,
    /// `[num_rows][width]` f32
    pub out: DevicePtr,
    /// A multiple of 8.
    pub width: u32,
    /// Multiplies every element.
    pub scale: f32,
}

/// A CTA a row.
pub fn shape(num_rows: u32) -> LaunchShape {
    LaunchShape { grid: [num_rows, 1, 1], num_threads: 128, shared_bytes: 0 }
}

impl EmbedParams {
    /// Looks `num_rows` tokens up.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say, and every
    /// token and position has a row in its table.
    pub unsafe fn launch(&self, runtime: &dyn Runtime, num_rows: u32) -> Result<(), DeviceError> {
        assert!(self.width.is_multiple_of(8), "rows of {} elements", self.width);
        let kernel = runtime.kernel(&KernelFile::plain("embed.cu"), "embed")?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape(num_rows), &mut Args::one(self)) }
    }
}
