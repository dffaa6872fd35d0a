//! A GPU, through NVIDIA's driver.
//!
//! The driver is opened when it is wanted, so the same binary runs where there is none. All work
//! goes into one stream, and one lock is held for each call: the stream, the staging buffers and
//! the list of what is loaded change together, and the engine uses a device from one thread at a
//! time.

mod calls;
mod memory;
mod modules;
mod platform;
mod recording;

use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::compiler::Compiler;
use super::{
    Args, CubinCache, DeviceError, DeviceInfo, DevicePtr, Event, Graph, Kernel, KernelFile,
    LaunchShape, Nvrtc, Runtime, TENSOR_BOX_COLS, TensorMap, TensorMapShape,
};
use memory::Staging;
use modules::Modules;
use recording::Open;

pub use platform::{Platform, Session};

/// How a device is opened.
#[derive(Clone, Debug, Default)]
pub struct DriverOptions {
    /// Where NVRTC is, a file or a folder; it is looked for otherwise.
    pub nvrtc: Option<PathBuf>,
    /// Where compiled kernels are kept; in the user's cache folder otherwise.
    pub kernel_cache: Option<PathBuf>,
}

/// A GPU.
pub struct Driver {
    info: DeviceInfo,
    compiler: Compiler,
    state: Mutex<State>,
    session: Session,
}

struct State {
    staging: Staging,
    modules: Modules,
    graphs: Open<calls::ExecutableGraph>,
    events: Open<calls::Event>,
    is_capturing: bool,
}

impl Driver {
    /// The device `idx`.
    ///
    /// # Errors
    ///
    /// There is no driver, no such device or no compiler for it, or the device failed.
    pub fn open(idx: usize, options: &DriverOptions) -> Result<Self, DeviceError> {
        let platform = Platform::open()?;
        let info = platform.info(idx)?;
        let nvrtc = Nvrtc::find(options.nvrtc.as_deref(), Some(platform.version()))?;
        let cache = CubinCache::new(options.kernel_cache.clone());
        let compiler = Compiler { nvrtc, cache, arch: info.arch.clone() };
        let session = Session::open(Arc::new(platform), idx)?;
        let staging = Staging::new(&session)?;
        let state = State {
            staging,
            modules: Modules::default(),
            graphs: Open::default(),
            events: Open::default(),
            is_capturing: false,
        };
        Ok(Self { info, compiler, state: Mutex::new(state), session })
    }

    /// The state, with the device's context made this thread's.
    fn enter(&self) -> Result<MutexGuard<'_, State>, DeviceError> {
        self.session.enter()?;
        // A thread that broke one of the contract's promises has changed nothing.
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same where only launches may be recorded.
    fn enter_to_copy(&self) -> Result<MutexGuard<'_, State>, DeviceError> {
        let state = self.enter()?;
        assert!(!state.is_capturing, "only launches are recorded");
        Ok(state)
    }
}

impl Runtime for Driver {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn memory(&self) -> Result<(usize, usize), DeviceError> {
        let _state = self.enter()?;
        self.session.memory()
    }

    fn allocate(&self, num_bytes: usize) -> Result<DevicePtr, DeviceError> {
        let _state = self.enter()?;
        memory::allocate(&self.session, num_bytes)
    }

    fn free(&self, ptr: DevicePtr) {
        if let Ok(_state) = self.enter() {
            // SAFETY: the runtime allocated it. A device that failed has nothing left to free.
            let _ = unsafe { self.session.calls().free(ptr) };
        }
    }

