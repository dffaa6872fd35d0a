//! Files that are written: refused, continued, replaced, unwritable.

use super::folder::{Folder, examples};

const FAST: &str = "generate --quiet --input in --mode ar --max-lines 8";

#[test]
fn finished_files_are_not_overwritten() {
    let folder = Folder::with_input(&examples(1));
    let line = format!("{FAST} --output out --trace trace");
    assert_eq!(folder.run(&line).code, 0);
    let before = folder.read("out");
    folder.refused(
        &line,
        2,
        &["out exists: continue it with --resume, or replace it with --force"],
    );
    folder.refused(
        &format!("{FAST} --output new --trace trace"),
        2,
        &["can't write the trace trace: it exists", "--force"],
    );
    assert_eq!(folder.read("out"), before);
    assert!(!folder.path("new").exists());
    let run = folder.run(&format!("{line} --resume"));
    assert_eq!((run.code, &*run.stderr), (0, ""));
    assert_eq!(folder.read("out"), before, "nothing was left to do");
    folder.refused(
        &format!("{FAST} --output out --resume --k 3"),
        2,
        &["can't resume", "out: line 1 was made with other settings", "--force"],
    );
    assert_eq!(folder.read("out"), before);
    let run = folder.run(&format!("{line} --force --limit 2"));
    assert_eq!((run.code, folder.read("out").lines().count()), (0, 2));
    folder.write("out", "my notes\n");
    folder.refused(
        &format!("{FAST} --output out --resume"),
        2,
        &["can't resume", "out: line 1 was not written by jumpcoder"],
    );
    assert_eq!(folder.read("out"), "my notes\n");
}

#[test]
fn unwritable_files_are_found_at_once() {
    let folder = Folder::with_input(&examples(1));
    std::fs::create_dir(folder.path("folder")).unwrap();
    let table: [(&str, &[&str]); 6] = [
        ("--output missing/out", &["can't write missing/out: its folder doesn't exist: create it"]),
        ("--output folder", &["can't write folder: it is a folder: name a file in it"]),
        ("--output in", &["--input and --output are the same file"]),
        ("--output out --trace missing/trace", &["can't write the trace missing/trace", "create"]),
        ("--output out --trace folder", &["can't write the trace folder", "it is a folder"]),
        ("--output out --trace out", &["--output and --trace are the same file"]),
    ];
    for (more, parts) in table {
        folder.refused(&format!("{FAST} {more}"), 2, parts);
        assert!(!folder.path("out").exists(), "{more}: nothing was done");
    }
    assert_eq!(folder.read("in"), examples(1));
}

#[cfg(target_os = "linux")]
#[test]
fn full_disks_break_the_run_off() {
    let folder = Folder::with_input(&examples(1));
    let full = "No space left on device";
    folder.refused(
        &format!("{FAST} --output /dev/full"),
        3,
        &["can't write /dev/full", full, "what was finished before is in the output"],
    );
    // The programs don't suffer from a trace that nobody can write.
    let parts = ["can't write the trace /dev/full", full];
    folder.refused(&format!("{FAST} --output out --trace /dev/full"), 3, &parts);
    assert_eq!(folder.json_lines("out").len(), 8);
}

#[test]
fn limits_that_nobody_has_are_refused() {
    let folder = Folder::with_input(&examples(1));
    let table: [(&str, &[&str]); 3] = [
        ("--kv-memory-mib 1", &["KV blocks", "lower --k or --max-context", "--kv-memory-mib"]),
        ("--mode jump --k 18446744073709551615", &["KV blocks", "--k"]),
        ("--mode filtered --k 18446744073709551615", &["KV blocks", "--k"]),
    ];
    for (more, parts) in table {
        let line = format!("generate --quiet --input in --output out --max-lines 8 {more}");
        folder.refused(&line, 2, parts);
        assert!(!folder.path("out").exists(), "{more}: nothing was done");
    }
    let huge = "--concurrency 18446744073709551615 --prefill-chunk 18446744073709551615 \
                --max-lines 8 --max-line-tokens 18446744073709551615 \
                --max-context 18446744073709551615 --limit 18446744073709551615 --seed \
                 18446744073709551615 --tau -1e300";
    let run = folder.run(&format!("generate --quiet --input in --output out {huge}"));
    assert_eq!((run.code, &*run.stderr), (0, ""));
}

#[test]
fn small_contexts_end_programs_not_runs() {
    let folder = Folder::with_input(&examples(1));
    for context in [1, 2, 60, 100] {
        let line = format!("generate --quiet --input in --output out{context} --max-context");
        let run = folder.run(&format!("{line} {context}"));
        let num_failed = run.stderr.matches("the prompt has").count();
        assert_eq!(run.code, i32::from(num_failed > 0), "{context}: {run:?}");
        assert_eq!(folder.json_lines(&format!("out{context}")).len(), 8);
        assert!(context > 2 || num_failed == 8, "{context}: {run:?}");
    }
}
