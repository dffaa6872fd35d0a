//! Copies of KV blocks: the twin of `copy_blocks.cu`.

use bytemuck::{Pod, Zeroable};

use crate::runtime::{Args, DeviceError, DevicePtr, KernelFile, LaunchShape, Runtime};

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct CopyBlocksParams {
    /// `[num_planes][B][block_bytes]`; a plane is the keys or the values of a layer
    pub cache: DevicePtr,
    /// `[num_copies]` u32; `u32::MAX` for padding
    pub from: DevicePtr,
    /// `[num_copies]` u32
    pub to: DevicePtr,
    /// From a plane to the next.
    pub plane_bytes: u64,
    /// A multiple of 16.
    pub block_bytes: u32,
    /// Fills the struct up.
    pub padding: u32,
}

/// A CTA a block and plane.
pub fn shape(num_copies: u32, num_planes: u32) -> LaunchShape {
    LaunchShape { grid: [num_copies, num_planes, 1], num_threads: 256, shared_bytes: 0 }
}

impl CopyBlocksParams {
    /// Copies `num_copies` blocks in all of `num_planes` planes.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say; no block is
    /// written twice, and none is both read and written.
    pub unsafe fn launch(
        &self,
        runtime: &dyn Runtime,
        num_copies: u32,
        num_planes: u32,
    ) -> Result<(), DeviceError> {
        assert!(self.block_bytes.is_multiple_of(16), "blocks of {} bytes", self.block_bytes);
        let kernel = runtime.kernel(&KernelFile::plain("copy_blocks.cu"), "copy_blocks")?;
        // SAFETY: the caller's promise; the struct is the kernel's only parameter.
        unsafe { runtime.launch(kernel, shape(num_copies, num_planes), &mut Args::one(self)) }
    }
}
