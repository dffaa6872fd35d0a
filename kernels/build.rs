//! Compiles the emulator, and every kernel file with it, for the host.
//!
//! A kernel file is a translation unit of its own for each set of constants that it is used with.
//! It is made here, so that a new file is one line in `KERNEL_FILES`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/runtime/kernel_files.rs"]
mod kernel_files;

use kernel_files::KERNEL_FILES;

/// The emulator itself.
const EMULATOR_FILES: &[&str] = &[
    "access.cpp",
    "async.cpp",
    "clocks.cpp",
    "cta.cpp",
    "emulator.cpp",
    "fiber.cpp",
    "global_shadow.cpp",
    "launch.cpp",
    "mbarrier.cpp",
    "memory.cpp",
    "mma.cpp",
    "offsets.cpp",
    "shadow.cpp",
    "tsan.cpp",
    "warp.cpp",
    "warpgroup.cpp",
];

/// Kernels with bugs that the emulator must find, for its tests.
const PLANTED_FILES: &[&str] =
    &["planted/barriers.cu", "planted/copies.cu", "planted/global.cu", "planted/shared.cu"];

fn main() {
    println!("cargo::rerun-if-changed=emu");
    println!("cargo::rerun-if-changed=cuda");
    println!("cargo::rerun-if-changed=src/runtime/kernel_files.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let files = EMULATOR_FILES.iter().map(|file| Path::new("emu").join(file));
    let emulator = files.chain([offsets_unit(&out)]);
    // Products are summed by fused multiply-adds, as the matrix units do.
    compiler().flag("-ffp-contract=fast").files(emulator).compile("jump_emulator");
    let units = kernel_units(&out);
    let mut kernels = kernel_compiler();
    kernels.define("IS_STRICT", "false");
    compile_changed(&mut kernels, &out.join("normal"), &units, "jump_emulated_kernels");
    // Only the calls at every access are wanted of the sanitizer; emu/tsan.cpp has what they call.
    let mut strict = kernel_compiler();
    strict.define("IS_STRICT", "true").flag("-fsanitize=thread");
    compile_changed(&mut strict, &out.join("strict"), &units, "jump_strict_kernels");
}

/// A translation unit, and the hash of all that goes into it.
struct Unit {
    path: PathBuf,
    hash: u64,
}

/// Makes a library of the units, whose objects are kept in a folder of their own: most changes are
/// to one kernel file.
fn compile_changed(build: &mut cc::Build, folder: &Path, units: &[Unit], name: &str) {
    fs::create_dir_all(folder).expect("the build's folder can be written to");
    let object = |unit: &Unit| {
        let stem = unit.path.file_stem().expect("units have names").display();
        folder.join(format!("{stem}-{:016x}.o", unit.hash))
    };
    let changed: Vec<&Unit> = units.iter().filter(|unit| !object(unit).exists()).collect();
    let mut compiler = build.clone();
    compiler.out_dir(folder).files(changed.iter().map(|unit| &unit.path));
    for (made, unit) in compiler.compile_intermediates().iter().zip(changed) {
        fs::rename(made, object(unit)).expect("the build's folder can be written to");
    }
    build.objects(units.iter().map(object)).compile(name);
}

/// The hash of files' contents.
fn hash_of(paths: impl IntoIterator<Item = PathBuf>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        fs::read(&path).expect("the sources can be read").hash(&mut hasher);
    }
    hasher.finish()
}

/// What every unit includes, and the flags that it is compiled with.
fn headers() -> Vec<PathBuf> {
    let is_header =
        |path: &PathBuf| path.extension().is_some_and(|kind| kind == "h" || kind == "cuh");
    let list = |folder| fs::read_dir(folder).expect("the sources are there");
    let entries = ["cuda", "emu"].into_iter().flat_map(list);
    let mut headers: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the sources are there").path())
        .filter(is_header)
        .collect();
    headers.push("build.rs".into());
    headers.sort();
    headers
}

/// The compiler of kernels.
fn kernel_compiler() -> cc::Build {
    let mut build = compiler();
    build
        // Their sums are the same wherever a function is used.
        .flag("-ffp-contract=off")
        // The lines of faults.
        .flag("-g1")
        // Nothing refers to them by name.
        .link_lib_modifier("+whole-archive");
    build
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

/// Writes the table of where the fields of the parameter structs lie.
fn offsets_unit(out: &Path) -> PathBuf {
    let params = fs::read_to_string("cuda/params.h").expect("params.h is there");
    let mut rows = Vec::new();
    let mut inside = None;
    for line in params.lines() {
        let code = line.split("//").next().unwrap_or_default().trim();
        if let Some(name) = code.strip_prefix("struct ").and_then(|rest| rest.strip_suffix(" {")) {
            rows.push(format!("{{\"{name}\", sizeof({name})}},"));
            inside = Some(name);
        } else if code == "};" {
            inside = None;
        } else if let Some(name) = inside
            && let Some(field) = code.strip_suffix(';').and_then(|code| code.split(' ').next_back())
        {
            rows.push(format!("{{\"{name}.{field}\", offsetof({name}, {field})}},"));
        }
    }
    let path = out.join("params_offsets.cpp");
    let source = format!(
        "#include <cstddef>\n#include <emulator.h>\n#include <offsets.h>\n\
         namespace {{\n#include <params.h>\n}}\n\
         const emu::Offset emu::OFFSETS[] = {{\n{}\n{{nullptr, 0}}}};\n",
        rows.join("\n")
    );
    fs::write(&path, source).expect("the build's folder can be written to");
    path
}

/// Writes the translation units of the kernel files.
fn kernel_units(out: &Path) -> Vec<Unit> {
    let headers_hash = hash_of(headers());
    let unit = |file: &str, title: &str, define: &str| {
        let path = out.join(format!("{}.cpp", title.replace([' ', '=', '/'], "_")));
        fs::write(&path, unit_text(file, title, define))
            .expect("the build's folder can be written to");
        let folder = if file.starts_with("planted/") { "emu" } else { "cuda" };
        let own_hash = hash_of([path.clone(), Path::new(folder).join(file)]);
        Unit { path, hash: headers_hash ^ own_hash }
    };
    let mut units: Vec<Unit> = PLANTED_FILES.iter().map(|file| unit(file, file, "")).collect();
    for (file, constant) in KERNEL_FILES {
        let Some((constant, values)) = constant else {
            units.push(unit(file, file, ""));
            continue;
        };
        for value in *values {
            let title = format!("{file} {constant}={value}");
            let define = format!("#define {constant} {value}\n");
            units.push(unit(file, &title, &define));
        }
    }
    units
}

/// All of a kernel file is in a namespace without a name: other files use the same names.
fn unit_text(file: &str, title: &str, define: &str) -> String {
    format!(
        "#define FILE_TITLE \"{title}\"\n{define}\
         #include <emulator.h>\nnamespace {{\n#include <{file}>\n}}\n"
    )
}
