//! `attention.cu` with its plans: ragged batches, shared heads, windows, forks; and bit for bit the
//! same however rows are put together.

use std::ops::Range;

use super::attention_batch::{Batch, Rows, Shape, Way};
use super::compare::{BF16_ALLOWED, greater, wrong_unless};
use super::{Case, Finding};
use crate::backend::AttentionShape;
use crate::runtime::{DeviceError, SharedRuntime};

/// Query heads, key heads, elements of a head.
const SHAPES: [[usize; 3]; 8] = [
    [2, 2, 64],
    [2, 1, 80],
    [4, 1, 96],
    [7, 1, 128],
    [14, 2, 64],
    [8, 1, 160],
    [2, 1, 256],
    [48, 1, 64],
];
const WINDOWS: [u32; 3] = [5, 100, 300];

/// The weights and the result are both rounded to bfloat16.
const ALLOWED: f64 = 2.0 * BF16_ALLOWED;

/// Query heads and key heads of CodeLlama-7B and Qwen2.5-Coder-7B.
const MODELS: [(&str, [usize; 3]); 2] = [("CodeLlama", [32, 32, 128]), ("Qwen", [28, 4, 128])];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for dims in SHAPES {
        let shape = Shape::new(dims, None);
        cases.push(small("ragged rows", shape, ragged));
        cases.push(small("forks", shape, forks));
        cases.push(small("the same bits in every way", shape, same_bits));
    }
    for window in WINDOWS {
        let shape = Shape::new([4, 2, 64], Some(window));
        cases.push(small("ragged rows", shape, ragged));
        cases.push(small("forks", shape, forks));
        cases.push(small("the same bits in every way", shape, same_bits));
    }
    for (model, dims) in MODELS {
        cases.extend(timed_cases(model, Shape::new(dims, None)));
    }
    cases
}

type Check = fn(&SharedRuntime, Shape) -> Result<Finding, DeviceError>;

fn small(what: &str, shape: Shape, check: Check) -> Case {
    Case::small("attention", format!("{what}, {shape}"), move |runtime| check(runtime, shape))
}

/// First rows, late rows, a prefill in the middle.
fn ragged(runtime: &SharedRuntime, shape: Shape) -> Result<Finding, DeviceError> {
    let mut batch = Batch::new(shape);
    let lens = [1, 701, 57, 259, 64];
    let firsts = [0, 700, 20, 250, 0];
    let rows: Vec<Rows> =
        lens.iter().zip(firsts).map(|(len, first)| (batch.push(*len), first..*len)).collect();
    check(runtime, &batch, &rows)
}

/// Forks that share 10, 64, 300 and 520 tokens.
fn forks(runtime: &SharedRuntime, shape: Shape) -> Result<Finding, DeviceError> {
    let (batch, rows) = forked(shape);
    check(runtime, &batch, &rows)
}

/// A long stem, of which several rows are run, and forks of one or two rows.
fn forked(shape: Shape) -> (Batch, Vec<Rows>) {
    let mut batch = Batch::new(shape);
    let stem = batch.push(560);
    let lens = [(10, 30), (64, 90), (300, 340), (300, 303), (520, 700), (520, 530), (64, 65)];
    let mut rows: Vec<Rows> = vec![(stem, 520..560)];
    for (i, (num_shared, len)) in lens.into_iter().enumerate() {
        let fork = batch.fork(stem, num_shared, len);
        rows.push((fork, len - 1 - i % 2..len));
    }
    (batch, rows)
}

/// Against the reference, and the same bits in every way.
fn check(runtime: &SharedRuntime, batch: &Batch, rows: &[Rows]) -> Result<Finding, DeviceError> {
    let device = batch.on(runtime)?;
    let expected = device.run(rows, Way::SPANS)?.out;
    let mut error = batch.error(rows, &expected);
    for way in Way::ALL {
        error = greater(error, wrong_unless(device.run(rows, way)?.out == expected));
    }
    Ok(Finding { error, allowed: ALLOWED, ..Finding::default() })
}

/// Rows by themselves, in chunks beside others, and beside their forks.
fn same_bits(runtime: &SharedRuntime, shape: Shape) -> Result<Finding, DeviceError> {
    let (mut batch, forks) = forked(shape);
    let others: Vec<Rows> = (1..7).map(|i| (batch.push(40 * i), 40 * i - 1..40 * i)).collect();
    let device = batch.on(runtime)?;
    let together = device.run(&forks, Way::SPANS)?.out;
    let mut expected = together.as_slice();
    let mut is_same = true;
    for (sequence, positions) in forks {
        let of_sequence;
        (of_sequence, expected) = expected.split_at(positions.len() * shape.out_width());
        for chunk_len in [1, 7, positions.len()] {
            // Chunks of one row are passes of their own, others are beside each other.
            let chunks = chunks(sequence, positions.clone(), chunk_len);
            let passes: Vec<Vec<Rows>> = match chunk_len {
                1 => chunks.into_iter().map(|chunk| vec![chunk]).collect(),
                _ => vec![others.iter().cloned().chain(chunks).collect()],
            };
            let mut found = Vec::new();
            for pass in &passes {
                found.extend(device.run(pass, Way::SPANS)?.out);
            }
            is_same &= found.ends_with(of_sequence);
        }
    }
    Ok(Finding { error: wrong_unless(is_same), ..Finding::default() })
}

