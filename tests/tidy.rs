//! What a test can check of the style: the edges between packages, sizes, names, and the habits
//! that ARCHITECTURE.md lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_COLUMNS: usize = 100;

/// Which packages a package may depend on, beside the tests and benches that see all.
const EDGES: [(&str, &[&str]); 4] = [
    ("kernels", &[]),
    ("models", &["jump-kernels"]),
    ("engine", &["jump-kernels", "jump-models"]),
    ("jumpcoder", &["jump-kernels", "jump-models", "jump-engine"]),
];

/// File names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "misc", "manager"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The Rust files of the workspace, with their texts.
fn sources() -> Vec<(PathBuf, String)> {
    let found = files_of(&["rs"]);
    assert!(found.len() > 50, "the walk found the sources");
    found
}

/// The kernels and the emulator, with their texts.
fn device_sources() -> Vec<(PathBuf, String)> {
    let found = files_of(&["cu", "cuh", "h", "cpp"]);
    assert!(found.len() > 20, "the walk found the kernels");
    found
}

/// The files of the workspace that end in one of `extensions`, with their texts. Seeds are programs
/// that tests read, no part of ours.
fn files_of(extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let is_one = |path: &Path| {
        let found = path.extension().and_then(|extension| extension.to_str());
        found.is_some_and(|found| extensions.contains(&found))
    };
    let mut open: Vec<PathBuf> = ["kernels", "models", "engine", "jumpcoder", "benches", "tests"]
        .map(|d| root().join(d))
        .into();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.ends_with("seeds") {
            continue;
        }
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a readable folder");
            open.extend(entries.map(|entry| entry.expect("a readable entry").path()));
        } else if is_one(&path) {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            found.push((path, text));
        }
    }
    found
}

/// Collects what is wrong and fails with all of it at once.
fn check(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn packages_depend_downwards_only() {
    let mut complaints = Vec::new();
    for (package, allowed) in EDGES {
        let manifest = root().join(package).join("Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).expect("a readable manifest");
        let manifest: toml::Table = manifest.parse().expect("a valid manifest");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names = manifest.get(section).and_then(toml::Value::as_table);
            for name in names.into_iter().flat_map(toml::Table::keys) {
                if name.starts_with("jump") && !allowed.contains(&name.as_str()) {
                    complaints.push(format!("{package} must not know {name}"));
                }
            }
        }
    }
    check(&complaints);
}

#[test]
fn files_are_small_and_say_what_they_are() {
    let mut complaints = Vec::new();
    for (path, text) in sources().into_iter().chain(device_sources()) {
        let shown = path.strip_prefix(root()).expect("below the root").display().to_string();
        let num_lines = text.lines().count();
        if num_lines > MAX_LINES {
            complaints.push(format!("{shown}: {num_lines} lines"));
        }
        if !says_what_it_is(&path, &text) {
            complaints.push(format!("{shown}: doesn't begin with what it is"));
        }
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if EMPTY_NAMES.contains(&name.as_str()) {
            complaints.push(format!("{shown}: the name says nothing"));
        }
        for (line_idx, line) in text.lines().enumerate() {
            if line.chars().count() > MAX_COLUMNS {
                complaints.push(format!("{shown}:{}: too long", line_idx + 1));
            }
        }
    }
    check(&complaints);
}

/// A C++ file may leave it to the header of its name.
fn says_what_it_is(path: &Path, text: &str) -> bool {
    let header = path.with_extension("h");
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => text.starts_with("//!"),
        Some("cpp") if header.exists() => {
            std::fs::read_to_string(header).expect("a readable file").starts_with("// ")
        }
        _ => text.starts_with("// "),
    }
}

#[test]
fn functions_are_short() {
    let mut complaints = Vec::new();
    let mut lengths = Vec::new();
    for (path, text) in sources() {
        for (line, num_lines) in function_lengths(&text) {
            lengths.push(num_lines);
            if num_lines > MAX_FUNCTION_LINES {
                complaints.push(format!("{}:{line}: {num_lines} lines", path.display()));
            }
        }
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] <= 12, "half of all functions fit in 12 lines");
    check(&complaints);
}

