//! Runs that are killed or interrupted lose nothing, and go on where they were.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::folder::{Folder, examples, wait};

/// Programs in flight are what a killed run may lose: two.
const ARGS: [&str; 9] =
    ["generate", "--quiet", "--input", "in", "--output", "out", "--concurrency", "2", "--resume"];

/// What must be the same, however often a run was begun: not what neighbours in the run have a part
/// in, the time and the tokens that tasks of the same prompt could share.
fn without_cost(mut lines: Vec<Value>) -> Vec<Value> {
    for line in &mut lines {
        for cost in ["seconds", "tokens"] {
            line.as_object_mut().unwrap().remove(cost).expect("every line has its cost");
        }
    }
    lines
}

fn num_lines(folder: &Folder) -> usize {
    let bytes = std::fs::read(folder.path("out")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).matches('\n').count()
}

/// Runs until `num_lines` lines are there, then sends `signal`. Gives the exit code, or `None` if
/// the signal ended it.
fn run_until(folder: &Folder, at_lines: usize, signal: &str) -> Option<i32> {
    let mut child = folder.spawn(&ARGS, Stdio::null());
    while num_lines(folder) < at_lines && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    // Where the run has ended meanwhile, nobody hears it.
    let kill = format!("kill -{signal} {}", child.id());
    std::process::Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status().unwrap();
    wait(child).code()
}

/// A run that `signal` ends after so many lines, in the middle: a run that was faster than the
/// signal is tried again with more problems.
fn interrupted(at_lines: usize, signal: &str, code: Option<i32>) -> Folder {
    let mut copies = 5;
    loop {
        let folder = Folder::with_input(&examples(copies));
        if run_until(&folder, at_lines, signal) == code {
            assert!(num_lines(&folder) >= at_lines);
            return folder;
        }
        assert!(copies < 100, "{signal} is never heard");
        copies *= 2;
    }
}

/// Resumes until all is there, and compares with a run that nobody disturbed.
fn check_resumed(folder: &Folder) {
    let before = folder.read("out");
    let whole_lines: Vec<_> = before.split_inclusive('\n').filter(|l| l.ends_with('\n')).collect();
    assert_eq!(folder.run(&ARGS.join(" ")).code, 0, "{}", folder.read("stderr"));
    let resumed = folder.read("out");
    for line in whole_lines {
        assert!(resumed.contains(line), "what was finished stays: {line}");
    }
    let resumed = folder.json_lines("out");
    let line = "generate --quiet --input in --output undisturbed";
    assert_eq!(folder.run(line).code, 0);
    let undisturbed = folder.json_lines("undisturbed");
    assert_eq!(without_cost(resumed), without_cost(undisturbed));
}

#[test]
fn killed_and_resumed() {
    let folder = interrupted(3, "KILL", None);
    // Once more, in the middle of the run that resumes; if that is too late, all is there.
    run_until(&folder, 12, "KILL");
    check_resumed(&folder);
}

#[test]
fn interrupted_and_resumed() {
    for signal in ["INT", "TERM"] {
        let folder = interrupted(2, signal, Some(130));
        folder.json_lines("out");
        let stderr = folder.read("stderr");
        let expected = ["stopping after this step", "jumpcoder: interrupted after", "--resume"];
        assert!(expected.iter().all(|part| stderr.contains(part)), "{stderr}");
        if signal == "INT" {
            check_resumed(&folder);
        }
    }
}

#[test]
fn closed_pipes_end_a_run_quietly() {
    let folder = Folder::new();
    let binary = env!("CARGO_BIN_EXE_jumpcoder");
    for more in ["", "--watch"] {
        let script =
            format!("'{binary}' generate --quiet {more} | head -n 1; echo ${{PIPESTATUS[0]}}");
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .current_dir(folder.path(""))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.ends_with("\n0\n"), "{more}: {text}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{more}");
    }
}
