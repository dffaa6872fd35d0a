//! The benchmarks: their tables and figures agree, a replay repeats a run, and what can't be
//! measured is refused before anything is.

use serde_json::Value;

use crate::folder::Folder;

const MECHANISMS: [&str; 9] = [
    "cache",
    "branches",
    "fork",
    "progressive",
    "drafts",
    "lookahead",
    "overlap",
    "batch",
    "dot-head",
];

fn figures(folder: &Folder, name: &str) -> Value {
    serde_json::from_str(&folder.read(name)).unwrap()
}

fn tokens(mode: &Value) -> &Value {
    &mode["tokens"]
}

#[test]
fn overhead_compares_all_modes() {
    let folder = Folder::new();
    let run = folder.run("bench overhead --limit 3 --repeat 1 --concurrency 2 --json figures");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout.matches("identical").count(), 3 + MECHANISMS.len(), "{}", run.stdout);
    let figures = figures(&folder, "figures");
    let modes = figures["modes"].as_array().unwrap();
    assert_eq!(modes.len(), 3 + MECHANISMS.len());
    for mode in modes {
        assert!(mode["is_identical"].as_bool().unwrap(), "{mode}");
        assert!(mode["seconds"]["median"].as_f64().unwrap() > 0.0, "{mode}");
        assert!(run.stdout.contains(mode["name"].as_str().unwrap()));
        let run = ["prefill", "decode", "infill_prefill", "infill_decode", "verify", "rescore"];
        let num_run: u64 = run.iter().map(|kind| tokens(mode)[kind].as_u64().unwrap()).sum();
        assert_eq!(mode["stats"]["num_rows"], num_run, "all rows are counted by kind: {mode}");
    }
    let num_rows = |mode: &Value| mode["stats"]["num_rows"].as_u64().unwrap();
    let [ar, jump, alone, ..] = &modes[..] else { panic!("{figures}") };
    assert!(num_rows(ar) < num_rows(jump) && num_rows(jump) < num_rows(alone), "{figures}");
    assert_eq!(tokens(alone)["reused"], 0, "nothing is shared");
}

#[test]
fn a_replay_costs_what_the_run_did() {
    let folder = Folder::new();
    let run = folder.run("generate --limit 4 --concurrency 1 --quiet --output out --trace trace");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let bench = "bench overhead --replay trace --repeat 1 --without none --json figures";
    for line in [bench.to_owned(), format!("{bench} --random-weights tiny")] {
        let run = folder.run(&line);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{line}");
        let figures = figures(&folder, "figures");
        let jump = &figures["modes"][1];
        let rounds = folder.json_lines("trace").into_iter().filter(|e| e["event"] == "round");
        let mut num_rounds = 0;
        let mut sums = [0; 8];
        let kinds = [
            "prefill",
            "decode",
            "infill_prefill",
            "infill_decode",
            "verify",
            "rescore",
            "reused",
            "wasted",
        ];
        for round in rounds {
            num_rounds += 1;
            for (sum, kind) in sums.iter_mut().zip(kinds) {
                *sum += tokens(&round)[kind].as_u64().unwrap();
            }
        }
        assert_eq!(jump["num_rounds"], num_rounds, "{line}");
        for (sum, kind) in sums.into_iter().zip(kinds) {
            assert_eq!(tokens(jump)[kind], sum, "{kind}, {line}");
        }
    }
}

#[test]
fn growth_measures_each_length() {
    let folder = Folder::new();
    let run = folder.run("bench growth --limit 2 --repeat 1 --lengths 5,40 --json figures");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let figures = figures(&folder, "figures");
    let points = figures.as_array().unwrap();
    let at = |point: usize, name: &str| points[point][name].as_f64().unwrap();
    assert_eq!((at(0, "num_lines"), at(1, "num_lines"), at(1, "num_rounds")), (5.0, 40.0, 20.0));
    let name = "tokens_per_round";
    assert!(at(1, name) < 1.3 * at(0, name), "a round costs its own tokens: {figures}");
    let name = "unshared_tokens_per_round";
    assert!(at(1, name) > 4.0 * at(0, name), "or else the whole program's: {figures}");
}

#[test]
fn what_cannot_be_measured_is_refused_at_once() {
    let folder = Folder::new();
    let run =
        folder.run("generate --limit 1 --mode filtered --quiet --output out --trace filtered");
    assert_eq!(run.code, 0, "{}", run.stderr);
    folder.write("text", "not a trace\n");
    folder.write("empty", "");
    let table = [
        ("overhead --without speed", &["--without: there is no mechanism \"speed\"", "dot-head"]),
        ("overhead --replay missing", &["can't read the trace missing", "No such file"]),
        ("overhead --replay text", &["text, line 1:", "is it a file that `generate --trace`"]),
        ("overhead --replay empty", &["empty has no finished program", ""]),
        ("overhead --replay filtered", &["recorded with --mode filtered", "--mode jump"]),
        ("overhead --json missing/figures", &["can't write the figures to missing", "No such"]),
        ("growth --kv-memory-mib 1", &["KV blocks", "--kv-memory-mib"]),
    ];
    for (line, parts) in table {
        folder.refused(&format!("bench {line}"), 2, parts);
    }
    let run = folder.run("bench overhead --random-weights tiny");
    assert!(run.code == 2 && run.stderr.contains("--replay"), "{}", run.stderr);
    let run = folder.run("bench overhead --replay filtered --random-weights gpt");
    assert!(run.code == 2 && run.stderr.contains("codellama-7b"), "{}", run.stderr);
}