/// Kernels may be longer than functions, but not endless.
#[test]
fn kernels_are_short() {
    const MAX_KERNEL_LINES: usize = 150;
    let mut complaints = Vec::new();
    let mut num_kernels = 0;
    for (path, text) in device_sources() {
        let lines: Vec<&str> = text.lines().collect();
        let starts = (0..lines.len()).filter(|start| lines[*start].starts_with("KERNEL("));
        for start in starts {
            let end = lines[start..].iter().position(|line| *line == "}");
            let num_lines = end.expect("a kernel ends at the margin") + 1;
            num_kernels += 1;
            if num_lines > MAX_KERNEL_LINES {
                complaints.push(format!("{}:{}: {num_lines} lines", path.display(), start + 1));
            }
        }
    }
    assert!(num_kernels > 10, "the kernels were found");
    check(&complaints);
}

/// The first line and the length of each function, by the indentation that rustfmt gives.
fn function_lengths(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_function = ["fn ", "pub fn ", "pub(crate) fn ", "unsafe fn ", "const fn "]
            .iter()
            .any(|beginning| code.starts_with(beginning));
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let is_end = |line: &&str| **line == end;
        let length = lines[start..].iter().position(is_end).filter(|_| !code.ends_with(';'));
        if let Some(length) = length.filter(|_| is_function) {
            found.push((start + 1, length + 1));
        }
    }
    found
}

#[test]
fn nothing_is_left_open() {
    // Spelled in parts, so that this list doesn't find itself.
    let words =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("dbg", "!(")];
    let ignored = concat!("#[", "ignore");
    let mut complaints = Vec::new();
    for (path, text) in sources().into_iter().chain(device_sources()) {
        for word in words.iter().chain([&ignored]).filter(|word| text.contains(**word)) {
            complaints.push(format!("{}: {word}", path.display()));
        }
    }
    check(&complaints);
}

#[test]
fn unsafe_says_why_it_is_sound() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        let num_unsafe = text.matches(concat!("unsafe", " {")).count();
        let num_reasons = text.matches("SAFETY:").count();
        if num_unsafe > 0 && num_reasons == 0 {
            complaints.push(format!("{}: {num_unsafe} unsafe blocks", path.display()));
        }
    }
    check(&complaints);
}

#[test]
fn every_file_is_part_of_a_crate() {
    let sources = sources();
    let names: BTreeMap<&Path, &str> =
        sources.iter().map(|(path, text)| (path.as_path(), text.as_str())).collect();
    let mut complaints = Vec::new();
    for path in names.keys() {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let folder = path.parent().expect("a folder");
        let is_root = ["lib", "main", "build"].contains(&stem.as_str())
            || ["benches", "examples"]
                .contains(&&*folder.file_name().expect("a name").to_string_lossy());
        let (name, parents) = if stem == "mod" {
            let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
            (name, folder.parent().expect("a folder").to_owned())
        } else {
            (stem, folder.to_owned())
        };
        let declared = |parent: PathBuf| {
            names.get(parent.as_path()).is_some_and(|text| text.contains(&format!("mod {name};")))
        };
        let beside = parents.with_extension("rs");
        let parents = ["lib.rs", "main.rs", "mod.rs"].map(|file| parents.join(file));
        if !is_root && !parents.into_iter().chain([beside]).any(declared) {
            complaints.push(format!("{}: no module declares it", path.display()));
        }
    }
    check(&complaints);
}

#[test]
fn the_readme_begins_with_the_commands_that_work() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).expect("a readable file");
    let readme = read("README.md");
    let first_block = readme.split("```").nth(1).expect("a block of commands");
    let commands: Vec<&str> = first_block.lines().skip(1).collect();
    assert_eq!(commands, ["cargo run --release -- generate", "cargo test --workspace"]);
    assert!(read(".ci/run").contains("cargo test --workspace"), "the gate runs the README's tests");
}
