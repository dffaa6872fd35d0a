//! Random input, the same for the same name.

use half::bf16;

use crate::sampling::{mix_key, uniform};

/// A stream of random numbers.
pub struct Input {
    key: u64,
    num_drawn: u64,
}

impl Input {
    /// The stream of a name.
    pub fn new(name: &str) -> Self {
        let parts: Vec<u64> = name.bytes().map(u64::from).collect();
        Self { key: mix_key(&parts), num_drawn: 0 }
    }

    /// A number from [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.num_drawn += 1;
        uniform(mix_key(&[self.key, self.num_drawn]))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.uniform() * end as f64) as usize
    }

    /// Numbers from [-1, 1).
    pub fn floats(&mut self, num: usize) -> Vec<f32> {
        (0..num).map(|_| (self.uniform() * 2.0 - 1.0) as f32).collect()
    }

    /// The same in bfloat16.
    pub fn bf16s(&mut self, num: usize) -> Vec<bf16> {
        self.floats(num).into_iter().map(bf16::from_f32).collect()
    }
}
