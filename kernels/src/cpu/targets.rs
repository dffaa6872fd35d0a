//! Single logits: the dot products of given rows and tokens, without the rest of the vocabulary.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use std::array::from_fn;

use half::bf16;

use super::rows::Rows;
use super::scratch::ScratchPool;
use super::simd::{F32x16, Kernel, Simd};
use super::table::{Table, TableValues, widen};
use super::threads;
use crate::backend::Target;

/// Dot products at once: each is one chain of multiply-adds (the order of the matmul, so its bits),
/// and eight chains fill the units that one leaves waiting.
const NUM_CHAINS: usize = 8;

/// The logit of each target.
pub fn target_logits(
    simd: Simd,
    scratch: &ScratchPool,
    hidden: &Rows,
    head: &Table,
    targets: &[Target],
) -> Vec<f32> {
    assert_eq!(hidden.width(), head.width, "the head takes hidden rows");
    let mut logits = vec![0.0; targets.len()];
    let num_parts = threads::num_parts(targets.len(), targets.len() * head.width);
    threads::split_rows(&mut logits, 1, num_parts, &|first, logits| {
        let targets = &targets[first..][..logits.len()];
        let chunks = targets.chunks(NUM_CHAINS).zip(logits.chunks_mut(NUM_CHAINS));
        for (targets, logits) in chunks {
            few_logits(simd, scratch, hidden, head, targets, logits);
        }
    });
    logits
}

/// Those of up to [`NUM_CHAINS`] targets.
fn few_logits(
    simd: Simd,
    scratch: &ScratchPool,
    hidden: &Rows,
    head: &Table,
    targets: &[Target],
    logits: &mut [f32],
) {
    let width = head.width;
    // The last of them again where there are fewer.
    let target = |chain: usize| targets[chain.min(targets.len() - 1)];
    let x = from_fn(|chain| hidden.row(target(chain).row as usize));
    let start = |chain| head.start(target(chain).token);
    let sums = match &head.values {
        TableValues::Bf16(table) => {
            simd.run(Dots { width, x, w: from_fn(|chain| &table[start(chain)..][..width]) })
        }
        TableValues::F32(table) => {
            simd.run(Dots { width, x, w: from_fn(|chain| &table[start(chain)..][..width]) })
        }
        TableValues::Quantised(kind, bytes) => scratch.with(|scratch| {
            let rows = scratch.floats(NUM_CHAINS * width);
            for (chain, row) in rows.chunks_exact_mut(width).enumerate().take(targets.len()) {
                let packets = &bytes[kind.num_bytes(start(chain))..][..kind.num_bytes(width)];
                row.iter_mut().zip(kind.expand(packets)).for_each(|(to, from)| *to = from);
            }
            let row = |chain: usize| &rows[chain.min(targets.len() - 1) * width..][..width];
            simd.run(Dots { width, x, w: from_fn(row) })
        }),
    };
    logits.copy_from_slice(&sums[..logits.len()]);
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

/// The dot products of pairs of rows, `width` long.
struct Dots<'a, W> {
    width: usize,
    x: [&'a [f32]; NUM_CHAINS],
    w: [&'a [W]; NUM_CHAINS],
}

impl<W: Weight> Kernel for Dots<'_, W> {
    type Output = [f32; NUM_CHAINS];

    #[inline(always)]
    fn run<V: F32x16>(self) -> [f32; NUM_CHAINS] {
        let Self { width, x, w } = self;
        assert!(x.iter().all(|x| x.len() == width) && w.iter().all(|w| w.len() == width));
        // SAFETY: rows of both are `width` long.
        unsafe { dot_products(width, &x, &w) }
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
