//! Sessions over a stand-in for the engine.

use std::path::{Path, PathBuf};

use clap::Parser;
use jumpcoder::event::{Change, Decoded, Judge, TokenCounts};
use jumpcoder::problem::Source;
use jumpcoder::task::Insertion;
use serde_json::Value;

use super::super::args::{Command, LowArgs};
use super::super::plan::Surroundings;
use super::*;

const PROBLEMS: &str = concat!(
    "{\"id\": \"a\", \"prompt\": \"def a():\\n\"}\n",
    "nonsense\n",
    "{\"id\": \"c\", \"prompt\": \"def c():\\n\", \"stop\": [\"x\"]}\n",
    "{\"id\": \"empty\", \"prompt\": \"\"}\n",
    "{\"id\": \"e\", \"prompt\": \"def e():\\n\"}\n",
);

/// A folder with the problems, that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = format!("jumpcoder-session-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(path);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("in"), PROBLEMS).unwrap();
        Self(path)
    }

    fn args(&self, more: &str) -> HiArgs {
        let file = |name| self.0.join(name).display().to_string();
        let (input, output, trace) = (file("in"), file("out"), file("trace"));
        let files = ["--input", &input, "--output", &output, "--trace", &trace, "--quiet"];
        let words = ["jumpcoder", "generate"].into_iter().chain(files);
        let args = LowArgs::parse_from(words.chain(more.split_whitespace()));
        let Command::Generate(args) = args.command else { panic!("not generate") };
        let (is_stdout_terminal, is_stderr_terminal, wants_color) = (false, false, false);
        HiArgs::new(*args, Surroundings { is_stdout_terminal, is_stderr_terminal, wants_color })
            .unwrap()
    }

    fn run(
        &self,
        more: &str,
        generate: impl FnOnce(&[Task], &mut dyn Observer, &AtomicBool) -> Outcome,
    ) -> Result<Report, Failure> {
        let args = self.args(more);
        let (Some(Target::File(path)), Source::File(_)) = (&args.target, &args.source) else {
            panic!("files were named");
        };
        let problems = problem::read(&args.source)?;
        let output = Some(Output::file(path, args.existing).map_err(Failure::Output)?);
        let trace = args.trace.as_deref().map(|path| Trace::open(path, args.existing).unwrap());
        let stop = AtomicBool::new(false);
        Session { args: &args, problems: &problems, output, trace, stop: &stop }
            .run("model", generate)
    }

    fn ending(
        &self,
        more: &str,
        generate: impl FnOnce(&[Task], &mut dyn Observer, &AtomicBool) -> Outcome,
    ) -> Ending {
        self.run(more, generate).unwrap().ending
    }

    /// (id, sample, did it fail?) of every line of the output.
    fn lines(&self) -> Vec<(String, u64, bool)> {
        let line = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap();
            let id = value["task_id"].as_str().unwrap().to_owned();
            (id, value["sample"].as_u64().unwrap_or(0), value.get("error").is_some())
        };
        std::fs::read_to_string(self.0.join("out")).unwrap().lines().map(line).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn round() -> Round {
    Round {
        round: 0,
        num_lines: 1,
        positions: Vec::new(),
        infills: Vec::new(),
        next_line: String::new(),
        decoded: Decoded::default(),
        ended: false,
        candidates: Vec::new(),
        change: Change::Append { line: "  pass\n".to_owned() },
        tokens: TokenCounts::default(),
        seconds: 0.0,
    }
}

fn solve(task: &Task) -> Result<Solution, TaskError> {
    if task.prompt.is_empty() {
        return Err(TaskError::EmptyPrompt);
    }
    let lines = vec!["import a\n".to_owned()];
    Ok(Solution {
        program: format!("import a\n{}  pass  # {}\n", task.prompt, task.sample),
        completion: None,
        insertions: vec![Insertion { round: 0, position: 0, lines, by: Judge::Ast, gain: 0.0 }],
        num_rounds: 1,
        tokens: TokenCounts::default(),
        kept_ar: None,
        seconds: 0.0,
    })
}

