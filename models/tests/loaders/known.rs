//! The ways in which files of weights have broken loaders, each by its name.

use jump_models::{ModelError, Weights};
use serde_json::{Value, json};

use crate::seed;

/// A safetensors file with this header and so many bytes of data.
fn file(header: &str, num_bytes: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.resize(file.len() + num_bytes, 0);
    file
}

fn tensor(shape: &Value, begin: u64, end: u64) -> Value {
    json!({"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]})
}

/// What opening a folder with only these weights says.
fn error(weights: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    seed::write(folder.path(), &[("model.safetensors", weights.to_vec())]);
    match Weights::open(folder.path()) {
        Ok(_) => "none".to_owned(),
        Err(error @ ModelError::Weights { .. }) => error.to_string(),
        Err(error) => panic!("another kind of error: {error}"),
    }
}

fn check(what: &str, weights: &[u8], expected: &str) {
    let found = error(weights);
    assert!(found.contains(expected) && !found.contains('\n'), "{what}: {found}");
}

#[test]
fn a_header_longer_than_the_file() {
    for header_len in [1, 100, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
        check("a length alone", &header_len.to_le_bytes(), "not a whole safetensors file");
    }
    check("no length", &[1, 2, 3], "not a whole safetensors file");
    check("nothing", &[], "not a whole safetensors file");
}

#[test]
fn a_header_that_is_no_header() {
    for header in ["", "{", "[]", "null", "{\"a\": 1}", "{\"a\": {\"dtype\": \"BF16\"}}", "\u{0}"] {
        check(header, &file(header, 0), "not a whole safetensors file");
    }
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    check("nested deeper than a stack", &file(&deep, 0), "not a whole safetensors file");
}

#[test]
fn offsets_outside_of_the_file() {
    let cases = [(0, 64), (1 << 40, (1 << 40) + 8), (u64::MAX - 7, u64::MAX), (8, 0), (4, 12)];
    for (begin, end) in cases {
        let header = json!({"a": tensor(&json!([4]), begin, end)}).to_string();
        check(&header, &file(&header, 8), "not a whole safetensors file");
    }
}

#[test]
fn tensors_that_overlap_or_leave_gaps() {
    for (begin, end) in [(0, 8), (4, 12), (16, 24)] {
        let header = json!({"a": tensor(&json!([4]), 0, 8), "b": tensor(&json!([4]), begin, end)});
        let header = header.to_string();
        check(&header, &file(&header, 24), "not a whole safetensors file");
    }
}

#[test]
fn shapes_that_overflow_or_do_not_fit() {
    let cases = [
        json!([5]),
        json!([u64::MAX]),
        json!([1_u64 << 32, 1_u64 << 32]),
        json!([1_u64 << 63, 2, 4]),
        json!([-4]),
        json!([4.5]),
    ];
    for shape in cases {
        let header = json!({"a": tensor(&shape, 0, 8)}).to_string();
        check(&header, &file(&header, 8), "not a whole safetensors file");
    }
}

#[test]
fn a_dtype_that_nobody_knows() {
    let header = json!({"a": {"dtype": "X9", "shape": [4], "data_offsets": [0, 8]}}).to_string();
    check(&header, &file(&header, 8), "not a whole safetensors file");
}

/// They are sound files, whose tensors aren't what is asked for.
#[test]
fn zero_dimensions_and_other_dtypes() {
    let empty = json!({"a": tensor(&json!([0, 1_u64 << 40]), 0, 0)}).to_string();
    let whole = json!({"a": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}).to_string();
    let cases = [(empty, 0, vec![4], "a has the shape"), (whole, 8, vec![1], "a is I64")];
    for (header, num_bytes, shape, expected) in cases {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        seed::write(folder.path(), &[("model.safetensors", file(&header, num_bytes))]);
        let weights = Weights::open(folder.path()).expect("the file is sound");
        let error = weights.tensor("a", &shape).err().expect("it isn't what is asked for");
        assert!(error.to_string().contains(expected), "{header}: {error}");
    }
}

#[test]
fn shards_that_hold_the_same_tensor() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let header = json!({"a": tensor(&json!([4]), 0, 8)}).to_string();
    let index = json!({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}).to_string();
    let files = [
        ("1.safetensors", file(&header, 8)),
        ("2.safetensors", file(&header, 8)),
        ("model.safetensors.index.json", index.into_bytes()),
    ];
    seed::write(folder.path(), &files);
    let error = Weights::open(folder.path()).err().expect("which of them is meant?").to_string();
    assert!(error.contains("the tensor a is in another file too"), "{error}");
}

#[test]
fn shards_that_are_elsewhere() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, expected) in [
        ("../1.safetensors", "outside of the folder"),
        ("/dev/zero", "outside of the folder"),
        ("", "isn't there"),
        (".", "outside of the folder"),
        ("nowhere", "isn't there"),
        ("a\u{0}b", "isn't there"),
    ] {
        let index = json!({"weight_map": {"a": name}}).to_string();
        seed::write(folder.path(), &[("model.safetensors.index.json", index.into_bytes())]);
        let error = Weights::open(folder.path()).err().expect("it can't be read").to_string();
        assert!(error.contains(expected) && !error.contains('\u{0}'), "{name:?}: {error}");
    }
}
