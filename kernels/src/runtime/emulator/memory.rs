//! Who holds what of the emulator's memory.

use std::collections::BTreeMap;

use super::super::{DeviceError, DevicePtr};
use super::ffi;

/// The device's memory with its allocations.
pub struct Memory {
    bytes: ffi::Memory,
    /// Sizes by address.
    allocations: BTreeMap<u64, usize>,
    used_bytes: usize,
}

impl Memory {
    /// What may be allocated at one time.
    pub const TOTAL_BYTES: usize = 2 << 30;

    /// Memory that nobody holds.
    pub fn new(is_strict: bool) -> Result<Self, DeviceError> {
        let bytes = ffi::Memory::new(is_strict).ok_or_else(|| DeviceError::Missing {
            what: "room for the emulator's memory".to_owned(),
            looked_for: "256 GiB of addresses, several times that for the strict one, of which \
                         little is used; is there a limit to this process's addresses (ulimit -v)?"
                .to_owned(),
        })?;
        Ok(Self { bytes, allocations: BTreeMap::new(), used_bytes: 0 })
    }

    /// What nobody holds.
    pub fn free_bytes(&self) -> usize {
        Self::TOTAL_BYTES - self.used_bytes
    }

    /// Poisoned bytes.
    pub fn allocate(&mut self, num_bytes: usize) -> Result<DevicePtr, DeviceError> {
        assert!(num_bytes > 0, "an allocation of no bytes");
        let free_bytes = self.free_bytes();
        let has_room = num_bytes <= free_bytes;
        let at = has_room.then(|| self.bytes.allocate(num_bytes)).flatten().ok_or_else(|| {
            let needed_mib = num_bytes.div_ceil(1 << 20);
            DeviceError::OutOfMemory { needed_mib, free_mib: free_bytes >> 20 }
        })?;
        let address = at.as_ptr() as u64;
        self.allocations.insert(address, num_bytes);
        self.used_bytes += num_bytes;
        Ok(DevicePtr(address))
    }

    /// Gives back an allocation.
    pub fn free(&mut self, ptr: DevicePtr) {
        let num_bytes = self.allocations.remove(&ptr.0).expect("what is freed was allocated");
        self.used_bytes -= num_bytes;
        // SAFETY: it was allocated with this size, and the table no longer has it.
        unsafe { self.bytes.free(ptr.0 as *mut u8, num_bytes) };
    }

    /// Copies to the device.
    pub fn upload(&mut self, to: DevicePtr, bytes: &[u8]) {
        let to = self.range(to, bytes.len());
        // SAFETY: an allocation holds the range, and nobody else has a Rust reference to it.
        unsafe { self.bytes.upload(to, bytes) };
    }

    /// Copies from the device.
    pub fn download(&mut self, from: DevicePtr, bytes: &mut [u8]) {
        let from = self.range(from, bytes.len());
        // SAFETY: likewise.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Zeroes bytes.
    pub fn clear(&mut self, to: DevicePtr, num_bytes: usize) {
        let to = self.range(to, num_bytes);
        // SAFETY: likewise.
        unsafe { self.bytes.clear(to, num_bytes) };
    }

    /// For launches, which must end before the memory does.
    pub fn for_launches(&self) -> ffi::MemoryRef {
        self.bytes.for_launches()
    }

    /// A range inside of one allocation.
    fn range(&self, ptr: DevicePtr, num_bytes: usize) -> *mut u8 {
        let below = self.allocations.range(..=ptr.0).next_back();
        let is_inside = below.is_some_and(|(address, allocated)| {
            ptr.0 + num_bytes as u64 <= address + *allocated as u64
        });
        assert!(is_inside, "{num_bytes} bytes at {:#x} aren't in an allocation", ptr.0);
        ptr.0 as *mut u8
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let is_all_free = self.allocations.is_empty() || std::thread::panicking();
        assert!(is_all_free, "{} allocations were never freed", self.allocations.len());
    }
}
