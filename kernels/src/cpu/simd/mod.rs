//! Sixteen f32 lanes, whatever the processor: one AVX-512 register, two AVX registers, or an array.
//!
//! A kernel is written once, generically over [`F32x16`], and [`Simd::run`] compiles it for every
//! level. The lane count never changes and every lane operation is a correctly rounded IEEE one, so
//! all levels give the same bits.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod exp;
mod portable;

use half::f16;

pub use exp::{activate, exp};

/// Lanes of a vector.
pub const NUM_LANES: usize = 16;

/// A vector in memory.
pub type Lanes = [f32; NUM_LANES];

/// Sixteen f32 lanes in registers.
///
/// Methods must not be called but from a [`Kernel`] that [`Simd::run`] runs: the types are private
/// to this module so that nothing else can name them.
pub trait F32x16: Copy {
    /// Vectors that fit into the registers: the tile sizes follow from it.
    const NUM_REGISTERS: usize;

    /// All lanes the same.
    fn splat(value: f32) -> Self;
    /// Reads the lanes.
    fn load(from: &Lanes) -> Self;
    /// Writes the lanes.
    fn store(self, to: &mut Lanes);
    /// The bfloat16 in the low half of each word.
    fn from_low_halves(words: &[u32; NUM_LANES]) -> Self;
    /// The bfloat16 in the high half of each word.
    fn from_high_halves(words: &[u32; NUM_LANES]) -> Self;
    /// Integers of up to 24 bits: the bits of each word from `shift` on that `mask` keeps.
    fn from_bits_of(words: &[u32; NUM_LANES], shift: u32, mask: u32) -> Self;
    /// IEEE half precision, widened.
    fn from_halves(halves: &[f16; NUM_LANES]) -> Self;
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self - other`.
    fn sub(self, other: Self) -> Self;
    /// `self * other`.
    fn mul(self, other: Self) -> Self;
    /// `self / other`.
    fn div(self, other: Self) -> Self;
    /// `self * factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// The greater one; `other` where they do not compare.
    fn max(self, other: Self) -> Self;
    /// The smaller one; `other` where they do not compare.
    fn min(self, other: Self) -> Self;
    /// `self` where `decider >= limit`, else zero.
    fn zero_below(self, decider: Self, limit: Self) -> Self;
    /// `2^n` where a lane is `1.5 * 2^23 + n` for an integer `n` from -126 to 127.
    fn power_of_two(self) -> Self;
}

/// A computation that is compiled for every level.
///
/// `run`, and all that it calls in its inner loops, must be `#[inline(always)]`.
pub trait Kernel {
    /// What it gives.
    type Output;
    /// Computes with vectors of type `V`.
    fn run<V: F32x16>(self) -> Self::Output;
}

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SimdLevel {
    /// What every processor has.
    Portable,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512 F, besides AVX2, FMA and F16C.
    Avx512,
}

impl SimdLevel {
    /// All levels, the slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            match self {
                Self::Portable => true,
                Self::Avx2 => avx2,
                Self::Avx512 => avx2 && is_x86_feature_detected!("avx512f"),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Portable
        }
    }
}

/// A level that this processor is known to have.
#[derive(Clone, Copy, Debug)]
pub struct Simd {
    level: SimdLevel,
}

impl Simd {
    /// The best level of this processor.
    pub fn detect() -> Self {
        let mut levels = SimdLevel::ALL.into_iter().rev();
        let level = levels.find(|level| level.is_available()).expect("one level is always there");
        Self { level }
    }

    /// A witness that this processor has `level`.
    pub fn new(level: SimdLevel) -> Self {
        assert!(level.is_available(), "this processor lacks {level:?}");
        Self { level }
    }

    /// The level.
    pub fn level(self) -> SimdLevel {
        self.level
    }

    /// Runs `kernel` with the vectors of the level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.level {
            // SAFETY: the constructors checked that the processor has the level.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => unsafe { run_avx512(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => unsafe { run_avx2(kernel) },
            _ => kernel.run::<portable::Portable>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<avx512::Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<avx2::Avx2>()
}

/// Adds up the lanes, always as the same tree: halves onto each other.
#[inline(always)]
pub fn sum_lanes<V: F32x16>(vector: V) -> f32 {
    fold_lanes(vector, |a, b| a + b)
}

/// The greatest lane.
#[inline(always)]
pub fn max_lane<V: F32x16>(vector: V) -> f32 {
    fold_lanes(vector, |a, b| if a > b { a } else { b })
}

#[inline(always)]
fn fold_lanes<V: F32x16>(vector: V, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; NUM_LANES];
    vector.store(&mut lanes);
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] = join(lanes[i], lanes[i + half]);
        }
    }
    lanes[0]
}
