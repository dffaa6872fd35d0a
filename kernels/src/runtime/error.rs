//! What can go wrong with a device. Misuse panics instead.

use thiserror::Error;

/// Why a device can't be used, or failed.
#[derive(Clone, Debug, Error)]
pub enum DeviceError {
    /// There is no driver, as on a machine without a GPU.
    #[error("NVIDIA's driver (libcuda.so.1) was not found: {looked_for}")]
    NoDriver {
        /// Where it was looked for, and what can be done.
        looked_for: String,
    },
    /// A library or a device isn't there.
    #[error("{what} was not found: {looked_for}")]
    Missing {
        /// What is missing.
        what: String,
        /// What was looked for and where, and what can be done.
        looked_for: String,
    },
    /// The kernels don't cover the model.
    #[error(
        "a model with {what} can't run on this device, whose kernels take {supported}: use \
         --device cpu"
    )]
    Unsupported {
        /// What the model has.
        what: String,
        /// What there are kernels for.
        supported: String,
    },
    /// The device's memory doesn't suffice.
    #[error(
        "the device has {free_mib} MiB of memory left, but {needed_mib} MiB more are needed: end \
         other programs on it, or take a smaller model or a shorter --max-context"
    )]
    OutOfMemory {
        /// What was asked for.
        needed_mib: usize,
        /// What there was.
        free_mib: usize,
    },
    /// A kernel can't be compiled: a fault of ours, or a compiler that is too old.
    #[error("{file} can't be compiled for {arch}: {log}")]
    Compile {
        /// The kernel's file.
        file: String,
        /// The architecture.
        arch: String,
        /// What the compiler said.
        log: String,
    },
    /// A kernel did what must not be done; only the emulator notices.
    #[error("{kernel} at {place}: {fault}")]
    Fault {
        /// The kernel.
        kernel: String,
        /// File and line, where they are known, with the CTA and the thread.
        place: String,
        /// What it did.
        fault: String,
    },
    /// A call of the driver failed.
    #[error("the device failed at {call}: {reason}")]
    Driver {
        /// The call.
        call: &'static str,
        /// The driver's own words.
        reason: String,
    },
}
