//! The operations in double precision, as their formulas say: what every backend is compared with.

use crate::backend::{Activation, AttentionShape, RopeTable};

/// `x · w`.
pub fn dot(x: &[f32], w: &[f32]) -> f64 {
    assert_eq!(x.len(), w.len());
    x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
}

/// `Σ |x| · |w|`: what the rounding errors of a dot product are proportional to.
pub fn dot_magnitude(x: &[f32], w: &[f32]) -> f64 {
    x.iter().zip(w).map(|(x, w)| (f64::from(*x) * f64::from(*w)).abs()).sum()
}

/// `x / (1 + e^-x)`.
pub fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

/// `x / 2 * (1 + erf(x / sqrt(2)))`.
pub fn gelu(x: f64) -> f64 {
    x / 2.0 * (1.0 + erf(x / std::f64::consts::SQRT_2))
}

/// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.
pub fn gelu_tanh(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    x / 2.0 * (1.0 + inner.tanh())
}

/// `activation(x)`.
pub fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Silu => silu(x),
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_tanh(x),
    }
}

/// The error function: `2 / sqrt(pi) * e^(-x^2) * Σ 2^n * x^(2n + 1) / (1 * 3 * .. * (2n + 1))`,
/// whose terms have one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > sum.abs() * f64::EPSILON / 4.0 {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// `x / sqrt(mean(x^2) + eps) * weight`.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f64) -> Vec<f64> {
    let mean = dot(x, x) / x.len() as f64;
    let scaled = x.iter().map(|x| f64::from(*x) / (mean + eps).sqrt());
    scaled.zip(weight).map(|(x, weight)| x * f64::from(*weight)).collect()
}

/// `(x - mean(x)) / sqrt(var(x) + eps) * weight + bias`.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f64) -> Vec<f64> {
    let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / x.len() as f64;
    let centred: Vec<f64> = x.iter().map(|x| f64::from(*x) - mean).collect();
    let variance = centred.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    let scaled = centred.iter().map(|x| x / (variance + eps).sqrt());
    let affine = weight.iter().zip(bias);
    scaled.zip(affine).map(|(x, (w, b))| x * f64::from(*w) + f64::from(*b)).collect()
}

/// A head rotated to `position`.
pub fn rotate(head: &[f32], position: usize, rope: &RopeTable) -> Vec<f64> {
    let mut out: Vec<f64> = head.iter().map(|x| f64::from(*x)).collect();
    let half = rope.half_dim;
    for i in 0..half {
        let cos = f64::from(rope.cos[position * half + i]);
        let sin = f64::from(rope.sin[position * half + i]);
        let (a, b) = (f64::from(head[i]), f64::from(head[i + half]));
        out[i] = a * cos - b * sin;
        out[i + half] = b * cos + a * sin;
    }
    out
}

/// The attention output of the last of a sequence's `qkv` rows, which are not rotated yet; earlier
/// rows than its window are not looked at.
pub fn attention(qkv: &[Vec<f32>], shape: AttentionShape, rope: &RopeTable) -> Vec<f64> {
    let (last, dim) = (qkv.len() - 1, shape.head_dim);
    let visible = shape.first_visible(last)..=last;
    let mut out = Vec::new();
    for head in 0..shape.num_heads {
        let kv_head = head / (shape.num_heads / shape.num_kv_heads);
        let key_start = shape.q_width() + kv_head * dim;
        let value_start = key_start + shape.kv_width();
        let query = rotate(&qkv[last][head * dim..][..dim], last, rope);
        let scores = visible.clone().map(|position| {
            let key = rotate(&qkv[position][key_start..][..dim], position, rope);
            query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() / (dim as f64).sqrt()
        });
        let weights = softmax(&scores.collect::<Vec<_>>());
        for d in 0..dim {
            let values = qkv[visible.clone()].iter().map(|row| f64::from(row[value_start + d]));
            out.push(values.zip(&weights).map(|(value, weight)| value * weight).sum());
        }
    }
    out
}

/// `e^x / Σ e^x`.
pub fn softmax(x: &[f64]) -> Vec<f64> {
    let greatest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = x.iter().map(|x| (x - greatest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
