//! Matmuls of every shape and weight type.

use half::{bf16, f16};
use rayon::ThreadPoolBuilder;

use super::{bits, every_cpu, every_level, random, rows_of, same_everywhere};
use crate::backend::{Activation, MatrixView, WeightSlice};
use crate::cpu::{Cpu, Matrix};
use crate::reference;

/// Rows, inputs, outputs.
const SHAPES: [(usize, usize, usize); 14] = [
    (1, 1, 1),
    (1, 64, 128),
    (1, 40, 300),
    (2, 7, 5),
    (2, 16, 129),
    (3, 33, 31),
    (4, 5, 97),
    (5, 64, 32),
    (6, 100, 33),
    (7, 17, 65),
    (12, 3, 64),
    (13, 256, 96),
    (25, 48, 130),
    (64, 70, 40),
];

#[derive(Clone, Copy, Debug)]
enum WeightType {
    Bf16,
    F16,
    F32,
}

/// Weights of a type, and the same ones in single precision.
struct Weights {
    kind: WeightType,
    bf16: Vec<bf16>,
    f16: Vec<f16>,
    f32: Vec<f32>,
    shape: (usize, usize),
}

impl Weights {
    fn random(kind: WeightType, seed: u64, num_rows: usize, num_cols: usize) -> Self {
        let f32 = random(seed, num_rows * num_cols);
        let bf16: Vec<bf16> = f32.iter().map(|x| bf16::from_f32(*x)).collect();
        let f16: Vec<f16> = f32.iter().map(|x| f16::from_f32(*x)).collect();
        let f32 = match kind {
            WeightType::Bf16 => bf16.iter().map(|x| x.to_f32()).collect(),
            WeightType::F16 => f16.iter().map(|x| x.to_f32()).collect(),
            WeightType::F32 => f32,
        };
        Self { kind, bf16, f16, f32, shape: (num_rows, num_cols) }
    }

    fn view(&self) -> MatrixView<'_> {
        let values = match self.kind {
            WeightType::Bf16 => WeightSlice::Bf16(&self.bf16),
            WeightType::F16 => WeightSlice::F16(&self.f16),
            WeightType::F32 => WeightSlice::F32(&self.f32),
        };
        MatrixView { values, num_rows: self.shape.0, num_cols: self.shape.1 }
    }

    fn row(&self, output: usize) -> &[f32] {
        &self.f32[output * self.shape.1..][..self.shape.1]
    }
}

/// A plain matrix of `gate`, and a gated one of both; the bias is the gate's, then the up's.
fn matrices(cpu: &Cpu, gate: &Weights, up: &Weights, bias: Option<&[f32]>) -> [Matrix; 2] {
    let of_gate = bias.map(|bias| &bias[..gate.shape.0]);
    let plain = cpu.matrix(&[gate.view()]).with_bias(of_gate);
    [plain, cpu.gated_matrix(gate.view(), up.view()).with_bias(bias)]
}

/// The kinds of matmul, from rows of ones in `out`.
fn all_matmuls(cpu: &Cpu, x: &[f32], [plain, gated]: &[Matrix; 2]) -> [Vec<f32>; 4] {
    let num_rows = x.len() / plain.num_inputs;
    let len = num_rows * plain.num_outputs;
    let x = rows_of(cpu, plain.num_inputs, x);
    let mut outs = [(); 4].map(|()| rows_of(cpu, plain.num_outputs, &vec![1.0; len]));
    cpu.matmul(&x, num_rows, plain, &mut outs[0]);
    cpu.matmul_add(&x, num_rows, plain, &mut outs[1]);
    cpu.matmul_activated(&x, num_rows, plain, Activation::Gelu, &mut outs[2]);
    cpu.matmul_activated(&x, num_rows, gated, Activation::Silu, &mut outs[3]);
    outs.map(|out| out.first(num_rows).to_vec())
}

/// What they give for one row and output, and the sizes of what is added up.
fn reference(x: &[f32], [a, b]: [&[f32]; 2], [a_bias, b_bias]: [f32; 2]) -> [(f64, f64); 4] {
    let sum = |w, bias| reference::dot(x, w) + f64::from(bias);
    let size = |w, bias: f32| 1.0 + reference::dot_magnitude(x, w) + f64::from(bias.abs());
    let (gate, up) = (sum(a, a_bias), sum(b, b_bias));
    let gate_size = size(a, a_bias);
    [
        (gate, gate_size),
        (1.0 + gate, gate_size),
        (reference::gelu(gate), gate_size),
        (reference::silu(gate) * up, gate_size * size(b, b_bias)),
    ]
}

