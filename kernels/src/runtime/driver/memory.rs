//! Memory of the device, and the copies to and from it.
//!
//! The driver copies asynchronously only from memory that is pinned, so every copy goes through
//! pinned buffers, which are made at the start.
//!
//! An upload must not wait, and its bytes must stay where they are until the device has read them.
//! So uploads are laid one after the other into their buffer. The buffer is begun anew when the
//! stream has been waited for, as then nothing that lies in it is still to be read; each step of
//! the engine waits when it downloads its results, and what it uploads is small. Only what doesn't
//! fit, as weights, makes an upload wait.

use std::ffi::c_void;
use std::ptr::copy_nonoverlapping;

use super::super::{DeviceError, DevicePtr};
use super::calls::{self, Failed};
use super::platform::Session;

/// Bytes of the buffer for uploads: above what a step needs by far, and enough for the copies of
/// weights to run at the speed of the bus.
const UPLOAD_BYTES: usize = 16 << 20;
const DOWNLOAD_BYTES: usize = 4 << 20;

const MIB: usize = 1 << 20;

/// The pinned buffers.
pub struct Staging {
    uploads: Pinned,
    downloads: Pinned,
    /// Bytes of `uploads` that the device may still have to read.
    num_staged: usize,
}

/// Memory of the host that the device reads and writes.
struct Pinned {
    ptr: *mut u8,
    num_bytes: usize,
}

// SAFETY: it is ordinary memory that nothing else points to.
unsafe impl Send for Pinned {}

impl Pinned {
    fn new(session: &Session, num_bytes: usize) -> Result<Self, DeviceError> {
        let mut ptr: *mut c_void = std::ptr::null_mut();
        // SAFETY: it writes a pointer to so many bytes.
        unsafe { session.calls().allocate_pinned(&raw mut ptr, num_bytes, 0)? };
        Ok(Self { ptr: ptr.cast(), num_bytes })
    }
}

impl Staging {
    pub fn new(session: &Session) -> Result<Self, DeviceError> {
        let uploads = Pinned::new(session, UPLOAD_BYTES)?;
        let downloads = match Pinned::new(session, DOWNLOAD_BYTES) {
            Ok(downloads) => downloads,
            Err(error) => {
                uploads.free(session);
                return Err(error);
            }
        };
        Ok(Self { uploads, downloads, num_staged: 0 })
    }

    /// Waits for the stream, after which nothing is staged.
    pub fn synchronize(&mut self, session: &Session) -> Result<(), DeviceError> {
        session.synchronize()?;
        self.num_staged = 0;
        Ok(())
    }

    /// Copies to the device; waits only if the bytes don't fit beside what is staged.
    ///
    /// # Safety
    ///
    /// `to` points to at least as many bytes of this device.
    pub unsafe fn upload(
        &mut self,
        session: &Session,
        mut to: DevicePtr,
        mut bytes: &[u8],
    ) -> Result<(), DeviceError> {
        while !bytes.is_empty() {
            if self.num_staged == self.uploads.num_bytes {
                self.synchronize(session)?;
            }
            let num_free = self.uploads.num_bytes - self.num_staged;
            let (piece, rest) = bytes.split_at(bytes.len().min(num_free));
            // SAFETY: the piece fits behind what is staged, and lies in other memory.
            let staged = unsafe {
                let staged = self.uploads.ptr.add(self.num_staged);
                copy_nonoverlapping(piece.as_ptr(), staged, piece.len());
                staged
            };
            // SAFETY: `to` is the caller's promise; the staged bytes stay until they were read.
            unsafe {
                session.calls().upload(to, staged.cast(), piece.len(), session.stream)?;
            }
            self.num_staged += piece.len();
            to = to.offset(piece.len());
            bytes = rest;
        }
        Ok(())
    }

    /// Waits for the stream and copies from the device.
    ///
    /// # Safety
    ///
    /// `from` points to at least as many bytes of this device.
    pub unsafe fn download(
        &mut self,
        session: &Session,
        mut from: DevicePtr,
        bytes: &mut [u8],
    ) -> Result<(), DeviceError> {
        for piece in bytes.chunks_mut(self.downloads.num_bytes) {
            let staged = self.downloads.ptr;
            // SAFETY: `from` is the caller's promise, and a piece isn't larger than the buffer.
            unsafe {
                session.calls().download(staged.cast(), from, piece.len(), session.stream)?;
            }
            self.synchronize(session)?;
            // SAFETY: so many bytes were just written there, in other memory.
            unsafe { copy_nonoverlapping(staged, piece.as_mut_ptr(), piece.len()) };
            from = from.offset(piece.len());
        }
        Ok(())
    }

    /// Gives the buffers back; the stream must have been waited for.
    pub fn free(&self, session: &Session) {
        self.uploads.free(session);
        self.downloads.free(session);
    }
}

impl Pinned {
    fn free(&self, session: &Session) {
        // SAFETY: nothing uses it any more. There is nobody to tell if it fails.
        let _ = unsafe { session.calls().free_pinned(self.ptr.cast()) };
    }
}

/// Bytes of the device.
pub fn allocate(session: &Session, num_bytes: usize) -> Result<DevicePtr, DeviceError> {
    let mut ptr = DevicePtr::NULL;
    // SAFETY: it writes an address.
    match unsafe { session.calls().allocate(&raw mut ptr, num_bytes) } {
        Ok(()) => Ok(ptr),
        Err(Failed { status: calls::OUT_OF_MEMORY, .. }) => Err(DeviceError::OutOfMemory {
            needed_mib: num_bytes.div_ceil(MIB),
            free_mib: session.memory()?.0 / MIB,
        }),
        Err(failed) => Err(failed.into()),
    }
}
