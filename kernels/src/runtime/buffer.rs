//! Memory of a device that is given back when it is dropped.

use bytemuck::Pod;

use super::{DeviceError, DevicePtr, SharedRuntime};

/// Bytes of a device.
pub struct Buffer {
    runtime: SharedRuntime,
    ptr: DevicePtr,
    num_bytes: usize,
}

impl Buffer {
    /// `num_bytes` zeros.
    ///
    /// # Errors
    ///
    /// The device has no such memory.
    pub fn zeroed(runtime: &SharedRuntime, num_bytes: usize) -> Result<Self, DeviceError> {
        // A device gives no empty memory, and a kernel wants no null pointer.
        let num_bytes = num_bytes.max(1);
        let ptr = runtime.allocate(num_bytes)?;
        let buffer = Self { runtime: runtime.clone(), ptr, num_bytes };
        // SAFETY: it was just allocated with this size.
        unsafe { runtime.clear(ptr, num_bytes)? };
        Ok(buffer)
    }

    /// A copy of `values`.
    ///
    /// # Errors
    ///
    /// The device has no such memory.
    pub fn of<T: Pod>(runtime: &SharedRuntime, values: &[T]) -> Result<Self, DeviceError> {
        let buffer = Self::zeroed(runtime, size_of_val(values))?;
        buffer.write(0, values)?;
        Ok(buffer)
    }

    /// Where it begins.
    pub fn ptr(&self) -> DevicePtr {
        self.ptr
    }

    /// Its size.
    pub fn num_bytes(&self) -> usize {
        self.num_bytes
    }

    /// Overwrites what begins `start_bytes` in.
    ///
    /// # Errors
    ///
    /// The device failed.
    pub fn write<T: Pod>(&self, start_bytes: usize, values: &[T]) -> Result<(), DeviceError> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        assert!(start_bytes + bytes.len() <= self.num_bytes, "a write beyond the buffer");
        // SAFETY: the range lies in this buffer.
        unsafe { self.runtime.upload(self.ptr.offset(start_bytes), bytes) }
    }

    /// Reads `num` values that begin `start_bytes` in.
    ///
    /// # Errors
    ///
    /// The device failed.
    pub fn read<T: Pod>(&self, start_bytes: usize, num: usize) -> Result<Vec<T>, DeviceError> {
        let mut values = vec![T::zeroed(); num];
        self.read_into(start_bytes, &mut values)?;
        Ok(values)
    }

    /// Reads into `values` what begins `start_bytes` in.
    ///
    /// # Errors
    ///
    /// The device failed.
    pub fn read_into<T: Pod>(
        &self,
        start_bytes: usize,
        values: &mut [T],
    ) -> Result<(), DeviceError> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
        assert!(start_bytes + bytes.len() <= self.num_bytes, "a read beyond the buffer");
        // SAFETY: the range lies in this buffer.
        unsafe { self.runtime.download(self.ptr.offset(start_bytes), bytes) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.runtime.free(self.ptr);
    }
}
