//! The device that every machine has: the kernels compiled for the host, with fibers as threads.
//!
//! It runs the very sources that a GPU runs, and notices what a GPU doesn't tell: see `emu/`. A
//! launch runs to its end before it returns.

mod ffi;
mod memory;
mod place;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rayon::prelude::*;

#[cfg(test)]
pub use self::ffi::offset;
use self::ffi::{KernelEntry, Ready};
use self::memory::Memory;
use super::{
    Args, DeviceError, DeviceInfo, DevicePtr, Event, Graph, Kernel, KernelFile, LaunchShape,
    Runtime, TensorMap, TensorMapShape,
};

/// Shared memory of a CTA on Hopper.
const MAX_SHARED_BYTES: u32 = 227 * 1024;

/// What a tensor map begins with.
const TENSOR_MAGIC: u64 = 0x7061_4d72_6f73_6e54;

/// The emulator.
pub struct Emulator {
    info: DeviceInfo,
    is_strict: bool,
    state: Mutex<State>,
}

/// What changes.
struct State {
    memory: Memory,
    /// The kernels that were asked for; a [`Kernel`] is an index.
    kernels: Vec<Loaded>,
    captured: Option<Vec<Recorded>>,
    graphs: HashMap<u64, Vec<Recorded>>,
    events: HashMap<u64, Instant>,
    num_launches: u64,
    /// Of graphs and events.
    num_ids: u64,
}

#[derive(Clone)]
struct Loaded {
    entry: KernelEntry,
    /// As faults name it.
    title: String,
}

/// A launch as a graph keeps it.
#[derive(Clone)]
struct Recorded {
    kernel: Kernel,
    shape: LaunchShape,
    args: Args,
}

impl State {
    fn new_id(&mut self) -> u64 {
        self.num_ids += 1;
        self.num_ids
    }
}

/// Whether this processor has what `build.rs` compiles kernels for.
fn check_processor() -> Result<(), DeviceError> {
    #[cfg(target_arch = "x86_64")]
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        return Err(DeviceError::Missing {
            what: "a processor for the emulator".to_owned(),
            looked_for: "this one lacks AVX2 or FMA; take --device cpu".to_owned(),
        });
    }
    Ok(())
}

impl Emulator {
    /// An emulator that notices what costs nothing to notice: what isn't there yet reads as NaNs,
    /// and barriers that don't fit are faults.
    ///
    /// # Errors
    ///
    /// The processor lacks what kernels are compiled for, or the system gives no addresses for the
    /// emulator's memory.
    pub fn new() -> Result<Self, DeviceError> {
        Self::with(false)
    }

    /// An emulator that looks at every access to memory: it is several times slower, and finds
    /// races, accesses outside of what is allocated, and reads of what was never written.
    ///
    /// # Errors
    ///
    /// As [`Emulator::new`].
    pub fn strict() -> Result<Self, DeviceError> {
        Self::with(true)
    }

