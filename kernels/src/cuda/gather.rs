//! Rows by their indices: the twin of `gather.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct GatherParams {
    /// `[..][row_bytes]`
    pub x: DevicePtr,
    /// `[num_rows]`
    pub row_idx: DevicePtr,
    /// `[num_rows][row_bytes]`
    pub out: DevicePtr,
    /// A multiple of 16.
    pub row_bytes: u32,
    /// Fills the struct up.
    pub padding: u32,
}

/// A CTA a row.
pub fn shape(num_rows: u32) -> LaunchShape {
    LaunchShape { grid: [num_rows, 1, 1], num_threads: 128, shared_bytes: 0 }
}

impl GatherParams {
    /// Copies `num_rows` rows.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say.
    pub unsafe fn launch(&self, runtime: &dyn Runtime, num_rows: u32) -> Result<(), DeviceError> {
        assert!(self.row_bytes.is_multiple_of(16), "rows of {} bytes", self.row_bytes);
        let kernel = runtime.kernel(&KernelFile::plain("gather.cu"), "gather")?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape(num_rows), &mut Args::one(self)) }
    }
}
