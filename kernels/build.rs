//! Compiles the emulator, and every kernel file with it, for the host.
//!
//! A kernel file is a translation unit of its own for each set of constants that it is used with; it
//! is made here, so that a new file is one line in [`KERNEL_FILES`].

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The files of `cuda/` and their constants: one module for each value.
const KERNEL_FILES: &[(&str, &str, &[u32])] = &[
    ("copy_blocks.cu", NO_CONSTANT, &[0]),
    ("embed.cu", NO_CONSTANT, &[0]),
    ("gather.cu", NO_CONSTANT, &[0]),
    ("norm.cu", NO_CONSTANT, &[0]),
    ("primitives.cu", NO_CONSTANT, &[0]),
    ("rope_store.cu", NO_CONSTANT, &[0]),
];

/// In the place of a constant's name.
const NO_CONSTANT: &str = "";

/// The emulator itself.
const EMULATOR_FILES: &[&str] = &[
    "async.cpp",
    "cta.cpp",
    "emulator.cpp",
    "fiber.cpp",
    "launch.cpp",
    "mbarrier.cpp",
    "memory.cpp",
    "warp.cpp",
    "warpgroup.cpp",
];

fn main() {
    println!("cargo::rerun-if-changed=emu");
    println!("cargo::rerun-if-changed=cuda");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let emulator = EMULATOR_FILES.iter().map(|file| Path::new("emu").join(file));
    compiler().files(emulator).compile("jump_emulator");
    compiler().files(kernel_units(&out)).compile("jump_emulated_kernels");
}

fn compiler() -> cc::Build {
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .opt_level(3)
        // Kernels look at the same bytes as several types, and their sums have a fixed order.
        .flags([
            "-fno-strict-aliasing",
            "-ffp-contract=off",
            "-ftls-model=initial-exec",
            "-Wno-psabi",
        ])
        .includes(["emu", "cuda"])
        // Nothing refers to the kernels by name.
        .link_lib_modifier("+whole-archive");
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64") {
        build.flag("-march=x86-64-v3");
    }
    build
}

/// Writes the translation units of the kernel files.
fn kernel_units(out: &Path) -> Vec<PathBuf> {
    let mut units = Vec::new();
    for (file, constant, values) in KERNEL_FILES {
        for value in *values {
            let mut title = (*file).to_owned();
            let mut define = String::new();
            if *constant != NO_CONSTANT {
                write!(title, " {constant}={value}").expect("a string takes everything");
                define = format!("#define {constant} {value}\n");
            }
            let source = unit(file, &title, &define);
            let path = out.join(format!("{}.cpp", title.replace([' ', '='], "_")));
            fs::write(&path, source).expect("the build's folder can be written to");
            units.push(path);
        }
    }
    units
}

/// All of a kernel file is in a namespace without a name: other files use the same names.
fn unit(file: &str, title: &str, define: &str) -> String {
    format!(
        "#define FILE_TITLE \"{title}\"\n#define IS_STRICT false\n{define}\
         #include <emulator.h>\nnamespace {{\n#include <{file}>\n}}\n"
    )
}
