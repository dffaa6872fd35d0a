//! The exponential, and the activation made from it: one sequence of operations on every level.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use super::F32x16;

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

/// `x / (1 + e^-x)`.
#[inline(always)]
pub fn silu<V: F32x16>(x: V) -> V {
    let negated = V::splat(0.0).sub(x);
    x.div(V::splat(1.0).add(exp(negated)))
}

#[cfg(test)]
mod tests {
    use super::exp;
    use crate::cpu::simd::{F32x16, Kernel, Lanes, Simd, SimdLevel};

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
