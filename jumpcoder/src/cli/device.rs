//! From the arguments about a device to the device.

use jump_kernels::DeviceError;
use jump_kernels::cuda::{CudaOptions, Determinism};
use jump_kernels::runtime::DriverOptions;
use jumpcoder::device::{Device, DeviceChoice};

use super::args::DeviceArgs;
use super::ending::Failure;
use super::say;

/// Opens the device. Unless `is_quiet`, says why it is the processor where it might have been a
/// GPU: because there is a driver, or because the user asked.
pub fn open(args: &DeviceArgs, is_quiet: bool) -> Result<Device, Failure> {
    let determinism = if args.fast { Determinism::Fast } else { Determinism::Deterministic };
    let choice = args.device.unwrap_or(DeviceChoice::Auto);
    let options = CudaOptions { determinism, ..CudaOptions::default() };
    let (device, reason) =
        Device::open(choice, &driver_options(args), options).map_err(Failure::Device)?;
    if let Some(reason) = reason
        && !is_quiet
        && (args.device.is_some() || !matches!(reason, DeviceError::NoDriver { .. }))
    {
        say(&format!("jumpcoder: using the CPU: {reason}"));
    }
    Ok(device)
}

/// Where the driver looks for its compiler, and keeps what that made.
pub fn driver_options(args: &DeviceArgs) -> DriverOptions {
    DriverOptions { nvrtc: args.nvrtc.clone(), kernel_cache: args.kernel_cache.clone() }
}
