//! Lines: the weights of some inputs for the sixteen outputs of half a panel, in one cache line
//! where they are short.
//!
//! Output `j` is in word `j`. With bfloat16, a word holds two inputs, the first in its low half;
//! with quants of 8 bits it holds four, with quants of 4 bits eight. So a shift, a mask and perhaps
//! a conversion make a vector.
//!
//! A tile of 32 inputs has as many lines as it takes: with bfloat16 sixteen, and the inputs of a
//! line are `i` and `i + 16`, as the tile unit wants it; with 8 bits eight, and a line has `i`,
//! `i + 8`, `i + 16` and `i + 24`. Thus vectors take the inputs in order: first the first ones of
//! all lines, then the second ones, and so on.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use half::bf16;

use super::matrix::TILE_INPUTS;
use super::simd::{F32x16, Lanes, NUM_LANES};

/// The weights of some inputs for half a panel.
pub trait Line: Copy + Default + Send + Sync {
    /// A weight as stored.
    type Weight: Copy;
    /// Lines of a tile.
    const TILE_LINES: usize;
    /// Inputs of a line.
    const NUM_INPUTS: usize = TILE_INPUTS / Self::TILE_LINES;
    /// Are these quants, of which scales make weights?
    const IS_SCALED: bool = false;
    /// What is stored of one of its inputs.
    fn input<V: F32x16>(&self, input: usize) -> V;
    /// Puts the weight of an input into lane `lane`, where zeros are.
    fn set(&mut self, input: usize, lane: usize, weight: Self::Weight);
}

/// A line of bfloat16.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct Bf16Line([u32; NUM_LANES]);

impl Line for Bf16Line {
    type Weight = bf16;
    const TILE_LINES: usize = 16;

    #[inline(always)]
    fn input<V: F32x16>(&self, input: usize) -> V {
        if input == 0 { V::from_low_halves(&self.0) } else { V::from_high_halves(&self.0) }
    }

    fn set(&mut self, input: usize, lane: usize, weight: bf16) {
        self.0[lane] |= u32::from(weight.to_bits()) << (16 * input);
    }
}

/// A line of f32: for checkpoints whose weights bfloat16 can't hold exactly.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct F32Line([Lanes; 2]);

impl Line for F32Line {
    type Weight = f32;
    const TILE_LINES: usize = 16;

    #[inline(always)]
    fn input<V: F32x16>(&self, input: usize) -> V {
        V::load(&self.0[input])
    }

    fn set(&mut self, input: usize, lane: usize, weight: f32) {
        self.0[input][lane] = weight;
    }
}

impl F32Line {
    /// Puts the weights of one of its inputs there.
    #[inline(always)]
    pub fn store<V: F32x16>(&mut self, input: usize, weights: V) {
        weights.store(&mut self.0[input]);
    }
}

/// A line of quants of up to 8 bits.
pub type EightBitLine = QuantLine<8>;
/// A line of quants of up to 4 bits.
pub type FourBitLine = QuantLine<4>;

/// A line of quants of up to BITS bits, which divide a word. A tile has as many lines.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct QuantLine<const BITS: usize>([u32; NUM_LANES]);

impl<const BITS: usize> Line for QuantLine<BITS> {
    type Weight = u8;
    const TILE_LINES: usize = BITS;
    const IS_SCALED: bool = true;

    #[inline(always)]
    fn input<V: F32x16>(&self, input: usize) -> V {
        V::from_bits_of(&self.0, (BITS * input) as u32, (1 << BITS) - 1)
    }

    fn set(&mut self, input: usize, lane: usize, weight: u8) {
        self.0[lane] |= u32::from(weight) << (BITS * input);
    }
}
