//! How far results are off.

use half::bf16;

/// What a bfloat16 result may be off at most in [`relative_error`]: half a unit of its last place,
/// which is 2^-8, and the error of the f32 that was rounded.
pub const BF16_ALLOWED: f64 = 0.004;

/// The largest `|found - expected|`, relative to `|expected|` and at least to a hundredth. A NaN
/// stays one.
pub fn relative_error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len(), "results to compare");
    let errors = found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (f64::from(*found) - expected).abs() / (expected.abs() + 0.01));
    errors.fold(0.0, greater)
}

/// The greater of two errors; a NaN is the greatest.
pub fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// The error of what is either right or wrong.
pub fn wrong_unless(is_right: bool) -> f64 {
    if is_right { 0.0 } else { f64::INFINITY }
}

/// The same numbers in single precision.
pub fn widen(x: &[bf16]) -> Vec<f32> {
    x.iter().map(|x| x.to_f32()).collect()
}
