//! Languages that are compiled for the machine: C++, Rust and Go.

use std::path::PathBuf;

use super::super::jail::FOLDER;
use super::{
    Harness, Messages, Toolchain, ToolchainError, ask, first_line, missing, program, words,
};

const TESTIFY: &str = "src/github.com/stretchr/testify/assert";

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
            ..Messages::default()
        },
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
        ..Messages::default()
    };
    let (arguments, passed): (&[&str], _) = match harness {
        Harness::HumanEvalX => {
            (&["--test", "--edition", "2021"], Some("test result: ok. 1 passed"))
        }
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
    })
}

/// Its own test command compiles and runs at once, and knows of tests that end the process.
pub(super) fn go(harness: Harness) -> Result<Toolchain, ToolchainError> {
    let found = program("go", "go", "install the package `golang-go`")?;
    let root = PathBuf::from(ask("go", &found, &["env", "GOROOT"])?);
    let mut readable = vec![root.clone()];
    let mut path = format!("{FOLDER}/go");
    if harness == Harness::HumanEvalX {
        let own = ask("go", &found, &["env", "GOPATH"])?;
        let folders = own.split(':').chain(["/usr/share/gocode"]).map(PathBuf::from);
        let testify = folders.into_iter().find(|folder| folder.join(TESTIFY).is_dir());
        let testify = testify.ok_or_else(|| {
            let advice = "install the package `golang-github-stretchr-testify-dev`";
            missing("go", "the package testify", advice)
        })?;
        path = testify.display().to_string();
        readable.push(testify);
    }
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let go = root.join("bin/go");
    Ok(Toolchain {
        version: ask("go", &go, &["version"])?,
        source: "program_test.go",
        compile: Vec::new(),
        run: words([go.as_os_str(), "test".as_ref(), "-v".as_ref(), "program_test.go".as_ref()]),
        environment: vec![
            pair("GO111MODULE", "off"),
            pair("GOPATH", &path),
            pair("GOCACHE", &format!("{FOLDER}/go-cache")),
            pair("GOFLAGS", "-p=1"),
            pair("GOTOOLCHAIN", "local"),
            pair("GOTELEMETRY", "off"),
        ],
        readable,
        messages: Messages {
            assertion: &["--- FAIL"],
            syntax: &["[build failed]", "[setup failed]"],
            memory: &["out of memory"],
            passed: Some("--- PASS: "),
            ..Messages::default()
        },
    })
}
