//! Quantised weights give the bits that the same weights give in single precision.

use half::f16;

use super::{bits, every_level, random, rows_of};
use crate::backend::{Activation, Choice, MatrixView, ScoreKind, Target, WeightSlice};
use crate::cpu::{Cpu, SimdLevel};
use crate::layout::{BlockId, Layout, TokenId};
use crate::quantised::Quantisation;
use crate::sampling::mix_key;

/// Packets of any bits, whose scales are finite.
fn packets(kind: Quantisation, seed: u64, num_weights: usize) -> Vec<u8> {
    let len = kind.num_bytes(num_weights) as u64;
    let mut bytes: Vec<u8> = (0..len).map(|i| mix_key(&[seed, i]) as u8).collect();
    let halves: &[usize] = match kind {
        Quantisation::Q4_0 | Quantisation::Q5_0 | Quantisation::Q8_0 => &[0],
        Quantisation::Q6K => &[208],
        _ => &[0, 2],
    };
    let scales = random(seed, num_weights);
    let mut scales = scales.iter();
    for packet in bytes.chunks_exact_mut(kind.packet_bytes()) {
        for start in halves {
            let scale = f16::from_f32(*scales.next().expect("fewer packets than weights"));
            packet[*start..start + 2].copy_from_slice(&scale.to_le_bytes());
        }
    }
    bytes
}

/// The outputs of all operations that read the weights `values`, `num_rows` by `num_cols`.
fn outputs(cpu: &Cpu, values: WeightSlice<'_>, num_rows: usize, num_cols: usize) -> Vec<Vec<u32>> {
    let view = MatrixView { values, num_rows, num_cols };
    let (matrix, gated) = (cpu.matrix(&[view, view]), cpu.gated_matrix(view, view));
    let table = cpu.table(view);
    // Fewer on the portable level, whose multiply-adds take long.
    let few = cpu.simd_level() == SimdLevel::Portable;
    let num_x = if few { 4 } else { 27 };
    let x = rows_of(cpu, num_cols, &random(9, num_x * num_cols));
    let mut found = Vec::new();
    for num_x in [1, 2, 3, num_x] {
        let mut out = cpu.rows(num_x, 2 * num_rows);
        cpu.matmul(&x, num_x, &matrix, &mut out);
        found.push(bits(out.first(4.min(num_x))));
        let mut out = cpu.rows(num_x, num_rows);
        cpu.matmul_activated(&x, num_x, &gated, Activation::Silu, &mut out);
        found.push(bits(out.first(4.min(num_x))));
    }
    let tokens = [0, num_rows as u32 - 1, 1].map(TokenId);
    let mut embedded = cpu.rows(3, num_cols);
    let mut layout = Layout::default();
    layout.push(&tokens, 0, &[BlockId(0)]);
    cpu.embed(&table, 1.0, None, &layout, &mut embedded);
    found.push(bits(embedded.first(3)));
    let targets: Vec<_> = (0..11).map(|i| Target { row: i % 4, token: TokenId(i) }).collect();
    found.push(bits(&cpu.target_logits(&x, &table, &targets)));
    let choice = |target: &Target| Choice {
        row: target.row,
        banned: [].into(),
        sampling: None,
        forced: Some(target.token),
        score: ScoreKind::Logit,
    };
    let choices: Vec<Choice> = targets.iter().map(choice).collect();
    let head = cpu.matrix(&[view]);
    let chosen: Vec<f32> = cpu.choose(&x, &head, &choices).iter().map(|c| c.score).collect();
    found.push(bits(&chosen));
    assert_eq!(found[found.len() - 1], found[found.len() - 2], "single logits and whole rows");
    found
}

#[test]
fn quantised_weights_are_as_good_as_expanded_ones() {
    for kind in Quantisation::ALL {
        // Panels that are padded, and more than one packet in a row.
        let (num_rows, num_cols) = (71, 3 * kind.packet_len());
        let bytes = packets(kind, 1, num_rows * num_cols);
        let expanded: Vec<f32> = kind.expand(&bytes).collect();
        assert!(expanded.iter().all(|weight| weight.is_finite()), "{kind:?}");
        let mut first = None;
        for cpu in every_level() {
            let found = outputs(&cpu, WeightSlice::Quantised(kind, &bytes), num_rows, num_cols);
            let expected = outputs(&cpu, WeightSlice::F32(&expanded), num_rows, num_cols);
            assert!(found == expected, "{kind:?} on {:?}", cpu.simd_level());
            // The last outputs are of the same rows on every level.
            let same = found[found.len() - 3..].to_vec();
            assert!(*first.get_or_insert(same.clone()) == same, "{kind:?}: levels differ");
        }
    }
}

#[test]
fn parts_of_different_kinds_are_stacked_exactly() {
    let cpu = Cpu::with_simd(Cpu::new().simd_level());
    let (num_rows, num_cols) = (5, 64);
    let kinds = [Quantisation::Q4_0, Quantisation::Q8_0];
    let bytes = kinds.map(|kind| packets(kind, 2, num_rows * num_cols));
    let view = |i: usize| MatrixView {
        values: WeightSlice::Quantised(kinds[i], &bytes[i]),
        num_rows,
        num_cols,
    };
    let x = rows_of(&cpu, num_cols, &random(3, num_cols));
    let mut stacked = cpu.rows(1, 2 * num_rows);
    cpu.matmul(&x, 1, &cpu.matrix(&[view(0), view(1)]), &mut stacked);
    for i in 0..2 {
        let mut alone = cpu.rows(1, num_rows);
        cpu.matmul(&x, 1, &cpu.matrix(&[view(i)]), &mut alone);
        assert_eq!(bits(&stacked.row(0)[i * num_rows..][..num_rows]), bits(alone.row(0)));
    }
}
