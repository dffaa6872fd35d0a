//! NVRTC, the compiler that is a library. It needs no GPU, so every kernel can be compiled, for
//! every architecture, on every machine that has it.
//!
//! Its few functions are declared here and taken from the very file that was found: a binding that
//! opens the library by its bare name may get another version than the one that was asked for.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;

use libloading::Library;

use super::DeviceError;
use super::libraries::{Candidates, Machine, matches};
use super::source::{FILES, KernelFile};

/// Major and minor.
pub type Version = (u32, u32);

/// What every kernel is compiled with, besides the architecture and the file's constants. A
/// function is one of the device unless it says otherwise, so that `constexpr` functions need no
/// marks.
const OPTIONS: [&str; 2] = ["--std=c++17", "--device-as-default-execution-space"];

/// What makes a spill an error.
const REFUSE_SPILLS: [&str; 2] =
    ["--ptxas-options=--warn-on-spills", "--ptxas-options=--warning-as-error"];

/// Whether a kernel's registers may spill to local memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spills {
    /// Yes: it's slower, but right. Another compiler than that of the tests may need it.
    Allowed,
    /// No: the tiles were chosen so that nothing spills, and the tests see to it.
    Refused,
}

const OLDEST: Version = (12, 0);

const ADVICE: &str = "install the CUDA toolkit or the Python package nvidia-cuda-nvrtc, or say \
                      where it is with --nvrtc PATH";

type Program = *mut c_void;
type Status = c_int;

/// The library.
pub struct Nvrtc {
    calls: Calls,
    version: Version,
    path: PathBuf,
    /// Unloaded after everything above is gone.
    _libraries: Vec<Library>,
}

struct Calls {
    version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> Status,
    create: unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> Status,
    compile: unsafe extern "C" fn(Program, c_int, *const *const c_char) -> Status,
    destroy: unsafe extern "C" fn(*mut Program) -> Status,
    log_size: unsafe extern "C" fn(Program, *mut usize) -> Status,
    log: unsafe extern "C" fn(Program, *mut c_char) -> Status,
    cubin_size: unsafe extern "C" fn(Program, *mut usize) -> Status,
    cubin: unsafe extern "C" fn(Program, *mut c_char) -> Status,
    reason: unsafe extern "C" fn(Status) -> *const c_char,
}

impl Nvrtc {
    /// Looks for it: at `named`, a file or a folder, or else wherever it usually is. A driver loads
    /// no code of a newer major version than `driver`, so such a compiler is passed over.
    ///
    /// # Errors
    ///
    /// There is none, or none that will do.
    pub fn find(named: Option<&Path>, driver: Option<Version>) -> Result<Self, DeviceError> {
        Self::first(&Machine::here().nvrtc(named), driver)
    }

    /// The first of the candidates that will do.
    fn first(candidates: &Candidates, driver: Option<Version>) -> Result<Self, DeviceError> {
        let mut refusals = Vec::new();
        for path in &candidates.files {
            let is_bare = path.components().count() == 1;
            match Self::open(path).and_then(|found| found.suits(driver)) {
                Ok(found) => return Ok(found),
                // The loader says only that it knows no such name.
                Err(_) if is_bare => {}
                Err(refusal) => refusals.push(format!("{}: {refusal}", path.display())),
            }
        }
        let (major, minor) = OLDEST;
        let what = format!("NVRTC {major}.{minor} or newer (libnvrtc.so)");
        let refused = match &refusals[..] {
            [] => String::new(),
            refusals => format!(" (refused: {})", refusals.join("; ")),
        };
        let places = candidates.places.join(", ");
        Err(DeviceError::Missing {
            what,
            looked_for: format!("looked in {places}{refused}; {ADVICE}"),
        })
    }

    fn open(path: &Path) -> Result<Self, String> {
        // The compiler opens its builtins by their bare name, which the loader finds if they are
        // loaded already.
        let builtins = path.parent().map(|folder| matches(folder, "libnvrtc-builtins.so*"));
        let builtins = builtins.unwrap_or_default().into_iter();
        // SAFETY: the libraries of CUDA do nothing but set themselves up when they are loaded.
        let mut libraries: Vec<Library> =
            builtins.filter_map(|file| unsafe { Library::new(file) }.ok()).collect();
        // SAFETY: as above.
        let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
        let calls = Calls::load(&library)?;
        libraries.push(library);
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both point to integers.
        let status = unsafe { (calls.version)(&raw mut major, &raw mut minor) };
        if status != 0 {
            return Err(calls.reason(status));
        }
        let version = (major as u32, minor as u32);
        Ok(Self { calls, version, path: path.to_owned(), _libraries: libraries })
    }

