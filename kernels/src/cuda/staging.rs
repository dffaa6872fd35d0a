//! What a pass tells the device, packed into one upload.
//!
//! A section's place depends only on the padded lengths before it, so passes of one size have their
//! sections at the same addresses, as a recorded graph needs it.

use bytemuck::Pod;

use crate::runtime::{Buffer, DeviceError, DevicePtr, SharedRuntime};

/// Sections begin at multiples of this.
const ALIGNMENT: usize = 16;

/// Room on the host and on the device.
pub struct Staging {
    bytes: Vec<u8>,
    buffer: Buffer,
}

impl Staging {
    /// Room for `num_bytes`.
    pub fn new(runtime: &SharedRuntime, num_bytes: usize) -> Result<Self, DeviceError> {
        let bytes = Vec::with_capacity(num_bytes);
        Ok(Self { bytes, buffer: Buffer::zeroed(runtime, num_bytes)? })
    }

    /// Bytes that a section takes.
    pub const fn section_bytes<T>(len: usize) -> usize {
        (len * size_of::<T>()).next_multiple_of(ALIGNMENT)
    }

    /// Forgets all sections.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Appends `values`, then `filler` up to `padded_len`; gives the section's place on the device.
    pub fn push<T: Pod>(&mut self, values: &[T], padded_len: usize, filler: T) -> DevicePtr {
        assert!(values.len() <= padded_len, "{} values padded to {padded_len}", values.len());
        let start = self.bytes.len();
        let end = start + Self::section_bytes::<T>(padded_len);
        assert!(end <= self.buffer.num_bytes(), "staging of {end} bytes");
        self.bytes.extend_from_slice(bytemuck::cast_slice(values));
        for _ in values.len()..padded_len {
            self.bytes.extend_from_slice(bytemuck::bytes_of(&filler));
        }
        self.bytes.resize(end, 0);
        self.buffer.ptr().offset(start)
    }

    /// Brings all sections to the device.
    pub fn upload(&self) -> Result<(), DeviceError> {
        self.buffer.write(0, &self.bytes)
    }
}
