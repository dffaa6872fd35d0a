//! Where the models run: the processor, a GPU, or the GPU's emulator.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jump_engine::{Engine, EngineError, EngineSize, LanguageModel};
use jump_kernels::cpu::Cpu;
use jump_kernels::cuda::{Cuda, CudaOptions};
use jump_kernels::runtime::{Driver, DriverOptions, Emulator, SharedRuntime};
use jump_kernels::{Backend, DeviceError};
use jump_models::{Checkpoint, Model, ModelConfig};

/// A device that a user names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU; the processor if there is none.
    Auto,
    /// The processor.
    Cpu,
    /// A GPU by its number.
    Cuda(usize),
    /// The GPU's kernels on the processor: slow, to test them.
    Emulator,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "emulator" => Ok(Self::Emulator),
            _ => {
                let number = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
                let unknown = "it must be auto, cpu, cuda, cuda:N or emulator";
                number.map(Self::Cuda).ok_or_else(|| unknown.to_owned())
            }
        }
    }
}

/// A device, ready to take models.
#[derive(Clone)]
pub enum Device {
    /// The processor.
    Cpu,
    /// A GPU or its emulator.
    Cuda {
        /// The device.
        runtime: SharedRuntime,
        /// How it computes.
        options: CudaOptions,
    },
}

impl Device {
    /// The device of `choice`. Where [`DeviceChoice::Auto`] comes down to the processor, the error
    /// says why.
    ///
    /// # Errors
    ///
    /// The GPU that was named isn't there, or can't be used.
    pub fn open(
        choice: DeviceChoice,
        driver: &DriverOptions,
        options: CudaOptions,
    ) -> Result<(Self, Option<DeviceError>), DeviceError> {
        let cuda = |runtime| Self::Cuda { runtime, options };
        match choice {
            DeviceChoice::Cpu => Ok((Self::Cpu, None)),
            DeviceChoice::Emulator => Ok((cuda(Arc::new(Emulator::new()?)), None)),
            DeviceChoice::Cuda(number) => {
                let driver = Driver::open(number, driver)?;
                Ok((cuda(Arc::new(driver)), None))
            }
            DeviceChoice::Auto => match Driver::open(0, driver) {
                Ok(driver) => Ok((cuda(Arc::new(driver)), None)),
                Err(error) => Ok((Self::Cpu, Some(error))),
            },
        }
    }

    /// Bytes of memory that are free; `None` where the system doesn't say.
    ///
    /// # Errors
    ///
    /// The device failed.
    pub fn free_memory(&self) -> Result<Option<usize>, DeviceError> {
        match self {
            Self::Cpu => Ok(free_host_memory()),
            Self::Cuda { runtime, .. } => Ok(Some(runtime.memory()?.0)),
        }
    }

    /// Bytes of one KV block in all layers of a model.
    pub fn block_bytes(&self, config: &ModelConfig) -> usize {
        match self {
            Self::Cpu => Engine::block_bytes(&Cpu::new(), config),
            Self::Cuda { runtime, options } => {
                Engine::block_bytes(&Cuda::new(runtime.clone(), *options), config)
            }
        }
    }

    /// Bytes that a model's weights take.
    pub fn weight_bytes(&self, checkpoint: &Checkpoint) -> usize {
        match self {
            Self::Cpu => Model::weight_bytes(&Cpu::new(), checkpoint),
            Self::Cuda { runtime, options } => {
                Model::weight_bytes(&Cuda::new(runtime.clone(), *options), checkpoint)
            }
        }
    }

    /// Bytes that passes need beside weights and KV blocks.
    pub fn workspace_bytes(
        &self,
        config: &ModelConfig,
        max_rows: usize,
        context_len: usize,
    ) -> usize {
        let limits = config.pass_limits(max_rows, context_len);
        let shared = match self {
            Self::Cpu => Cpu::new().workspace_bytes(&limits),
            Self::Cuda { runtime, options } => {
                Cuda::new(runtime.clone(), *options).workspace_bytes(&limits)
            }
        };
        shared.saturating_add(config.activation_bytes(max_rows))
    }

    /// Loads a model.
    ///
    /// # Errors
    ///
    /// Weights that don't fit their config, or a device that is too small.
    pub fn load(
        &self,
        checkpoint: &Checkpoint,
        size: EngineSize,
    ) -> Result<Box<dyn LanguageModel>, EngineError> {
        Ok(match self {
            Self::Cpu => Box::new(Engine::new(Cpu::new(), checkpoint, size)?),
            Self::Cuda { runtime, options } => {
                let backend = Cuda::new(runtime.clone(), *options);
                Box::new(Engine::new(backend, checkpoint, size)?)
            }
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda { runtime, .. } => f.write_str(&runtime.info().arch),
        }
    }
}

/// Bytes of memory that are free.
fn free_host_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::DeviceChoice;

    #[test]
    fn devices_are_named() {
        let known = [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
            ("emulator", DeviceChoice::Emulator),
        ];
        for (name, choice) in known {
            assert_eq!(name.parse(), Ok(choice));
        }
        for name in ["", "gpu", "cuda:", "cuda:x", "CPU"] {
            assert!(name.parse::<DeviceChoice>().is_err(), "{name}");
        }
    }
}
