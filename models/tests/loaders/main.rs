//! Whatever a checkpoint's files hold, loading it gives a checkpoint or an error that says what is
//! wrong: it doesn't panic, and it takes no more memory than the files' sizes allow.
//!
//! The files are changed by a number, so a failure names what it came from. The gate tries some
//! thousand changes of each file. `JUMP_NUM_INPUTS=1000000 cargo test --release -p jump-models
//! --test loaders` tries more, and says which took most memory.

mod gguf;
mod known;
mod mutation;
mod seed;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Mutex;

use jump_kernels::cpu::Cpu;
use jump_models::{Checkpoint, Model, ModelError};
use peak_alloc::PeakAlloc;

use crate::mutation::Mutation;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory is measured for one loader at a time.
static MEASURED: Mutex<()> = Mutex::new(());

const DEFAULT_NUM_INPUTS: u64 = 2_000;
/// What the seed's other files take, and whatever libraries make once.
const BASE_BYTES: usize = 4 << 20;
/// A file is kept as text, as the parser's values, as tables of tokens.
const BYTES_PER_BYTE: usize = 256;
/// The library of tokenizers keeps in each thread what it remembers of each tokenizer, even of one
/// that is gone.
const SEEDS_OF_A_THREAD: usize = 1_000;
/// Loaded checkpoints whose weights are brought to a device, too.
const EVERY_NTH: usize = 16;

fn num_inputs() -> u64 {
    let wanted = std::env::var("JUMP_NUM_INPUTS").ok();
    let wanted = wanted.map(|number| number.parse().expect("JUMP_NUM_INPUTS is a number"));
    wanted.unwrap_or(DEFAULT_NUM_INPUTS)
}

/// Loads the seed's folder with all kinds of changes to one file.
fn survives(file: &str, is_json: bool) {
    survives_in(&seed::files(), "", file, is_json);
}

/// Loads what is at `path` among `files` with all kinds of changes to one of them; to its values,
/// too, if it is JSON.
fn survives_in(files: &[(&str, Vec<u8>)], path: &str, file: &str, is_json: bool) {
    let _alone = MEASURED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    seed::write(folder.path(), files);
    let path = folder.path().join(path);
    load(&path, true).expect("the seed is sound");
    let (_, whole) = files.iter().find(|(name, _)| *name == file).expect("the seed has it");
    let mut tried = Tried::default();
    let last = num_inputs();
    for first in (0..last).step_by(SEEDS_OF_A_THREAD) {
        let seeds = first..last.min(first + SEEDS_OF_A_THREAD as u64);
        let mut try_all = || {
            for seed in seeds.clone() {
                tried.change(&path, &folder.path().join(file), whole, is_json, seed);
            }
        };
        let ended = std::thread::scope(|scope| scope.spawn(&mut try_all).join());
        ended.unwrap_or_else(|panic| resume_unwind(panic));
    }
    let Tried { num_loaded, worst } = tried;
    println!("{file}: {num_loaded} load; at most {} bytes, seed {}", worst.0, worst.1);
    assert!(num_loaded > 0 && num_loaded < last, "{file}: some load, some don't");
}

/// What came of the changes so far.
#[derive(Default)]
struct Tried {
    num_loaded: u64,
    /// The most bytes that a load took, and its seed.
    worst: (usize, u64),
}

impl Tried {
    /// Loads what is at `path` with a change of `file`, which is `whole` otherwise.
    fn change(&mut self, path: &Path, file: &Path, whole: &[u8], is_json: bool, seed: u64) {
        let name = file.display();
        let mut mutation = Mutation::new(seed);
        let bytes = mutation.of(whole, is_json);
        std::fs::write(file, &bytes).expect("a temporary file can be written");
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let is_run = mutation.below(EVERY_NTH) == 0;
        let loaded = catch_unwind(AssertUnwindSafe(|| load(path, is_run)));
        let taken = MEMORY.peak_usage().saturating_sub(before);
        let loaded = loaded.unwrap_or_else(|_| panic!("{name}: a panic, seed {seed}"));
        let allowed = BASE_BYTES + BYTES_PER_BYTE * bytes.len();
        assert!(taken <= allowed, "{name}: {taken} bytes, seed {seed}");
        self.worst = self.worst.max((taken, seed));
        match loaded {
            Ok(()) => self.num_loaded += 1,
            Err(error) => check_error(&error, &format!("{name}, seed {seed}")),
        }
    }
}

fn load(path: &Path, is_run: bool) -> Result<(), ModelError> {
    let checkpoint = Checkpoint::open(path)?;
    for text in ["", "def f(x):\n    return x\n", "é𝛼\r\n\t \u{0}"] {
        let ids = checkpoint.tokenizer.encode(text);
        assert!(ids.iter().all(|id| (id.0 as usize) < checkpoint.config.vocab_len));
    }
    if is_run {
        Model::new(Cpu::new(), &checkpoint, 8, 32)?;
    }
    Ok(())
}

/// One line that says what is wrong.
fn check_error(error: &ModelError, what: &str) {
    let text = error.to_string();
    assert!(text.len() > 10 && !text.contains('\n'), "{what}: {text:?}");
}

#[test]
fn config() {
    survives("config.json", true);
}

#[test]
fn generation_config() {
    survives("generation_config.json", true);
}

#[test]
fn tokenizer() {
    survives("tokenizer.json", true);
}

#[test]
fn index() {
    survives("model.safetensors.index.json", true);
}

#[test]
fn safetensors() {
    survives("model-1.safetensors", false);
}

#[test]
fn gguf() {
    let file = gguf::file(&seed::tokens(), &seed::merges());
    survives_in(&[("model.gguf", file)], "model.gguf", "model.gguf", false);
}
