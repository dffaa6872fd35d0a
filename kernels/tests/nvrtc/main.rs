//! Every kernel, compiled for every generation of devices: that it compiles, that nothing spills,
//! and that the machine code has the instructions that it was written for.
//!
//! Needs NVRTC, and for the last the disassembler, but no device. Without them the tests say so and
//! pass; where `JUMP_REQUIRE_NVRTC` is set, as the gate does, they fail.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use jump_kernels::runtime::{DeviceError, KernelFile, Nvrtc, Spills};
use rayon::prelude::*;

/// Ampere, Ada, Hopper, Blackwell.
const ARCHS: [&str; 4] = ["sm_80", "sm_89", "sm_90a", "sm_100a"];

/// NVRTC; `None`, with a visible line, if this machine has none.
fn nvrtc() -> Option<Nvrtc> {
    Nvrtc::find(None, None).map_err(|error| skip(&error.to_string())).ok()
}

/// Says that a test is skipped, past the test harness, which keeps the output of tests that pass to
/// itself.
fn skip(reason: &str) {
    assert!(env::var_os("JUMP_REQUIRE_NVRTC").is_none(), "JUMP_REQUIRE_NVRTC is set, but {reason}");
    let line = format!("skipped: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
}

#[test]
fn every_kernel_compiles_for_every_architecture_and_nothing_spills() {
    let Some(nvrtc) = nvrtc() else { return };
    let files = KernelFile::all();
    assert!(files.len() >= 5, "the list has the kernels");
    let all: Vec<_> = files.iter().flat_map(|file| ARCHS.map(|arch| (file, arch))).collect();
    let failures = Mutex::new(Vec::new());
    all.into_par_iter().for_each(|(file, arch)| match nvrtc.compile(file, arch, Spills::Refused) {
        Ok(cubin) => assert_eq!(&cubin[..4], b"\x7fELF", "{} for {arch}", file.title()),
        Err(error) => failures.lock().unwrap().push(error.to_string()),
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The compiler's options do what the test above relies on.
#[test]
fn an_unknown_architecture_is_an_error_with_the_compilers_words() {
    let Some(nvrtc) = nvrtc() else { return };
    let error =
        nvrtc.compile(&KernelFile::plain("gather.cu"), "sm_1", Spills::Allowed).unwrap_err();
    let DeviceError::Compile { file, arch, log } = error else { panic!("{error}") };
    assert_eq!((file.as_str(), arch.as_str()), ("gather.cu", "sm_1"));
    assert!(log.contains("gpu-architecture"), "{log}");
}

/// What the Hopper build of a file must have, and what it must not.
struct Expected {
    file: &'static str,
    has: &'static [&'static str],
    lacks: &'static [&'static str],
}

/// LDL and STL are local memory: registers that were spilled, or arrays that weren't unrolled.
const LOCAL: &[&str] = &["LDL", "STL"];

const EXPECTED: [Expected; 6] = [
    Expected { file: "gather.cu", has: &["LDG.E.128", "STG.E.128"], lacks: LOCAL },
    Expected { file: "gemm_hopper.cu", has: &["HGMMA", "UTMALDG"], lacks: LOCAL },
    Expected { file: "gemm_tile.cu", has: &["HMMA", "LDGSTS"], lacks: LOCAL },
    Expected { file: "gemm_stream.cu", has: &["HMMA"], lacks: LOCAL },
    Expected { file: "attention.cu", has: &["HMMA"], lacks: LOCAL },
    Expected { file: "head.cu", has: &["HMMA"], lacks: LOCAL },
];

#[test]
fn the_machine_code_has_what_was_meant() {
    let Some(nvrtc) = nvrtc() else { return };
    let Some(disassembler) = Disassembler::find(nvrtc.path()) else { return };
    let files: Vec<KernelFile> = KernelFile::all();
    let complaints: Vec<String> = files
        .par_iter()
        .filter_map(|file| Some((file, EXPECTED.iter().find(|e| e.file == file.name)?)))
        .flat_map_iter(|(file, expected)| {
            let cubin = nvrtc
                .compile(file, "sm_90a", Spills::Allowed)
                .unwrap_or_else(|error| panic!("{error}"));
            let code = disassembler.run(&file.title(), &cubin);
            let complain = |what: &str, word: &&str| format!("{}: {what} {word}", file.title());
            let missing = expected.has.iter().filter(|word| !code.contains(**word));
            let unwanted = expected.lacks.iter().filter(|word| code.contains(**word));
            let missing = missing.map(|word| complain("no", word));
            missing.chain(unwanted.map(|word| complain("has", word))).collect::<Vec<_>>()
        })
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// cuobjdump, which calls nvdisasm.
struct Disassembler {
    /// Where both are; `None`: on the path.
    folder: Option<PathBuf>,
}

impl Disassembler {
    /// In the folder of programs beside that of the compiler's library, or on the path.
    fn find(nvrtc: &Path) -> Option<Self> {
        let folder = nvrtc.parent().and_then(Path::parent).map(|prefix| prefix.join("bin"));
        for folder in [folder, None] {
            let found = Self { folder };
            if found.command().arg("--version").output().is_ok_and(|run| run.status.success()) {
                return Some(found);
            }
        }
        skip("cuobjdump was found neither beside NVRTC nor on the path");
        None
    }

    fn command(&self) -> Command {
        let Some(folder) = &self.folder else { return Command::new("cuobjdump") };
        let mut command = Command::new(folder.join("cuobjdump"));
        let path = env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(folder.clone()).chain(env::split_paths(&path));
        command.env("PATH", env::join_paths(paths).expect("paths without colons"));
        command
    }

    fn run(&self, title: &str, cubin: &[u8]) -> String {
        let name = format!("jump-{}-{title}.cubin", std::process::id()).replace(' ', "-");
        let file = env::temp_dir().join(name);
        fs::write(&file, cubin).expect("a writable folder for temporary files");
        let run = self.command().arg("-sass").arg(&file).output().expect("it ran before");
        fs::remove_file(&file).expect("it was just written");
        assert!(run.status.success(), "{title}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    }
}
