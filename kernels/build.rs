//! Compiles the emulator, and every kernel file with it, for the host.
//!
//! A kernel file is a translation unit of its own for each set of constants that it is used with; it
//! is made here, so that a new file is one line in `KERNEL_FILES`.

use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/runtime/kernel_files.rs"]
mod kernel_files;

use kernel_files::KERNEL_FILES;

/// The emulator itself.
const EMULATOR_FILES: &[&str] = &[
    "async.cpp",
    "cta.cpp",
    "emulator.cpp",
    "fiber.cpp",
    "launch.cpp",
    "mbarrier.cpp",
    "memory.cpp",
    "mma.cpp",
    "warp.cpp",
    "warpgroup.cpp",
];

fn main() {
    println!("cargo::rerun-if-changed=emu");
    println!("cargo::rerun-if-changed=cuda");
    println!("cargo::rerun-if-changed=src/runtime/kernel_files.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let emulator = EMULATOR_FILES.iter().map(|file| Path::new("emu").join(file));
    // Products are summed by fused multiply-adds, as the matrix units do.
    compiler().flag("-ffp-contract=fast").files(emulator).compile("jump_emulator");
    // The sums of kernels are the same wherever a function is used.
    compiler()
        .flag("-ffp-contract=off")
        .files(kernel_units(&out))
        // Nothing refers to the kernels by name.
        .link_lib_modifier("+whole-archive")
        .compile("jump_emulated_kernels");
}

fn compiler() -> cc::Build {
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .opt_level(3)
        // Kernels look at the same bytes as several types.
        .flags([
            "-fno-strict-aliasing",
            "-ftls-model=initial-exec",
            "-Wno-psabi",
            // Unrolling is the GPU compiler's.
            "-Wno-unknown-pragmas",
        ])
        .includes(["emu", "cuda"]);
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64") {
        build.flag("-march=x86-64-v3");
    }
    build
}

/// Writes the translation units of the kernel files.
fn kernel_units(out: &Path) -> Vec<PathBuf> {
    let mut units = Vec::new();
    for (file, constant) in KERNEL_FILES {
        let Some((constant, values)) = constant else {
            units.push(kernel_unit(out, file, file, ""));
            continue;
        };
        for value in *values {
            let title = format!("{file} {constant}={value}");
            let define = format!("#define {constant} {value}\n");
            units.push(kernel_unit(out, file, &title, &define));
        }
    }
    units
}

/// Writes the translation unit of a file with a constant.
fn kernel_unit(out: &Path, file: &str, title: &str, define: &str) -> PathBuf {
    let path = out.join(format!("{}.cpp", title.replace([' ', '='], "_")));
    fs::write(&path, unit(file, title, define)).expect("the build's folder can be written to");
    path
}

/// All of a kernel file is in a namespace without a name: other files use the same names.
fn unit(file: &str, title: &str, define: &str) -> String {
    format!(
        "#define FILE_TITLE \"{title}\"\n#define IS_STRICT false\n{define}\
         #include <emulator.h>\nnamespace {{\n#include <{file}>\n}}\n"
    )
}
