//! The processor's operations, one by one, against the same reference, at a handful of ragged
//! shapes: for `jumpcoder selftest --device cpu`. Its own tests say more; these say it of the
//! machine on which they run.

use std::num::NonZeroUsize;

use half::bf16;

use super::compare::{greater, relative_error, widen, wrong_unless};
use super::{Finding, Input};
use crate::backend::{
    Activation, AttentionShape, Choice, MatrixView, NormKind, NormView, RopeTable, ScoreKind,
    Target, WeightSlice,
};
use crate::cpu::{Cpu, Rows};
use crate::layout::{BLOCK_LEN, BlockId, Layout, TokenId};
use crate::reference;

/// One operation of the processor at one shape.
pub struct CpuCase {
    /// The operation, as [`Cpu`] calls it.
    pub op: &'static str,
    /// The shape, for people.
    pub shape: String,
    run: Box<dyn Fn(&Cpu) -> Finding + Send + Sync>,
}

impl CpuCase {
    /// Runs it.
    pub fn run(&self, cpu: &Cpu) -> Finding {
        (self.run)(cpu)
    }
}

/// What sums in single precision may be off, relative to the sizes of what is added.
const F32_ALLOWED: f64 = 4e-6;
/// What results of several such sums may be off in [`relative_error`].
const CHAINED_ALLOWED: f64 = 1e-4;

/// Rows, width.
const NORMS: [[usize; 2]; 4] = [[1, 8], [3, 256], [9, 576], [2, 5000]];
/// Rows, inputs, outputs.
const PRODUCTS: [[usize; 3]; 6] =
    [[1, 64, 128], [2, 7, 5], [5, 100, 33], [13, 256, 96], [25, 48, 130], [64, 70, 40]];
/// Heads, key heads, elements of a head, pairs, tokens of the sequence, of its last chunk, of the
/// window.
const ATTENTIONS: [[usize; 7]; 4] = [
    [4, 2, 64, 32, 35, 3, 35],
    [8, 1, 32, 16, 70, 70, 21],
    [6, 2, 48, 8, 17, 1, 5],
    [1, 1, 128, 0, 5, 2, 9],
];
/// Rows, width, tokens of the vocabulary.
const HEADS: [[usize; 3]; 3] = [[1, 50, 203], [9, 64, 100], [40, 33, 65]];

/// The cases of all operations.
pub fn cases() -> Vec<CpuCase> {
    let mut cases = Vec::new();
    for dims in NORMS {
        let shape = format!("{} rows of {}", dims[0], dims[1]);
        for op in ["rms_norm", "layer_norm"] {
            cases.push(case(op, shape.clone(), move |cpu| norm(cpu, op, dims)));
        }
    }
    for dims in PRODUCTS {
        let shape = format!("{} rows, {} inputs, {} outputs", dims[0], dims[1], dims[2]);
        for op in ["matmul", "matmul_add"] {
            cases.push(case(op, shape.clone(), move |cpu| product(cpu, op, dims)));
        }
        for activation in [Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
            for is_gated in [false, true] {
                let gated = if is_gated { ", gated" } else { "" };
                let shape = format!("{shape}, {activation:?}{gated}");
                let run = move |cpu: &Cpu| activated_product(cpu, activation, is_gated, dims);
                cases.push(case("matmul_activated", shape, run));
            }
        }
    }
    for dims in ATTENTIONS {
        let [heads, kv_heads, dim, pairs, len, last, window] = dims;
        let shape = format!(
            "{last} of {len} tokens, {heads} heads of {dim} over {kv_heads}, {pairs} pairs, a \
             window of {window}"
        );
        cases.push(case("attention", shape, move |cpu| attention(cpu, dims)));
    }
    for dims in HEADS {
        for op in ["choose", "target_logits", "target_logprobs"] {
            let shape = format!("{} rows of {}, {} tokens", dims[0], dims[1], dims[2]);
            cases.push(case(op, shape, move |cpu| head(cpu, op, dims)));
        }
    }
    cases
}

fn case(
    op: &'static str,
    shape: String,
    run: impl Fn(&Cpu) -> Finding + Send + Sync + 'static,
) -> CpuCase {
    CpuCase { op, shape, run: Box::new(run) }
}

fn finding(error: f64, allowed: f64) -> Finding {
    Finding { error, allowed, ..Finding::default() }
}

fn rows_of(cpu: &Cpu, width: usize, values: &[f32]) -> Rows {
    let num_rows = values.len() / width;
    let mut rows = cpu.rows(num_rows, width);
    rows.first_mut(num_rows).copy_from_slice(values);
    rows
}

