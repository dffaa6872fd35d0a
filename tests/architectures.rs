//! Every architecture has transformers' numbers: the checkpoints and logits of
//! `fixtures/make_checkpoints.py`, in chunks of every kind, on the processor and on the emulated
//! GPU.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jump_engine::{Engine, EngineError, EngineSize};
use jump_kernels::cpu::Cpu;
use jump_kernels::cuda::{Cuda, CudaOptions};
use jump_kernels::runtime::Emulator;
use jump_kernels::{Activation, Backend, ScoreKind, TokenId};
use jump_models::{Checkpoint, ModelConfig, Norm, Positions, RopeScaling, Weights};
use safetensors::SafeTensors;
use serde_json::json;

use crate::logits::scores;

/// What float32 arithmetic in another order may differ by, of logits up to 27.
const TOLERANCE: f32 = 1e-4;

const SIZE: EngineSize =
    EngineSize { max_rows: 48, context_len: 48, num_blocks: 8, max_kv_bytes: None };

/// A fixture: a model, a text, and all logits after each of its tokens.
struct Fixture {
    name: String,
    checkpoint: Checkpoint,
    ids: Vec<TokenId>,
    logits: Vec<f32>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

impl Fixture {
    fn read(folder: &Path) -> Self {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let config = std::fs::read_to_string(folder.join("config.json")).expect("a config");
        let config = ModelConfig::parse(&config, &name).expect("a sound config");
        let weights = Weights::open(folder).expect("sound weights");
        // The tokenizer is another model's: ids are all that is needed.
        let tiny = Checkpoint::tiny().expect("the embedded model is whole");
        let checkpoint = Checkpoint { name: name.clone(), config, weights, ..tiny };
        let bytes = std::fs::read(folder.join("logits.safetensors")).expect("logits");
        let golden = SafeTensors::deserialize(&bytes).expect("sound logits");
        let (ids, logits) = (golden.tensor("ids").expect("ids"), golden.tensor("logits"));
        let (ids, _) = ids.data().as_chunks::<8>();
        let logits = logits.expect("logits");
        let (logits, _) = logits.data().as_chunks::<4>();
        Self {
            name,
            checkpoint,
            ids: ids.iter().map(|id| TokenId(i64::from_le_bytes(*id) as u32)).collect(),
            logits: logits.iter().map(|logit| f32::from_le_bytes(*logit)).collect(),
        }
    }

    fn all() -> Vec<Self> {
        let entries = std::fs::read_dir(folder()).expect("the fixtures");
        let folders = entries.map(|entry| entry.expect("a readable entry").path());
        folders.filter(|path| path.is_dir()).map(|path| Self::read(&path)).collect()
    }

    fn named(name: &str) -> Self {
        Self::read(&folder().join(name))
    }

    fn engine<B: Backend>(&self, backend: B) -> Result<Engine<B>, EngineError> {
        Engine::new(backend, &self.checkpoint, SIZE)
    }

    /// All logits, where the text is run in chunks.
    fn run<B: Backend>(&self, engine: &mut Engine<B>, chunk_len: usize) -> Vec<f32> {
        let vocab_len = self.checkpoint.config.vocab_len;
        let targets = (0..self.logits.len())
            .map(|idx| (idx / vocab_len, TokenId((idx % vocab_len) as u32)))
            .collect::<Vec<_>>();
        scores(engine, &self.ids, chunk_len, &targets, ScoreKind::Logit)
    }
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|logit| logit.to_bits()).collect()
}

/// The largest and the mean difference, and the largest logit.
fn differences(found: &[f32], expected: &[f32]) -> [f32; 3] {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |max, logit| max.max(logit.abs()));
    let errors = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    let errors: Vec<f32> = errors.collect();
    // Not `max`, which a NaN would get past.
    let worst = errors.iter().fold(0.0, |max, error| if *error <= max { max } else { *error });
    [worst, errors.iter().sum::<f32>() / errors.len() as f32, largest]
}

