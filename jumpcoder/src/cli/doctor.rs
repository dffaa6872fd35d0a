//! The command `doctor`: what this machine has, what is missing and where it was looked for, and
//! what would run where.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use jump_kernels::cpu::{Cpu, SimdLevel};
use jump_kernels::runtime::{
    DeviceError, DeviceFound, DriverFound, DriverOptions, LibraryFound, Survey,
};
use serde::Serialize;

use super::args::DoctorArgs;
use super::ending::{Ending, Failure};
use super::threads::default_num_threads;

const MIB: usize = 1 << 20;

/// `doctor`.
pub fn doctor(args: &DoctorArgs) -> Result<Ending, Failure> {
    let options =
        DriverOptions { nvrtc: args.nvrtc.clone(), kernel_cache: args.kernel_cache.clone() };
    let findings = Findings::new(&Survey::new(&options));
    let text = if args.json {
        let json = serde_json::to_string_pretty(&findings).expect("names and numbers");
        json + "\n"
    } else {
        findings.text()
    };
    io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)?;
    Ok(Ending::Success)
}

/// What was found, for people and for machines.
#[derive(Debug, Serialize)]
struct Findings {
    version: &'static str,
    /// What `--device auto` takes.
    auto: &'static str,
    /// Why it isn't a GPU.
    why: Option<String>,
    cpu: CpuFound,
    driver: Found<Library>,
    devices: Vec<Found<Gpu>>,
    nvrtc: Found<Library>,
    kernel_cache: Option<String>,
}

/// Something, or why it isn't there.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Found<T> {
    There(T),
    Missing { error: String },
}

#[derive(Debug, Serialize)]
struct Library {
    path: String,
    version: String,
}

#[derive(Debug, Serialize)]
struct Gpu {
    name: String,
    arch: String,
    num_processors: u32,
    memory: Memory,
}

#[derive(Debug, Serialize)]
struct CpuFound {
    name: Option<String>,
    num_cores: usize,
    simd: &'static str,
    /// A unit for products of tiles, which the matmuls of bfloat16 weights use.
    has_tiles: bool,
    memory: Option<Memory>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Memory {
    free_mib: usize,
    total_mib: usize,
}

impl Findings {
    fn new(survey: &Survey) -> Self {
        let why = survey.obstacle().map(ToString::to_string);
        let driver = survey.driver.as_ref();
        let devices = driver.map_or(&[][..], |driver| &driver.devices);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            auto: if why.is_none() { "cuda:0" } else { "cpu" },
            why,
            cpu: CpuFound::here(),
            driver: Found::new(driver.map(|driver: &DriverFound| Library::new(&driver.library))),
            devices: devices.iter().map(|gpu| Found::new(gpu.as_ref().map(Gpu::new))).collect(),
            nvrtc: Found::new(survey.nvrtc.as_ref().map(Library::new)),
            kernel_cache: survey.kernel_cache.as_deref().map(shown),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            writeln!(text, "{name:<10} {value}").expect("a string takes everything");
        };
        line("jumpcoder", self.version);
        line("cpu", &self.cpu.text());
        line(
            "driver",
            &self.driver.text(|driver| format!("CUDA {}, {}", driver.version, driver.path)),
        );
        for (idx, gpu) in self.devices.iter().enumerate() {
            line(&format!("cuda:{idx}"), &gpu.text(Gpu::text));
        }
        line("nvrtc", &self.nvrtc.text(|nvrtc| format!("{}, {}", nvrtc.version, nvrtc.path)));
        let cache = self.kernel_cache.as_deref();
        line("kernels", &cache.map_or("not kept".to_owned(), |path| format!("kept in {path}")));
        let why = self.why.as_ref().map_or("", |_| ", for want of what is missing above");
        line("auto", &format!("--device auto takes {}{why}", self.auto));
        text
    }
}

impl<T> Found<T> {
    fn new(found: Result<T, &DeviceError>) -> Self {
        match found {
            Ok(found) => Self::There(found),
            Err(error) => Self::Missing { error: error.to_string() },
        }
    }

    fn text(&self, show: impl FnOnce(&T) -> String) -> String {
        match self {
            Self::There(found) => show(found),
            Self::Missing { error } => error.clone(),
        }
    }
}

impl Library {
    fn new(library: &LibraryFound) -> Self {
        let (major, minor) = library.version;
        Self { path: shown(&library.path), version: format!("{major}.{minor}") }
    }
}

impl Gpu {
    fn new(gpu: &DeviceFound) -> Self {
        Self {
            name: gpu.info.name.clone(),
            arch: gpu.info.arch.clone(),
            num_processors: gpu.info.num_processors,
            memory: Memory { free_mib: gpu.free_bytes / MIB, total_mib: gpu.total_bytes / MIB },
        }
    }

    fn text(&self) -> String {
        let Self { name, arch, num_processors, memory } = self;
        format!("{name} ({arch}), {num_processors} processors, {}", memory.text())
    }
}

impl CpuFound {
    fn here() -> Self {
        let cpu = Cpu::new();
        Self {
            name: line_of("/proc/cpuinfo", "model name"),
            num_cores: default_num_threads(),
            simd: match cpu.simd_level() {
                SimdLevel::Portable => "portable",
                SimdLevel::Avx2 => "AVX2",
                SimdLevel::Avx512 => "AVX-512",
            },
            has_tiles: cpu.has_tiles(),
            memory: Memory::here(),
        }
    }

    fn text(&self) -> String {
        let name = self.name.as_deref().unwrap_or("unknown");
        let cores = if self.num_cores == 1 { "core" } else { "cores" };
        let tiles = if self.has_tiles { ", tiles (AMX)" } else { "" };
        let memory = self.memory.map_or(String::new(), |memory| format!(", {}", memory.text()));
        format!("{name}, {} {cores}, {} vectors{tiles}{memory}", self.num_cores, self.simd)
    }
}

impl Memory {
    /// That of the system, where Linux tells it.
    fn here() -> Option<Self> {
        let mib = |name| {
            let kib = line_of("/proc/meminfo", name)?;
            Some(kib.strip_suffix("kB")?.trim().parse::<usize>().ok()? / 1024)
        };
        Some(Self { free_mib: mib("MemAvailable")?, total_mib: mib("MemTotal")? })
    }

    fn text(self) -> String {
        format!("{} of {} MiB free", self.free_mib, self.total_mib)
    }
}

/// What follows `name:` in a file of the system.
fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
