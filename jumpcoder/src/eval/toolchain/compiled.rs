//! Languages that are compiled for the machine: C++ and Rust.

use std::path::PathBuf;

use super::{Harness, Messages, Toolchain, ToolchainError, ask, first_line, program, words};

pub(super) fn cpp(harness: Harness) -> Result<Toolchain, ToolchainError> {
    let found = program("cpp", "g++", "install the package `g++`")?;
    let standard = if harness == Harness::HumanEvalX { "-std=c++11" } else { "-std=c++17" };
    let mut compile = words([found.as_os_str()]);
    compile.extend(words([standard, "program.cpp", "-o", "program"]));
    if harness == Harness::HumanEvalX {
        // One problem of it asks for MD5; who doesn't call it needs no such library.
        compile.extend(words(["-Wl,--as-needed", "-lcrypto"]).into_iter().filter(|_| has_crypto()));
    }
    Ok(Toolchain {
        version: first_line(&ask("cpp", &found, &["--version"])?),
        source: "program.cpp",
        compile: vec![compile],
        run: words(["./program"]),
        environment: Vec::new(),
        readable: Vec::new(),
        messages: Messages {
            assertion: &["Assertion `"],
            memory: &["std::bad_alloc"],
            missing: &[("fatal error: ", ": No such file")],
            ..Messages::default()
        },
        cache: None,
    })
}

fn has_crypto() -> bool {
    std::path::Path::new("/usr/include/openssl/md5.h").exists()
}

pub(super) fn rust(harness: Harness) -> Result<Toolchain, ToolchainError> {
    let found = program("rust", "rustc", "install Rust")?;
    let sysroot = PathBuf::from(ask("rust", &found, &["--print", "sysroot"])?);
    // Not the program that chooses among several versions: it has settings of its own.
    let compiler = sysroot.join("bin/rustc");
    let mut compile = words([compiler.as_os_str()]);
    let messages = Messages {
        assertion: &["assertion `", "assertion failed"],
        memory: &["memory allocation of"],
        untested: Some("running 0 tests"),
        missing: &[("unresolved import `", "`"), ("module or crate `", "`")],
        ..Messages::default()
    };
    let (arguments, passed): (&[&str], _) = match harness {
        Harness::HumanEvalX => (&["--test", "--edition", "2021"], Some("test result: ok.")),
        _ => (&[], None),
    };
    compile.extend(words(arguments));
    compile.extend(words(["program.rs", "-o", "program"]));
    Ok(Toolchain {
        version: ask("rust", &compiler, &["--version"])?,
        source: "program.rs",
        compile: vec![compile],
        run: words(["./program"]),
        environment: Vec::new(),
        readable: vec![sysroot],
        messages: Messages { passed, ..messages },
        cache: None,
    })
}
