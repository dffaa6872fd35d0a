//! A device that runs the kernels of `cuda/`: its memory, launches, events and graphs.
//!
//! [`Runtime`] is the one boundary. The driver implements it on a GPU, and the emulator on any
//! processor; both take the same kernels, launches and argument arrays.

mod args;
mod buffer;
mod compiler;
mod cubin_cache;
mod driver;
mod emulator;
mod error;
#[cfg(test)]
mod folder;
mod kernel_files;
mod libraries;
mod nvrtc;
mod source;
mod survey;

pub use args::Args;
pub use buffer::Buffer;
pub use cubin_cache::CubinCache;
pub use driver::{Driver, DriverOptions};
pub use emulator::Emulator;
#[cfg(test)]
pub(crate) use emulator::offset;
pub use error::DeviceError;
pub use nvrtc::{Nvrtc, Spills};
pub use source::{Constant, KernelFile};
pub use survey::{DeviceFound, DriverFound, LibraryFound, Survey};

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

/// An address in a device's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(transparent)]
pub struct DevicePtr(pub u64);

impl DevicePtr {
    /// Where a struct says "none".
    pub const NULL: Self = Self(0);

    /// The address `num_bytes` further on.
    #[must_use]
    pub fn offset(self, num_bytes: usize) -> Self {
        Self(self.0 + num_bytes as u64)
    }
}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name.
    pub name: String,
    /// What kernels are compiled for, as `sm_90a`; of the emulator, `emulator`.
    pub arch: String,
    /// CTAs run on so many processors.
    pub num_processors: u32,
    /// Bytes of shared memory that a CTA may have.
    pub max_shared_bytes: u32,
    /// Whether kernels may use what `HOPPER` stands for in `ptx.cuh`.
    pub is_hopper: bool,
}

/// A loaded kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel(pub(crate) u64);

/// A captured sequence of launches.
#[derive(Debug, PartialEq, Eq)]
pub struct Graph(pub(crate) u64);

/// A point in the stream of launches.
#[derive(Debug, PartialEq, Eq)]
pub struct Event(pub(crate) u64);

/// How a kernel is launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchShape {
    /// CTAs, as x, y, z; all at least 1.
    pub grid: [u32; 3],
    /// Threads of a CTA; a multiple of 32.
    pub num_threads: u32,
    /// Dynamic shared memory of a CTA.
    pub shared_bytes: u32,
}

/// A two-dimensional bfloat16 tensor as TMA sees it, read in boxes of `box_rows` rows and 64
/// columns, which lie in shared memory swizzled in atoms of 128 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorMapShape {
    /// The first element.
    pub base: DevicePtr,
    /// Rows.
    pub num_rows: u32,
    /// Columns, which are contiguous; a multiple of 8.
    pub num_cols: u32,
    /// Rows of a box, at most 256.
    pub box_rows: u32,
}

/// Columns of the boxes that TMA reads: 128 bytes of bfloat16.
pub const TENSOR_BOX_COLS: u32 = 64;

/// A tensor map as kernels take it (`TensorMap` in `ptx.cuh`).
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct TensorMap(pub [u64; 16]);

/// A device. All of it happens in one stream, in order; only downloads, `synchronize` and
/// `elapsed_us` wait.
#[expect(clippy::missing_errors_doc, reason = "a device that failed or is too small")]
pub trait Runtime: Send + Sync {
    /// What the device is.
    fn info(&self) -> &DeviceInfo;
    /// Bytes that are free, and all bytes.
    fn memory(&self) -> Result<(usize, usize), DeviceError>;

    /// Bytes of the device, aligned to 256, of undefined content.
    fn allocate(&self, num_bytes: usize) -> Result<DevicePtr, DeviceError>;
    /// Gives back what [`Runtime::allocate`] gave.
    fn free(&self, ptr: DevicePtr);
    /// Copies to the device.
    ///
    /// # Safety
    ///
    /// `to` points to at least as many bytes of this device.
    unsafe fn upload(&self, to: DevicePtr, bytes: &[u8]) -> Result<(), DeviceError>;
    /// Waits for all that was launched before, and copies from the device.
    ///
    /// # Safety
    ///
    /// `from` points to at least as many bytes of this device.
    unsafe fn download(&self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), DeviceError>;
    /// Sets bytes of the device to zero.
    ///
    /// # Safety
    ///
    /// `to` points to at least `num_bytes` bytes of this device.
    unsafe fn clear(&self, to: DevicePtr, num_bytes: usize) -> Result<(), DeviceError>;

    /// Loads files ahead of their first use: what has to be compiled is compiled in parallel.
    /// Nothing to do where no file has to be.
    fn prepare(&self, _files: &[KernelFile]) -> Result<(), DeviceError> {
        Ok(())
    }
    /// The kernel `name` of a file, compiled if it isn't yet.
    fn kernel(&self, file: &KernelFile, name: &str) -> Result<Kernel, DeviceError>;
    /// Launches a kernel.
    ///
    /// # Safety
    ///
    /// `args` are the kernel's parameters, and every pointer in them points to as much memory of
    /// this device as the kernel reads and writes.
    unsafe fn launch(
        &self,
        kernel: Kernel,
        shape: LaunchShape,
        args: &mut Args,
    ) -> Result<(), DeviceError>;
    /// Describes a tensor to TMA.
    fn tensor_map(&self, shape: &TensorMapShape) -> Result<TensorMap, DeviceError>;

    /// From now on launches are recorded instead of run.
    fn begin_capture(&self) -> Result<(), DeviceError>;
    /// Ends the recording.
    fn end_capture(&self) -> Result<Graph, DeviceError>;
    /// Runs what was recorded.
    ///
    /// # Safety
    ///
    /// What the recorded arguments point to is still there.
    unsafe fn replay(&self, graph: &Graph) -> Result<(), DeviceError>;
    /// Forgets a graph.
    fn forget(&self, graph: Graph);

    /// Marks the present end of the stream.
    fn record(&self) -> Result<Event, DeviceError>;
    /// Microseconds between two marks; waits for the second. Forgets both.
    fn elapsed_us(&self, from: Event, to: Event) -> Result<f32, DeviceError>;
    /// Waits for all that was launched.
    fn synchronize(&self) -> Result<(), DeviceError>;
}

/// A runtime that many hold.
pub type SharedRuntime = Arc<dyn Runtime>;
