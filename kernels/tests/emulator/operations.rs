//! Every operation on the emulator, against the reference.

use std::sync::Arc;

use jump_kernels::AttentionShape;
use jump_kernels::cuda::Determinism;
use jump_kernels::runtime::{Emulator, SharedRuntime};
use jump_kernels::selftest::{self, Case, ModelDims};

#[test]
fn every_operation_is_right() {
    check_all(Emulator::new().unwrap());
}

#[test]
fn every_operation_is_right_strictly() {
    check_all(Emulator::strict().unwrap());
}

/// What a device is timed at, with dimensions that the emulator can take.
#[test]
fn the_cases_of_a_models_dimensions_are_right() {
    let attention = AttentionShape { num_heads: 4, num_kv_heads: 2, head_dim: 64, window: None };
    let dims = ModelDims {
        hidden_width: 256,
        ffn_width: 704,
        is_gated: true,
        has_layer_norm: false,
        attention,
        vocab_len: 4096,
    };
    let steps = [(6, Determinism::Deterministic), (200, Determinism::Fast)];
    let steps = steps.into_iter().flat_map(|(num_rows, mode)| dims.cases(num_rows, mode));
    check_these(Emulator::new().unwrap(), steps.chain(dims.attention_cases()));
}

fn check_all(emulator: Emulator) {
    check_these(emulator, selftest::cases().into_iter().filter(|case| !case.is_timed));
}

fn check_these(emulator: Emulator, cases: impl Iterator<Item = Case>) {
    let runtime: SharedRuntime = Arc::new(emulator);
    let wrong: Vec<String> = cases.filter_map(|case| check(&case, &runtime)).collect();
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
