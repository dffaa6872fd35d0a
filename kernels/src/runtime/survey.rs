//! What this machine has for the kernels of `cuda/`: found by trying, without running anything.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::driver::{DriverOptions, Platform, Session};
use super::nvrtc::Version;
use super::{CubinCache, DeviceError, DeviceInfo, Nvrtc};

/// What was found, or why it wasn't.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The driver, with its devices.
    pub driver: Result<DriverFound, DeviceError>,
    /// The compiler.
    pub nvrtc: Result<LibraryFound, DeviceError>,
    /// Where compiled kernels are kept, unless there is no place for them.
    pub kernel_cache: Option<PathBuf>,
}

/// A library.
#[derive(Clone, Debug)]
pub struct LibraryFound {
    /// Its file; a bare name was found by the loader.
    pub path: PathBuf,
    /// Of a driver, the newest CUDA that it is for.
    pub version: Version,
}

/// The driver.
#[derive(Clone, Debug)]
pub struct DriverFound {
    /// Itself.
    pub library: LibraryFound,
    /// The devices by their numbers, at least one; an error stands for one that can't be used.
    pub devices: Vec<Result<DeviceFound, DeviceError>>,
}

/// A device.
#[derive(Clone, Debug)]
pub struct DeviceFound {
    /// What it is.
    pub info: DeviceInfo,
    /// Bytes that are free.
    pub free_bytes: usize,
    /// All bytes.
    pub total_bytes: usize,
}

impl Survey {
    /// Looks for everything.
    pub fn new(options: &DriverOptions) -> Self {
        let driver = DriverFound::new();
        let version = driver.as_ref().ok().map(|driver| driver.library.version);
        let nvrtc = Nvrtc::find(options.nvrtc.as_deref(), version);
        let kernel_cache = CubinCache::new(options.kernel_cache.clone());
        Self {
            driver,
            nvrtc: nvrtc.map(|nvrtc| LibraryFound::new(nvrtc.path(), nvrtc.version())),
            kernel_cache: kernel_cache.folder().map(Path::to_owned),
        }
    }

    /// Why the first device can't run the kernels; `None` if it can.
    pub fn obstacle(&self) -> Option<&DeviceError> {
        match &self.driver {
            Err(error) => Some(error),
            Ok(driver) => {
                let first = driver.devices.first().expect("a driver that was found has devices");
                first.as_ref().err().or(self.nvrtc.as_ref().err())
            }
        }
    }
}

impl LibraryFound {
    fn new(path: &Path, version: Version) -> Self {
        Self { path: path.to_owned(), version }
    }
}

impl DriverFound {
    fn new() -> Result<Self, DeviceError> {
        let platform = Arc::new(Platform::open()?);
        let num_devices = platform.num_devices()?;
        let devices = (0..num_devices).map(|idx| DeviceFound::new(&platform, idx)).collect();
        let library = LibraryFound::new(platform.path(), platform.version());
        Ok(Self { library, devices })
    }
}

impl DeviceFound {
    fn new(platform: &Arc<Platform>, idx: usize) -> Result<Self, DeviceError> {
        let info = platform.info(idx)?;
        let (free_bytes, total_bytes) = Session::open(platform.clone(), idx)?.memory()?;
        Ok(Self { info, free_bytes, total_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever this machine has: nothing panics, and what is missing says what it is.
    #[test]
    fn what_is_missing_is_named() {
        let survey = Survey::new(&DriverOptions::default());
        let missing = [
            survey.driver.as_ref().err().map(ToString::to_string),
            survey.nvrtc.as_ref().err().map(ToString::to_string),
        ];
        for text in missing.iter().flatten() {
            assert!(text.contains("was not found: ") || text.contains("failed at cu"), "{text}");
        }
        assert!(survey.obstacle().is_some() || missing == [None, None]);
    }
}
