//! Quantised weights give the bits that the same weights give in single precision.

use half::{bf16, f16};

use super::{bits, every_level, random, rows_of};
use crate::backend::{Activation, Choice, MatrixShape, MatrixView, ScoreKind, Target, WeightSlice};
use crate::cpu::matrix::{Matrix, Panels};
use crate::cpu::scales::Scales;
use crate::cpu::table::{Table, TableValues};
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
    let counts: &[usize] = if few { &[1, 2, 3, 4] } else { &[1, 2, 3, 27, 50] };
    let max_x = counts[counts.len() - 1];
    let x = rows_of(cpu, num_cols, &random(9, max_x * num_cols));
    let mut found = Vec::new();
    for &num_x in counts {
        let mut out = cpu.rows(num_x, 2 * num_rows);
        cpu.matmul(&x, num_x, &matrix, &mut out);
        found.push(bits(out.first(num_x)));
        let mut out = cpu.rows(num_x, num_rows);
        cpu.matmul_activated(&x, num_x, &gated, Activation::Silu, &mut out);
        found.push(bits(out.first(num_x)));
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

#[test]
fn weights_take_what_they_are_said_to_take() {
    let (num_rows, num_cols) = (71, 512);
    let len = num_rows * num_cols;
    let floats = random(1, len);
    let bf16s: Vec<bf16> = floats.iter().map(|value| bf16::from_f32(*value)).collect();
    let f16s: Vec<f16> = floats.iter().map(|value| f16::from_f32(*value)).collect();
    let quantised = Quantisation::ALL.map(|kind| (kind, packets(kind, 1, len)));
    let quantised = quantised.iter();
    let quantised = quantised.map(|(kind, bytes)| WeightSlice::Quantised(*kind, bytes));
    let plain = [WeightSlice::Bf16(&bf16s), WeightSlice::F16(&f16s), WeightSlice::F32(&floats)];
    let all: Vec<_> = plain.into_iter().chain(quantised).collect();
    let cpu = Cpu::new();
    for values in &all {
        let view = MatrixView { values: *values, num_rows, num_cols };
        let shape =
            |view: &MatrixView<'_>| MatrixShape { kind: view.values.kind(), num_rows, num_cols };
        for other in &all {
            let parts = [view, MatrixView { values: *other, num_rows, num_cols }];
            let expected = Matrix::bytes_of(&parts.each_ref().map(shape), false);
            assert_eq!(
                matrix_bytes(&cpu.matrix(&parts)),
                expected,
                "{:?}",
                parts.map(|p| shape(&p))
            );
        }
        let gated = Matrix::bytes_of(&[shape(&view); 2], true);
        assert_eq!(matrix_bytes(&cpu.gated_matrix(view, view)), gated, "{:?}", shape(&view));
        let table = match cpu.table(view).values {
            TableValues::Bf16(values) => size_of_val(&*values),
            TableValues::Quantised(_, bytes) => bytes.len(),
            TableValues::F32(values) => size_of_val(&*values),
        };
        assert_eq!(table, Table::bytes_of(shape(&view)), "{:?}", shape(&view));
    }
}

fn matrix_bytes(matrix: &Matrix) -> usize {
    let scale_bytes = |scales: &Scales| match scales {
        Scales::None => 0,
        Scales::Centred { scales, .. } => size_of_val(&**scales),
        Scales::Affine(scales) => size_of_val(&**scales),
        Scales::Full(scales) => size_of_val(&**scales),
    };
    match &matrix.panels {
        Panels::Bf16(lines) => size_of_val(&**lines),
        Panels::F32(lines) => size_of_val(&**lines),
        Panels::Four(lines, scales) => size_of_val(&**lines) + scale_bytes(scales),
        Panels::Eight(lines, scales) => size_of_val(&**lines) + scale_bytes(scales),
    }
}