/// Solves all tasks, the last first; stops after `limit`.
fn backwards(limit: usize) -> impl FnOnce(&[Task], &mut dyn Observer, &AtomicBool) -> Outcome {
    move |tasks, observer, stop| {
        for (idx, task) in tasks.iter().enumerate().rev().take(limit) {
            observer.started(idx, std::slice::from_ref(&task.prompt));
            observer.round(idx, &round());
            observer.finished(idx, &solve(task));
        }
        stop.fetch_or(limit < tasks.len(), Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn output_is_in_the_order_of_the_input() {
    let folder = Folder::new("order");
    assert_eq!(folder.ending("", backwards(9)), Ending::SomeFailed);
    let line = |id: &str, failed| (id.to_owned(), 0, failed);
    let expected = [
        line("a", false),
        line("line 2", true),
        line("c", false),
        line("empty", true),
        line("e", false),
    ];
    assert_eq!(folder.lines(), expected);
    assert_eq!(folder.ending("--force --limit 1", backwards(9)), Ending::Success);
    assert_eq!(folder.lines(), expected[..1]);
    let trace = std::fs::read_to_string(folder.0.join("trace")).unwrap();
    assert_eq!(trace.lines().count(), 4, "the run, then started, round, finished of one task");
}

#[test]
fn interrupted_and_resumed() {
    let folder = Folder::new("resume");
    let more = "--samples 2 --temperature 1";
    assert_eq!(folder.ending(more, backwards(9)), Ending::SomeFailed);
    let whole = std::fs::read(folder.0.join("out")).unwrap();
    assert_eq!(folder.lines().len(), 9, "two samples of each, but for the line that is no problem");
    let forced = format!("{more} --force");
    for limit in 0..8 {
        let report = folder.run(&forced, backwards(limit)).unwrap();
        assert_eq!(report.ending, Ending::Interrupted);
        let last = report.messages.last().unwrap();
        assert!(last.contains(&format!("interrupted after {} of 9 programs", limit + 1)), "{last}");
        assert!(last.contains("go on with --resume"), "{last}");
        let resumed = format!("{more} --resume");
        assert_eq!(folder.ending(&resumed, backwards(9)), Ending::SomeFailed);
        assert_eq!(std::fs::read(folder.0.join("out")).unwrap(), whole, "after {limit}");
    }
}

#[test]
fn resume_takes_the_same_run_only() {
    let folder = Folder::new("refuse");
    folder.run("", backwards(9)).unwrap();
    let before = std::fs::read(folder.0.join("out")).unwrap();
    let table = [
        ("", "exists: continue it with --resume, or replace it with --force"),
        ("--resume --k 4", "with other settings or another model"),
        ("--resume --stop y", "from another prompt of a"),
        ("--resume --limit 1", "holds c (sample 0)"),
    ];
    for (more, expected) in table {
        let failure = folder.run(more, backwards(9)).unwrap_err();
        assert_eq!(failure.ending(), Ending::Refused);
        let text = failure.message().unwrap();
        assert!(text.contains(expected), "{text} should say {expected}");
    }
    assert_eq!(std::fs::read(folder.0.join("out")).unwrap(), before);
}

#[test]
fn finished_programs_survive_a_breakdown() {
    let folder = Folder::new("broken");
    let failure = folder
        .run("", |tasks, observer, _| {
            observer.finished(1, &solve(&tasks[1]));
            Err(GeneratorError::NoInfilling { model: "m".to_owned() })
        })
        .unwrap_err();
    assert_eq!(failure.ending(), Ending::Broken);
    assert!(failure.message().unwrap().contains("what was finished before is in the output"));
    let ids: Vec<_> = folder.lines().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, ["line 2", "c"]);
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_stops_the_run() {
    let folder = Folder::new("full");
    let args = folder.args("");
    let problems = problem::read(&args.source).unwrap();
    let output = Some(Output::file(Path::new("/dev/full"), args.existing).unwrap());
    let stop = AtomicBool::new(false);
    let session =
        Session { args: &args, problems: &problems[..1], output, trace: None, stop: &stop };
    let failure = session.run("model", backwards(9)).unwrap_err();
    assert!(stop.load(Ordering::SeqCst));
    assert_eq!(failure.ending(), Ending::Broken);
    assert!(failure.message().unwrap().starts_with("can't write /dev/full: No space left"));
}
