//! Everything that happens in a run, as JSON, one event a line: for whoever wants to know why an
//! insertion was made or refused, or where the tokens went.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use thiserror::Error;

use crate::event::Round;
use crate::output::{Existing, reason};
use crate::settings::Settings;
use crate::task::{Insertion, Observer, Solution, Task, TaskError};

/// The trace can't be written.
#[derive(Debug, Error)]
#[error("can't write the trace {path}: {reason}")]
pub struct TraceError {
    path: String,
    reason: String,
}

/// The first line of a run's trace.
#[derive(Serialize)]
#[serde(rename = "run", tag = "event")]
struct Header<'a> {
    model: &'a str,
    settings: &'a Settings,
}

/// One more line of the trace.
#[derive(Serialize)]
struct Line<'a> {
    task_id: &'a str,
    sample: usize,
    #[serde(flatten)]
    event: Event<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Event<'a> {
    Started { language: &'a str, stop: &'a [String], lines: &'a [String] },
    Round(&'a Round),
    Finished(Finish<'a>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Finish<'a> {
    Solution { program: &'a str, insertions: &'a [Insertion], num_rounds: usize, seconds: f64 },
    Error { error: String },
}

/// Writes the trace of `tasks`. A failure is kept for [`Trace::end`]: a program need not suffer
/// from a trace that can't be written.
#[derive(Debug)]
pub struct Trace {
    writer: BufWriter<File>,
    path: String,
    tasks: Vec<Task>,
    failure: Option<io::Error>,
}

impl Trace {
    /// Opens the file; a run that resumes goes on in it.
    ///
    /// # Errors
    ///
    /// If it can't be opened, or is there and is neither to be resumed nor replaced.
    pub fn open(path: &Path, existing: Existing) -> Result<Self, TraceError> {
        let name = path.display().to_string();
        let failed = |reason: String| TraceError { path: name.clone(), reason };
        let is_used =
            path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0);
        if is_used && existing == Existing::Refuse {
            let reason = "it exists: replace it with --force, or name another file";
            return Err(failed(reason.to_owned()));
        }
        let mut options = OpenOptions::new();
        match existing {
            Existing::Resume => options.append(true).create(true),
            Existing::Refuse | Existing::Replace => options.write(true).create(true).truncate(true),
        };
        let file = options.open(path).map_err(|error| failed(reason(&error)))?;
        Ok(Self { writer: BufWriter::new(file), path: name, tasks: Vec::new(), failure: None })
    }

    /// Says what runs, and which tasks the observer will hear of.
    pub fn begin(&mut self, model: &str, settings: &Settings, tasks: &[Task]) {
        self.tasks = tasks.to_vec();
        self.write_line(&Header { model, settings });
    }

    /// Tells whether everything was written.
    ///
    /// # Errors
    ///
    /// The first failure.
    pub fn end(mut self) -> Result<(), TraceError> {
        let outcome = self.failure.take().map_or_else(|| self.writer.flush(), Err);
        outcome.map_err(|error| TraceError { path: self.path, reason: error.to_string() })
    }

    fn write(&mut self, task: usize, event: Event) {
        let Task { id, sample, .. } = self.tasks[task].clone();
        self.write_line(&Line { task_id: &id, sample, event });
    }

    fn write_line(&mut self, line: &impl Serialize) {
        if self.failure.is_some() {
            return;
        }
        let outcome = serde_json::to_writer(&mut self.writer, line)
            .map_err(io::Error::from)
            .and_then(|()| self.writer.write_all(b"\n"));
        self.failure = outcome.err();
    }
}

impl Observer for Trace {
    fn started(&mut self, task: usize, lines: &[String]) {
        let Task { language, stop, .. } = self.tasks[task].clone();
        self.write(task, Event::Started { language: &language, stop: &stop, lines });
    }

    fn round(&mut self, task: usize, round: &Round) {
        self.write(task, Event::Round(round));
    }

    /// Flushes too, so that a killed run leaves the traces of its finished programs.
    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        let finish = match result {
            Ok(solution) => Finish::Solution {
                program: &solution.program,
                insertions: &solution.insertions,
                num_rounds: solution.num_rounds,
                seconds: solution.seconds,
            },
            Err(error) => Finish::Error { error: error.to_string() },
        };
        self.write(task, Event::Finished(finish));
        if self.failure.is_none() {
            self.failure = self.writer.flush().err();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::event::{Change, Decoded, Judge, TokenCounts};

    fn task(id: &str) -> Task {
        Task {
            id: id.to_owned(),
            sample: 1,
            prompt: "a\n".to_owned(),
            language: "python".to_owned(),
            stop: Vec::new(),
        }
    }

    fn round() -> Round {
        Round {
            round: 0,
            num_lines: 1,
            positions: Vec::new(),
            infills: Vec::new(),
            next_line: "b\n".to_owned(),
            decoded: Decoded::default(),
            ended: false,
            candidates: Vec::new(),
            change: Change::Insert {
                position: 0,
                lines: vec!["import a\n".to_owned()],
                num_dropped: 0,
                by: Judge::Ast,
            },
            tokens: TokenCounts::default(),
            seconds: 0.5,
        }
    }

    #[test]
    fn one_event_a_line() {
        let path = std::env::temp_dir().join(format!("jumpcoder-trace-{}", std::process::id()));
        let mut trace = Trace::open(&path, Existing::Replace).unwrap();
        trace.begin("tiny", &Settings::default(), &[task("x"), task("y")]);
        trace.started(0, &["a\n".to_owned()]);
        trace.round(0, &round());
        trace.finished(1, &Err(TaskError::EmptyPrompt));
        trace.end().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [header, started, round, finished] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&header["event"], &header["model"]), (&json!("run"), &json!("tiny")));
        assert_eq!(header["settings"]["score"], "logit");
        assert_eq!((&started["task_id"], &started["sample"]), (&json!("x"), &json!(1)));
        assert_eq!((&started["lines"], &started["stop"]), (&json!(["a\n"]), &json!([])));
        assert_eq!((&round["event"], &round["change"]), (&json!("round"), &json!("insert")));
        assert_eq!(round["by"], "ast");
        assert_eq!(finished["task_id"], "y");
        assert!(finished["error"].as_str().unwrap().contains("the prompt is empty"));
        let error = Trace::open(&path, Existing::Refuse).unwrap_err().to_string();
        assert!(error.contains("it exists"), "{error}");
        let mut resumed = Trace::open(&path, Existing::Resume).unwrap();
        resumed.begin("tiny", &Settings::default(), &[task("z")]);
        resumed.started(0, &[]);
        resumed.end().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 6);
        std::fs::remove_file(&path).unwrap();
    }
}
