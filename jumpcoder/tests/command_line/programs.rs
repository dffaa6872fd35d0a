//! Good runs: what is written, where, and that nothing but what should matters changes it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::folder::{Folder, examples, json_lines, programs};

/// The programs of the embedded examples, in the order of the examples.
pub fn example_programs(folder: &Folder, more: &str) -> Vec<String> {
    let run = folder.run(&format!("generate --quiet --output programs --force {more}"));
    assert_eq!((run.code, &*run.stderr), (0, ""), "{more}");
    programs(&folder.json_lines("programs"))
}

#[test]
fn without_arguments_examples_are_solved() {
    let folder = Folder::new();
    let run = folder.run("generate");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("8/8 (100 %)"), "{}", run.stderr);
    assert!(run.stderr.contains("8 programs"), "{}", run.stderr);
    let lines = json_lines(&run.stdout);
    assert_eq!(lines.len(), 8);
    let mut num_imports = 0;
    for line in &lines {
        let program = line["solution"].as_str().unwrap();
        let insertions = line["insertions"].as_array().unwrap();
        for insertion in insertions {
            for text in insertion["lines"].as_array().unwrap() {
                let text = text.as_str().unwrap();
                assert!(program.contains(text), "{program} should have {text}");
                num_imports += usize::from(text.contains("import"));
            }
            let by = insertion["by"].as_str().unwrap();
            assert!(["ast", "score"].contains(&by), "{insertion}");
        }
        for field in ["rounds", "seconds", "settings", "problem"] {
            assert!(line.get(field).is_some(), "{line} lacks {field}");
        }
        assert!(line["tokens"]["reused"].as_u64().unwrap() > 0, "{line}");
    }
    assert!(num_imports >= 2, "the examples are chosen to need imports: {}", run.stdout);
}

#[test]
fn modes_are_what_they_say() {
    let folder = Folder::with_input(&examples(1));
    let mut found: Vec<Vec<Value>> = Vec::new();
    for mode in ["ar", "jump", "filtered"] {
        let run = folder.run(&format!("generate --input in --output {mode} --mode {mode}"));
        assert_eq!(run.code, 0, "{mode}: {}", run.stderr);
        found.push(folder.json_lines(mode));
    }
    let [plain, jumped, filtered] = found.try_into().unwrap();
    for ((plain, jumped), filtered) in plain.iter().zip(&jumped).zip(&filtered) {
        assert_eq!(plain["insertions"].as_array().unwrap().len(), 0, "{plain}");
        let (prompt_kept, solution) = (plain.get("completion"), &plain["solution"]);
        assert!(prompt_kept.is_some(), "ar leaves the prompt alone: {plain}");
        assert!(plain.get("kept_ar").is_none() && jumped.get("kept_ar").is_none());
        let kept_ar = filtered["kept_ar"].as_bool().unwrap();
        let expected = if kept_ar { solution } else { &jumped["solution"] };
        assert_eq!(&filtered["solution"], expected);
    }
    assert_ne!(plain[0]["settings"], jumped[0]["settings"]);
}

#[test]
fn samples_do_not_depend_on_what_runs_beside_them() {
    let folder = Folder::with_input(&examples(1));
    let sampled = "--input in --limit 4 --samples 3 --temperature 0.8 --seed 1";
    let alone = example_programs(&folder, &format!("{sampled} --concurrency 1 --threads 1"));
    let together = example_programs(&folder, &format!("{sampled} --concurrency 8"));
    assert_eq!(alone.len(), 12);
    assert_eq!(alone, together);
    let lines = folder.json_lines("programs");
    let samples: Vec<_> = lines[..4].iter().map(|line| line["sample"].as_u64().unwrap()).collect();
    assert_eq!(samples, [0, 1, 2, 0]);
    let differ = alone.chunks(3).filter(|samples| samples[0] != samples[1]).count();
    assert!(differ > 0, "at this temperature some samples differ");
    let other_seed = example_programs(&folder, &sampled.replace("--seed 1", "--seed 2"));
    assert_ne!(alone, other_seed);
}

