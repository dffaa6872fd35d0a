//! [`F32x16`] as an array: what remains where nothing better is known.
//!
//! Each operation treats the special cases as the x86 instructions do, so that the levels agree on
//! them too.

#![expect(clippy::inline_always, reason = "the array lives in registers only once inlined")]

use std::array::from_fn;

use half::f16;

use super::{F32x16, Lanes, NUM_LANES};

#[derive(Clone, Copy)]
pub(super) struct Portable(Lanes);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, join: impl Fn(f32, f32) -> f32) -> Self {
        Self(from_fn(|i| join(self.0[i], other.0[i])))
    }
}

impl F32x16 for Portable {
    const NUM_REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; NUM_LANES])
    }

    #[inline(always)]
    fn load(from: &Lanes) -> Self {
        Self(*from)
    }

    #[inline(always)]
    fn store(self, to: &mut Lanes) {
        *to = self.0;
    }

    #[inline(always)]
    fn from_low_halves(words: &[u32; NUM_LANES]) -> Self {
        Self(words.map(|word| f32::from_bits(word << 16)))
    }

    #[inline(always)]
    fn from_high_halves(words: &[u32; NUM_LANES]) -> Self {
        Self(words.map(|word| f32::from_bits(word & 0xffff_0000)))
    }

    #[inline(always)]
    fn from_bits_of(words: &[u32; NUM_LANES], shift: u32, mask: u32) -> Self {
        Self(words.map(|word| (word >> shift & mask) as f32))
    }

    #[inline(always)]
    fn from_halves(halves: &[f16; NUM_LANES]) -> Self {
        Self(halves.map(f16::to_f32))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(from_fn(|i| self.0[i].mul_add(factor.0[i], addend.0[i])))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn zero_below(self, decider: Self, limit: Self) -> Self {
        Self(from_fn(|i| if decider.0[i] >= limit.0[i] { self.0[i] } else { 0.0 }))
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        Self(self.0.map(|x| f32::from_bits((x.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))))
    }
}
