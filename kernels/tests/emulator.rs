//! Every operation on the emulator, against the reference.

use std::sync::Arc;

use jump_kernels::runtime::{Emulator, SharedRuntime};
use jump_kernels::selftest;

#[test]
fn every_operation_is_right() {
    let runtime: SharedRuntime = Arc::new(Emulator::new().unwrap());
    for case in selftest::cases().iter().filter(|case| !case.is_timed) {
        let finding = case.run(&runtime).unwrap_or_else(|error| {
            panic!("{} of {}: {error}", case.op, case.shape);
        });
        assert!(
            finding.is_right(),
            "{} of {}: the error is {}, and {} is allowed",
            case.op,
            case.shape,
            finding.error,
            finding.allowed
        );
    }
}