    fn with(is_strict: bool) -> Result<Self, DeviceError> {
        check_processor()?;
        let info = DeviceInfo {
            name: "emulator".to_owned(),
            arch: "emulator".to_owned(),
            num_processors: 4,
            max_shared_bytes: MAX_SHARED_BYTES,
            is_hopper: true,
        };
        let state = State {
            memory: Memory::new(is_strict)?,
            kernels: Vec::new(),
            captured: None,
            graphs: HashMap::new(),
            events: HashMap::new(),
            num_launches: 0,
            num_ids: 0,
        };
        Ok(Self { info, is_strict, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is an assertion that failed before anything was changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state outside of a capture: what a driver would refuse in one is misuse here too.
    fn state_now(&self, what: &str) -> MutexGuard<'_, State> {
        let state = self.state();
        let is_capturing = state.captured.is_some();
        assert!(!is_capturing, "{what} in a capture");
        state
    }

    /// Runs all CTAs, on as many threads as there are.
    ///
    /// # Safety
    ///
    /// As [`Runtime::launch`].
    unsafe fn run(
        &self,
        kernel: Kernel,
        shape: LaunchShape,
        args: &mut Args,
    ) -> Result<(), DeviceError> {
        let (loaded, memory, number) = {
            let mut state = self.state();
            state.num_launches += 1;
            let loaded = state.kernels[kernel.0 as usize].clone();
            (loaded, state.memory.for_launches(), state.num_launches)
        };
        let ready = Ready::new(loaded.entry, shape, args, memory, number);
        // SAFETY: the caller's promise.
        let run_cta = unsafe { ready.runner() };
        let ran = match ready.num_ctas() {
            1 => run_cta(0),
            num_ctas => (0..num_ctas).into_par_iter().try_for_each(run_cta),
        };
        ran.map_err(|fault| DeviceError::Fault {
            kernel: loaded.title,
            place: place::describe(&fault),
            fault: fault.what(),
        })
    }
}

impl Runtime for Emulator {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn memory(&self) -> Result<(usize, usize), DeviceError> {
        Ok((self.state().memory.free_bytes(), Memory::TOTAL_BYTES))
    }

    fn allocate(&self, num_bytes: usize) -> Result<DevicePtr, DeviceError> {
        self.state().memory.allocate(num_bytes)
    }

    fn free(&self, ptr: DevicePtr) {
        self.state().memory.free(ptr);
    }

    unsafe fn upload(&self, to: DevicePtr, bytes: &[u8]) -> Result<(), DeviceError> {
        self.state_now("an upload").memory.upload(to, bytes);
        Ok(())
    }

    unsafe fn download(&self, from: DevicePtr, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.state_now("a download").memory.download(from, bytes);
        Ok(())
    }

    unsafe fn clear(&self, to: DevicePtr, num_bytes: usize) -> Result<(), DeviceError> {
        self.state_now("a clear").memory.clear(to, num_bytes);
        Ok(())
    }

    fn kernel(&self, file: &KernelFile, name: &str) -> Result<Kernel, DeviceError> {
        let title = file.title();
        let entry = KernelEntry::find(self.is_strict, &title, name).ok_or_else(|| {
            let log = format!("build.rs gives the emulator no kernel {name} in this file");
            DeviceError::Compile { file: title.clone(), arch: self.info.arch.clone(), log }
        })?;
        let kernels = &mut self.state().kernels;
        let found = kernels.iter().position(|loaded| loaded.entry == entry);
        let idx = found.unwrap_or_else(|| {
            kernels.push(Loaded { entry, title: format!("{title} {name}") });
            kernels.len() - 1
        });
        Ok(Kernel(idx as u64))
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        shape: LaunchShape,
        args: &mut Args,
    ) -> Result<(), DeviceError> {
        check_shape(shape);
        if let Some(captured) = &mut self.state().captured {
            captured.push(Recorded { kernel, shape, args: args.clone() });
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { self.run(kernel, shape, args) }
    }

    fn tensor_map(&self, shape: &TensorMapShape) -> Result<TensorMap, DeviceError> {
        Ok(encode(shape))
    }

    fn begin_capture(&self) -> Result<(), DeviceError> {
        self.state_now("a capture").captured = Some(Vec::new());
        Ok(())
    }

    fn end_capture(&self) -> Result<Graph, DeviceError> {
        let mut state = self.state();
        let launches = state.captured.take().expect("a capture was begun");
        let id = state.new_id();
        state.graphs.insert(id, launches);
        Ok(Graph(id))
    }

    unsafe fn replay(&self, graph: &Graph) -> Result<(), DeviceError> {
        let launches = self.state_now("a replay").graphs[&graph.0].clone();
        for Recorded { kernel, shape, mut args } in launches {
            // SAFETY: the caller's promise, and that of the launch that was recorded.
            unsafe { self.run(kernel, shape, &mut args)? };
        }
        Ok(())
    }

    fn forget(&self, graph: Graph) {
        let graph = self.state().graphs.remove(&graph.0);
        assert!(graph.is_some(), "a graph is forgotten twice");
    }

    fn record(&self) -> Result<Event, DeviceError> {
        let mut state = self.state_now("an event");
        let id = state.new_id();
        state.events.insert(id, Instant::now());
        Ok(Event(id))
    }

    fn elapsed_us(&self, from: Event, to: Event) -> Result<f32, DeviceError> {
        let mut state = self.state();
        let mut take =
            |event: Event| state.events.remove(&event.0).expect("the event was recorded");
        let (from, to) = (take(from), take(to));
        Ok(to.duration_since(from).as_secs_f32() * 1e6)
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        drop(self.state_now("a wait"));
        Ok(())
    }
}

fn check_shape(shape: LaunchShape) {
    let [x, y, z] = shape.grid;
    let is_grid = x.min(y).min(z) >= 1 && y.max(z) <= 65_535;
    assert!(is_grid, "a launch of {:?} CTAs", shape.grid);
    let num_threads = shape.num_threads;
    let is_whole = num_threads.is_multiple_of(32) && (32..=1024).contains(&num_threads);
    assert!(is_whole, "a CTA of {num_threads} threads");
    assert!(shape.shared_bytes <= MAX_SHARED_BYTES, "{} bytes shared", shape.shared_bytes);
}

/// The emulator's own form of a tensor map: `TensorWords` in `emu/mbarrier.h` is its twin.
fn encode(shape: &TensorMapShape) -> TensorMap {
    assert!(shape.base.0.is_multiple_of(16), "TMA wants a tensor aligned to 16 bytes");
    assert!(shape.num_cols.is_multiple_of(8), "TMA wants rows of whole 16 bytes");
    assert!((1..=256).contains(&shape.box_rows), "a box of {} rows", shape.box_rows);
    let mut words = [0; 16];
    words[..5].copy_from_slice(&[
        TENSOR_MAGIC,
        shape.base.0,
        u64::from(shape.num_rows),
        u64::from(shape.num_cols),
        u64::from(shape.box_rows),
    ]);
    TensorMap(words)
}
