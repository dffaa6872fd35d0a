//! What weights take is known before they are read: the number is that of the loaded model.

use std::path::Path;

use jump_kernels::cpu::Cpu;
use jump_models::{Checkpoint, Model, ModelConfig, ModelShape, Weights};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What says where the weights lie, and what a pass of one row takes beside its activations.
const OTHER_BYTES: usize = 32 << 10;

fn check(checkpoint: &Checkpoint) {
    let expected = Model::weight_bytes(&Cpu::new(), checkpoint);
    let load = || Model::new(Cpu::new(), checkpoint, 1, 1).expect("the checkpoint is sound");
    // The first time, the weights remember the names of those that were read.
    drop(load());
    let before = MEMORY.current_usage();
    let model = load();
    let taken = MEMORY.current_usage() - before;
    let others = checkpoint.config.activation_bytes(1) + OTHER_BYTES;
    assert!(
        (expected..expected + others).contains(&taken),
        "{}: {taken} bytes taken, {expected} expected",
        checkpoint.name
    );
    drop(model);
}

fn tiny() -> Checkpoint {
    Checkpoint::tiny().expect("the embedded model is whole")
}

#[test]
fn weights_take_what_they_are_said_to_take() {
    check(&tiny());
    let shape: ModelShape = "smollm2-135m".parse().expect("a shape");
    check(&tiny().with_random_weights(shape, 1));

    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let mut num_found = 0;
    for entry in std::fs::read_dir(fixtures).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let Ok(config) = std::fs::read_to_string(path.join("config.json")) else { continue };
        let name = path.display().to_string();
        let config = ModelConfig::parse(&config, &name).expect("a sound config");
        let weights = Weights::open(&path).expect("sound weights");
        check(&Checkpoint { name, config, weights, ..tiny() });
        num_found += 1;
    }
    assert!(num_found >= 9, "{num_found} fixtures");
}
