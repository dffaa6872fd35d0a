//! The programs, as JSONL: one whole line for each finished sample of each problem.
//!
//! A file is written so that a killed run loses nothing that was finished. A line goes out in one
//! write as soon as its program is finished, so at most the last line can be cut. A run that
//! resumes drops that piece, and the failures, and writes what is missing. Only when all is there
//! the lines are put into the order of the input, in a second file that then takes the first one's
//! place. So a run that was interrupted gives the file that an uninterrupted one gives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::task::{Solution, TaskError};

mod record;
mod resume;
#[cfg(test)]
mod tests;

use record::Record;
pub use record::Slot;

/// A crash of the machine (not of the program) loses at most what was written for so long.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

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
    last_sync: Instant,
}

#[derive(Debug)]
enum Sink {
    Stdout,
    /// A pipe or a device: it can be written, but neither resumed nor sorted.
    Stream(File, PathBuf),
    File(OwnFile),
}

#[derive(Debug)]
struct OwnFile {
    file: File,
    path: PathBuf,
    existing: Existing,
    /// Was it made by us, so that it may go if nothing comes of it?
    is_new: bool,
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
        let open =
            |is_new| OpenOptions::new().read(true).append(true).create_new(is_new).open(path);
        let is_special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
        if is_special {
            let stream = OpenOptions::new().write(true).open(path);
            let stream = stream.map_err(|error| unwritable(path, &error))?;
            return Ok(Self::new(Sink::Stream(stream, path.to_owned())));
        }
        let (file, is_new) = match open(true) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                (open(false).map_err(|error| unwritable(path, &error))?, false)
            }
            Err(error) => return Err(unwritable(path, &error)),
        };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(OutputError::Locked { path: path.display().to_string() });
        }
        // Through a symbolic link the file itself is replaced in the end, not the link.
        let path = path.canonicalize().map_err(|error| unwritable(path, &error))?;
        let own = OwnFile { file, path, existing, is_new };
        if existing == Existing::Refuse && !own.is_empty()? {
            return Err(OutputError::Exists { path: own.path.display().to_string() });
        }
        Ok(Self::new(Sink::File(own)))
    }

    fn new(sink: Sink) -> Self {
        Self {
            sink,
            slots: Vec::new(),
            settings: String::new(),
            several_samples: false,
            written: Vec::new(),
            is_written: Vec::new(),
            last_sync: Instant::now(),
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
            self.written = own.begin(&self.slots, &self.settings)?;
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
            Sink::File(own) => (own.file.write_all(&line), own.path.as_path()),
        };
        outcome.map_err(|error| unwritable(path, &error))?;
        self.written.push(slot);
        self.is_written[slot] = true;
        self.sync_now_and_then()
    }

    fn sync_now_and_then(&mut self) -> Result<(), OutputError> {
        let Sink::File(own) = &self.sink else { return Ok(()) };
        if self.last_sync.elapsed() < SYNC_INTERVAL {
            return Ok(());
        }
        self.last_sync = Instant::now();
        own.file.sync_data().map_err(|error| unwritable(&own.path, &error))
    }

    /// Ends a run: if nothing is missing, a file is put into the order of the input.
    ///
    /// # Errors
    ///
    /// [`OutputError::Unwritable`]; the lines are in the file all the same.
    pub fn end(mut self) -> Result<(), OutputError> {
        let Sink::File(own) = &mut self.sink else { return Ok(()) };
        if self.written.len() == self.slots.len() && !self.written.is_sorted() {
            let lines = own.lines()?;
            let mut sorted: Vec<_> = self.written.iter().zip(&lines).collect();
            sorted.sort_by_key(|(slot, _)| **slot);
            own.replace(sorted.into_iter().map(|(_, line)| line.as_slice()))?;
        }
        own.file.sync_all().map_err(|error| unwritable(&own.path, &error))
    }
}

impl OwnFile {
    fn is_empty(&self) -> Result<bool, OutputError> {
        let metadata = self.file.metadata().map_err(|error| unwritable(&self.path, &error))?;
        Ok(metadata.len() == 0)
    }

    /// Leaves only finished lines; returns their slots.
    fn begin(&mut self, slots: &[Slot], settings: &str) -> Result<Vec<usize>, OutputError> {
        if self.existing != Existing::Resume {
            self.file.set_len(0).map_err(|error| unwritable(&self.path, &error))?;
            return Ok(Vec::new());
        }
        let lines = self.lines()?;
        let kept = resume::finished(&lines, slots, settings).map_err(|(idx, reason)| {
            let path = self.path.display().to_string();
            OutputError::Foreign { path, line: idx + 1, reason }
        })?;
        let is_whole = lines.iter().all(|line| line.ends_with(b"\n"));
        if kept.len() < lines.len() || !is_whole {
            self.replace(kept.iter().map(|(idx, _)| lines[*idx].as_slice()))?;
        }
        Ok(kept.into_iter().map(|(_, slot)| slot).collect())
    }

    /// The lines with their ends; the last may have none.
    fn lines(&mut self) -> Result<Vec<Vec<u8>>, OutputError> {
        let mut bytes = Vec::new();
        let read = self.file.rewind().and_then(|()| self.file.read_to_end(&mut bytes));
        read.map_err(|error| unwritable(&self.path, &error))?;
        Ok(bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    }

    /// Gives the file other lines. Whoever looks, or is killed, finds the old file or the new one.
    fn replace<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]>) -> Result<(), OutputError> {
        let mut name = self.path.clone().into_os_string();
        name.push(".partial");
        let partial = PathBuf::from(name);
        self.file = write_beside(&self.file, &partial, &self.path, lines)
            .map_err(|error| unwritable(&partial, &error))?;
        Ok(())
    }
}

/// A file of our own making that stayed empty tells nothing, and would be in the next run's way.
impl Drop for OwnFile {
    fn drop(&mut self) {
        if self.is_new && self.is_empty().unwrap_or(false) {
            // Nobody is there to hear of a failure, and an empty file does little harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn write_beside<'a>(
    old: &File,
    partial: &Path,
    path: &Path,
    lines: impl Iterator<Item = &'a [u8]>,
) -> io::Result<File> {
    // Truncated by hand: opening for appending and truncating at once is not allowed.
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(partial)?;
    file.set_len(0)?;
    file.set_permissions(old.metadata()?.permissions())?;
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            bytes.push(b'\n');
        }
    }
    file.write_all(&bytes)?;
    file.sync_all()?;
    // Without locks on this file system there is nothing to hold.
    let _ = file.try_lock();
    std::fs::rename(partial, path)?;
    Ok(file)
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
