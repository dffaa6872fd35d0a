//! What is written, and what a resumed run makes of it.

use std::path::PathBuf;

use super::*;
use crate::event::{Judge, TokenCounts};
use crate::task::Insertion;

const SETTINGS: &str = "0123";

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = format!("jumpcoder-output-{name}-{}", std::process::id());
        // In memory where there is such a place: thousands of files are synced.
        let base = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
        let path = base.into_iter().find(|base| base.is_dir()).unwrap().join(path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn slots() -> Vec<Slot> {
    let slot = |(id, sample): (&str, usize)| Slot {
        id: id.to_owned(),
        sample,
        prompt: format!("# {id}"),
        problem: digest([id]),
    };
    [("a/0", 0), ("a/0", 1), ("é\"1", 0), ("é\"1", 1)].map(slot).to_vec()
}

/// Whole lines of `bytes`.
fn num_lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

fn solution(slot: usize) -> Solution {
    let insertion = Insertion {
        round: 1,
        position: 0,
        lines: vec!["import ö\n".to_owned()],
        by: Judge::Score,
        gain: 0.5,
    };
    Solution {
        program: format!("import ö\nprogram {slot}\n"),
        completion: (slot == 1).then(|| "program".to_owned()),
        insertions: vec![insertion; slot % 2],
        num_rounds: 3,
        tokens: TokenCounts { decode: 7, ..TokenCounts::default() },
        kept_ar: None,
        seconds: 0.5,
    }
}

/// Finishes what is missing, in the order of `order`, up to `limit` lines.
fn run(path: &Path, existing: Existing, order: &[usize], limit: usize) -> usize {
    let mut output = Output::file(path, existing).unwrap();
    let finished = output.begin(slots(), SETTINGS.to_owned(), true).unwrap();
    let missing: Vec<_> = order.iter().filter(|slot| !finished[**slot]).take(limit).collect();
    for slot in &missing {
        output.write(**slot, &Ok(solution(**slot))).unwrap();
    }
    output.end().unwrap();
    missing.len()
}

#[test]
fn resumed_after_a_kill_at_any_byte_gives_the_same_file() {
    let folder = Folder::new("kill");
    let path = folder.file("out.jsonl");
    // Not sorted as long as a line is missing: that is what a killed run leaves.
    run(&path, Existing::Refuse, &[2, 0, 3, 1], 3);
    let unsorted = std::fs::read(&path).unwrap();
    run(&path, Existing::Resume, &[0, 1, 2, 3], 4);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(num_lines(&whole), 4);
    for start in [&unsorted, &whole] {
        for len in 0..=start.len() {
            std::fs::write(&path, &start[..len]).unwrap();
            let num_done = run(&path, Existing::Resume, &[3, 1, 0, 2], 4);
            assert_eq!(std::fs::read(&path).unwrap(), whole, "cut at byte {len}");
            let num_whole = num_lines(&start[..len]);
            assert!(num_done <= 4 - num_whole, "finished lines are not done again");
        }
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn failures_are_written_and_tried_again() {
    let folder = Folder::new("failures");
    let path = folder.file("out.jsonl");
    let mut output = Output::file(&path, Existing::Refuse).unwrap();
    output.begin(slots(), SETTINGS.to_owned(), true).unwrap();
    output.write(1, &Err(TaskError::EmptyPrompt)).unwrap();
    output.write(0, &Ok(solution(0))).unwrap();
    output.end().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["solution"], "# a/0", "readers of benchmarks want a solution");
    assert!(first["error"].as_str().unwrap().contains("the prompt is empty"));
    assert_eq!(run(&path, Existing::Resume, &[0, 1, 2, 3], 4), 3);
    assert!(!std::fs::read_to_string(&path).unwrap().contains("error"));
}

#[test]
fn lines_hold_what_readers_want() {
    let slot = &slots()[0];
    let line = |slot: &Slot, several, result: &_| -> serde_json::Value {
        serde_json::from_slice(&Record::new(slot, several, SETTINGS, result).to_line()).unwrap()
    };
    let value = line(slot, false, &Ok(solution(1)));
    assert_eq!(value["task_id"], "a/0");
    assert_eq!(value["solution"], "import ö\nprogram 1\n");
    assert_eq!(value["completion"], "program");
    assert_eq!(value["insertions"][0]["by"], "score");
    assert_eq!((&value["rounds"], &value["tokens"]["decode"]), (&3.into(), &7.into()));
    for absent in ["sample", "error", "kept_ar"] {
        assert!(value.get(absent).is_none(), "{absent}");
    }
    let value = line(&slots()[1], true, &Ok(solution(0)));
    assert_eq!(value["sample"], 1);
    assert!(value.get("completion").is_none());
}

#[test]
fn foreign_files_are_left_alone() {
    let folder = Folder::new("foreign");
    let path = folder.file("out.jsonl");
    run(&path, Existing::Refuse, &[0, 1], 4);
    let ours = std::fs::read_to_string(&path).unwrap();
    let table = [
        ("notes".to_owned(), "line 1 was not written by jumpcoder"),
        ("{\"task_id\": \"a/0\", \"completion\": \"\"}\n".to_owned(), "line 1 was not written"),
        (ours.replacen('\n', "\nx\n", 1), "line 2 was not written by jumpcoder"),
        (ours.replace(SETTINGS, "9999"), "line 1 was made with other settings or another model"),
        (ours.replace("a/0", "a/9"), "line 1 holds a/9 (sample 0)"),
        (ours.replace(&digest(["a/0"]), "77"), "line 1 was made from another prompt of a/0"),
        (format!("{ours}{ours}"), "line 3 repeats a/0 of line 1"),
    ];
    for (text, expected) in table {
        std::fs::write(&path, &text).unwrap();
        let mut output = Output::file(&path, Existing::Resume).unwrap();
        let error = output.begin(slots(), SETTINGS.to_owned(), true).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
        drop(output);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "the file is untouched");
    }
}

#[test]
fn unwritable_output_is_found_at_once() {
    let folder = Folder::new("unwritable");
    let used = folder.file("used");
    std::fs::write(&used, "x").unwrap();
    let table = [
        (folder.file("missing/out"), "its folder doesn't exist: create it"),
        (folder.0.clone(), "it is a folder: name a file in it"),
        (used.join("out"), "Not a directory"),
        (used.clone(), "exists: continue it with --resume, or replace it with --force"),
    ];
    for (path, expected) in table {
        let error = Output::file(&path, Existing::Refuse).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
        assert!(error.contains(path.to_str().unwrap()), "{error} should name the file");
    }
    let first = Output::file(&used, Existing::Resume).unwrap();
    let error = Output::file(&used, Existing::Resume).unwrap_err().to_string();
    assert!(error.contains("is being written by another run"), "{error}");
    drop(first);
    assert_eq!(std::fs::read(&used).unwrap(), b"x", "opening changes nothing");
}

#[test]
fn replaces_only_when_it_begins() {
    let folder = Folder::new("replace");
    let path = folder.file("out.jsonl");
    std::fs::write(&path, "old").unwrap();
    drop(Output::file(&path, Existing::Replace).unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(run(&path, Existing::Replace, &[0, 1, 2, 3], 4), 4);
    let new = folder.file("new.jsonl");
    drop(Output::file(&new, Existing::Refuse).unwrap());
    assert!(!new.exists(), "a run that ends before it begins leaves no file");
}

#[cfg(unix)]
#[test]
fn links_stay_and_devices_work() {
    let folder = Folder::new("links");
    let (target, link) = (folder.file("target"), folder.file("link"));
    std::fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert_eq!(run(&link, Existing::Refuse, &[1, 0, 3, 2], 4), 4);
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(&target).unwrap().lines().count(), 4);
    assert_eq!(run(Path::new("/dev/null"), Existing::Refuse, &[0, 1, 2, 3], 4), 4);
    let full = Path::new("/dev/full");
    if full.exists() {
        let mut output = Output::file(full, Existing::Refuse).unwrap();
        output.begin(slots(), SETTINGS.to_owned(), true).unwrap();
        let error = output.write(0, &Ok(solution(0))).unwrap_err().to_string();
        assert!(error.contains("can't write /dev/full"), "{error}");
    }
}

#[test]
fn digests_are_stable_and_keep_parts_apart() {
    assert_eq!(digest([]), "cbf29ce484222325");
    assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
}
