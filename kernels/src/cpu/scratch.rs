//! Memory for the middle of an operation: made when first needed, then kept and reused.

use std::sync::{Mutex, PoisonError};

use super::floats::Floats;
use super::line::F32Line;

/// Working memory of one part of an operation.
pub struct Scratch {
    floats: Floats,
    /// Weights and ids to sort, of [`sample`](super::sample).
    pub order: Vec<u64>,
    lines: Vec<F32Line>,
}

impl Scratch {
    /// `len` floats with anything in them. Grows to the next power of two, never shrinks.
    pub fn floats(&mut self, len: usize) -> &mut [f32] {
        self.floats_and_order(len).0
    }

    /// `len` lines with anything in them.
    pub fn lines(&mut self, len: usize) -> &mut [F32Line] {
        if self.lines.len() < len {
            self.lines.resize(len, F32Line::default());
        }
        &mut self.lines[..len]
    }

    /// Both kinds at once.
    pub fn floats_and_order(&mut self, len: usize) -> (&mut [f32], &mut Vec<u64>) {
        if self.floats.len() < len {
            self.floats = Floats::zeroed(len.next_power_of_two());
        }
        (&mut self.floats[..len], &mut self.order)
    }
}

/// The scratches that no part uses at the moment; there are never more than parts at once.
#[derive(Default)]
pub struct ScratchPool {
    idle: Mutex<Vec<Scratch>>,
}

impl ScratchPool {
    /// Lends a scratch to `run`.
    pub fn with<R>(&self, run: impl FnOnce(&mut Scratch) -> R) -> R {
        let idle = self.lock().pop();
        let mut scratch = idle.unwrap_or_else(|| Scratch {
            floats: Floats::zeroed(0),
            order: Vec::new(),
            lines: Vec::new(),
        });
        let result = run(&mut scratch);
        self.lock().push(scratch);
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        // A list of buffers without contents is whole at every moment, a panic changes nothing.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
