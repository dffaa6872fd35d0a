//! The driver as a whole: its library, its version, and what devices it sees.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::libraries::{Candidates, Machine};
use super::super::nvrtc::Version;
use super::super::{DeviceError, DeviceInfo};
use super::calls::{self, Calls, Context, Device, Failed, Stream};

/// The first that has all the functions of [`Calls`].
const OLDEST: Version = (12, 0);

/// The first that has `cp.async` and bfloat16 in its matrix units.
const OLDEST_CAPABILITY: Version = (8, 0);

/// The opened driver.
pub struct Platform {
    pub calls: Calls,
    path: PathBuf,
    version: Version,
}

impl Platform {
    /// Opens the driver, wherever it is.
    pub fn open() -> Result<Self, DeviceError> {
        Self::first(&Machine::here().driver())
    }

    fn first(candidates: &Candidates) -> Result<Self, DeviceError> {
        let mut refusals = Vec::new();
        for path in &candidates.files {
            match Calls::open(path) {
                Ok(calls) => return Self::begin(calls, path),
                // The loader says only that it knows no such name.
                Err(_) if path.components().count() == 1 => {}
                Err(refusal) => refusals.push(format!("{}: {refusal}", path.display())),
            }
        }
        let refused = match &refusals[..] {
            [] => String::new(),
            refusals => format!(" (refused: {})", refusals.join("; ")),
        };
        Err(DeviceError::NoDriver {
            looked_for: format!(
                "looked in {}{refused}; install the driver, or let the container have the device",
                candidates.places.join(", ")
            ),
        })
    }

    fn begin(calls: Calls, path: &Path) -> Result<Self, DeviceError> {
        let mut version = 0;
        // SAFETY: it writes an integer.
        unsafe { calls.driver_version(&raw mut version)? };
        let version = (version as u32 / 1000, version as u32 % 1000 / 10);
        if version < OLDEST {
            return Err(DeviceError::Missing {
                what: format!("a driver for CUDA {}.{} or newer", OLDEST.0, OLDEST.1),
                looked_for: format!(
                    "{} is for CUDA {}.{}; update it",
                    path.display(),
                    version.0,
                    version.1
                ),
            });
        }
        // SAFETY: it takes no pointers.
        match unsafe { calls.init(0) } {
            Ok(()) => Ok(Self { calls, path: path.to_owned(), version }),
            Err(Failed { status: calls::NO_DEVICE, .. }) => Err(no_device(path)),
            Err(failed) => Err(failed.into()),
        }
    }

    /// The newest CUDA that the driver is for.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The library.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many devices there are: at least one, or an error.
    pub fn num_devices(&self) -> Result<usize, DeviceError> {
        let mut count = 0;
        // SAFETY: it writes an integer.
        unsafe { self.calls.device_count(&raw mut count)? };
        if count == 0 { Err(no_device(&self.path)) } else { Ok(count as usize) }
    }

    fn device(&self, idx: usize) -> Result<Device, DeviceError> {
        let num_devices = self.num_devices()?;
        if idx >= num_devices {
            return Err(DeviceError::Missing {
                what: format!("CUDA device {idx}"),
                looked_for: format!("the driver has {num_devices}, numbered from 0"),
            });
        }
        let mut device = 0;
        // SAFETY: it writes an integer.
        unsafe { self.calls.device(&raw mut device, idx as c_int)? };
        Ok(device)
    }

    fn attribute(&self, device: Device, attribute: u32) -> Result<u32, DeviceError> {
        let mut value = 0;
        // SAFETY: it writes an integer.
        unsafe { self.calls.device_attribute(&raw mut value, attribute, device)? };
        Ok(value as u32)
    }

    /// What a device is; an error if it is too old.
    pub fn info(&self, idx: usize) -> Result<DeviceInfo, DeviceError> {
        let device = self.device(idx)?;
        let mut name = [0_u8; 256];
        // SAFETY: it writes at most so many bytes, a zero among them.
        unsafe {
            self.calls.device_name(name.as_mut_ptr().cast(), name.len() as c_int, device)?;
        }
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        let attribute = |attribute| self.attribute(device, attribute);
        let capability = (attribute(calls::CAPABILITY_MAJOR)?, attribute(calls::CAPABILITY_MINOR)?);
        if capability < OLDEST_CAPABILITY {
            return Err(too_old(idx, &name, capability));
        }
        Ok(DeviceInfo {
            name,
            arch: arch(capability),
            num_processors: attribute(calls::NUM_PROCESSORS)?,
            max_shared_bytes: attribute(calls::MAX_SHARED_BYTES)?,
            is_hopper: capability == (9, 0),
        })
    }
}