#[test]
fn there_is_a_fixture_for_every_architecture() {
    let names: BTreeSet<String> = Fixture::all().into_iter().map(|f| f.name).collect();
    let error = ModelConfig::parse("{}", "config").unwrap_err().to_string();
    let classes = error.split(' ').filter_map(|word| word.strip_suffix("ForCausalLM"));
    let classes: Vec<String> = classes.map(str::to_lowercase).collect();
    assert_eq!(classes.len(), 7, "{error}");
    for class in classes {
        let has = |name: &String| name.replace('_', "").starts_with(&class);
        assert!(names.iter().any(has), "{class} has none of {names:?}");
    }
}

#[test]
fn logits_are_those_of_transformers() {
    for fixture in Fixture::all() {
        for cpu in [Cpu::new(), Cpu::with_simd(Cpu::new().simd_level())] {
            let mut engine = fixture.engine(cpu).expect("it fits");
            let mut whole = None;
            for chunk_len in [fixture.ids.len(), 16, 7, 1] {
                let found = fixture.run(&mut engine, chunk_len);
                let [worst, ..] = differences(&found, &fixture.logits);
                assert!(worst <= TOLERANCE, "{} in {chunk_len}s: off by {worst}", fixture.name);
                let found = bits(&found);
                let whole = whole.get_or_insert_with(|| found.clone());
                assert!(*whole == found, "{} in chunks of {chunk_len}: other bits", fixture.name);
            }
        }
    }
}

/// The GPU's weights are exact, too, but what they are multiplied with, keys and values are rounded
/// to bfloat16, by up to one in 512, at some ten places of two layers. That stays below one in 32
/// of the largest logit, and one in 256 on the average; these random models carry small
/// differences of scores far, and the worst found was one in 43.
#[test]
fn logits_on_the_emulator_are_those_of_transformers_within_bfloat16() {
    // What no kernel is compiled for.
    const HEADS_OF_16: &str = "gpt_bigcode_tanh";
    for fixture in Fixture::all() {
        let emulator = Arc::new(Emulator::new().expect("it can be made"));
        let engine = fixture.engine(Cuda::new(emulator, CudaOptions::default()));
        if fixture.name == HEADS_OF_16 {
            let error = engine.err().expect("no kernel for such heads").to_string();
            assert!(error.contains("heads of 16 elements"), "{error}");
            continue;
        }
        let mut engine = engine.expect("it fits");
        let whole = fixture.run(&mut engine, fixture.ids.len());
        let [worst, mean, largest] = differences(&whole, &fixture.logits);
        let allowed = largest / 32.0;
        assert!(worst <= allowed, "{}: off by {worst} of {largest}", fixture.name);
        assert!(mean <= allowed / 8.0, "{}: off by {mean} on the average", fixture.name);
        for chunk_len in [16, 7, 1] {
            let found = fixture.run(&mut engine, chunk_len);
            assert!(bits(&found) == bits(&whole), "{} in {chunk_len}s: other bits", fixture.name);
        }
    }
}

/// What forgets or mistakes a part of a description gets other logits, or finds tensors that nobody
/// reads: no fixture has a part that doesn't matter.
#[test]
fn every_part_of_a_description_matters() {
    type Change = fn(&mut ModelConfig);
    let plain_rope: Change = |config| {
        let Positions::Rotary(rope) = &mut config.positions else { panic!("nothing is rotated") };
        rope.scaling = RopeScaling::Linear { factor: 1.0 };
    };
    let no_window: Change = |config| config.attention.window = None;
    let tanh: Change = |config| config.ffn.activation = Activation::GeluTanh;
    let exact: Change = |config| config.ffn.activation = Activation::Gelu;
    let [silu, no_qkv_bias]: [Change; 2] =
        [|config| config.ffn.activation = Activation::Silu, |config| config.biases.qkv = false];
    let table: [(&str, &str, Change); 16] = [
        ("llama", "linear scaling", plain_rope),
        ("llama", "biases of queries", no_qkv_bias),
        ("llama", "a bias after the attention", |config| config.biases.attention_out = false),
        ("llama", "biases of the feed-forward layer", |config| config.biases.ffn = false),
        ("llama3", "its scaling", plain_rope),
        ("mistral", "a window", no_window),
        ("qwen2", "biases of queries", no_qkv_bias),
        ("qwen3", "norms of heads", |config| config.has_head_norms = false),
        ("qwen3", "a window", no_window),
        ("gemma", "the scale of the embedding", |config| config.embedding_scale = 1.0),
        ("gemma", "one more than the weights", |config| {
            config.norm = Norm::Rms { eps: config.norm.eps(), weight_offset: 0.0 };
        }),
        ("gemma", "the activation", silu),
        ("starcoder2", "the tanh form", exact),
        ("starcoder2", "a window", no_window),
        ("gpt_bigcode", "the exact form", tanh),
        ("gpt_bigcode_tanh", "the tanh form", exact),
    ];
    for (name, part, change) in table {
        let mut fixture = Fixture::named(name);
        change(&mut fixture.checkpoint.config);
        match fixture.engine(Cpu::new()) {
            Ok(mut engine) => {
                let found = fixture.run(&mut engine, fixture.ids.len());
                let [worst, ..] = differences(&found, &fixture.logits);
                assert!(worst > 10.0 * TOLERANCE, "{name} without {part}: only {worst}");
            }
            Err(error) => {
                let error = error.to_string();
                assert!(
                    error.contains("tensors that this architecture"),
                    "{name}, {part}: {error}"
                );
            }
        }
    }
}