fn norm(cpu: &Cpu, op: &str, [num_rows, width]: [usize; 2]) -> Finding {
    const EPS: f32 = 1e-5;
    let mut input = Input::new("norm");
    let (x, weight, bias) =
        (input.floats(num_rows * width), input.floats(width), input.floats(width));
    let mut out = cpu.rows(num_rows, width);
    let is_rms = op == "rms_norm";
    let kind = if is_rms { NormKind::Rms } else { NormKind::Layer { bias: &bias } };
    let norm = cpu.norm(NormView { kind, eps: EPS, weight: &weight });
    cpu.normalise(&rows_of(cpu, width, &x), num_rows, &norm, &mut out);
    let expected = x.chunks(width).flat_map(|x| {
        if is_rms {
            reference::rms_norm(x, &weight, f64::from(EPS))
        } else {
            reference::layer_norm(x, &weight, &bias, f64::from(EPS))
        }
    });
    let expected: Vec<f64> = expected.collect();
    finding(relative_error(out.first(num_rows), &expected), CHAINED_ALLOWED)
}

/// A matrix and its bias.
struct Weights {
    values: Vec<bf16>,
    bias: Vec<f32>,
    num_inputs: usize,
}

impl Weights {
    fn random(input: &mut Input, num_outputs: usize, num_inputs: usize) -> Self {
        let bias = input.floats(num_outputs);
        Self { values: input.bf16s(num_outputs * num_inputs), bias, num_inputs }
    }

    fn view(&self) -> MatrixView<'_> {
        let values = WeightSlice::Bf16(&self.values);
        MatrixView { values, num_rows: self.bias.len(), num_cols: self.num_inputs }
    }

    /// One output for `x`, and the size of what it is added up from.
    fn sum(&self, x: &[f32], output: usize) -> (f64, f64) {
        let row = widen(&self.values[output * self.num_inputs..][..self.num_inputs]);
        let bias = f64::from(self.bias[output]);
        let size = 1.0 + reference::dot_magnitude(x, &row) + bias.abs();
        (reference::dot(x, &row) + bias, size)
    }
}

fn product(cpu: &Cpu, op: &str, [num_rows, width, num_outputs]: [usize; 3]) -> Finding {
    let mut input = Input::new("product");
    let x = input.floats(num_rows * width);
    let weights = Weights::random(&mut input, num_outputs, width);
    let matrix = cpu.matrix(&[weights.view()]).with_bias(Some(&weights.bias));
    let rows = rows_of(cpu, width, &x);
    let mut out = rows_of(cpu, num_outputs, &vec![1.0; num_rows * num_outputs]);
    let before = if op == "matmul" {
        cpu.matmul(&rows, num_rows, &matrix, &mut out);
        0.0
    } else {
        cpu.matmul_add(&rows, num_rows, &matrix, &mut out);
        1.0
    };
    let mut error = 0.0;
    for (row, x) in x.chunks(width).enumerate() {
        for (output, found) in out.row(row).iter().enumerate() {
            let (sum, size) = weights.sum(x, output);
            error = greater(error, (f64::from(*found) - before - sum).abs() / size);
        }
    }
    finding(error, F32_ALLOWED)
}

fn activated_product(
    cpu: &Cpu,
    activation: Activation,
    is_gated: bool,
    [num_rows, width, num_outputs]: [usize; 3],
) -> Finding {
    let mut input = Input::new("product");
    let x = input.floats(num_rows * width);
    let [gate, up] = [(); 2].map(|()| Weights::random(&mut input, num_outputs, width));
    let matrix = if is_gated {
        let bias = [&*gate.bias, &*up.bias].concat();
        cpu.gated_matrix(gate.view(), up.view()).with_bias(Some(&bias))
    } else {
        cpu.matrix(&[gate.view()]).with_bias(Some(&gate.bias))
    };
    let mut out = cpu.rows(num_rows, num_outputs);
    let rows = rows_of(cpu, width, &x);
    cpu.matmul_activated(&rows, num_rows, &matrix, activation, &mut out);
    let mut error = 0.0;
    for (row, x) in x.chunks(width).enumerate() {
        for (output, found) in out.row(row).iter().enumerate() {
            let (sum, size) = gate.sum(x, output);
            let (up, up_size) = if is_gated { up.sum(x, output) } else { (1.0, 0.0) };
            let expected = reference::activate(activation, sum) * up;
            let size = size * (1.0 + up_size);
            error = greater(error, (f64::from(*found) - expected).abs() / size);
        }
    }
    finding(error, F32_ALLOWED)
}