#[test]
fn input_comes_from_files_pipes_and_gzip() {
    let text = examples(1);
    let folder = Folder::with_input(&text);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    folder.write("in.gz", encoder.finish().unwrap());
    let fast = "--mode ar --max-lines 8";
    let from_file = example_programs(&folder, &format!("--input in {fast}"));
    assert_eq!(example_programs(&folder, &format!("--input in.gz {fast}")), from_file);
    let line = format!("generate --quiet --concurrency 1 --input - {fast}");
    let run = folder.run_with_stdin(&line, &text);
    assert_eq!((run.code, &*run.stderr), (0, ""));
    assert_eq!(programs(&json_lines(&run.stdout)), from_file);
    let run = folder.run_with_stdin(&format!("{line} --limit 2 --output -"), &text);
    assert_eq!(programs(&json_lines(&run.stdout)), from_file[..2]);
}

#[test]
fn trace_tells_every_decision() {
    let folder = Folder::with_input(&examples(1));
    // Scores judge imports too, so that there are deltas.
    let run = folder.run("generate --input in --output out --trace trace --no-ast-judge");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let (lines, events) = (folder.json_lines("out"), folder.json_lines("trace"));
    let of = |kind: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["event"] == kind).collect()
    };
    let (rounds, finished) = (of("round"), of("finished"));
    assert_eq!((of("started").len(), finished.len()), (8, 8));
    let num_rounds: u64 = lines.iter().map(|line| line["rounds"].as_u64().unwrap()).sum();
    assert_eq!(rounds.len() as u64, num_rounds);
    for event in &rounds {
        for field in ["task_id", "sample", "round", "num_lines", "next_line", "ended", "change"] {
            assert!(event.get(field).is_some(), "{event} lacks {field}");
        }
        assert!(event["seconds"].as_f64().unwrap() >= 0.0);
        for field in ["prefill", "decode", "infill_prefill", "infill_decode", "rescore", "reused"] {
            assert!(event["tokens"][field].is_u64(), "{event} lacks tokens.{field}");
        }
    }
    let list = |field: &str| {
        let values = rounds.iter().flat_map(|event| event[field].as_array().unwrap());
        values.cloned().collect::<Vec<Value>>()
    };
    assert!(list("positions").iter().all(|position| position["score"].is_number()));
    assert!(list("infills").iter().all(|infill| infill["text"].is_string()));
    let candidates = list("candidates");
    assert!(candidates.iter().all(|candidate| candidate["accepted"].is_boolean()));
    assert!(candidates.iter().any(|candidate| !candidate["deltas"].as_array().unwrap().is_empty()));
    let num_insertions = rounds.iter().filter(|event| event["change"] == "insert").count();
    let in_output = lines.iter().map(|line| line["insertions"].as_array().unwrap().len());
    assert_eq!(num_insertions, in_output.sum::<usize>());
    for event in finished {
        let line = lines.iter().find(|line| line["task_id"] == event["task_id"]).unwrap();
        assert_eq!(line["solution"], event["program"]);
    }
}

#[test]
fn watching_is_plain_where_nobody_looks() {
    let folder = Folder::new();
    let run = folder.run("generate --watch");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stdout.contains('\x1b'), "{}", run.stdout);
    assert_eq!(run.stdout.lines().filter(|line| line.starts_with("=== ")).count(), 8);
    assert!(run.stdout.contains("\n+import ") || run.stdout.contains("\n+from "), "{}", run.stdout);
    assert!(run.stdout.contains("@@ the whole program @@"));
}

#[test]
fn help_and_completions_are_there() {
    let folder = Folder::new();
    let table = [
        ("--help", "Write programs for problems"),
        ("generate --help", "Exit codes:"),
        ("generate -h", "--infilling-model"),
        ("--version", "jumpcoder "),
        ("completions bash", "_jumpcoder"),
        ("completions zsh", "#compdef jumpcoder"),
        ("completions fish", "complete -c jumpcoder"),
    ];
    for (line, expected) in table {
        let run = folder.run(line);
        assert_eq!((run.code, &*run.stderr), (0, ""), "{line}");
        assert!(run.stdout.contains(expected), "{line}: {}", run.stdout);
    }
    for line in ["", "generate --tau x", "generate --nonsense", "completions x"] {
        let run = folder.run(line);
        assert_eq!((run.code, &*run.stdout), (2, ""), "{line}");
        assert!(!run.stderr.is_empty());
    }
}
