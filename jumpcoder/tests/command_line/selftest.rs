//! `selftest`: a report that agrees with itself, and refusals.

use serde_json::Value;

use crate::folder::Folder;

fn report(line: &str) -> Value {
    let folder = Folder::new();
    let run = folder.run(&format!("selftest {line} --json report"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{line}: {}", run.stdout);
    assert!(!run.stdout.contains("WRONG") && !run.stdout.contains("FAILED"), "{}", run.stdout);
    let report: Value = serde_json::from_str(&folder.read("report")).unwrap();
    for outcome in report["operations"].as_array().unwrap() {
        assert_eq!(outcome["is_right"], true, "{outcome}");
        let shape = outcome["shape"].as_str().unwrap();
        assert!(run.stdout.contains(shape), "{shape} is in the table: {}", run.stdout);
        assert!(outcome["speed"].is_null(), "only a device's time means something: {outcome}");
    }
    report
}

#[test]
fn this_processor_is_right() {
    let report = report("--device cpu");
    let operations = report["operations"].as_array().unwrap();
    let mut ops: Vec<&str> = operations.iter().map(|o| o["op"].as_str().unwrap()).collect();
    ops.sort_unstable();
    ops.dedup();
    let expected = [
        "attention",
        "choose",
        "layer_norm",
        "matmul",
        "matmul_activated",
        "matmul_add",
        "rms_norm",
        "target_logits",
        "target_logprobs",
    ];
    assert_eq!(ops, expected);
}

#[test]
fn one_operation_of_the_emulator() {
    let report = report("--device emulator --op primitives");
    let operations = report["operations"].as_array().unwrap();
    assert!(operations.len() > 8, "{report}");
    assert!(operations.iter().all(|outcome| outcome["op"] == "primitives"), "{report}");
    assert!(report["model"].as_array().unwrap().is_empty(), "only what was asked for");
}

#[test]
fn the_model_on_the_emulator_agrees_with_the_processor() {
    let report = report("--device emulator --op model");
    let model = report["model"].as_array().unwrap();
    assert!(!model.is_empty(), "{report}");
    for outcome in model {
        assert_eq!(outcome["is_right"], true, "{outcome}");
        let logits = outcome["logit_difference"].as_f64().unwrap();
        assert!(logits > 0.0, "bfloat16 leaves its traces: {outcome}");
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let folder = Folder::new();
    let table = [
        ("selftest --device cpu --op speed", "there is no operation \"speed\", only rms_norm"),
        ("selftest --device cuda:99", "can't use the device"),
        ("bench kernels --device cpu", "bench kernels needs a GPU"),
        ("bench kernels --device emulator", "bench kernels needs a GPU"),
    ];
    for (line, part) in table {
        folder.refused(line, 2, &[part]);
    }
}