#[test]
fn matmuls_agree_with_the_reference() {
    for cpu in every_cpu() {
        for (num_rows, k, n) in SHAPES {
            for kind in [WeightType::Bf16, WeightType::F16, WeightType::F32] {
                let x = random(1, num_rows * k);
                let gate = Weights::random(kind, 2, n, k);
                let up = Weights::random(kind, 3, n, k);
                // Every other matrix has a bias.
                let bias = Some(random(4, 2 * n)).filter(|_| (k + n) % 2 == 0);
                let matrices = matrices(&cpu, &gate, &up, bias.as_deref());
                let outs = all_matmuls(&cpu, &x, &matrices);
                for (i, x) in x.chunks(k).enumerate() {
                    for j in 0..n {
                        let biases = bias.as_ref().map_or([0.0; 2], |bias| [bias[j], bias[n + j]]);
                        let expected = reference(x, [gate.row(j), up.row(j)], biases);
                        for (op, (want, size)) in expected.into_iter().enumerate() {
                            let got = f64::from(outs[op][i * n + j]);
                            assert!(
                                (got - want).abs() <= 2e-6 * size,
                                "{num_rows} by {k} by {n} of {kind:?}, {op}: {got}, not {want}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn neither_rows_nor_threads_nor_instructions_change_a_bit() {
    // Enough work for two threads even at one row, and panels that no tile divides evenly.
    let (k, n) = (130, 23 * 32 + 7);
    let x = random(1, 64 * k);
    for kind in [WeightType::Bf16, WeightType::F32] {
        let gate = Weights::random(kind, 2, n, k);
        let up = Weights::random(kind, 3, n, k);
        let bias = random(4, 2 * n);
        let matrices = |cpu: &Cpu| matrices(cpu, &gate, &up, Some(&bias));
        let all = same_everywhere(|cpu| all_matmuls(cpu, &x, &matrices(cpu)).map(|out| bits(&out)));
        for cpu in every_level() {
            let matrices = matrices(&cpu);
            let portable = cpu.simd_level() == crate::cpu::SimdLevel::Portable;
            // The portable level has fewer tiles, and takes long without an instruction for FMA.
            for num_rows in (1..64).filter(|rows| !portable || *rows < 8) {
                let first = 64 - num_rows;
                let outs = all_matmuls(&cpu, &x[first * k..], &matrices);
                for (out, all) in outs.iter().zip(&all) {
                    assert!(bits(out) == all[first * n..], "{num_rows} rows of {kind:?}");
                }
            }
        }
    }
}

#[test]
fn neither_rows_nor_threads_change_a_bit_on_the_tile_unit() {
    let tiles = Some(Cpu::new()).filter(Cpu::has_tiles);
    let Some(cpu) = tiles else { return };
    // More rows than are split at once, and inputs and panels that no tile divides evenly.
    let (k, n, most_rows) = (130, 23 * 32 + 7, 200);
    let x = random(1, most_rows * k);
    let (gate, up) =
        (Weights::random(WeightType::Bf16, 2, n, k), Weights::random(WeightType::Bf16, 3, n, k));
    let matrices = matrices(&cpu, &gate, &up, Some(&random(4, 2 * n)));
    let run = |num_rows: usize, num_threads| {
        let x = &x[(most_rows - num_rows) * k..];
        let pool = ThreadPoolBuilder::new().num_threads(num_threads).build().unwrap();
        pool.install(|| all_matmuls(&cpu, x, &matrices).map(|out| bits(&out)))
    };
    let all = run(most_rows, 1);
    for num_rows in (1..=64).chain([most_rows]) {
        for (out, all) in run(num_rows, 2).iter().zip(&all) {
            assert!(*out == all[(most_rows - num_rows) * n..], "{num_rows} rows");
        }
    }
}

#[test]
fn stacked_parts_are_one_matrix() {
    let cpu = Cpu::new();
    let (k, x) = (20, random(1, 60));
    let parts = [3, 40, 1].map(|n| Weights::random(WeightType::Bf16, n as u64, n, k));
    let stacked = cpu.matrix(&parts.each_ref().map(Weights::view));
    let x = rows_of(&cpu, k, &x);
    let mut out = cpu.rows(3, 44);
    cpu.matmul(&x, 3, &stacked, &mut out);
    let mut first = 0;
    for part in &parts {
        let n = part.shape.0;
        let mut alone = cpu.rows(3, n);
        cpu.matmul(&x, 3, &cpu.matrix(&[part.view()]), &mut alone);
        for row in 0..3 {
            assert_eq!(bits(&out.row(row)[first..first + n]), bits(alone.row(row)));
        }
        first += n;
    }
}

#[test]
fn a_mixed_stack_is_exact() {
    // On vectors: bfloat16 alone could go to the tile unit, f32 does not.
    let cpu = Cpu::with_simd(Cpu::new().simd_level());
    let a = Weights::random(WeightType::Bf16, 1, 2, 8);
    let b = Weights::random(WeightType::F32, 2, 2, 8);
    let x = rows_of(&cpu, 8, &random(3, 8));
    let (mut mixed, mut alone) = (cpu.rows(1, 4), cpu.rows(1, 2));
    cpu.matmul(&x, 1, &cpu.matrix(&[a.view(), b.view()]), &mut mixed);
    cpu.matmul(&x, 1, &cpu.matrix(&[a.view()]), &mut alone);
    assert_eq!(bits(&mixed.row(0)[..2]), bits(alone.row(0)));
}
