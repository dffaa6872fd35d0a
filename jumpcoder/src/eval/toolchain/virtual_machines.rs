//! Languages that are compiled for a virtual machine: Java and C#.

use std::path::{Path, PathBuf};

use super::{
    Harness, Messages, Toolchain, ToolchainError, ask, first_line, missing, program, words,
};

/// MultiPL-E's tests use tuples, which Java doesn't have.
const JAVATUPLES: &str = "/usr/share/java/javatuples.jar";
/// Starting takes most of the time of a small program.
const START_FAST: [&str; 2] = ["-XX:+UseSerialGC", "-XX:-UsePerfData"];

pub(super) fn java(harness: Harness) -> Result<Toolchain, ToolchainError> {
    let advice = "install a JDK, as the package `default-jdk-headless`";
    let compiler = real(program("java", "javac", advice)?);
    let machine = compiler.with_file_name("java");
    let is_multipl_e = harness == Harness::MultiPlE;
    if is_multipl_e && !Path::new(JAVATUPLES).exists() {
        let advice = "install the package `libjavatuples-java`";
        return Err(missing("java", JAVATUPLES, advice));
    }
    let (source, class) =
        if is_multipl_e { ("Problem.java", "Problem") } else { ("Main.java", "Main") };
    let class_path = format!("{JAVATUPLES}:.");
    let home = machine.ancestors().nth(2).map(Path::to_owned);
    let mut compile = words([compiler.as_os_str()]);
    compile.extend(START_FAST.iter().map(|option| format!("-J{option}")));
    compile.extend(words(["-encoding", "UTF8", "-cp", &class_path, source]));
    let mut run = words([machine.as_os_str()]);
    run.extend(words(START_FAST));
    // HumanEval-X's tests throw by themselves.
    run.extend(is_multipl_e.then(|| "-ea".to_owned()));
    run.extend(words(["-cp", &class_path, class]));
    Ok(Toolchain {
        version: ask("java", &compiler, &["--version"])?,
        source,
        compile: vec![compile],
        run,
        environment: Vec::new(),
        readable: home.into_iter().chain(settings("java")).collect(),
        messages: Messages {
            assertion: &["java.lang.AssertionError"],
            memory: &["java.lang.OutOfMemoryError"],
            missing: &[("error: package ", " does not exist")],
            ..Messages::default()
        },
        cache: None,
    })
}

pub(super) fn c_sharp() -> Result<Toolchain, ToolchainError> {
    let advice = "install the packages `mono-mcs` and `mono-runtime`";
    let compiler = program("cs", "mcs", advice)?;
    let machine = program("cs", "mono", advice)?;
    let arguments = ["-d:DEBUG", "-r:System.Numerics.dll", "program.cs", "-out:program.exe"];
    let mut compile = words([compiler.as_os_str()]);
    compile.extend(words(arguments));
    // Where a failed assertion is heard of.
    let listener = ("MONO_TRACE_LISTENER".to_owned(), "Console.Error".to_owned());
    Ok(Toolchain {
        version: first_line(&ask("cs", &machine, &["--version"])?),
        source: "program.cs",
        compile: vec![compile],
        run: words([machine.as_os_str(), "program.exe".as_ref()]),
        environment: vec![listener],
        readable: settings("mono").collect(),
        messages: Messages {
            assertion: &["Fail"],
            memory: &["System.OutOfMemoryException"],
            ..Messages::default()
        },
        cache: None,
    })
}

fn real(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

/// Debian keeps the settings of a virtual machine in folders whose names begin with its name.
fn settings(name: &str) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir("/etc").into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(move |path| {
        path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name))
    })
}
