//! `models`: what there is support for, and what a checkpoint is and needs.

use serde_json::Value;

use crate::folder::Folder;
use crate::model_files::{copy_model, patch};

fn json(folder: &Folder, line: &str, code: i32) -> Value {
    let run = folder.run(&format!("{line} --json"));
    assert_eq!((run.code, run.stderr.as_str()), (code, ""), "{line}");
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn it_says_what_there_is_support_for() {
    let folder = Folder::new();
    let run = folder.run("models");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let support = json(&folder, "models", 0);
    let listed = |name: &str| support[name].as_array().unwrap().clone();
    let infilling = support["infilling"].as_object().unwrap();
    for name in listed("architectures").iter().chain(&listed("shapes")) {
        assert!(run.stdout.contains(name.as_str().unwrap()), "{name}");
    }
    assert!(infilling["mellum"].as_str().unwrap().starts_with("<fim_suffix> {suffix}"));
    assert!(infilling.keys().all(|name| run.stdout.contains(name.as_str())));
}

#[test]
fn it_says_what_a_model_is_and_needs() {
    let folder = Folder::new();
    copy_model(&folder);
    let found = json(&folder, "models tiny model --device cpu", 0);
    let (tiny, copied) = (&found[0], &found[1]);
    assert_eq!([&tiny["model"], &copied["model"]], ["tiny", "model"]);
    assert_eq!(tiny["num_parameters"], 4_737_792);
    assert_eq!(tiny["infilling"], "<|fim_prefix|> {prefix} <|fim_suffix|> {suffix} <|fim_middle|>");
    for key in ["architecture", "stored", "vocab_len", "context_len", "memory"] {
        assert_eq!(tiny[key], copied[key], "{key}");
    }
    let number = |found: &Value, key: &str| found["memory"][key].as_u64().unwrap();
    let one = &json(&folder, "models tiny --device cpu --concurrency 1", 0)[0];
    let [all, fixed, task] =
        [number(one, "total"), number(one, "weights") + number(one, "passes"), number(one, "task")];
    assert_eq!(all, fixed + task);
    assert_eq!(number(tiny, "total"), fixed + 8 * task, "8 unless it is said");
    let short = &json(&folder, "models tiny --device cpu --max-context 512", 0)[0];
    assert_eq!(number(short, "task"), task / 2);
}

/// A run needs no more than what was said before it.
#[test]
fn what_it_says_is_enough() {
    let folder = Folder::new();
    let found = json(&folder, "models tiny --device cpu --concurrency 1", 0);
    let kv_mib = found[0]["memory"]["task"].as_u64().unwrap().div_ceil(1 << 20);
    let run = |kv_mib: u64| {
        let limits = format!("--concurrency 1 --device cpu --kv-memory-mib {kv_mib}");
        folder.run(&format!("generate -q -o out --force --limit 1 --max-lines 6 {limits}")).code
    };
    assert_eq!((run(kv_mib), run(kv_mib - 1)), (0, 2));
}

#[test]
fn a_model_that_cannot_be_read_is_told_beside_the_others() {
    let folder = Folder::new();
    copy_model(&folder);
    patch(&folder, "config.json", |config| config["architectures"] = "GPT2LMHeadModel".into());
    let run = folder.run("models model nowhere tiny");
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert!(run.stdout.contains("nowhere isn't there") && run.stdout.contains("\ntiny\n"));
    let found = json(&folder, "models model nowhere tiny", 1);
    assert!(found[0]["error"].is_string() && found[1]["error"].is_string(), "{found}");
    assert_eq!(found[2]["context_len"], 1024);
}
