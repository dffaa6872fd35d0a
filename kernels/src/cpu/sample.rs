//! A draw from the most probable tokens.

use super::simd::{Lanes, NUM_LANES, Simd};
use super::softmax::Temper;
use crate::sampling::{Sampling, uniform};

/// How many of the most probable tokens are sorted at first; four times as many each time that they
/// don't suffice. Mostly a few dozen do, and sorting a whole vocabulary takes longer than its
/// logits.
const FIRST_SORTED: usize = 64;

/// Draws a token from `logits`, which become weights. Excluded tokens have negative infinity;
/// `greatest` is the greatest logit. `None` if no token has a weight.
pub fn draw(
    simd: Simd,
    logits: &mut [Lanes],
    greatest: f32,
    sampling: Sampling,
    order: &mut Vec<u64>,
) -> Option<usize> {
    let Sampling { temperature, top_k, top_p, key } = sampling;
    assert!(temperature > 0.0, "temperature {temperature}");
    assert!(top_p > 0.0 && top_p <= 1.0, "top_p {top_p}");
    simd.run(Temper { x: logits, greatest, temperature });
    order.clear();
    for (i, weights) in logits.iter().enumerate() {
        for (lane, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            order.push(entry(i * NUM_LANES + lane, *weight));
        }
    }
    if let Some(top_k) = top_k {
        keep_greatest(order, top_k.get() as usize);
    }
    let total: f64 = order.iter().map(|entry| weight(*entry)).sum();
    let wanted = if top_p < 1.0 { total * f64::from(top_p) } else { f64::INFINITY };
    let nucleus = sort_until(order, wanted);
    let mass: f64 = nucleus.iter().map(|entry| weight(*entry)).sum();
    let mut rest = uniform(key) * mass;
    let drawn = nucleus.iter().find(|entry| {
        rest -= weight(**entry);
        rest < 0.0
    });
    drawn.or(nucleus.last()).map(|entry| token(*entry))
}

/// Keeps at most `num` of the greatest entries.
fn keep_greatest(order: &mut Vec<u64>, num: usize) {
    if num < order.len() {
        order.select_nth_unstable_by(num, |a, b| b.cmp(a));
        order.truncate(num);
    }
}

/// The shortest run of greatest entries, in order, whose weights reach `wanted`; all if they don't.
fn sort_until(order: &mut [u64], wanted: f64) -> &[u64] {
    let mut num_sorted = if wanted.is_finite() { FIRST_SORTED } else { order.len() };
    loop {
        if num_sorted < order.len() {
            order.select_nth_unstable_by(num_sorted, |a, b| b.cmp(a));
        }
        num_sorted = num_sorted.min(order.len());
        order[..num_sorted].sort_unstable_by(|a, b| b.cmp(a));
        let mut reached = 0.0;
        let last = order[..num_sorted].iter().position(|entry| {
            reached += weight(*entry);
            reached >= wanted
        });
        match last {
            Some(last) => return &order[..=last],
            None if num_sorted == order.len() => return order,
            None => num_sorted *= 4,
        }
    }
}

/// A number that is greater the greater the weight, and then the lower the id: positive floats are
/// ordered as their bits are.
fn entry(token: usize, weight: f32) -> u64 {
    u64::from(weight.to_bits()) << 32 | u64::from(u32::MAX - token as u32)
}

fn weight(entry: u64) -> f64 {
    f64::from(f32::from_bits((entry >> 32) as u32))
}

fn token(entry: u64) -> usize {
    (u32::MAX - entry as u32) as usize
}

#[cfg(test)]
mod tests {
    use super::{entry, keep_greatest, sort_until, token, weight};
    use crate::sampling::{mix_key, uniform};

    #[test]
    fn the_greatest_are_kept_and_equal_ones_by_their_ids() {
        let order: Vec<u64> =
            (0..100).map(|token| entry(token, (token % 10) as f32)).rev().collect();
        for (num, least) in [(1, 9), (11, 8), (15, 48), (100, 90), (101, 90), (10_000, 90)] {
            let mut kept = order.clone();
            keep_greatest(&mut kept, num);
            assert_eq!(kept.len(), num.min(100));
            assert_eq!(kept.iter().min().map(|entry| token(*entry)), Some(least));
        }
    }

    #[test]
    fn sorting_a_part_gives_the_nucleus_of_sorting_all() {
        for num_tokens in [1, 63, 64, 65, 1000] {
            // Some weights are equal: those go by their ids.
            let weights = (0..num_tokens).map(|i| (uniform(mix_key(&[i])) * 50.0).ceil() as f32);
            let order: Vec<u64> =
                weights.enumerate().map(|(token, weight)| entry(token, weight)).collect();
            let mut sorted = order.clone();
            sorted
                .sort_by(|a, b| weight(*b).total_cmp(&weight(*a)).then(token(*a).cmp(&token(*b))));
            let total: f64 = order.iter().map(|entry| weight(*entry)).sum();
            for share in [0.001, 0.1, 0.5, 0.9, 0.999, f64::INFINITY] {
                let mut order = order.clone();
                let nucleus = sort_until(&mut order, total * share);
                assert_eq!(nucleus, &sorted[..nucleus.len()]);
                let mass =
                    |entries: &[u64]| entries.iter().map(|entry| weight(*entry)).sum::<f64>();
                assert!(mass(&nucleus[..nucleus.len() - 1]) < total * share);
                assert!(mass(nucleus) >= total * share || nucleus.len() == sorted.len());
            }
        }
    }
}