    fn suits(self, driver: Option<Version>) -> Result<Self, String> {
        let (major, minor) = self.version;
        match driver {
            _ if self.version < OLDEST => Err(format!("{major}.{minor} is too old")),
            Some(driver) if major > driver.0 => {
                Err(format!("{major}.{minor} is newer than the driver's {}.{}", driver.0, driver.1))
            }
            _ => Ok(self),
        }
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The file; a bare name was found by the loader.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the result of [`Nvrtc::compile`] depends on, besides the sources and the version.
    pub(super) fn options(file: &KernelFile, arch: &str, spills: Spills) -> Vec<String> {
        let mut options = vec![format!("--gpu-architecture={arch}")];
        options.extend(OPTIONS.map(str::to_owned));
        if spills == Spills::Refused {
            options.extend(REFUSE_SPILLS.map(str::to_owned));
        }
        options.extend(file.constants.iter().map(|(name, value)| format!("-D{name}={value}")));
        options
    }

    /// The machine code of a file for an architecture, as `sm_90a`.
    ///
    /// # Errors
    ///
    /// The file can't be compiled.
    pub fn compile(
        &self,
        file: &KernelFile,
        arch: &str,
        spills: Spills,
    ) -> Result<Vec<u8>, DeviceError> {
        let source = FILES.iter().find(|(name, _)| *name == file.name);
        let (name, text) = source.unwrap_or_else(|| panic!("there is no {}", file.name));
        self.compile_text(name, text, &Self::options(file, arch, spills))
            .map_err(|log| DeviceError::Compile { file: file.title(), arch: arch.to_owned(), log })
    }

    fn compile_text(&self, name: &str, text: &str, options: &[String]) -> Result<Vec<u8>, String> {
        let program = OpenProgram::new(&self.calls, name, text)?;
        program.compile(options)?;
        program.cubin()
    }
}

impl Calls {
    fn load(library: &Library) -> Result<Self, String> {
        /// The function `name`.
        fn call<T: Copy>(library: &Library, name: &str) -> Result<T, String> {
            // SAFETY: the fields of `Calls` declare the functions as nvrtc.h does.
            let symbol = unsafe { library.get::<T>(name.as_bytes()) };
            symbol.map(|call| *call).map_err(|_| format!("it has no {name}"))
        }
        Ok(Self {
            version: call(library, "nvrtcVersion")?,
            create: call(library, "nvrtcCreateProgram")?,
            compile: call(library, "nvrtcCompileProgram")?,
            destroy: call(library, "nvrtcDestroyProgram")?,
            log_size: call(library, "nvrtcGetProgramLogSize")?,
            log: call(library, "nvrtcGetProgramLog")?,
            cubin_size: call(library, "nvrtcGetCUBINSize")?,
            cubin: call(library, "nvrtcGetCUBIN")?,
            reason: call(library, "nvrtcGetErrorString")?,
        })
    }

    fn reason(&self, status: Status) -> String {
        // SAFETY: it takes any number and gives a constant string.
        let reason = unsafe { CStr::from_ptr((self.reason)(status)) };
        reason.to_string_lossy().into_owned()
    }

    fn check(&self, status: Status) -> Result<(), String> {
        if status == 0 { Ok(()) } else { Err(self.reason(status)) }
    }
}

/// A program of the library, that is destroyed when it is dropped.
struct OpenProgram<'a> {
    calls: &'a Calls,
    program: Program,
}

impl<'a> OpenProgram<'a> {
    /// With every file of `cuda/` as a header.
    fn new(calls: &'a Calls, name: &str, text: &str) -> Result<Self, String> {
        let name = c_string(name);
        let text = c_string(text);
        let names: Vec<CString> = FILES.iter().map(|(name, _)| c_string(name)).collect();
        let texts: Vec<CString> = FILES.iter().map(|(_, text)| c_string(text)).collect();
        let name_pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let text_pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        let mut program = null_mut();
        // SAFETY: all strings outlive the call, which copies them; both arrays have that length.
        let status = unsafe {
            (calls.create)(
                &raw mut program,
                text.as_ptr(),
                name.as_ptr(),
                FILES.len() as c_int,
                text_pointers.as_ptr(),
                name_pointers.as_ptr(),
            )
        };
        calls.check(status)?;
        Ok(Self { calls, program })
    }

    /// An error is the compiler's log.
    fn compile(&self, options: &[String]) -> Result<(), String> {
        let options: Vec<CString> = options.iter().map(|option| c_string(option)).collect();
        let pointers: Vec<_> = options.iter().map(|option| option.as_ptr()).collect();
        // SAFETY: the program is open, and the strings outlive the call.
        let status = unsafe {
            (self.calls.compile)(self.program, pointers.len() as c_int, pointers.as_ptr())
        };
        self.calls.check(status).map_err(|reason| match self.log() {
            Ok(log) if !log.is_empty() => log,
            _ => reason,
        })
    }

    fn log(&self) -> Result<String, String> {
        let bytes = self.bytes(self.calls.log_size, self.calls.log)?;
        let log = CStr::from_bytes_until_nul(&bytes).unwrap_or_default();
        Ok(log.to_string_lossy().trim().to_owned())
    }

