//! The operations against their references, and the promises about bits: no neighbour, chunk or
//! thread changes one, and no width of vectors.

mod attention;
mod head;
mod matmul;
mod quantised;
mod rowwise;

use rayon::ThreadPoolBuilder;

use super::{Cpu, Rows, SimdLevel};
use crate::sampling::{mix_key, uniform};

/// A processor for each level that this machine has.
fn every_level() -> Vec<Cpu> {
    let levels = SimdLevel::ALL.into_iter().filter(|level| level.is_available());
    levels.map(Cpu::with_simd).collect()
}

/// The same, and one with the tile unit if this machine has it.
fn every_cpu() -> Vec<Cpu> {
    let mut cpus = every_level();
    cpus.extend(Some(Cpu::new()).filter(Cpu::has_tiles));
    cpus
}

/// What `run` gives on every level, with one thread and with two; asserts that it is the same.
fn same_everywhere<T: PartialEq + std::fmt::Debug + Send>(run: impl Fn(&Cpu) -> T + Sync) -> T {
    let mut first: Option<T> = None;
    for level in SimdLevel::ALL.into_iter().filter(|level| level.is_available()) {
        for num_threads in [1, 2] {
            let pool = ThreadPoolBuilder::new().num_threads(num_threads).build().unwrap();
            let result = pool.install(|| run(&Cpu::with_simd(level)));
            match &first {
                None => first = Some(result),
                Some(first) => assert!(*first == result, "{level:?}, {num_threads} threads"),
            }
        }
    }
    first.expect("one level is always there")
}

/// `len` numbers between -1 and 1, a pure function of `seed`.
pub fn random(seed: u64, len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| (uniform(mix_key(&[seed, i])) * 2.0 - 1.0) as f32).collect()
}

/// Rows that hold `values`.
fn rows_of(cpu: &Cpu, width: usize, values: &[f32]) -> Rows {
    let num_rows = values.len() / width;
    let mut rows = cpu.rows(num_rows, width);
    rows.first_mut(num_rows).copy_from_slice(values);
    rows
}

/// The bits of floats: `==` takes zeros of both signs for the same, and NaNs for different.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Asserts that `got` is within `tolerance` of `want`, each relative to what is greater than one.
fn assert_close(got: &[f32], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*got) - want).abs() / want.abs().max(1.0);
        assert!(error <= tolerance, "{what}: {got} at {i}, not {want}");
    }
}
