//! From the arguments about a device to the device.

use jump_kernels::cuda::Determinism;
use jump_kernels::runtime::DriverOptions;
use jumpcoder::device::Device;

use super::args::DeviceArgs;
use super::ending::Failure;
use super::say;

/// Opens the device and says, unless `is_quiet`, why it is the processor where it might have been a
/// GPU.
pub fn open(args: &DeviceArgs, is_quiet: bool) -> Result<Device, Failure> {
    let determinism = if args.fast { Determinism::Fast } else { Determinism::Deterministic };
    let (device, note) =
        Device::open(args.device, &driver_options(args), determinism).map_err(Failure::Device)?;
    if let Some(note) = note.filter(|_| !is_quiet) {
        say(&format!("jumpcoder: {note}"));
    }
    Ok(device)
}

/// Where the driver looks for its compiler, and keeps what that made.
pub fn driver_options(args: &DeviceArgs) -> DriverOptions {
    DriverOptions { nvrtc: args.nvrtc.clone(), kernel_cache: args.kernel_cache.clone() }
}