/// What kernels are compiled for. The `a` adds what only this very generation has.
fn arch((major, minor): Version) -> String {
    let suffix = if [(9, 0), (10, 0)].contains(&(major, minor)) { "a" } else { "" };
    format!("sm_{major}{minor}{suffix}")
}

fn no_device(path: &Path) -> DeviceError {
    DeviceError::Missing {
        what: "a CUDA device".to_owned(),
        looked_for: format!(
            "the driver {} sees none; CUDA_VISIBLE_DEVICES may hide it, or the container lack it",
            path.display()
        ),
    }
}

fn too_old(idx: usize, name: &str, (major, minor): Version) -> DeviceError {
    DeviceError::Missing {
        what: format!(
            "a CUDA device of compute capability {}.{} or newer",
            OLDEST_CAPABILITY.0, OLDEST_CAPABILITY.1
        ),
        looked_for: format!(
            "device {idx}, {name}, has {major}.{minor}; take another one or the CPU"
        ),
    }
}

/// A device in use: its context, and the one stream that everything happens in.
pub struct Session {
    pub platform: Arc<Platform>,
    pub stream: Stream,
    device: Device,
    context: Context,
}

impl Session {
    /// Begins to use a device.
    pub fn open(platform: Arc<Platform>, idx: usize) -> Result<Self, DeviceError> {
        let device = platform.device(idx)?;
        let mut context = Context::NULL;
        // SAFETY: it writes a handle, which is released when the session ends.
        unsafe { platform.calls.retain_context(&raw mut context, device)? };
        let mut session = Self { platform, stream: Stream::NULL, device, context };
        session.enter()?;
        // SAFETY: it writes a handle of the context that was just entered.
        unsafe {
            session.platform.calls.create_stream(&raw mut session.stream, calls::NON_BLOCKING)?;
        }
        Ok(session)
    }

    /// The driver's functions.
    pub fn calls(&self) -> &Calls {
        &self.platform.calls
    }

    /// Makes the context that of this thread, as most functions need it.
    pub fn enter(&self) -> Result<(), DeviceError> {
        // SAFETY: the context is there until the session ends.
        Ok(unsafe { self.calls().set_context(self.context) }?)
    }

    /// Waits for all that was put into the stream.
    pub fn synchronize(&self) -> Result<(), DeviceError> {
        // SAFETY: the stream is there until the session ends.
        Ok(unsafe { self.calls().synchronize(self.stream) }?)
    }

    /// Bytes that are free, and all bytes.
    pub fn memory(&self) -> Result<(usize, usize), DeviceError> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: it writes two integers.
        unsafe { self.calls().memory(&raw mut free, &raw mut total)? };
        Ok((free, total))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A device that failed can't be told anything, and takes all of it back by itself.
        // SAFETY: both are there, and not used afterwards.
        unsafe {
            if self.stream != Stream::NULL {
                let _ = self.calls().destroy_stream(self.stream);
            }
            let _ = self.calls().release_context(self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::folder::Folder;

    #[test]
    fn architectures_are_named_as_the_compiler_names_them() {
        let table = [
            ((8, 0), "sm_80"),
            ((8, 9), "sm_89"),
            ((9, 0), "sm_90a"),
            ((10, 0), "sm_100a"),
            ((10, 3), "sm_103"),
            ((12, 0), "sm_120"),
        ];
        for (capability, name) in table {
            assert_eq!(arch(capability), name);
        }
    }

    #[test]
    fn a_missing_driver_is_an_error_that_says_where_it_was_looked_for() {
        let folder = Folder::new();
        let broken = folder.write("libcuda.so.1", b"no library");
        let files = vec!["no-such-library.so".into(), broken];
        let candidates = Candidates { files, places: vec!["here".to_owned(), "there".to_owned()] };
        let error = Platform::first(&candidates).err().expect("neither is a driver").to_string();
        for part in ["libcuda.so.1", "looked in here, there", "refused:", "install the driver"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
