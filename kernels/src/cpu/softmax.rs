//! The pieces of a softmax, over whole vectors: what pads the last one is negative infinity.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use super::simd::{F32x16, Kernel, Lanes, exp, max_lane, sum_lanes};

/// The greatest element; NaNs are passed over.
#[inline(always)]
pub fn greatest<V: F32x16>(x: &[Lanes]) -> f32 {
    let mut greatest = V::splat(f32::NEG_INFINITY);
    for x in x {
        greatest = V::load(x).max(greatest);
    }
    max_lane(greatest)
}

/// Replaces each `x` by `e^(x - greatest)` and gives their sum: one for each lane, then the lanes.
#[inline(always)]
pub fn exponentiate<V: F32x16>(x: &mut [Lanes], greatest: f32) -> f32 {
    let greatest = V::splat(greatest);
    let mut sums = V::splat(0.0);
    for x in x {
        let power = exp(V::load(x).sub(greatest));
        power.store(x);
        sums = sums.add(power);
    }
    sum_lanes(sums)
}

/// `ln Σ e^x`.
pub struct LogSumExp<'a>(pub &'a [Lanes]);

impl Kernel for LogSumExp<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<V: F32x16>(self) -> f64 {
        let greatest = greatest::<V>(self.0);
        let mut sums = V::splat(0.0);
        for x in self.0 {
            sums = sums.add(exp(V::load(x).sub(V::splat(greatest))));
        }
        f64::from(greatest) + f64::from(sum_lanes(sums)).ln()
    }
}

/// The greatest element.
pub struct Greatest<'a>(pub &'a [Lanes]);

impl Kernel for Greatest<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<V: F32x16>(self) -> f32 {
        greatest::<V>(self.0)
    }
}

/// Replaces each `x` by `e^((x - greatest) / temperature)`.
pub struct Temper<'a> {
    /// Logits; weights afterwards.
    pub x: &'a mut [Lanes],
    /// The greatest of them.
    pub greatest: f32,
    /// Greater than zero.
    pub temperature: f32,
}

impl Kernel for Temper<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(self) {
        let (greatest, temperature) = (V::splat(self.greatest), V::splat(self.temperature));
        for x in self.x {
            exp(V::load(x).sub(greatest).div(temperature)).store(x);
        }
    }
}
