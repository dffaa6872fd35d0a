//! A device that counts what is asked of another.

use std::sync::atomic::{AtomicUsize, Ordering};

use jump_kernels::DeviceError;
use jump_kernels::runtime::{
    Args, DeviceInfo, DevicePtr, Event, Graph, Kernel, KernelFile, LaunchShape, Runtime,
    SharedRuntime, TensorMap, TensorMapShape,
};

/// What was asked so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub allocations: usize,
    pub uploads: usize,
    pub downloads: usize,
    pub replays: usize,
}

/// Passes everything on to `runtime`.
pub struct Counting {
    runtime: SharedRuntime,
    allocations: AtomicUsize,
    uploads: AtomicUsize,
    downloads: AtomicUsize,
    replays: AtomicUsize,
}

impl Counting {
    pub fn new(runtime: SharedRuntime) -> Self {
        let zero = AtomicUsize::default;
        Self { runtime, allocations: zero(), uploads: zero(), downloads: zero(), replays: zero() }
    }

    pub fn counts(&self) -> Counts {
        let load = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        Counts {
            allocations: load(&self.allocations),
            uploads: load(&self.uploads),
            downloads: load(&self.downloads),
            replays: load(&self.replays),
        }
    }
}

fn count(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::SeqCst);
}

impl Runtime for Counting {
    fn info(&self) -> &DeviceInfo {
        self.runtime.info()
    }

    fn memory(&self) -> Result<(usize, usize), DeviceError> {
        self.runtime.memory()
    }

    fn allocate(&self, num_bytes: usize) -> Result<DevicePtr, DeviceError> {
        count(&self.allocations);
        self.runtime.allocate(num_bytes)
    }

    fn free(&self, ptr: DevicePtr) {
        self.runtime.free(ptr);
    }

    unsafe fn upload(&self, to: DevicePtr, bytes: &[u8]) -> Result<(), DeviceError> {
        count(&self.uploads);
        // SAFETY: the caller's promise.
        unsafe { self.runtime.upload(to, bytes) }
    }

    unsafe fn download(&self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), DeviceError> {
        count(&self.downloads);
        // SAFETY: the caller's promise.
        unsafe { self.runtime.download(from, bytes) }
    }

    unsafe fn clear(&self, to: DevicePtr, num_bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        unsafe { self.runtime.clear(to, num_bytes) }
    }

    fn kernel(&self, file: &KernelFile, name: &str) -> Result<Kernel, DeviceError> {
        self.runtime.kernel(file, name)
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        shape: LaunchShape,
        args: &mut Args,
    ) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        unsafe { self.runtime.launch(kernel, shape, args) }
    }

    fn tensor_map(&self, shape: &TensorMapShape) -> Result<TensorMap, DeviceError> {
        self.runtime.tensor_map(shape)
    }

    fn begin_capture(&self) -> Result<(), DeviceError> {
        self.runtime.begin_capture()
    }

    fn end_capture(&self) -> Result<Graph, DeviceError> {
        self.runtime.end_capture()
    }

    unsafe fn replay(&self, graph: &Graph) -> Result<(), DeviceError> {
        count(&self.replays);
        // SAFETY: the caller's promise.
        unsafe { self.runtime.replay(graph) }
    }

    fn forget(&self, graph: Graph) {
        self.runtime.forget(graph);
    }

    fn record(&self) -> Result<Event, DeviceError> {
        self.runtime.record()
    }

    fn elapsed_us(&self, from: Event, to: Event) -> Result<f32, DeviceError> {
        self.runtime.elapsed_us(from, to)
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        self.runtime.synchronize()
    }
}
