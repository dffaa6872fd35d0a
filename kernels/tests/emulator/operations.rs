//! Every operation on the emulator, against the reference.

use std::sync::Arc;

use jump_kernels::runtime::{Emulator, SharedRuntime};
use jump_kernels::selftest::{self, Case};

#[test]
fn every_operation_is_right() {
    check_all(Emulator::new().unwrap());
}

#[test]
fn every_operation_is_right_strictly() {
    check_all(Emulator::strict().unwrap());
}

fn check_all(emulator: Emulator) {
    let runtime: SharedRuntime = Arc::new(emulator);
    let cases = selftest::cases();
    let small = cases.iter().filter(|case| !case.is_timed);
    let wrong: Vec<String> = small.filter_map(|case| check(case, &runtime)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with an operation.
fn check(case: &Case, runtime: &SharedRuntime) -> Option<String> {
    let name = format!("{} of {}", case.op, case.shape);
    match case.run(runtime) {
        Ok(finding) if finding.is_right() => None,
        Ok(finding) => {
            Some(format!("{name}: off by {}, {} is allowed", finding.error, finding.allowed))
        }
        Err(error) => Some(format!("{name}: {error}")),
    }
}
