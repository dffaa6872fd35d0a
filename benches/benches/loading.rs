//! What it takes to open a checkpoint, beside the libraries alone, whose work is in it: what is
//! more is the checks. `cargo bench -p jump-benches -- loading`.
//!
//! Nothing is brought to a device; the weights stay in their mapped file.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use jump_models::{Checkpoint, Tokenizer, Weights};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

const MEASUREMENT: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);
const NUM_SAMPLES: usize = 20;
/// As many as a model of 7 billion parameters has.
const NUM_TENSORS: usize = 291;

fn main() {
    let mut criterion = Criterion::default()
        .measurement_time(MEASUREMENT)
        .warm_up_time(WARM_UP)
        .sample_size(NUM_SAMPLES)
        .configure_from_args();
    let folder = std::env::temp_dir().join(format!("jump-loading-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder can be made");
    checkpoint(&mut criterion, &folder);
    weights(&mut criterion, &folder);
    fs::remove_dir_all(&folder).expect("the folder is ours");
    criterion.final_summary();
}

/// The embedded model's files, whose tokenizer has 4,096 tokens.
fn checkpoint(criterion: &mut Criterion, folder: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tiny");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(source.join(file), folder.join(file)).expect("the embedded model has it");
    }
    let text = fs::read(folder.join("tokenizer.json")).expect("it was copied");
    let mut group = criterion.benchmark_group("loading");
    group.bench_function("a checkpoint", |bencher| {
        bencher.iter(|| Checkpoint::open(black_box(folder)).expect("it is whole"));
    });
    group.bench_function("its tokenizer", |bencher| {
        bencher.iter(|| Tokenizer::parse(black_box(&text), "tokenizer.json").expect("it is whole"));
    });
    group.bench_function("its tokenizer, by the library alone", |bencher| {
        bencher.iter(|| tokenizers::Tokenizer::from_bytes(black_box(&text)).expect("it is whole"));
    });
    group.finish();
}

fn weights(criterion: &mut Criterion, folder: &Path) {
    let path = folder.join("model.safetensors");
    let tensors = (0..NUM_TENSORS).map(|idx| {
        let view = TensorView::new(Dtype::BF16, vec![4, 8], &[0; 64]).expect("64 bytes");
        (format!("model.layers.{idx}.self_attn.q_proj.weight"), view)
    });
    let bytes = safetensors::serialize(tensors, None).expect("sound tensors");
    fs::write(&path, &bytes).expect("a temporary file can be written");
    let mut group = criterion.benchmark_group("loading");
    group.bench_function(BenchmarkId::new("weights", NUM_TENSORS), |bencher| {
        bencher.iter(|| Weights::open(black_box(folder)).expect("they are whole"));
    });
    group.bench_function(
        BenchmarkId::new("weights, by the library alone", NUM_TENSORS),
        |bencher| {
            bencher.iter(|| {
                let bytes = fs::read(black_box(&path)).expect("it was written");
                SafeTensors::deserialize(&bytes).expect("they are whole").len()
            });
        },
    );
    group.finish();
}
