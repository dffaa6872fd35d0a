//! Single logits: the dot products of given rows and tokens, without the rest of the vocabulary.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use half::bf16;

use super::rows::Rows;
use super::simd::{F32x16, Kernel, Simd};
use super::table::{Table, TableValues, widen};
use super::threads;
use crate::backend::Target;

/// Dot products at once: each is one chain of multiply-adds (the order of the matmul, so its bits),
/// and eight chains fill the units that one leaves waiting.
const NUM_CHAINS: usize = 8;

/// The logit of each target.
pub fn target_logits(simd: Simd, hidden: &Rows, head: &Table, targets: &[Target]) -> Vec<f32> {
    assert_eq!(hidden.width(), head.width, "the head takes hidden rows");
    let mut logits = vec![0.0; targets.len()];
    let num_parts = threads::num_parts(targets.len(), targets.len() * head.width);
    threads::split_rows(&mut logits, 1, num_parts, &|first, logits| {
        let targets = &targets[first..][..logits.len()];
        match &head.values {
            TableValues::Bf16(table) => simd.run(Dots { hidden, head, table, targets, logits }),
            TableValues::F32(table) => simd.run(Dots { hidden, head, table, targets, logits }),
        }
    });
    logits
}

/// A weight that becomes an f32.
trait Weight: Copy {
    fn to_f32(self) -> f32;
}

impl Weight for bf16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        widen(self)
    }
}

impl Weight for f32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

struct Dots<'a, W> {
    hidden: &'a Rows,
    head: &'a Table,
    table: &'a [W],
    targets: &'a [Target],
    logits: &'a mut [f32],
}

impl<W: Weight> Kernel for Dots<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<V: F32x16>(self) {
        let width = self.head.width;
        let chunks = self.targets.chunks(NUM_CHAINS).zip(self.logits.chunks_mut(NUM_CHAINS));
        for (targets, logits) in chunks {
            let mut x = [self.hidden.row(targets[0].row as usize); NUM_CHAINS];
            let mut w = [&self.table[..width]; NUM_CHAINS];
            for (i, target) in targets.iter().enumerate() {
                x[i] = self.hidden.row(target.row as usize);
                w[i] = &self.table[self.head.start(target.token)..][..width];
            }
            // SAFETY: rows of both are `width` long.
            let sums = unsafe { dot_products(width, &x, &w) };
            logits.copy_from_slice(&sums[..logits.len()]);
        }
    }
}

/// # Safety
///
/// All slices have `width` elements.
#[inline(always)]
unsafe fn dot_products<W: Weight>(
    width: usize,
    x: &[&[f32]; NUM_CHAINS],
    w: &[&[W]; NUM_CHAINS],
) -> [f32; NUM_CHAINS] {
    let mut sums = [0.0_f32; NUM_CHAINS];
    for k in 0..width {
        for i in 0..NUM_CHAINS {
            // SAFETY: `k` is less than the length.
            let (x, w) = unsafe { (*x[i].get_unchecked(k), *w[i].get_unchecked(k)) };
            sums[i] = x.mul_add(w.to_f32(), sums[i]);
        }
    }
    sums
}
