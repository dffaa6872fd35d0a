//! Go. Its own test command compiles and runs at once, and knows of tests that end the process.
//!
//! It compiles packages from their source, for seconds, and keeps them in a cache. So they are
//! compiled once, before anything is judged, and each jail can read them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::{Harness, Messages, Scratch, Toolchain, ToolchainError, ask, missing, program, words};

const TESTIFY: &str = "src/github.com/stretchr/testify/assert";
/// What most programs import.
const COMMON: [&str; 10] = [
    "bytes",
    "errors",
    "fmt",
    "math",
    "math/rand",
    "regexp",
    "sort",
    "strconv",
    "strings",
    "testing",
];

pub(super) fn go(harness: Harness) -> Result<Toolchain, ToolchainError> {
    let found = program("go", "go", "install the package `golang-go`")?;
    let root = PathBuf::from(ask("go", &found, &["env", "GOROOT"])?);
    let go = root.join("bin/go");
    let version = ask("go", &go, &["version"])?;
    let mut readable = vec![root];
    let mut packages = COMMON.to_vec();
    let mut path = "/tmp/go".to_owned();
    if harness == Harness::HumanEvalX {
        let folder = testify(&go)?;
        path = folder.display().to_string();
        readable.push(folder);
        packages.push("github.com/stretchr/testify/assert");
    }
    let uncached = |error: io::Error| missing("go", "a cache", &error.to_string());
    let scratch = Scratch::new().map_err(uncached)?;
    let cache = scratch.path().join("cache");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![
        pair("GO111MODULE", "off"),
        pair("GOPATH", &path),
        pair("GOCACHE", &cache.display().to_string()),
        pair("GOFLAGS", "-p=1"),
        pair("GOTOOLCHAIN", "local"),
        pair("GOTELEMETRY", "off"),
    ];
    compile(&go, &packages, &environment, scratch.path()).map_err(uncached)?;
    readable.push(cache);
    Ok(Toolchain {
        version,
        source: "program_test.go",
        compile: Vec::new(),
        run: words([go.as_os_str(), "test".as_ref(), "-v".as_ref(), "program_test.go".as_ref()]),
        environment,
        readable,
        messages: Messages {
            assertion: &["--- FAIL"],
            syntax: &["[build failed]", "[setup failed]"],
            memory: &["out of memory"],
            passed: Some("--- PASS: "),
            untested: Some("no tests to run"),
            missing: &[("cannot find package \"", "\"")],
            ..Messages::default()
        },
        cache: Some(Arc::new(scratch)),
    })
}

/// The folder of packages that has testify, which HumanEval-X's tests are written with.
fn testify(go: &Path) -> Result<PathBuf, ToolchainError> {
    let own = ask("go", go, &["env", "GOPATH"])?;
    let mut folders = own.split(':').chain(["/usr/share/gocode"]).map(PathBuf::from);
    folders.find(|folder| folder.join(TESTIFY).is_dir()).ok_or_else(|| {
        let advice = "install the package `golang-github-stretchr-testify-dev`";
        missing("go", "the package testify", advice)
    })
}

/// Runs a test of ours that imports `packages`, so that the cache has them.
fn compile(
    go: &Path,
    packages: &[&str],
    environment: &[(String, String)],
    folder: &Path,
) -> io::Result<()> {
    let imports: Vec<_> = packages.iter().map(|name| format!("import _ \"{name}\"\n")).collect();
    let test = "import \"testing\"\nfunc TestNothing(t *testing.T) {}\n";
    fs::write(folder.join("cache_test.go"), format!("package main\n{}{test}", imports.concat()))?;
    let folder_name = folder.display().to_string();
    let status = Command::new(go)
        .args(["test", "cache_test.go"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs([("HOME", &folder_name), ("TMPDIR", &folder_name)])
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("`go test` fails on an empty test"))
    }
}
