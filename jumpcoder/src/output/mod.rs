//! The programs, as JSONL: one whole line for each finished sample of each problem.
//!
//! A file is written so that a killed run loses nothing that was finished. A line goes out in one
//! write as soon as its program is finished, so at most the last line can be cut. A run that
//! resumes drops that piece, and the failures, and writes what is missing. Only when all is there
//! the lines are put into the order of the input, in a second file that then takes the first one's
//! place. So a run that was interrupted gives the file that an uninterrupted one gives.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::task::{Solution, TaskError};

mod line_file;
mod record;
mod resume;
#[cfg(test)]
mod tests;

pub(crate) use line_file::{Kept, LineFile};
pub use record::Slot;
use record::{LINE_START, Record};

/// What to do with an output file that is there and not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone.
    Refuse,
    /// Keep what is finished in it.
    Resume,
    /// Write it anew.
    Replace,
}

/// Why the output can't be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The reader of the pipe has gone: nobody wants the rest.
    #[error("the output was closed")]
    Closed,
    /// It can't be created, read or written.
    #[error("can't write {path}: {reason}")]
    Unwritable {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// It is there already.
    #[error("{path} exists: continue it with --resume, or replace it with --force")]
    Exists {
        /// The file.
        path: String,
    },
    /// Another process writes it.
    #[error("{path} is being written by another run: wait for its end, or name another file")]
    Locked {
        /// The file.
        path: String,
    },
    /// It was not written by this program, or not by a run like this one.
    #[error(
        "can't resume {path}: line {line} {reason}; name another file, or replace it with \
             --force"
    )]
    Foreign {
        /// The file.
        path: String,
        /// Counts from 1.
        line: usize,
        /// What is the matter with it.
        reason: String,
    },
}

/// Where the lines go. Between [`Output::file`] and [`Output::begin`] nothing is changed, so that
/// a run that fails early has done no harm.
#[derive(Debug)]
pub struct Output {
    sink: Sink,
    slots: Vec<Slot>,
    settings: String,
    several_samples: bool,
    /// The slot of every line that is written, in the order of the file.
    written: Vec<usize>,
    /// For every slot: is it among them?
    is_written: Vec<bool>,
}

#[derive(Debug)]
enum Sink {
    Stdout,
    /// A pipe or a device: it can be written, but neither resumed nor sorted.
    Stream(File, PathBuf),
    File(LineFile),
}

impl Output {
    /// Lines go to standard output, in the order in which they are finished.
    pub fn stdout() -> Self {
        Self::new(Sink::Stdout)
    }

    /// Lines go to a file.
    ///
    /// # Errors
    ///
    /// If the file can't be written, or is there and `existing` is [`Existing::Refuse`].
    pub fn file(path: &Path, existing: Existing) -> Result<Self, OutputError> {
        let is_special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
        if is_special {
            let stream = OpenOptions::new().write(true).open(path);
            let stream = stream.map_err(|error| unwritable(path, &error))?;
            return Ok(Self::new(Sink::Stream(stream, path.to_owned())));
        }
        Ok(Self::new(Sink::File(LineFile::open(path, existing)?)))
    }

    fn new(sink: Sink) -> Self {
        Self {
            sink,
            slots: Vec::new(),
            settings: String::new(),
            several_samples: false,
            written: Vec::new(),
            is_written: Vec::new(),
        }
    }

    /// Says what will be written: `slots` in the order of the input, `settings` as the digest of
    /// what influences results. Returns which of the slots are finished already.
    ///
    /// # Errors
    ///
    /// If the file is to be resumed, but is not of this program and these settings and problems.
    pub fn begin(
        &mut self,
        slots: Vec<Slot>,
        settings: String,
        several_samples: bool,
    ) -> Result<Vec<bool>, OutputError> {
        (self.slots, self.settings, self.several_samples) = (slots, settings, several_samples);
        if let Sink::File(own) = &mut self.sink {
            let (slots, settings) = (&self.slots, &self.settings);
            self.written =
                own.begin(LINE_START, |lines| resume::finished(lines, slots, settings))?;
        }
        self.is_written = vec![false; self.slots.len()];
        for slot in &self.written {
            self.is_written[*slot] = true;
        }
        Ok(self.is_written.clone())
    }

    /// Writes the line of a slot.
    ///
    /// # Errors
    ///
    /// [`OutputError::Closed`] or [`OutputError::Unwritable`].
    pub fn write(
        &mut self,
        slot: usize,
        result: &Result<Solution, TaskError>,
    ) -> Result<(), OutputError> {
        assert!(!self.is_written[slot], "a slot is written once");
        let place = &self.slots[slot];
        let line = Record::new(place, self.several_samples, &self.settings, result).to_line();
        let (outcome, path) = match &mut self.sink {
            Sink::Stdout => {
                let mut stdout = io::stdout().lock();
                let outcome = stdout.write_all(&line).and_then(|()| stdout.flush());
                (outcome, Path::new("standard output"))
            }
            Sink::Stream(stream, path) => (stream.write_all(&line), path.as_path()),
            Sink::File(own) => {
                own.write(&line)?;
                (Ok(()), Path::new(""))
            }
        };
        outcome.map_err(|error| unwritable(path, &error))?;
        self.written.push(slot);
        self.is_written[slot] = true;
        Ok(())
    }

    /// Ends a run: if nothing is missing, a file is put into the order of the input.
    ///
    /// # Errors
    ///
    /// [`OutputError::Unwritable`]; the lines are in the file all the same.
    pub fn end(mut self) -> Result<(), OutputError> {
        let Sink::File(own) = &mut self.sink else { return Ok(()) };
        if self.written.len() == self.slots.len() {
            own.sort(&self.written)?;
        }
        own.sync()
    }
}

fn unwritable(path: &Path, error: &io::Error) -> OutputError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return OutputError::Closed;
    }
    OutputError::Unwritable { path: path.display().to_string(), reason: reason(error) }
}

/// Why a file can't be written, and what to do where that is known.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "its folder doesn't exist: create it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder: name a file in it".to_owned(),
        _ => error.to_string(),
    }
}

/// 16 hexadecimal digits (FNV-1a) that differ where the parts do. They guard against mistakes, not
/// against malice, and must stay the same from one build to the next.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    // 0xff occurs in no UTF-8 text, so ["ab", "c"] and ["a", "bc"] differ.
    for byte in parts.into_iter().flat_map(|part| part.bytes().chain([0xff])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}
