//! Every operation over its table of shapes, on random input, against the f64 reference: on the
//! emulator in the tests, on a device by `jumpcoder selftest`.
//!
//! Each operation has a file here that gives its [`Case`]s. A case makes its input, runs the
//! kernels through the twin in [`cuda`](crate::cuda), and says how far off they were.

mod attention;
mod attention_batch;
mod ceiling;
mod compare;
mod copy_blocks;
pub mod cpu;
mod embed;
mod gather;
mod gemm;
mod head;
mod input;
mod norm;
mod primitives;
mod rope_store;
mod sample;
mod sized;
mod target_logits;
mod vocabulary;

pub use ceiling::Ceilings;
pub use input::Input;
pub use sized::ModelDims;

use crate::runtime::{Buffer, DeviceError, SharedRuntime};

/// One operation at one shape.
pub struct Case {
    /// The operation, as its file is called.
    pub op: &'static str,
    /// The shape, for people.
    pub shape: String,
    /// Whether it is large enough to say something about speed; such cases are left out on the
    /// emulator.
    pub is_timed: bool,
    /// Whether only Hopper has what it uses.
    pub needs_hopper: bool,
    run: Box<Check>,
}

type Check = dyn Fn(&SharedRuntime) -> Result<Finding, DeviceError> + Send + Sync;

/// What a case found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finding {
    /// The largest error, relative to what `allowed` is relative to.
    pub error: f64,
    /// The largest error that rounding explains.
    pub allowed: f64,
    /// Bytes that have to be moved, each once.
    pub bytes: f64,
    /// Multiplications and additions that have to be done.
    pub flops: f64,
    /// Of the fastest run, where it was timed.
    pub micros: Option<f64>,
}

impl Finding {
    /// Were the results right?
    pub fn is_right(&self) -> bool {
        // Written so that a NaN isn't.
        self.error <= self.allowed
    }
}

impl Case {
    /// A case that is checked everywhere.
    pub fn small(
        op: &'static str,
        shape: String,
        run: impl Fn(&SharedRuntime) -> Result<Finding, DeviceError> + Send + Sync + 'static,
    ) -> Self {
        Self { op, shape, is_timed: false, needs_hopper: false, run: Box::new(run) }
    }

    /// A case for devices, which are timed at it.
    pub fn timed(
        op: &'static str,
        shape: String,
        run: impl Fn(&SharedRuntime) -> Result<Finding, DeviceError> + Send + Sync + 'static,
    ) -> Self {
        Self { op, shape, is_timed: true, needs_hopper: false, run: Box::new(run) }
    }

    /// The same, left out on devices other than Hopper.
    #[must_use]
    pub fn for_hopper(self) -> Self {
        Self { needs_hopper: true, ..self }
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// The device failed, or the emulator found a fault.
    pub fn run(&self, runtime: &SharedRuntime) -> Result<Finding, DeviceError> {
        (self.run)(runtime)
    }
}

/// The cases of all operations; those of the primitives, which the others are made of, come first.
pub fn cases() -> Vec<Case> {
    let of_operations = [
        primitives::cases(),
        attention::cases(),
        ceiling::cases(),
        copy_blocks::cases(),
        embed::cases(),
        gather::cases(),
        gemm::cases(),
        head::cases(),
        norm::cases(),
        rope_store::cases(),
        sample::cases(),
        target_logits::cases(),
    ];
    of_operations.into_iter().flatten().collect()
}

/// Runs `launch` several times and gives the microseconds of the fastest; `None` on the emulator,
/// whose time means nothing. What `launch` computes must not change when it is repeated. In between
/// the device's caches are filled with other things: in a model they hold other weights, too.
pub(crate) fn time(
    runtime: &SharedRuntime,
    mut launch: impl FnMut() -> Result<(), DeviceError>,
) -> Result<Option<f64>, DeviceError> {
    const NUM_RUNS: usize = 20;
    /// More than any device's caches hold.
    const CACHE_BYTES: usize = 1 << 28;
    launch()?;
    if runtime.info().arch == "emulator" {
        return Ok(None);
    }
    let other = Buffer::zeroed(runtime, CACHE_BYTES)?;
    let mut fastest = f64::INFINITY;
    for _ in 0..NUM_RUNS {
        // SAFETY: the buffer has so many bytes.
        unsafe { runtime.clear(other.ptr(), CACHE_BYTES)? };
        let from = runtime.record()?;
        launch()?;
        let to = runtime.record()?;
        fastest = fastest.min(f64::from(runtime.elapsed_us(from, to)?));
    }
    Ok(Some(fastest))
}
