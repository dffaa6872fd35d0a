//! Operations on single rows.

use half::{bf16, f16};

use super::{assert_close, bits, every_level, random, rows_of, same_everywhere};
use crate::backend::{AttentionShape, MatrixView, NormKind, NormView, RopeTable, WeightSlice};
use crate::cpu::Cpu;
use crate::layout::{BlockId, Layout, TokenId};
use crate::reference;

/// Both kinds of norms of `weight`.
fn norms<'a>(weight: &'a [f32], bias: &'a [f32]) -> [NormView<'a>; 2] {
    [NormKind::Rms, NormKind::Layer { bias }].map(|kind| NormView { kind, eps: 1e-5, weight })
}

fn reference_norm(view: &NormView<'_>, x: &[f32]) -> Vec<f64> {
    match view.kind {
        NormKind::Rms => reference::rms_norm(x, view.weight, f64::from(view.eps)),
        NormKind::Layer { bias } => {
            reference::layer_norm(x, view.weight, bias, f64::from(view.eps))
        }
    }
}

#[test]
fn norms_agree_with_the_reference() {
    for cpu in every_level() {
        for width in [2, 15, 16, 17, 64, 100, 256, 1000] {
            // Away from zero, so that a mean forgotten or taken twice is seen.
            let x: Vec<f32> = random(1, 5 * width).iter().map(|x| 3.0 * x + 0.5).collect();
            let (weight, bias) = (random(2, width), random(3, width));
            for view in norms(&weight, &bias) {
                let mut out = cpu.rows(8, width);
                cpu.normalise(&rows_of(&cpu, width, &x), 5, &cpu.norm(view), &mut out);
                for (row, x) in x.chunks(width).enumerate() {
                    let want = reference_norm(&view, x);
                    assert_close(out.row(row), &want, 2e-6, &format!("{:?} {width}", view.kind));
                }
                assert_eq!(out.row(5), vec![0.0; width], "rows beyond are left alone");
            }
        }
    }
}

#[test]
fn norms_have_the_same_bits_everywhere() {
    let (width, num_rows) = (250, 300);
    let (x, weight, bias) = (random(1, num_rows * width), random(2, width), random(3, width));
    for view in norms(&weight, &bias) {
        let norm = |cpu: &Cpu, x: &[f32]| {
            let num_rows = x.len() / width;
            let mut out = cpu.rows(num_rows, width);
            cpu.normalise(&rows_of(cpu, width, x), num_rows, &cpu.norm(view), &mut out);
            bits(out.first(num_rows))
        };
        let all = same_everywhere(|cpu| norm(cpu, &x));
        let alone = norm(&Cpu::new(), &x[7 * width..8 * width]);
        assert!(alone == all[7 * width..8 * width]);
    }
}

#[test]
fn heads_are_normalised_each_by_itself() {
    let shape = AttentionShape { num_heads: 3, num_kv_heads: 1, head_dim: 32, window: None };
    let (num_rows, dim) = (200, shape.head_dim);
    let x = random(1, num_rows * shape.qkv_width());
    let weights = [random(2, dim), random(3, dim)];
    let views = weights.each_ref().map(|weight| norms(weight, &[])[0]);
    let mut layout = Layout::default();
    let blocks: Vec<BlockId> = (0..13).map(BlockId).collect();
    layout.push(&vec![TokenId(0); num_rows], 0, &blocks);
    let rope = RopeTable { half_dim: 0, cos: Vec::new(), sin: Vec::new() };
    let run = |cpu: &Cpu| {
        let mut qkv = rows_of(cpu, shape.qkv_width(), &x);
        let norms = views.map(|view| cpu.norm(view));
        let mut cache = cpu.cache(blocks.len(), shape);
        cpu.rotate_and_store(&mut qkv, Some(&norms), &layout, &rope, &mut cache);
        qkv.first(num_rows).to_vec()
    };
    same_everywhere(|cpu| bits(&run(cpu)));
    let found = run(&Cpu::new());
    for (head_idx, (found, x)) in found.chunks(dim).zip(x.chunks(dim)).enumerate() {
        match head_idx % 5 {
            4 => assert_eq!(found, x, "values stay as they are"),
            place => {
                let want = reference_norm(&views[usize::from(place == 3)], x);
                assert_close(found, &want, 2e-6, &format!("head {head_idx}"));
            }
        }
    }
}

#[test]
fn embed_takes_rows_of_every_weight_type() {
    let cpu = Cpu::new();
    let values = random(1, 6 * 10);
    let bf16s: Vec<bf16> = values.iter().map(|x| bf16::from_f32(*x)).collect();
    let f16s: Vec<f16> = values.iter().map(|x| f16::from_f32(*x)).collect();
    let tokens = [TokenId(5), TokenId(0), TokenId(5)];
    let mut layout = Layout::default();
    layout.push(&tokens, 0, &[BlockId(0)]);
    let embed = |values| {
        let table = cpu.table(MatrixView { values, num_rows: 6, num_cols: 10 });
        let mut out = cpu.rows(3, 10);
        cpu.embed(&table, 1.0, None, &layout, &mut out);
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
fn embeddings_are_scaled_and_placed() {
    const WIDTH: usize = 300;
    let (values, places) = (random(1, 6 * WIDTH), random(2, 400 * WIDTH));
    // Enough rows for several threads, in two segments.
    let tokens: Vec<TokenId> = (0..300).map(|i| TokenId(i % 6)).collect();
    let blocks: Vec<BlockId> = (0..25).map(BlockId).collect();
    let mut layout = Layout::default();
    layout.push(&tokens[..60], 0, &blocks);
    layout.push(&tokens[60..], 160, &blocks);
    let position = |row: usize| if row < 60 { row } else { row + 100 };
    let out = same_everywhere(|cpu| {
        let table = |values, num_rows| {
            cpu.table(MatrixView { values: WeightSlice::F32(values), num_rows, num_cols: WIDTH })
        };
        let mut out = cpu.rows(300, WIDTH);
        let (table, places) = (table(&values, 6), table(&places, 400));
        cpu.embed(&table, 3.5, Some(&places), &layout, &mut out);
        out.first(300).to_vec()
    });
    for (row, out) in out.chunks(WIDTH).enumerate() {
        for (i, found) in out.iter().enumerate() {
            let token = values[tokens[row].0 as usize * WIDTH + i];
            let place = places[position(row) * WIDTH + i];
            assert_eq!(found.to_bits(), (token * 3.5 + place).to_bits(), "{row}, {i}");
        }
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
