//! Arrays of f32 that begin at a cache line: no vector of an aligned row straddles two lines.

use std::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable};

use super::simd::NUM_LANES;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct CacheLine([f32; NUM_LANES]);

/// An aligned array of a fixed length.
pub struct Floats {
    lines: Vec<CacheLine>,
    len: usize,
}

impl Floats {
    /// `len` zeros. Memory that is never written is never touched, so room for many blocks is
    /// cheap.
    pub fn zeroed(len: usize) -> Self {
        Self { lines: bytemuck::zeroed_vec(len.div_ceil(NUM_LANES)), len }
    }
}

impl Deref for Floats {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}
