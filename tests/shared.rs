//! The reference data beside the checkout, which only some machines have. A test that needs a file
//! of it says so and passes without it.

use std::path::{Path, PathBuf};

/// The file `path` of the data folder; `None`, with a visible line, if it isn't there.
pub fn shared_file(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    skipped(&format!("../shared/{path}"));
    None
}

/// Says that a test passes without having run, for lack of `needed`.
pub fn skipped(needed: &str) {
    // Past the test harness, which keeps the output of tests that pass to itself.
    let line = format!("skipped: this test needs {needed}, which isn't here\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("stderr is open");
}

/// The JSON in the file `path` of the data folder.
pub fn shared_json<T: serde::de::DeserializeOwned>(path: &str) -> Option<T> {
    let file = std::fs::File::open(shared_file(path)?).expect("the file exists");
    let reader = std::io::BufReader::new(file);
    Some(serde_json::from_reader(reader).unwrap_or_else(|e| panic!("{path}: {e}")))
}
