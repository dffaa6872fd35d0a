//! Operations on single rows.

use half::{bf16, f16};

use super::{assert_close, bits, every_level, random, rows_of, same_everywhere};
use crate::backend::{MatrixView, WeightSlice};
use crate::cpu::Cpu;
use crate::layout::TokenId;
use crate::reference;

#[test]
fn rms_norm_agrees_with_the_reference() {
    for cpu in every_level() {
        for width in [1, 15, 16, 17, 64, 100, 256, 1000] {
            let (x, weight) = (random(1, 5 * width), random(2, width));
            let vector = cpu.vector(WeightSlice::F32(&weight));
            let mut out = cpu.rows(8, width);
            cpu.rms_norm(&rows_of(&cpu, width, &x), 5, &vector, 1e-5, &mut out);
            for (row, x) in x.chunks(width).enumerate() {
                let want = reference::rms_norm(x, &weight, 1e-5);
                assert_close(out.row(row), &want, 1e-6, &format!("width {width}"));
            }
            assert_eq!(out.row(5), vec![0.0; width], "rows beyond are left alone");
        }
    }
}

#[test]
fn rms_norm_has_the_same_bits_everywhere() {
    let (width, num_rows) = (250, 300);
    let (x, weight) = (random(1, num_rows * width), random(2, width));
    let norm = |cpu: &Cpu, x: &[f32]| {
        let num_rows = x.len() / width;
        let mut out = cpu.rows(num_rows, width);
        let vector = cpu.vector(WeightSlice::F32(&weight));
        cpu.rms_norm(&rows_of(cpu, width, x), num_rows, &vector, 1e-5, &mut out);
        bits(out.first(num_rows))
    };
    let all = same_everywhere(|cpu| norm(cpu, &x));
    let alone = norm(&Cpu::new(), &x[7 * width..8 * width]);
    assert!(alone == all[7 * width..8 * width]);
}

#[test]
fn embed_takes_rows_of_every_weight_type() {
    let cpu = Cpu::new();
    let values = random(1, 6 * 10);
    let bf16s: Vec<bf16> = values.iter().map(|x| bf16::from_f32(*x)).collect();
    let f16s: Vec<f16> = values.iter().map(|x| f16::from_f32(*x)).collect();
    let tokens = [TokenId(5), TokenId(0), TokenId(5)];
    let embed = |values| {
        let table = cpu.table(MatrixView { values, num_rows: 6, num_cols: 10 });
        let mut out = cpu.rows(3, 10);
        cpu.embed(&table, &tokens, &mut out);
        out.first(3).to_vec()
    };
    let at = |i: usize| tokens[i / 10].0 as usize * 10 + i % 10;
    for (i, got) in embed(WeightSlice::F32(&values)).iter().enumerate() {
        assert_eq!(got.to_bits(), values[at(i)].to_bits());
    }
    for (i, got) in embed(WeightSlice::Bf16(&bf16s)).iter().enumerate() {
        assert_eq!(got.to_bits(), bf16s[at(i)].to_f32().to_bits());
    }
    for (i, got) in embed(WeightSlice::F16(&f16s)).iter().enumerate() {
        assert_eq!(got.to_bits(), f16s[at(i)].to_f32().to_bits());
    }
}

#[test]
fn gather_takes_rows_in_any_order() {
    let cpu = Cpu::new();
    let x = rows_of(&cpu, 3, &random(1, 12));
    let mut out = cpu.rows(3, 3);
    cpu.gather(&x, &[3, 0, 3], &mut out);
    assert_eq!([out.row(0), out.row(1), out.row(2)], [x.row(3), x.row(0), x.row(3)]);
}
