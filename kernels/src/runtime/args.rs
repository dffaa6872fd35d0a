//! The arguments of a launch, as `cuLaunchKernel` takes them: an array of pointers to values.

use std::ffi::c_void;

use bytemuck::Pod;

use super::TensorMap;

/// Room for a parameter; aligned as a tensor map has to be.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Slot([u8; Args::MAX_BYTES]);

/// Copies of a kernel's parameters, in order.
#[derive(Clone, Default)]
pub struct Args {
    slots: Vec<Slot>,
    sizes: Vec<usize>,
    pointers: Vec<*mut c_void>,
}

// SAFETY: the pointers point to its own slots, and are made anew before anybody gets them.
unsafe impl Send for Args {}

impl Args {
    /// Bytes of a parameter at most.
    pub const MAX_BYTES: usize = 192;

    /// The arguments of a kernel that takes one struct.
    pub fn one<T: Pod>(params: &T) -> Self {
        let mut args = Self::default();
        args.push(params);
        args
    }

    /// Appends a struct.
    pub fn push<T: Pod>(&mut self, params: &T) {
        self.push_bytes(bytemuck::bytes_of(params));
    }

    /// Appends a tensor map.
    pub fn push_tensor_map(&mut self, map: &TensorMap) {
        self.push_bytes(bytemuck::cast_slice(&map.0));
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= Self::MAX_BYTES, "a parameter of {} bytes", bytes.len());
        let mut slot = Slot([0; Self::MAX_BYTES]);
        slot.0[..bytes.len()].copy_from_slice(bytes);
        self.slots.push(slot);
        self.sizes.push(bytes.len());
    }

    /// The size of each parameter.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// A pointer to each parameter; they are valid while `self` is neither moved nor changed.
    pub fn pointers(&mut self) -> &mut [*mut c_void] {
        self.pointers.clear();
        self.pointers
            .extend(self.slots.iter_mut().map(|slot| slot.0.as_mut_ptr().cast::<c_void>()));
        &mut self.pointers
    }
}