/// The last rows of a sequence whose others were run before.
fn attention(
    cpu: &Cpu,
    [num_heads, num_kv_heads, head_dim, pairs, len, last, window]: [usize; 7],
) -> Finding {
    let window = NonZeroUsize::new(window);
    let shape = AttentionShape { num_heads, num_kv_heads, head_dim, window };
    let mut input = Input::new("attention");
    let rows: Vec<Vec<f32>> = (0..len).map(|_| input.floats(shape.qkv_width())).collect();
    let angles = input.floats(len * pairs);
    let rope = RopeTable {
        half_dim: pairs,
        cos: angles.iter().map(|angle| (angle * 9.0).cos()).collect(),
        sin: angles.iter().map(|angle| (angle * 9.0).sin()).collect(),
    };
    let num_blocks = len.div_ceil(BLOCK_LEN);
    let blocks: Vec<BlockId> = (0..num_blocks as u32).rev().map(BlockId).collect();
    let mut cache = cpu.cache(num_blocks, shape);
    let mut out = cpu.rows(len, shape.q_width());
    for (first, end) in [(0, len - last), (len - last, len)] {
        if first == end {
            continue;
        }
        let mut layout = Layout::default();
        layout.push(&vec![TokenId(0); end - first], first, &blocks);
        let mut qkv = rows_of(cpu, shape.qkv_width(), &rows[first..end].concat());
        cpu.rotate_and_store(&mut qkv, None, &layout, &rope, &mut cache);
        cpu.attention(&qkv, &layout, &cache, &mut out);
    }
    let mut error = 0.0;
    for row in 0..last {
        let expected = reference::attention(&rows[..=len - last + row], shape, &rope);
        error = greater(error, relative_error(out.row(row), &expected));
    }
    finding(error, CHAINED_ALLOWED)
}

fn head(cpu: &Cpu, op: &str, [num_rows, width, vocab_len]: [usize; 3]) -> Finding {
    let mut input = Input::new("head");
    let (x, weights) = (input.floats(num_rows * width), input.bf16s(vocab_len * width));
    let values = WeightSlice::Bf16(&weights);
    let view = MatrixView { values, num_rows: vocab_len, num_cols: width };
    let hidden = rows_of(cpu, width, &x);
    let exact: Vec<Vec<f64>> = logits(&x, &weights, width);
    let token = |row: usize| row * 31 % vocab_len;
    let targets: Vec<Target> = (0..num_rows)
        .map(|row| Target { row: row as u32, token: TokenId(token(row) as u32) })
        .collect();
    let error = |found: &[f32], expected: &dyn Fn(&[f64], usize) -> f64| {
        let expected = exact.iter().enumerate().map(|(row, logits)| expected(logits, token(row)));
        relative_error(found, &expected.collect::<Vec<_>>())
    };
    let logprob = |logits: &[f64], token: usize| reference::softmax(logits)[token].ln();
    let error = match op {
        "target_logits" => {
            let found = cpu.target_logits(&hidden, &cpu.table(view), &targets);
            error(&found, &|logits, token| logits[token])
        }
        "target_logprobs" => {
            error(&cpu.target_logprobs(&hidden, &cpu.matrix(&[view]), &targets), &logprob)
        }
        _ => choices(cpu, &hidden, view, &exact),
    };
    finding(error, CHAINED_ALLOWED)
}

fn logits(x: &[f32], weights: &[bf16], width: usize) -> Vec<Vec<f64>> {
    let weights = widen(weights);
    let row = |x| weights.chunks(width).map(|w| reference::dot(x, w)).collect();
    x.chunks(width).map(row).collect()
}

/// The likeliest tokens, which stand out in random logits, and their logits.
fn choices(cpu: &Cpu, hidden: &Rows, view: MatrixView<'_>, exact: &[Vec<f64>]) -> f64 {
    let score = ScoreKind::Logit;
    let choice = |row| Choice { row, banned: [].into(), sampling: None, forced: None, score };
    let wanted: Vec<Choice> = (0..exact.len() as u32).map(choice).collect();
    let chosen = cpu.choose(hidden, &cpu.matrix(&[view]), &wanted);
    let mut error = 0.0;
    for (chosen, logits) in chosen.iter().zip(exact) {
        let best = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let found = logits[chosen.token.0 as usize];
        error = greater(error, wrong_unless((found - best).abs() < F32_ALLOWED));
        error = greater(error, relative_error(&[chosen.score], &[found]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::{Cpu, cases};

    #[test]
    fn every_operation_of_this_processor_is_right() {
        let cpu = Cpu::new();
        for case in cases() {
            let finding = case.run(&cpu);
            assert!(finding.is_right(), "{} of {}: {finding:?}", case.op, case.shape);
        }
    }
}
