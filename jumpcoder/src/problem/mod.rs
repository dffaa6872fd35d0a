//! The problems of a run, read from JSONL before any work begins.
//!
//! Two kinds of trouble are kept apart. What makes the whole input doubtful (no such file, a cut
//! gzip stream, an id that occurs twice) is an [`InputError`] and ends the run before it begins. A
//! line that is no problem spoils only itself: it becomes a [`Problem`] whose content is an error,
//! and gets its line of output like any other, so that a benchmark of 164 problems isn't lost to
//! one of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use thiserror::Error;

use crate::task::{Task, TaskError};

pub(crate) mod layout;
mod mbpp;
#[cfg(test)]
mod tests;

const EXAMPLES: &str = include_str!("../examples.jsonl");
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const UTF8_BOM: &[u8] = &[0xef, 0xbb, 0xbf];
const UTF16_BOMS: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];

/// Where problems come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The ones that are compiled in.
    Examples,
    /// Standard input.
    Stdin,
    /// A file, compressed with gzip or not.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Examples => f.write_str("the embedded examples"),
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A text to go on from, and when to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemText {
    /// The text to go on from.
    pub prompt: String,
    /// The programming language, lower case.
    pub language: String,
    /// See [`Task::stop`].
    pub stop: Vec<String>,
}

/// A line of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The id it gives; "line 17" if it gives none that can be read.
    pub id: String,
    /// Its text, or [`TaskError::Unreadable`].
    pub content: Result<ProblemText, TaskError>,
}

/// A place, as "line 17", and what stands there, or why it can't be read.
pub(crate) type PlacedValue = (String, Result<Value, String>);

/// Why there is nothing to work on.
#[derive(Debug, Error)]
pub enum InputError {
    /// The file is not there, is a folder, or may not be read.
    #[error("can't read the problems from {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// The gzip stream ends early or is damaged.
    #[error("{path} is compressed with gzip, but damaged or cut off ({reason}): fetch it again")]
    Gzip {
        /// The file.
        path: String,
        /// What the decoder says.
        reason: String,
    },
    /// Windows' tools like to write this.
    #[error("{path} is UTF-16 text: convert it to UTF-8")]
    Utf16 {
        /// The file.
        path: String,
    },
    /// It begins with `[`, but isn't one JSON array.
    #[error("{path} begins like a JSON array, but isn't a whole one: {reason}")]
    Array {
        /// The file.
        path: String,
        /// What the parser says, with line and column.
        reason: String,
    },
    /// There are no problems.
    #[error("{path} holds no problem: give one JSON object a line, with an id and a prompt")]
    Empty {
        /// The file.
        path: String,
    },
    /// Ids name the lines of the output, so they must differ.
    #[error("{path}: {first} and {second} have the same id {id:?}: rename or remove one")]
    Duplicate {
        /// The file.
        path: String,
        /// Where the id occurs first, as "line 3".
        first: String,
        /// Where it occurs again.
        second: String,
        /// The id.
        id: String,
    },
}

/// Reads all problems of `source`.
///
/// # Errors
///
/// [`InputError`] if the input as a whole is of no use. Single bad lines are not errors.
pub fn read(source: &Source) -> Result<Vec<Problem>, InputError> {
    let name = source.to_string();
    parse(&source_bytes(source, &name)?, &name)
}

/// The JSON values of `source` with their places, as "line 17"; or why one can't be read.
///
/// # Errors
///
/// [`InputError`] if the input as a whole is of no use.
pub(crate) fn read_values(source: &Source) -> Result<Vec<PlacedValue>, InputError> {
    let name = source.to_string();
    values(&source_bytes(source, &name)?, &name)
}

fn source_bytes(source: &Source, name: &str) -> Result<Cow<'static, [u8]>, InputError> {
    Ok(match source {
        Source::Examples => EXAMPLES.as_bytes().into(),
        Source::Stdin => read_all(io::stdin().lock(), name)?.into(),
        Source::File(path) => read_file(path, name)?.into(),
    })
}

/// The tasks of every readable problem among the first `limit`, problem by problem.
pub fn tasks(problems: &[Problem], samples: usize, limit: Option<usize>) -> Vec<Task> {
    problems
        .iter()
        .take(limit.unwrap_or(usize::MAX))
        .filter_map(|problem| Some((problem, problem.content.as_ref().ok()?)))
        .flat_map(|(problem, text)| (0..samples).map(|sample| task(&problem.id, text, sample)))
        .collect()
}