    fn cubin(&self) -> Result<Vec<u8>, String> {
        self.bytes(self.calls.cubin_size, self.calls.cubin)
    }

    /// What one function gives the size of, and another the bytes.
    fn bytes(
        &self,
        size: unsafe extern "C" fn(Program, *mut usize) -> Status,
        get: unsafe extern "C" fn(Program, *mut c_char) -> Status,
    ) -> Result<Vec<u8>, String> {
        let mut num_bytes = 0;
        // SAFETY: the program is open.
        self.calls.check(unsafe { size(self.program, &raw mut num_bytes) })?;
        let mut bytes = vec![0_u8; num_bytes];
        // SAFETY: the library writes as many bytes as it just said.
        self.calls.check(unsafe { get(self.program, bytes.as_mut_ptr().cast()) })?;
        Ok(bytes)
    }
}

impl Drop for OpenProgram<'_> {
    fn drop(&mut self) {
        // SAFETY: it is open, and not used afterwards.
        unsafe { (self.calls.destroy)(&raw mut self.program) };
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text).expect("sources and options have no zero bytes")
}

#[cfg(test)]
pub mod tests {
    use std::io::Write;

    use super::*;
    use crate::runtime::folder::Folder;

    /// NVRTC; `None`, with a visible line, if this machine has none, which the gate doesn't allow.
    pub fn installed() -> Option<Nvrtc> {
        let error = match Nvrtc::find(None, None) {
            Ok(nvrtc) => return Some(nvrtc),
            Err(error) => error,
        };
        assert!(std::env::var_os("JUMP_REQUIRE_NVRTC").is_none(), "{error}");
        // Past the test harness, which keeps the output of tests that pass to itself.
        let line = format!("skipped: {error}\n");
        std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
        None
    }

    #[test]
    fn what_a_driver_cannot_load_is_refused() {
        let Some(nvrtc) = installed() else { return };
        let (major, minor) = nvrtc.version();
        let refusal = nvrtc.suits(Some((major - 1, 9))).err().expect("it is too new");
        assert_eq!(refusal, format!("{major}.{minor} is newer than the driver's {}.9", major - 1));
    }

    #[test]
    fn a_missing_compiler_is_an_error_that_says_where_it_was_looked_for() {
        let folder = Folder::new();
        let broken = folder.write("libnvrtc.so.13", b"no library");
        let places = vec!["here".to_owned(), "there".to_owned()];
        let files = vec!["no-such-library.so".into(), broken.clone()];
        let error = Nvrtc::first(&Candidates { files, places }, None).err().expect("there is none");
        let text = error.to_string();
        let refusal = format!("refused: {}", broken.display());
        for part in ["NVRTC 12.0 or newer", "looked in here, there", &refusal, "--nvrtc PATH"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("no-such-library"), "the loader's names aren't refusals: {text}");
    }

    #[test]
    fn a_named_folder_without_it_is_not_replaced_by_another() {
        let folder = Folder::new();
        let error = Nvrtc::find(Some(folder.path()), None).err().expect("it is empty").to_string();
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_library_is_refused() {
        let refusal = Nvrtc::open(Path::new("libc.so.6")).err().expect("it isn't NVRTC");
        assert_eq!(refusal, "it has no nvrtcVersion");
    }

    /// A kernel that keeps so many values at once, of which 64 registers hold a part.
    fn keeping(num_values: u32) -> String {
        format!(
            "extern \"C\" __global__ void __launch_bounds__(1024) keep(volatile float* x) {{
                float values[{num_values}];
                #pragma unroll
                for (int i = 0; i < {num_values}; i++) values[i] = x[i];
                #pragma unroll
                for (int i = 0; i < {num_values}; i++) x[i] = values[{num_values} - 1 - i];
            }}"
        )
    }

    #[test]
    fn a_spill_is_an_error_where_it_is_refused() {
        let Some(nvrtc) = installed() else { return };
        let compile = |num_values, spills| {
            let options = Nvrtc::options(&KernelFile::plain("keep.cu"), "sm_80", spills);
            nvrtc.compile_text("keep.cu", &keeping(num_values), &options)
        };
        assert!(compile(16, Spills::Refused).is_ok(), "{:?}", compile(16, Spills::Refused));
        assert!(compile(128, Spills::Allowed).is_ok());
        let log = compile(128, Spills::Refused).unwrap_err();
        assert!(log.contains("spill"), "{log}");
    }

    #[test]
    fn constants_and_architecture_are_told_to_the_compiler() {
        let file = KernelFile { name: "attention.cu", constants: vec![("HEAD_DIM", 128)] };
        let options = Nvrtc::options(&file, "sm_90a", Spills::Refused);
        for option in ["--gpu-architecture=sm_90a", "-DHEAD_DIM=128"] {
            assert!(options.iter().any(|given| given == option), "{options:?}");
        }
    }
}
