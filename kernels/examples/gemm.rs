//! Times the matmuls of a small model against the processor's own arithmetic.
//!
//! `cargo run --release -p jump-kernels --example gemm`; with `vectors` behind it, without the tile
//! unit. For each shape and number of rows: the time, GFLOP/s with its share of the peak, and GB/s
//! of weights. The peak is a matmul whose operands stay in the first cache, on one thread, times
//! the threads. Then whole passes: all matmuls of five layers and the head, whose weights no second
//! cache holds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use half::bf16;
use jump_kernels::cpu::{Cpu, Matrix, Rows};
use jump_kernels::{Activation, Choice, MatrixView, ScoreKind, WeightSlice};

const HIDDEN: usize = 256;
const QKV: usize = 512;
const INTERMEDIATE: usize = 704;
const VOCAB: usize = 4096;
const NUM_LAYERS: usize = 5;
const NUM_ROWS: [usize; 8] = [1, 2, 4, 8, 16, 24, 48, 96];

struct Layer {
    qkv: Matrix,
    out: Matrix,
    gate_up: Matrix,
    down: Matrix,
}

fn main() {
    let vectors = std::env::args().any(|argument| argument == "vectors");
    let best = Cpu::new();
    let cpu = if vectors { Cpu::with_simd(best.simd_level()) } else { best };
    let peak = in_pool(1, || {
        let (w, x) = (matrix(&cpu, 32, HIDDEN), filled(&cpu, 12, HIDDEN));
        let mut out = cpu.rows(12, 32);
        flops(12, &w) / best_time(|| cpu.matmul(&x, 12, &w, &mut out))
    });
    let tiles = if cpu.has_tiles() { " and tiles" } else { "" };
    println!("{:?}{tiles}, peak of a thread {:.0} GFLOP/s", cpu.simd_level(), peak / 1e9);
    for num_threads in [1, 2] {
        in_pool(num_threads, || {
            println!("{num_threads} threads");
            time_shapes(&cpu, peak * num_threads as f64);
            time_passes(&cpu);
        });
    }
}

fn time_shapes(cpu: &Cpu, peak: f64) {
    let shapes = [
        ("qkv", matrix(cpu, QKV, HIDDEN)),
        ("out", matrix(cpu, HIDDEN, HIDDEN)),
        ("gate_up", gated(cpu, INTERMEDIATE, HIDDEN)),
        ("down", matrix(cpu, HIDDEN, INTERMEDIATE)),
        ("head", matrix(cpu, VOCAB, HIDDEN)),
    ];
    for (name, w) in &shapes {
        for num_rows in NUM_ROWS {
            let x = filled(cpu, num_rows, w.num_inputs);
            let mut out = cpu.rows(num_rows, w.num_outputs);
            let time = best_time(|| multiply(cpu, &x, num_rows, w, &mut out));
            let rate = flops(num_rows, w) / time;
            println!(
                "{name:>8} {num_rows:4} rows {:8.1} us {:6.0} GFLOP/s ({:3.0} %) {:5.0} GB/s",
                time * 1e6,
                rate / 1e9,
                100.0 * rate / peak,
                flops(1, w) / time / 1e9, // two bytes and two operations a weight
            );
        }
    }
}

fn time_passes(cpu: &Cpu) {
    let layer = |_| Layer {
        qkv: matrix(cpu, QKV, HIDDEN),
        out: matrix(cpu, HIDDEN, HIDDEN),
        gate_up: gated(cpu, INTERMEDIATE, HIDDEN),
        down: matrix(cpu, HIDDEN, INTERMEDIATE),
    };
    let layers: Vec<Layer> = (0..NUM_LAYERS).map(layer).collect();
    let head = matrix(cpu, VOCAB, HIDDEN);
    for num_rows in NUM_ROWS {
        let time = time_pass(cpu, &layers, &head, num_rows);
        println!("    pass {num_rows:4} rows {:8.1} us", time * 1e6);
    }
}

fn time_pass(cpu: &Cpu, layers: &[Layer], head: &Matrix, num_rows: usize) -> f64 {
    let hidden = filled(cpu, num_rows, HIDDEN);
    let [mut qkv, mut x, mut mid] =
        [QKV, HIDDEN, INTERMEDIATE].map(|width| cpu.rows(num_rows, width));
    let score = ScoreKind::Logit;
    let choice = |row| Choice { row, banned: [].into(), sampling: None, forced: None, score };
    let choices: Vec<Choice> = (0..num_rows as u32).map(choice).collect();
    best_time(|| {
        for layer in layers {
            cpu.matmul(&hidden, num_rows, &layer.qkv, &mut qkv);
            cpu.matmul(&hidden, num_rows, &layer.out, &mut x);
            cpu.matmul_activated(&hidden, num_rows, &layer.gate_up, Activation::Silu, &mut mid);
            cpu.matmul_add(&mid, num_rows, &layer.down, &mut x);
        }
        black_box(cpu.choose(&x, head, &choices));
    })
}

fn multiply(cpu: &Cpu, x: &Rows, num_rows: usize, w: &Matrix, out: &mut Rows) {
    if w.is_gated {
        cpu.matmul_activated(x, num_rows, w, Activation::Silu, out);
    } else {
        cpu.matmul(x, num_rows, w, out);
    }
}

fn flops(num_rows: usize, w: &Matrix) -> f64 {
    let num_dots = num_rows * w.num_outputs * (1 + usize::from(w.is_gated));
    (2 * num_dots * w.num_inputs) as f64
}

fn in_pool<T: Send>(num_threads: usize, run: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads).build();
    pool.expect("threads can be started").install(run)
}

/// The shortest of the runs that fit into a fifth of a second: the others were disturbed.
fn best_time(mut run: impl FnMut()) -> f64 {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while start.elapsed() < Duration::from_millis(200) {
        let run_start = Instant::now();
        run();
        best = best.min(run_start.elapsed());
    }
    best.as_secs_f64()
}

fn weights(num_rows: usize, num_cols: usize) -> Vec<bf16> {
    let weight = |i: usize| bf16::from_f32((i * 7919 % 1000) as f32 / 50_000.0 - 0.01);
    (0..num_rows * num_cols).map(weight).collect()
}

fn matrix(cpu: &Cpu, num_rows: usize, num_cols: usize) -> Matrix {
    let values = weights(num_rows, num_cols);
    cpu.matrix(&[MatrixView { values: WeightSlice::Bf16(&values), num_rows, num_cols }])
}

fn gated(cpu: &Cpu, num_rows: usize, num_cols: usize) -> Matrix {
    let values = weights(num_rows, num_cols);
    let view = MatrixView { values: WeightSlice::Bf16(&values), num_rows, num_cols };
    cpu.gated_matrix(view, view)
}

fn filled(cpu: &Cpu, num_rows: usize, width: usize) -> Rows {
    let mut rows = cpu.rows(num_rows, width);
    let values = rows.first_mut(num_rows).iter_mut().enumerate();
    values.for_each(|(i, value)| *value = (i as f32 * 0.37).sin());
    rows
}