fn chunks(sequence: usize, positions: Range<usize>, chunk_len: usize) -> Vec<Rows> {
    let starts = positions.clone().step_by(chunk_len);
    starts.map(|start| (sequence, start..(start + chunk_len).min(positions.end))).collect()
}

/// Decoding, branches with and without groups, prefills.
fn timed_cases(model: &'static str, shape: Shape) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut push = |what: String, way, make: Make, nums| {
        cases.push(timed(format!("{what}, {model}'s {shape}"), shape, way, make, nums));
    };
    for num_sequences in [1, 8, 64] {
        for len in [512, 2048] {
            let what = format!("{num_sequences} rows at {len}");
            push(what, Way::USUAL, decoded, [num_sequences, len]);
        }
    }
    for num_shared in [512, 2000] {
        for (way, name) in [(Way::ALONE, "alone"), (Way::USUAL, "stacked")] {
            let what = format!("6 branches that share {num_shared}, {name}");
            push(what, way, branches, [6, num_shared]);
        }
    }
    for first in [0, 1500] {
        push(format!("512 rows at {first}"), Way::USUAL, prefill, [512, first]);
    }
    cases
}

/// The same of another model's layer, in fewer sizes.
pub fn sized(shape: AttentionShape) -> Vec<Case> {
    const CONTEXT_LEN: usize = 512;
    let AttentionShape { num_heads, num_kv_heads, head_dim, window } = shape;
    let window = window.map(|window| window.get() as u32);
    let shape = Shape::new([num_heads, num_kv_heads, head_dim], window);
    let decoding = [1, 8, 64].map(|num| {
        let title = format!("decode: {num} rows at {CONTEXT_LEN}");
        timed(title, shape, Way::USUAL, decoded, [num, CONTEXT_LEN])
    });
    let prefills = [128, 512, 2048].map(|num| {
        timed(format!("prefill: {num} rows at 0"), shape, Way::USUAL, prefill, [num, 0])
    });
    let forks = [(Way::ALONE, "alone"), (Way::USUAL, "stacked")].map(|(way, name)| {
        let title = format!("branches: 6 that share {CONTEXT_LEN}, {name}");
        timed(title, shape, way, branches, [6, CONTEXT_LEN])
    });
    decoding.into_iter().chain(prefills).chain(forks).collect()
}

/// Sequences and the rows of them that are run, by two numbers.
type Make = fn(&mut Batch, [usize; 2]) -> Vec<Rows>;

fn timed(title: String, shape: Shape, way: Way, make: Make, nums: [usize; 2]) -> Case {
    let run = move |runtime: &SharedRuntime| measure(runtime, shape, way, make, nums);
    Case::timed("attention", title, run)
}

/// The last rows of `num` sequences.
fn decoded(batch: &mut Batch, [num, len]: [usize; 2]) -> Vec<Rows> {
    (0..num).map(|_| (batch.push(len), len - 1..len)).collect()
}

/// The last rows of `num` forks, 20 tokens after they parted.
fn branches(batch: &mut Batch, [num, num_shared]: [usize; 2]) -> Vec<Rows> {
    let stem = batch.push(num_shared);
    let len = num_shared + 20;
    (0..num).map(|_| (batch.fork(stem, num_shared, len), len - 1..len)).collect()
}

/// `num` rows of one sequence.
fn prefill(batch: &mut Batch, [num, first]: [usize; 2]) -> Vec<Rows> {
    vec![(batch.push(first + num), first..first + num)]
}

fn measure(
    runtime: &SharedRuntime,
    shape: Shape,
    way: Way,
    make: Make,
    nums: [usize; 2],
) -> Result<Finding, DeviceError> {
    let mut batch = Batch::new(shape);
    let rows = make(&mut batch, nums);
    let run = batch.on(runtime)?.run(&rows, way)?;
    let [bytes, flops] = batch.work(&rows);
    let error = batch.error(&rows, &run.out);
    Ok(Finding { error, allowed: ALLOWED, bytes, flops, micros: run.micros })
}
