//! The cases of the kernels' self-test, run and reported: how far off, and on a device how fast,
//! beside what the device did at best in the same run.

use std::fmt::Write;

use jump_kernels::DeviceError;
use jump_kernels::cpu::Cpu;
use jump_kernels::runtime::SharedRuntime;
use jump_kernels::selftest::cpu::CpuCase;
use jump_kernels::selftest::{Case, Finding};
use serde::Serialize;

use crate::throughput::Ceilings;

const INFALLIBLE: &str = "a string can be written to";

/// What came of an operation at a shape.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The operation.
    pub op: String,
    /// The shape.
    pub shape: String,
    /// Was it right?
    pub is_right: bool,
    /// How far it was off; nothing if it wasn't finished.
    pub error: Option<f64>,
    /// How far rounding explains.
    pub allowed: f64,
    /// Why it wasn't finished.
    pub failure: Option<String>,
    /// How fast it was, where it was timed.
    pub speed: Option<Speed>,
}

/// How fast an operation was.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// Of the fastest run.
    pub micros: f64,
    /// Bytes that have to be moved, each once.
    pub bytes_per_second: f64,
    /// Operations that have to be done.
    pub flops_per_second: f64,
    /// Of the ceiling that is nearer.
    pub share: Option<f64>,
}

impl Outcome {
    fn new(op: &str, shape: &str, finding: &Finding, ceilings: Option<Ceilings>) -> Self {
        Self {
            op: op.to_owned(),
            shape: shape.to_owned(),
            is_right: finding.is_right(),
            error: Some(finding.error),
            allowed: finding.allowed,
            failure: None,
            speed: finding.micros.map(|micros| Speed::new(finding, micros, ceilings)),
        }
    }

    fn failed(op: &str, shape: &str, error: &DeviceError) -> Self {
        Self {
            op: op.to_owned(),
            shape: shape.to_owned(),
            is_right: false,
            error: None,
            allowed: 0.0,
            failure: Some(error.to_string()),
            speed: None,
        }
    }
}

impl Speed {
    fn new(finding: &Finding, micros: f64, ceilings: Option<Ceilings>) -> Self {
        let (bytes, flops) = (finding.bytes / micros * 1e6, finding.flops / micros * 1e6);
        let share =
            ceilings.map(|roof| (bytes / roof.bytes_per_second).max(flops / roof.flops_per_second));
        Self { micros, bytes_per_second: bytes, flops_per_second: flops, share }
    }
}

/// Runs cases on a device; `tell` hears of each that begins. A device that failed runs no more.
pub fn on_device(
    cases: &[Case],
    runtime: &SharedRuntime,
    ceilings: Option<Ceilings>,
    tell: &mut dyn FnMut(&str),
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for case in cases {
        tell(&format!("{}: {}", case.op, case.shape));
        match case.run(runtime) {
            Ok(finding) => outcomes.push(Outcome::new(case.op, &case.shape, &finding, ceilings)),
            Err(error) => {
                outcomes.push(Outcome::failed(case.op, &case.shape, &error));
                if matches!(error, DeviceError::Driver { .. }) {
                    break;
                }
            }
        }
    }
    tell("");
    outcomes
}

/// Runs cases on the processor.
pub fn on_cpu(cases: &[CpuCase]) -> Vec<Outcome> {
    let cpu = Cpu::new();
    let outcome = |case: &CpuCase| Outcome::new(case.op, &case.shape, &case.run(&cpu), None);
    cases.iter().map(outcome).collect()
}

/// The table.
pub fn table(outcomes: &[Outcome]) -> String {
    let is_timed = outcomes.iter().any(|outcome| outcome.speed.is_some());
    let width = outcomes.iter().map(|outcome| outcome.shape.chars().count()).max().unwrap_or(0);
    let mut text =
        format!("{:<16} {:<width$} {:>9} {:>9}", "operation", "shape", "error", "allowed");
    if is_timed {
        write!(text, " {:>10} {:>8} {:>8} {:>6}", "us", "GB/s", "TFLOP/s", "%").expect(INFALLIBLE);
    }
    text.push('\n');
    for outcome in outcomes {
        let error = outcome.error.map_or("-".to_owned(), |error| format!("{error:.1e}"));
        let Outcome { op, shape, allowed, .. } = outcome;
        write!(text, "{op:<16} {shape:<width$} {error:>9} {allowed:>9.1e}").expect(INFALLIBLE);
        push_speed(&mut text, outcome.speed.as_ref());
        if let Some(failure) = &outcome.failure {
            write!(text, "  FAILED: {failure}").expect(INFALLIBLE);
        } else if !outcome.is_right {
            text.push_str("  WRONG");
        }
        text.push('\n');
    }
    text
}

fn push_speed(text: &mut String, speed: Option<&Speed>) {
    let Some(speed) = speed else { return };
    let share = speed.share.map_or("-".to_owned(), |share| format!("{:.1}", share * 100.0));
    write!(
        text,
        " {:>10.1} {:>8.1} {:>8.2} {share:>6}",
        speed.micros,
        speed.bytes_per_second / 1e9,
        speed.flops_per_second / 1e12,
    )
    .expect(INFALLIBLE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(error: f64, micros: Option<f64>) -> Outcome {
        let finding = Finding { error, allowed: 1e-3, bytes: 1e6, flops: 1e9, micros };
        let ceilings = Ceilings { bytes_per_second: 1e12, flops_per_second: 4e14 };
        Outcome::new("op", "shape", &finding, Some(ceilings))
    }

    #[test]
    fn what_is_off_or_no_number_is_wrong() {
        assert!(outcome(1e-3, None).is_right);
        assert!(!outcome(2e-3, None).is_right && !outcome(f64::NAN, None).is_right);
        let table = table(&[outcome(1e-3, None), outcome(2e-3, None)]);
        assert_eq!(table.matches("WRONG").count(), 1, "{table}");
    }

    #[test]
    fn a_share_is_of_the_nearer_ceiling() {
        let speed = outcome(0.0, Some(10.0)).speed.unwrap();
        assert!((speed.bytes_per_second - 1e11).abs() < 1.0, "{speed:?}");
        assert!((speed.share.unwrap() - 0.25).abs() < 1e-9, "{speed:?}");
    }
}
