//! Languages that are run as they are written: Python, JavaScript, TypeScript and PHP.

use std::path::{Path, PathBuf};

use super::{
    Harness, Messages, Toolchain, ToolchainError, ask, first_line, missing, program, words,
};

const NODE_ASSERTIONS: [&str; 3] = ["AssertionError", "ERR_ASSERTION", "Assertion failed"];

/// Isolated from what the user has set, with the packages that are installed.
pub(super) fn python() -> Result<Toolchain, ToolchainError> {
    let found = program("python", "python3", "install Python 3")?;
    let script = "import sys; print(sys.executable, sys.prefix, sys.base_prefix, sep='\\n')";
    let folders = ask("python", &found, &["-c", script])?;
    let mut paths = folders.lines().map(PathBuf::from);
    let executable = paths.next().unwrap_or(found);
    Ok(Toolchain {
        version: ask("python", &executable, &["--version"])?,
        source: "program.py",
        compile: Vec::new(),
        run: words([executable.as_os_str(), "-I".as_ref(), "-B".as_ref(), "program.py".as_ref()]),
        environment: Vec::new(),
        readable: paths.collect(),
        messages: Messages {
            assertion: &["AssertionError"],
            syntax: &["SyntaxError:", "IndentationError:", "TabError:"],
            memory: &["MemoryError"],
            missing: &[("No module named '", "'")],
            ..Messages::default()
        },
        cache: None,
    })
}

pub(super) fn javascript(harness: Harness) -> Result<Toolchain, ToolchainError> {
    let (node, version, readable) = node("js")?;
    Ok(Toolchain {
        version: format!("node {version}"),
        source: "program.js",
        compile: Vec::new(),
        run: vec![node, "program.js".to_owned()],
        environment: Vec::new(),
        readable,
        messages: Messages {
            assertion: &NODE_ASSERTIONS,
            syntax: &["SyntaxError"],
            memory: &["heap out of memory"],
            missing: &[("Cannot find module '", "'")],
            // Its assertions only complain.
            silent: harness == Harness::HumanEvalX,
            ..Messages::default()
        },
        cache: None,
    })
}

pub(super) fn typescript() -> Result<Toolchain, ToolchainError> {
    let (node, version, mut readable) = node("ts")?;
    let advice = "`npm install typescript`, and put its `node_modules/.bin` into PATH";
    let compiler = program("ts", "tsc", advice)?;
    let compiler = compiler.canonicalize().map_err(|e| missing("ts", "tsc", &e.to_string()))?;
    // Its parts are packages of their own, beside it.
    let is_packages = |folder: &&Path| folder.file_name().is_some_and(|n| n == "node_modules");
    readable.extend(compiler.ancestors().find(is_packages).map(Path::to_owned));
    let compiler = words([compiler]).remove(0);
    let found = ask("ts", Path::new(&node), &[&compiler, "--version"])?;
    let compile = [&*node, &compiler, "--target", "esnext", "program.ts"];
    Ok(Toolchain {
        version: format!("tsc {found}, node {version}"),
        source: "program.ts",
        compile: vec![words(compile)],
        run: vec![node, "program.js".to_owned()],
        environment: Vec::new(),
        readable,
        messages: Messages {
            assertion: &NODE_ASSERTIONS,
            syntax: &["SyntaxError"],
            memory: &["heap out of memory"],
            missing: &[("Cannot find module '", "'")],
            ..Messages::default()
        },
        cache: None,
    })
}

pub(super) fn php() -> Result<Toolchain, ToolchainError> {
    let found = program("php", "php", "install the package `php-cli`")?;
    Ok(Toolchain {
        version: first_line(&ask("php", &found, &["--version"])?),
        source: "program.php",
        compile: Vec::new(),
        run: words([found.as_os_str(), "program.php".as_ref()]),
        environment: Vec::new(),
        readable: vec!["/etc/php".into()],
        messages: Messages {
            assertion: &["Test failed!"],
            syntax: &["PHP Parse error", "Parse error:"],
            memory: &["Allowed memory size"],
            ..Messages::default()
        },
        cache: None,
    })
}

/// The program, its version, and its folder.
fn node(language: &str) -> Result<(String, String, Vec<PathBuf>), ToolchainError> {
    let found = program(language, "node", "install Node.js")?;
    let path = ask(language, &found, &["-p", "process.execPath"])?;
    let version = ask(language, &found, &["--version"])?;
    let readable = Path::new(&path).parent().map(Path::to_owned).into_iter().collect();
    Ok((path, version, readable))
}