/// Whatever a config says, the weights load or there is an error; nothing panics.
#[test]
fn no_config_makes_loading_panic() {
    let values = [
        json!(null),
        json!(0),
        json!(1),
        json!(3),
        json!(16),
        json!(-1),
        json!(0.5),
        json!(1 << 19),
        json!(1_u64 << 40),
        json!(u64::MAX),
        json!(true),
        json!(false),
        json!("gelu"),
        json!([]),
        json!({}),
        json!({"rope_type": "linear", "factor": 2}),
    ];
    for mut fixture in Fixture::all() {
        let path = folder().join(&fixture.name).join("config.json");
        let text = std::fs::read_to_string(path).expect("a config");
        let whole: serde_json::Value = serde_json::from_str(&text).expect("a sound config");
        let keys: Vec<String> = whole.as_object().expect("an object").keys().cloned().collect();
        let (mut num_loaded, mut num_refused) = (0, 0);
        for key in &keys {
            for value in &values {
                let mut changed = whole.clone();
                changed[key] = value.clone();
                let parsed = ModelConfig::parse(&changed.to_string(), "config");
                let error = match parsed {
                    Ok(config) => {
                        assert!(config.weight_bytes() > 0 && config.activation_bytes(48) > 0);
                        fixture.checkpoint.config = config;
                        fixture.engine(Cpu::new()).err().map(|error| error.to_string())
                    }
                    Err(error) => Some(error.to_string()),
                };
                let Some(error) = error else {
                    num_loaded += 1;
                    continue;
                };
                num_refused += 1;
                let is_clear = error.len() > 10 && !error.contains('\n');
                assert!(is_clear, "{} with {key} {value}: {error}", fixture.name);
            }
        }
        assert!(num_loaded > 20 && num_refused > 50, "{num_loaded} and {num_refused}");
    }
}

/// As in transformers: a head that is stored and differs is taken, whatever the config says.
#[test]
fn a_stored_head_wins_over_the_embedding_if_it_differs() {
    let mut fixture = Fixture::named("llama3");
    let run = |fixture: &Fixture| {
        let mut engine = fixture.engine(Cpu::new()).expect("it fits");
        bits(&fixture.run(&mut engine, 40))
    };
    let untied = run(&fixture);
    for tied_head in [Some(true), None] {
        fixture.checkpoint.config.tied_head = tied_head;
        assert!(run(&fixture) == untied, "{tied_head:?}");
    }
    let mut fixture = Fixture::named("qwen2");
    let tied = run(&fixture);
    fixture.checkpoint.config.tied_head = None;
    assert!(run(&fixture) == tied);
    fixture.checkpoint.config.tied_head = Some(false);
    let error = fixture.engine(Cpu::new()).err().expect("there is no head").to_string();
    assert!(error.contains("lacks the tensor lm_head.weight [128, 128]"), "{error}");
}

#[test]
fn more_positions_than_were_learned_are_refused() {
    let fixture = Fixture::named("gpt_bigcode");
    let size = EngineSize { context_len: 49, ..SIZE };
    let error = Engine::new(Cpu::new(), &fixture.checkpoint, size).err().expect("there are 48");
    let error = error.to_string();
    assert!(error.contains("gpt_bigcode knows 48 positions, not 49"), "{error}");
}
