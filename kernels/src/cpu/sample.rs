//! A draw from the most probable tokens.

use super::simd::{Lanes, NUM_LANES, Simd};
use super::softmax::Temper;
use crate::sampling::{Sampling, uniform};

/// How many of the most probable tokens are sorted at first; four times as many each time that they
/// don't suffice. Mostly a few dozen do, and sorting a whole vocabulary takes longer than its logits.
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
    let Sampling { temperature, top_p, key } = sampling;
    assert!(temperature > 0.0, "temperature {temperature}");
    assert!(top_p > 0.0 && top_p <= 1.0, "top_p {top_p}");
    simd.run(Temper { x: logits, greatest, temperature });
    order.clear();
    for (i, weights) in logits.iter().enumerate() {
        for (lane, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            order.push(entry(i * NUM_LANES + lane, *weight));
        }
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
