//! Arrays of f32 that begin at a cache line: no vector of an aligned row straddles two lines.

use std::ops::{Deref, DerefMut, Range};

/// Bytes of a cache line, and of the widest vector.
const LINE_BYTES: usize = 64;

/// An aligned array of a fixed length.
pub struct Floats {
    /// A little more than is asked for. A type that is aligned to a line would align by itself, but
    /// the allocator then clears by hand what fresh memory already is, and touches all of it.
    room: Vec<f32>,
    aligned: Range<usize>,
}

impl Floats {
    /// `len` zeros. Memory that is never written is never touched, so room for many blocks is
    /// cheap.
    pub fn zeroed(len: usize) -> Self {
        let room = vec![0.0; len + LINE_BYTES / size_of::<f32>()];
        let start = room.as_ptr().align_offset(LINE_BYTES);
        // `align_offset` may decline; an unaligned array is slower, not wrong.
        let start = if start <= room.len() - len { start } else { 0 };
        Self { room, aligned: start..start + len }
    }
}

impl Deref for Floats {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.room[self.aligned.clone()]
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.room[self.aligned.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_begin_at_a_line() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut floats = Floats::zeroed(len);
            assert_eq!(*floats, vec![0.0; len]);
            assert_eq!(floats.as_ptr().align_offset(LINE_BYTES), 0);
            floats.fill(1.0);
        }
    }
}
