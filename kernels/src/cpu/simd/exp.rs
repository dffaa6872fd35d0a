//! The exponential, and the activations made from it: one sequence of operations on every level.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use super::F32x16;
use crate::backend::Activation;

/// Below it `e^x` is less than the smallest normal number and is given as zero.
const LOWEST: f32 = -87.336_54;
/// Above it `e^x` stays `e^HIGHEST`, so that `2^n` below is finite.
const HIGHEST: f32 = 88.376;
/// Adding it rounds to an integer and leaves that in the low bits.
const ROUNDER: f32 = 12_582_912.0;
/// The logarithm of two: a part with few bits, whose small multiples are exact, and the rest.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// `(e^r - 1 - r) / r^2` for `|r| <= ln(2) / 2`: the polynomial of Cephes' `expf`.
const COEFFICIENTS: [f32; 6] =
    [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// `e^x` within two units of the last place; zero for negative infinity.
#[inline(always)]
pub fn exp<V: F32x16>(x: V) -> V {
    let clamped = x.max(V::splat(LOWEST)).min(V::splat(HIGHEST));
    let rounded = clamped.mul_add(V::splat(std::f32::consts::LOG2_E), V::splat(ROUNDER));
    let n = rounded.sub(V::splat(ROUNDER));
    let r = n.mul_add(V::splat(-LN_2_HIGH), clamped);
    let r = n.mul_add(V::splat(-LN_2_LOW), r);
    let mut series = V::splat(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        series = series.mul_add(r, V::splat(*coefficient));
    }
    let e_r = series.mul_add(r.mul(r), r).add(V::splat(1.0));
    e_r.mul(rounded.power_of_two()).zero_below(x, V::splat(LOWEST))
}

/// `activation(x)`.
#[inline(always)]
pub fn activate<V: F32x16>(activation: Activation, x: V) -> V {
    match activation {
        Activation::Silu => gated_by(x, x),
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_tanh(x),
    }
}

/// `x / (1 + e^-z)`.
#[inline(always)]
fn gated_by<V: F32x16>(x: V, z: V) -> V {
    let negated = V::splat(0.0).sub(z);
    x.div(V::splat(1.0).add(exp(negated)))
}

/// `x / 2 * (1 + tanh(u))` is `x / (1 + e^-2u)`.
#[inline(always)]
fn gelu_tanh<V: F32x16>(x: V) -> V {
    const TWICE_SQRT_2_BY_PI: f32 = 1.595_769;
    let cubic = x.mul(x).mul_add(V::splat(0.044_715), V::splat(1.0));
    gated_by(x, V::splat(TWICE_SQRT_2_BY_PI).mul(x).mul(cubic))
}

/// `x * Φ(x)` is `max(x, 0) - |x| * Φ(-|x|)`, and `Φ(-z)` is `erfc(z / sqrt(2)) / 2`, which formula
/// 7.1.26 of Abramowitz and Stegun's Handbook of Mathematical Functions gives within 8e-8.
#[inline(always)]
fn gelu<V: F32x16>(x: V) -> V {
    /// Halves of the formula's.
    const COEFFICIENTS: [f32; 5] =
        [1.061_405_4 / 2.0, -1.453_152 / 2.0, 1.421_413_7 / 2.0, -0.284_496_7 / 2.0, 0.127_414_8];
    /// The formula's over the root of two.
    const SLOPE: f32 = 0.231_641_89;
    /// From here on nothing is left of the tail.
    const FAR: f32 = 40.0;
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    let size = x.max(zero.sub(x)).min(V::splat(FAR));
    let t = one.div(size.mul_add(V::splat(SLOPE), one));
    let mut series = V::splat(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        series = series.mul_add(t, V::splat(*coefficient));
    }
    let tail = series.mul(t).mul(exp(size.mul(size).mul(V::splat(-0.5))));
    // In this order a NaN stays one.
    zero.max(x).sub(size.mul(tail))
}

#[cfg(test)]
mod tests {
    use super::{activate, exp};
    use crate::backend::Activation;
    use crate::cpu::simd::{F32x16, Kernel, Lanes, Simd, SimdLevel};
    use crate::reference;

    struct Exp(Lanes);

    impl Kernel for Exp {
        type Output = Lanes;
        fn run<V: F32x16>(self) -> Lanes {
            let mut out = self.0;
            exp(V::load(&self.0)).store(&mut out);
            out
        }
    }

    #[test]
    fn exp_is_within_two_units_of_the_last_place_on_every_level() {
        for level in SimdLevel::ALL.into_iter().filter(|level| level.is_available()) {
            let simd = Simd::new(level);
            for step in 0..100_000 {
                let x = -87.0 + step as f32 * 0.001_75;
                let got = simd.run(Exp([x; 16]))[step % 16];
                let want = f64::from(x).exp();
                let unit = f64::from(want as f32) * f64::from(f32::EPSILON);
                let error = (f64::from(got) - want).abs();
                assert!(error <= 2.0 * unit, "{level:?}: exp({x}) = {got}, not {want}");
            }
        }
    }

    struct Activate(Activation, f32);

    impl Kernel for Activate {
        type Output = f32;
        fn run<V: F32x16>(self) -> f32 {
            let mut out = Lanes::default();
            activate(self.0, V::splat(self.1)).store(&mut out);
            out[0]
        }
    }

    #[test]
    fn activations_are_right_and_the_same_on_every_level() {
        for activation in [Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
            for step in -6_000..6_000 {
                let x = step as f32 * 0.002_1;
                let found = Simd::new(SimdLevel::Portable).run(Activate(activation, x));
                let expected = reference::activate(activation, f64::from(x));
                let error = (f64::from(found) - expected).abs();
                let allowed = 2e-7 * f64::from(x.abs()).max(1.0);
                assert!(error <= allowed, "{activation:?}({x}) = {found}, not {expected}");
                for level in SimdLevel::ALL.into_iter().filter(|level| level.is_available()) {
                    let other = Simd::new(level).run(Activate(activation, x));
                    assert_eq!(other.to_bits(), found.to_bits(), "{activation:?}({x}), {level:?}");
                }
            }
        }
    }

    #[test]
    fn activations_of_the_far_ends() {
        for activation in [Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
            for level in SimdLevel::ALL.into_iter().filter(|level| level.is_available()) {
                let of = |x| Simd::new(level).run(Activate(activation, x));
                assert_eq!(of(1e30).to_bits(), 1e30_f32.to_bits(), "{activation:?}");
                assert!(of(-1e10).abs() < 1e-20, "{activation:?}: {}", of(-1e10));
                assert_eq!(of(f32::INFINITY).to_bits(), f32::INFINITY.to_bits(), "{activation:?}");
                assert!(of(f32::NAN).is_nan(), "{activation:?}");
            }
        }
    }

    #[test]
    fn exp_of_the_far_ends() {
        for level in SimdLevel::ALL.into_iter().filter(|level| level.is_available()) {
            let exp = |x| Simd::new(level).run(Exp([x; 16]))[0];
            assert_eq!(exp(f32::NEG_INFINITY).to_bits(), 0);
            assert_eq!(exp(-1e30).to_bits(), 0);
            assert_eq!(exp(-88.0).to_bits(), 0);
            assert_eq!(exp(0.0).to_bits(), 1.0_f32.to_bits());
            assert!(exp(1e30).is_finite());
        }
    }
}
