//! A temporary folder on the disk, that goes with all that is in it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that only this user can look into.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty one.
    ///
    /// # Errors
    ///
    /// If the system's temporary folder can't be written.
    pub fn new() -> io::Result<Self> {
        static NUM_FOLDERS: AtomicUsize = AtomicUsize::new(0);
        loop {
            let idx = NUM_FOLDERS.fetch_add(1, Ordering::Relaxed);
            let name = format!("jumpcoder-eval-{}-{idx}", std::process::id());
            let path = std::env::temp_dir().canonicalize()?.join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                // An earlier process of this id was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed is left to the system's own cleaning.
        let _ = fs::remove_dir_all(&self.0);
    }
}
