//! Root-mean-square normalisation.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use super::rows::Rows;
use super::simd::{F32x16, Kernel, NUM_LANES, Simd, sum_lanes};
use super::threads;

/// `out[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight`.
pub fn rms_norm(simd: Simd, x: &Rows, num_rows: usize, weight: &[f32], eps: f32, out: &mut Rows) {
    let width = x.width();
    assert_eq!(weight.len(), width, "a weight for each element");
    assert_eq!(out.width(), width, "rows keep their width");
    let x = x.first(num_rows);
    let num_parts = threads::num_parts(num_rows, num_rows * width);
    threads::split_rows(out.first_mut(num_rows), width, num_parts, &|first, out| {
        let x = &x[first * width..][..out.len()];
        simd.run(Norm { x, weight, eps, out });
    });
}

struct Norm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Kernel for Norm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(self) {
        let width = self.weight.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let mean = sum_of_squares::<V>(x) / width as f32;
            let scale = 1.0 / (mean + self.eps).sqrt();
            for ((out, x), weight) in out.iter_mut().zip(x).zip(self.weight) {
                *out = x * scale * weight;
            }
        }
    }
}

/// One sum for each lane, over every sixteenth element; then the lanes.
#[inline(always)]
fn sum_of_squares<V: F32x16>(x: &[f32]) -> f32 {
    let (vectors, rest) = x.as_chunks();
    let mut sums = V::splat(0.0);
    for vector in vectors {
        let x = V::load(vector);
        sums = x.mul_add(x, sums);
    }
    let mut padded = [0.0; NUM_LANES];
    padded[..rest.len()].copy_from_slice(rest);
    let x = V::load(&padded);
    sum_lanes(x.mul_add(x, sums))
}
