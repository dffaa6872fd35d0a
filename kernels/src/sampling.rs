//! Sampling with a counter-based generator: a draw is a pure function of its key, so neither
//! batching nor the order of requests can change it.

use std::num::NonZeroU32;

/// How a token is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; greater than 0.
    pub temperature: f32,
    /// At most so many of the most probable tokens are drawn from.
    pub top_k: Option<NonZeroU32>,
    /// Of these, the smallest set of most probable ones that reaches this share of their
    /// probability is drawn from; in (0, 1].
    pub top_p: f32,
    /// The key of the draw: seed, problem, sample and position, mixed by the caller.
    pub key: u64,
}

/// The golden ratio in fixed point: what `SplitMix64` counts by.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One key from several numbers; their order matters.
pub fn mix_key(parts: &[u64]) -> u64 {
    parts.iter().fold(GOLDEN, |key, part| scramble(key.wrapping_add(GOLDEN) ^ scramble(*part)))
}

/// A number from [0, 1), uniform over the keys.
pub(crate) fn uniform(key: u64) -> f64 {
    let top_bits = scramble(key.wrapping_add(GOLDEN)) >> (u64::BITS - f64::MANTISSA_DIGITS);
    top_bits as f64 / (1_u64 << f64::MANTISSA_DIGITS) as f64
}

/// The finaliser of `SplitMix64`: a bijection in which each bit of the input changes half the
/// output.
fn scramble(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::{mix_key, uniform};

    #[test]
    fn order_and_number_of_parts_matter() {
        let keys =
            [mix_key(&[]), mix_key(&[0]), mix_key(&[0, 0]), mix_key(&[1, 2]), mix_key(&[2, 1])];
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key));
        }
    }

    #[test]
    fn neighbouring_keys_fill_the_unit_interval_evenly() {
        let mut counts = [0; 10];
        for i in 0..10_000 {
            counts[(uniform(mix_key(&[7, i])) * 10.0) as usize] += 1;
            counts[(uniform(i) * 10.0) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (1800..2200).contains(count)), "{counts:?}");
    }
}