    unsafe fn upload(&self, to: DevicePtr, bytes: &[u8]) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        unsafe { self.enter_to_copy()?.staging.upload(&self.session, to, bytes) }
    }

    unsafe fn download(&self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        unsafe { self.enter_to_copy()?.staging.download(&self.session, from, bytes) }
    }

    unsafe fn clear(&self, to: DevicePtr, num_bytes: usize) -> Result<(), DeviceError> {
        let _state = self.enter_to_copy()?;
        // SAFETY: the caller's promise.
        Ok(unsafe { self.session.calls().fill(to, 0, num_bytes, self.session.stream) }?)
    }

    fn prepare(&self, files: &[KernelFile]) -> Result<(), DeviceError> {
        let mut missing = files.to_vec();
        {
            let state = self.enter()?;
            missing.retain(|file| !state.modules.has(file));
        }
        // Without the lock: compiling takes long.
        let cubins = self.compiler.cubins(&missing)?;
        let mut state = self.enter()?;
        for (file, cubin) in missing.iter().zip(&cubins) {
            state.modules.load(&self.session, file, cubin)?;
        }
        Ok(())
    }

    fn kernel(&self, file: &KernelFile, name: &str) -> Result<Kernel, DeviceError> {
        let mut state = self.enter()?;
        if !state.modules.has(file) {
            let cubin = self.compiler.cubin(file)?;
            state.modules.load(&self.session, file, &cubin)?;
        }
        state.modules.kernel(&self.session, file, name, self.info.max_shared_bytes)
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        shape: LaunchShape,
        args: &mut Args,
    ) -> Result<(), DeviceError> {
        let [grid_x, grid_y, grid_z] = shape.grid;
        assert!(shape.grid.iter().all(|num_ctas| *num_ctas > 0), "no CTAs: {shape:?}");
        let state = self.enter()?;
        // SAFETY: the kernel is loaded; the driver copies the arguments; what they point to is the
        // caller's promise.
        Ok(unsafe {
            self.session.calls().launch(
                state.modules.function(kernel),
                grid_x,
                grid_y,
                grid_z,
                shape.num_threads,
                1,
                1,
                shape.shared_bytes,
                self.session.stream,
                args.pointers().as_mut_ptr(),
                null_mut(),
            )
        }?)
    }

    fn tensor_map(&self, shape: &TensorMapShape) -> Result<TensorMap, DeviceError> {
        assert!(self.info.is_hopper, "{} has no TMA that kernels use", self.info.arch);
        assert!(shape.num_cols.is_multiple_of(8), "rows are aligned to 16 bytes: {shape:?}");
        assert!((1..=256).contains(&shape.box_rows), "{shape:?}");
        let _state = self.enter()?;
        let mut map = TensorMap([0; 16]);
        // The contiguous dimension comes first; it has no stride.
        let dims = [shape.num_cols, shape.num_rows].map(u64::from);
        let row_bytes = [2 * u64::from(shape.num_cols)];
        let box_dims = [TENSOR_BOX_COLS, shape.box_rows];
        // SAFETY: the arrays have as many elements as the rank asks for, and the map is aligned.
        unsafe {
            self.session.calls().encode_tensor_map(
                &raw mut map,
                calls::TENSOR_BF16,
                dims.len() as u32,
                shape.base,
                dims.as_ptr(),
                row_bytes.as_ptr(),
                box_dims.as_ptr(),
                [1, 1].as_ptr(),
                calls::TENSOR_NOT_INTERLEAVED,
                calls::TENSOR_SWIZZLE_128,
                calls::TENSOR_PROMOTE_256,
                calls::TENSOR_FILL_ZERO,
            )?;
        }
        Ok(map)
    }

    fn begin_capture(&self) -> Result<(), DeviceError> {
        let mut state = self.enter_to_copy()?;
        recording::begin_capture(&self.session)?;
        state.is_capturing = true;
        Ok(())
    }

    fn end_capture(&self) -> Result<Graph, DeviceError> {
        let mut state = self.enter()?;
        assert!(state.is_capturing, "nothing was being recorded");
        state.is_capturing = false;
        let graph = recording::end_capture(&self.session)?;
        Ok(Graph(state.graphs.put(graph)))
    }

    unsafe fn replay(&self, graph: &Graph) -> Result<(), DeviceError> {
        let state = self.enter_to_copy()?;
        // SAFETY: the caller's promise.
        unsafe { recording::replay(&self.session, state.graphs.get(graph.0)) }
    }

    fn forget(&self, graph: Graph) {
        if let Ok(mut state) = self.enter() {
            recording::forget(&self.session, state.graphs.take(graph.0));
        }
    }

    fn record(&self) -> Result<Event, DeviceError> {
        let mut state = self.enter_to_copy()?;
        let event = recording::record(&self.session)?;
        Ok(Event(state.events.put(event)))
    }

    fn elapsed_us(&self, from: Event, to: Event) -> Result<f32, DeviceError> {
        let mut state = self.enter_to_copy()?;
        let [from, to] = [from, to].map(|event| state.events.take(event.0));
        let elapsed = recording::elapsed_us(&self.session, from, to);
        for event in [from, to] {
            recording::close(&self.session, event);
        }
        elapsed
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        self.enter_to_copy()?.staging.synchronize(&self.session)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A device that failed takes everything back by itself.
        let Ok(mut state) = self.enter() else { return };
        if state.staging.synchronize(&self.session).is_err() {
            return;
        }
        state.graphs.drain().for_each(|graph| recording::forget(&self.session, graph));
        state.events.drain().for_each(|event| recording::close(&self.session, event));
        state.modules.unload(&self.session);
        state.staging.free(&self.session);
    }
}
