//! Normalisations: of rows, and of the heads of a row.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use super::rows::Rows;
use super::simd::{F32x16, Kernel, NUM_LANES, Simd, sum_lanes};
use super::threads;
use crate::backend::{AttentionShape, NormKind, NormView};

/// A normalisation's weights.
pub struct Norm {
    weight: Vec<f32>,
    eps: f32,
    /// Of a layer norm; an RMS norm has none.
    bias: Option<Vec<f32>>,
}

impl Norm {
    /// Copies `view`.
    pub fn new(view: NormView<'_>) -> Self {
        let bias = match view.kind {
            NormKind::Rms => None,
            NormKind::Layer { bias } => {
                assert_eq!(bias.len(), view.weight.len(), "a bias for each weight");
                Some(bias.to_vec())
            }
        };
        Self { weight: view.weight.to_vec(), eps: view.eps, bias }
    }
}

/// `out[r]` is `x[r]`, normalised.
pub fn normalise(simd: Simd, x: &Rows, num_rows: usize, norm: &Norm, out: &mut Rows) {
    let width = x.width();
    assert_eq!(norm.weight.len(), width, "a weight for each element");
    assert_eq!(out.width(), width, "rows keep their width");
    let x = x.first(num_rows);
    let num_parts = threads::num_parts(num_rows, num_rows * width);
    threads::split_rows(out.first_mut(num_rows), width, num_parts, &|first, out| {
        let x = &x[first * width..][..out.len()];
        simd.run(NormRows { x, norm, out });
    });
}

struct NormRows<'a> {
    x: &'a [f32],
    norm: &'a Norm,
    out: &'a mut [f32],
}

impl Kernel for NormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(self) {
        let Norm { weight, eps, bias } = self.norm;
        let width = weight.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let Some(bias) = bias else {
                let scale = scale_of(sum_of_squares::<V>(x, 0.0), width, *eps);
                for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                    *out = x * scale * weight;
                }
                continue;
            };
            let mean = sum::<V>(x) / width as f32;
            let scale = scale_of(sum_of_squares::<V>(x, mean), width, *eps);
            for (((out, x), weight), bias) in out.iter_mut().zip(x).zip(weight).zip(bias) {
                *out = (x - mean) * scale * weight + bias;
            }
        }
    }
}

/// Normalises the heads of the queries and the keys of `rows` in place.
pub fn normalise_heads(simd: Simd, rows: &mut [f32], shape: AttentionShape, norms: &[Norm; 2]) {
    for norm in norms {
        assert_eq!(norm.weight.len(), shape.head_dim, "a weight for each element of a head");
        assert!(norm.bias.is_none(), "heads have RMS norms");
    }
    simd.run(NormHeads { rows, shape, norms });
}

struct NormHeads<'a> {
    rows: &'a mut [f32],
    shape: AttentionShape,
    norms: &'a [Norm; 2],
}

impl Kernel for NormHeads<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(self) {
        let head_dim = self.shape.head_dim;
        for row in self.rows.chunks_exact_mut(self.shape.qkv_width()) {
            let (queries, rest) = row.split_at_mut(self.shape.q_width());
            let keys = &mut rest[..self.shape.kv_width()];
            for (heads, norm) in [queries, keys].into_iter().zip(self.norms) {
                for head in heads.chunks_exact_mut(head_dim) {
                    let scale = scale_of(sum_of_squares::<V>(head, 0.0), head_dim, norm.eps);
                    for (x, weight) in head.iter_mut().zip(&norm.weight) {
                        *x = *x * scale * weight;
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn scale_of(sum_of_squares: f32, width: usize, eps: f32) -> f32 {
    1.0 / (sum_of_squares / width as f32 + eps).sqrt()
}

/// One sum for each lane, over every sixteenth element; then the lanes.
#[inline(always)]
fn sum<V: F32x16>(x: &[f32]) -> f32 {
    let (vectors, rest) = x.as_chunks();
    let mut sums = V::splat(0.0);
    for vector in vectors {
        sums = sums.add(V::load(vector));
    }
    let mut padded = [0.0; NUM_LANES];
    padded[..rest.len()].copy_from_slice(rest);
    sum_lanes(sums.add(V::load(&padded)))
}

/// The same of `(x - mean)^2`.
#[inline(always)]
fn sum_of_squares<V: F32x16>(x: &[f32], mean: f32) -> f32 {
    let (vectors, rest) = x.as_chunks();
    let mut sums = V::splat(0.0);
    for vector in vectors {
        let x = V::load(vector).sub(V::splat(mean));
        sums = x.mul_add(x, sums);
    }
    let mut padded = [mean; NUM_LANES];
    padded[..rest.len()].copy_from_slice(rest);
    let x = V::load(&padded).sub(V::splat(mean));
    sum_lanes(x.mul_add(x, sums))
}
