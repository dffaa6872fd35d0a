//! A file of lines that a killed run leaves whole, but for its last line, and that a later run can
//! go on with.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;

use super::{Existing, OutputError, unwritable};

/// A crash of the machine (not of the program) loses at most what was written for so long.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// The lines of a file that stand, as (line, slot); or the line that shows that it is not ours to
/// continue, and why.
pub(crate) type Kept = Result<Vec<(usize, usize)>, (usize, String)>;

/// The file, locked while it is open.
#[derive(Debug)]
pub(crate) struct LineFile {
    file: File,
    path: PathBuf,
    existing: Existing,
    /// Was it made by us, so that it may go if nothing comes of it?
    is_new: bool,
    last_sync: Instant,
}

impl LineFile {
    /// Opens it, and changes nothing in it yet.
    ///
    /// # Errors
    ///
    /// If the file can't be written, or is there and `existing` is [`Existing::Refuse`].
    pub(crate) fn open(path: &Path, existing: Existing) -> Result<Self, OutputError> {
        let open =
            |is_new| OpenOptions::new().read(true).append(true).create_new(is_new).open(path);
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
        let own = Self { file, path, existing, is_new, last_sync: Instant::now() };
        if existing == Existing::Refuse && !own.is_empty()? {
            return Err(OutputError::Exists { path: own.path.display().to_string() });
        }
        Ok(own)
    }

    /// Leaves only the lines that `choose` keeps, if any are to be kept; returns their slots. A
    /// piece of a line at the end, which must begin like `line_start`, isn't shown to `choose`.
    pub(crate) fn begin(
        &mut self,
        line_start: &str,
        choose: impl FnOnce(&[Vec<u8>]) -> Kept,
    ) -> Result<Vec<usize>, OutputError> {
        if self.existing != Existing::Resume {
            self.file.set_len(0).map_err(|error| unwritable(&self.path, &error))?;
            return Ok(Vec::new());
        }
        let mut lines = self.lines()?;
        let has_piece = lines.pop_if(|line| is_piece(line, line_start)).is_some();
        let kept = choose(&lines).map_err(|(idx, reason)| {
            let path = self.path.display().to_string();
            OutputError::Foreign { path, line: idx + 1, reason }
        })?;
        let is_whole = lines.iter().all(|line| line.ends_with(b"\n"));
        if kept.len() < lines.len() || has_piece || !is_whole {
            self.replace(kept.iter().map(|(idx, _)| lines[*idx].as_slice()))?;
        }
        Ok(kept.into_iter().map(|(_, slot)| slot).collect())
    }

    /// Adds a line, in one write.
    pub(crate) fn write(&mut self, line: &[u8]) -> Result<(), OutputError> {
        self.file.write_all(line).map_err(|error| unwritable(&self.path, &error))?;
        if self.last_sync.elapsed() < SYNC_INTERVAL {
            return Ok(());
        }
        self.last_sync = Instant::now();
        self.file.sync_data().map_err(|error| unwritable(&self.path, &error))
    }

    /// Puts the lines into the order of their slots, which are given in the order of the lines.
    pub(crate) fn sort(&mut self, written: &[usize]) -> Result<(), OutputError> {
        if written.is_sorted() {
            return Ok(());
        }
        let lines = self.lines()?;
        let mut sorted: Vec<_> = written.iter().zip(&lines).collect();
        sorted.sort_by_key(|(slot, _)| **slot);
        self.replace(sorted.into_iter().map(|(_, line)| line.as_slice()))
    }

    /// Sees to it that the lines are on the disk.
    pub(crate) fn sync(&self) -> Result<(), OutputError> {
        self.file.sync_all().map_err(|error| unwritable(&self.path, &error))
    }

    fn is_empty(&self) -> Result<bool, OutputError> {
        let metadata = self.file.metadata().map_err(|error| unwritable(&self.path, &error))?;
        Ok(metadata.len() == 0)
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
impl Drop for LineFile {
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

/// Only the last line can lack its end, and only what begins like ours may be thrown away.
fn is_piece(line: &[u8], line_start: &str) -> bool {
    let start = line_start.as_bytes();
    let is_ours = line.starts_with(start) || start.starts_with(line);
    is_ours && !line.ends_with(b"\n") && serde_json::from_slice::<IgnoredAny>(line).is_err()
}
