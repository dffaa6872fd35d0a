//! What the machine can do, measured on the spot: multiply-adds a second and bytes a second. These
//! are the roof over every other figure.
//!
//! * Multiply-adds: every thread chains several registers of f32 fused multiply-adds without
//!   touching memory. This is the roof of f32 arithmetic, which the models' kernels use; it is
//!   independent of them. (The processor's bf16 dot products and tiles would be faster, but sum in
//!   another order and round the activations.)
//! * Bytes: every thread reads its share of a buffer again and again. Of a buffer as large as the
//!   weights, that is what a decode step can hope for; of one that no cache holds, it is memory's.
//!
//! The best of many short runs counts, since others use the machine too: a roof is what can be
//! reached, not what was left over.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_set1_ps};
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

/// Registers in flight: two multiply-add units times a latency of four cycles, with some to spare.
const NUM_CHAINS: usize = 12;
/// Floats in the largest register.
const LANES: usize = 16;
/// Multiply-adds of a register between two looks at the clock: some tens of microseconds.
const CHAIN_LEN: usize = 20_000;
/// Below 1, so that a chain neither grows nor dies.
const FACTOR: f32 = 0.999;
/// How long each figure is looked for.
const SEARCH: Duration = Duration::from_millis(400);
/// More than a share of any cache that a virtual machine gets.
const LARGE_BYTES: usize = 1 << 30;
/// A cache line's worth of sums.
const STRIDE: usize = 64;

/// The limits of a machine, with the threads of the pool that [`Machine::measure`] ran in.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Machine {
    /// Threads.
    pub num_threads: usize,
    /// f32 operations; a multiply-add is two.
    pub flops_per_second: f64,
    /// Bytes read from a buffer as large as the weights.
    pub weight_bytes_per_second: f64,
    /// Bytes read from memory.
    pub memory_bytes_per_second: f64,
}

impl Machine {
    /// Measures in the current pool; `weight_bytes` is the size of the weights.
    pub fn measure(weight_bytes: usize) -> Self {
        let num_threads = rayon::current_num_threads();
        let flops = (num_threads * CHAIN_LEN * NUM_CHAINS * LANES * 2) as f64;
        Self {
            num_threads,
            flops_per_second: flops / best_seconds(|| on_every_thread(|_| multiply_add())),
            weight_bytes_per_second: read_rate(weight_bytes),
            memory_bytes_per_second: read_rate(LARGE_BYTES),
        }
    }

    /// The higher roof of two measurements: the other was disturbed.
    #[must_use]
    pub fn higher(self, other: Self) -> Self {
        assert_eq!(self.num_threads, other.num_threads, "roofs of one machine");
        let Self { flops_per_second: flops, weight_bytes_per_second: weights, .. } = other;
        Self {
            num_threads: self.num_threads,
            flops_per_second: self.flops_per_second.max(flops),
            weight_bytes_per_second: self.weight_bytes_per_second.max(weights),
            memory_bytes_per_second: self
                .memory_bytes_per_second
                .max(other.memory_bytes_per_second),
        }
    }

    /// The least time in which `flops` can be done and `weight_bytes` be read, one beside the
    /// other.
    pub fn floor_seconds(&self, flops: f64, weight_bytes: f64) -> f64 {
        (flops / self.flops_per_second).max(weight_bytes / self.weight_bytes_per_second)
    }

    /// Prints what was measured.
    pub fn print(&self) {
        println!(
            "machine: {} threads, {:.0} GFLOP/s (f32), {:.1} GB/s of a buffer as large as the \
             weights, {:.1} GB/s of memory",
            self.num_threads,
            self.flops_per_second / 1e9,
            self.weight_bytes_per_second / 1e9,
            self.memory_bytes_per_second / 1e9,
        );
    }
}

fn on_every_thread(run: impl Fn(usize) + Sync) {
    rayon::broadcast(|context| run(context.index()));
}

/// The shortest run of those that fit into [`SEARCH`].
fn best_seconds(mut run: impl FnMut()) -> f64 {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while start.elapsed() < SEARCH {
        let run_start = Instant::now();
        run();
        best = best.min(run_start.elapsed());
    }
    best.as_secs_f64()
}

fn read_rate(num_bytes: usize) -> f64 {
    let buffer = vec![1_u8; num_bytes];
    let share = num_bytes / rayon::current_num_threads();
    let read = |thread_idx: usize| {
        black_box(sum(&buffer[thread_idx * share..][..share]));
    };
    num_bytes as f64 / best_seconds(|| on_every_thread(read))
}

fn multiply_add() {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has the feature, as just asked.
        return unsafe { multiply_add_avx512() };
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has the features, as just asked.
        return unsafe { multiply_add_avx2() };
    }
    multiply_add_portable();
}

/// One register a chain.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn multiply_add_avx512() {
    let factor = _mm512_set1_ps(black_box(FACTOR));
    let mut chains = [factor; NUM_CHAINS];
    for _ in 0..CHAIN_LEN {
        for chain in &mut chains {
            *chain = _mm512_fmadd_ps(*chain, factor, factor);
        }
    }
    black_box(chains);
}

/// Registers of half the size, so each chain is gone through twice.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_add_avx2() {
    let factor = _mm256_set1_ps(black_box(FACTOR));
    let mut chains = [factor; NUM_CHAINS];
    for _ in 0..2 * CHAIN_LEN {
        for chain in &mut chains {
            *chain = _mm256_fmadd_ps(*chain, factor, factor);
        }
    }
    black_box(chains);
}

/// What the compiler makes of it: too low a roof where it finds no vectors.
fn multiply_add_portable() {
    let mut chains = black_box([[FACTOR; LANES]; NUM_CHAINS]);
    for _ in 0..CHAIN_LEN {
        for value in chains.as_flattened_mut() {
            *value = *value * FACTOR + FACTOR;
        }
    }
    black_box(chains);
}

/// Reads every byte. Plain additions of neighbouring lanes: the compiler makes them vectors.
fn sum(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature, as just asked.
        return unsafe { sum_avx2(bytes) };
    }
    sum_lanes(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_avx2(bytes: &[u8]) -> u64 {
    sum_lanes(bytes)
}

#[inline]
fn sum_lanes(bytes: &[u8]) -> u64 {
    let mut sums = [0_u8; STRIDE];
    for line in bytes.chunks_exact(STRIDE) {
        for (sum, byte) in sums.iter_mut().zip(line) {
            *sum = sum.wrapping_add(*byte);
        }
    }
    sums.iter().map(|sum| u64::from(*sum)).sum()
}