fn task(id: &str, text: &ProblemText, sample: usize) -> Task {
    Task {
        id: id.to_owned(),
        sample,
        prompt: text.prompt.clone(),
        language: text.language.clone(),
        stop: text.stop.clone(),
    }
}

fn read_file(path: &Path, name: &str) -> Result<Vec<u8>, InputError> {
    let unreadable = |reason: String| InputError::Unreadable { path: name.to_owned(), reason };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    // Opening a folder succeeds on Unix; only reading it would fail, with a less helpful text.
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(unreadable("it is a folder: name a file in it".to_owned()));
    }
    read_all(file, name)
}

fn read_all(mut reader: impl Read, name: &str) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| InputError::Unreadable {
        path: name.to_owned(),
        reason: error.to_string(),
    })?;
    if !bytes.starts_with(GZIP_MAGIC) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes.as_slice())
        .read_to_end(&mut text)
        .map_err(|error| InputError::Gzip { path: name.to_owned(), reason: error.to_string() })?;
    Ok(text)
}

/// Parses the whole, unpacked input. `name` is what errors call it.
fn parse(bytes: &[u8], name: &str) -> Result<Vec<Problem>, InputError> {
    let places: Vec<_> = values(bytes, name)?
        .into_iter()
        .map(|(place, value)| {
            let problem = problem(value, &place, name);
            (place, problem)
        })
        .collect();
    check_ids(&places, name)?;
    Ok(places.into_iter().map(|(_, problem)| problem).collect())
}

/// The values of the whole, unpacked input.
fn values(bytes: &[u8], name: &str) -> Result<Vec<PlacedValue>, InputError> {
    if UTF16_BOMS.iter().any(|bom| bytes.starts_with(bom)) {
        return Err(InputError::Utf16 { path: name.to_owned() });
    }
    let bytes = bytes.strip_prefix(UTF8_BOM).unwrap_or(bytes);
    let values = if bytes.trim_ascii_start().starts_with(b"[") {
        parse_array(bytes, name)?
    } else {
        parse_lines(bytes)
    };
    if values.is_empty() {
        return Err(InputError::Empty { path: name.to_owned() });
    }
    Ok(values)
}

/// Every line that isn't blank.
fn parse_lines(bytes: &[u8]) -> Vec<PlacedValue> {
    bytes
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(idx, line)| {
            let value = std::str::from_utf8(line)
                .map_err(|error| {
                    format!("invalid UTF-8 after byte {}: save it as UTF-8", error.valid_up_to())
                })
                .and_then(|text| serde_json::from_str(text).map_err(|error| malformed(&error)));
            (format!("line {}", idx + 1), value)
        })
        .collect()
}

fn parse_array(bytes: &[u8], name: &str) -> Result<Vec<PlacedValue>, InputError> {
    let values: Vec<Value> = serde_json::from_slice(bytes)
        .map_err(|error| InputError::Array { path: name.to_owned(), reason: error.to_string() })?;
    let numbered = values.into_iter().enumerate();
    Ok(numbered.map(|(idx, value)| (format!("item {}", idx + 1), Ok(value))).collect())
}

/// The parser counts lines too, but it only ever sees one of them.
fn malformed(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    format!("malformed JSON at column {}: {reason}", error.column())
}

fn problem(value: Result<Value, String>, place: &str, name: &str) -> Problem {
    let (id, content) = match value {
        Ok(value) => layout::read(&value),
        Err(reason) => (None, Err(reason)),
    };
    Problem {
        id: id.unwrap_or_else(|| place.to_owned()),
        content: content
            .map_err(|reason| TaskError::Unreadable(format!("{name}, {place}: {reason}"))),
    }
}

fn check_ids(places: &[(String, Problem)], name: &str) -> Result<(), InputError> {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for (place, problem) in places {
        if let Some(first) = seen.insert(&problem.id, place) {
            return Err(InputError::Duplicate {
                path: name.to_owned(),
                first: first.to_owned(),
                second: place.clone(),
                id: problem.id.clone(),
            });
        }
    }
    Ok(())
}
