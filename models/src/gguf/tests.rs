//! Files written here: whole ones, and those with the faults that loaders are known to fall for.

use std::io::Write;
use std::path::Path;

use jump_kernels::WeightSlice;

use super::Gguf;
use super::architecture::{ARCHITECTURES, Architecture};
use super::header::Header;
use crate::config::{Norm, Positions, Rope, RopeScaling};
use crate::stored::{Change, stored_row};
use crate::{Checkpoint, ModelConfig, Weights};

/// A file that is put together piece by piece.
struct Writer {
    pairs: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    data: Vec<u8>,
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn strings<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Vec<u8> {
    let head = [&8_u32.to_le_bytes()[..], &(texts.len() as u64).to_le_bytes()].concat();
    texts.fold(head, |bytes, text| [bytes, string(text)].concat())
}

impl Writer {
    /// The metadata of a small Llama with three tokens, and no tensor.
    fn llama() -> Self {
        let mut file = Self { pairs: Vec::new(), tensors: Vec::new(), data: Vec::new() };
        file.pair("general.architecture", 8, &string("llama"));
        let counts = [
            ("block_count", 1_u32),
            ("embedding_length", 32),
            ("feed_forward_length", 64),
            ("attention.head_count", 2),
            ("attention.head_count_kv", 1),
            ("context_length", 16),
        ];
        for (name, count) in counts {
            file.pair(&format!("llama.{name}"), 4, &count.to_le_bytes());
        }
        file.pair("llama.attention.layer_norm_rms_epsilon", 6, &1e-5_f32.to_le_bytes());
        file.pair("tokenizer.ggml.model", 8, &string("gpt2"));
        file.pair("tokenizer.ggml.pre", 8, &string("gpt-2"));
        file
    }

    fn pair(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.pairs.push([&string(key), &kind.to_le_bytes()[..], value].concat());
    }

    /// An entry as it stands in the file.
    fn entry(&mut self, name: &str, dims: &[u64], kind: u32, start: u64) {
        let mut entry = [string(name), (dims.len() as u32).to_le_bytes().into()].concat();
        entry.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
        entry.extend(kind.to_le_bytes());
        entry.extend(start.to_le_bytes());
        self.tensors.push(entry);
    }

    /// A tensor and its bytes, padded.
    fn tensor(&mut self, name: &str, dims: &[u64], kind: u32, bytes: &[u8]) {
        self.entry(name, dims, kind, self.data.len() as u64);
        self.data.extend(bytes);
        self.data.resize(self.data.len().next_multiple_of(32), 0);
    }

    fn bytes(&self) -> Vec<u8> {
        let counts = [self.tensors.len(), self.pairs.len()];
        self.bytes_of_counts(3, counts.map(|count| count as u64))
    }

    fn bytes_of_counts(&self, version: u32, counts: [u64; 2]) -> Vec<u8> {
        let mut file = [b"GGUF".as_slice(), &version.to_le_bytes()].concat();
        file.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
        file.extend(self.pairs.concat());
        file.extend(self.tensors.concat());
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(&self.data);
        file
    }
}

fn check(bytes: &[u8], expected: &str) {
    let error = Gguf::parse(bytes, "file").err().expect(expected).to_string();
    assert!(error.contains(expected) && error.starts_with("file: "), "{expected}: {error}");
}

/// A Llama that one change has made wrong.
fn check_changed(change: impl FnOnce(&mut Writer), expected: &str) {
    let mut file = Writer::llama();
    change(&mut file);
    check(&file.bytes(), expected);
}

#[test]
fn huge_counts() {
    let file = Writer::llama();
    let num_pairs = file.pairs.len() as u64;
    check(&file.bytes_of_counts(3, [0, u64::MAX]), "the file ends within it");
    check(&file.bytes_of_counts(3, [u64::MAX, num_pairs]), "the name of the tensor 0 of 184467440");
    let huge = u64::MAX.to_le_bytes();
    check_changed(|file| file.pair("key", 8, &huge), "the value \"key\": the file ends within it");
    for kind in [0_u32, 8, 10] {
        let array = [&kind.to_le_bytes()[..], &huge].concat();
        check_changed(|file| file.pair("key", 9, &array), "the file ends within it");
    }
}

#[test]
fn arrays_of_arrays() {
    let array = [&9_u32.to_le_bytes()[..], &1_u64.to_le_bytes()].concat().repeat(1000);
    check_changed(
        |file| file.pair("key", 9, &array),
        "the value \"key\": it is an array of arrays",
    );
}

#[test]
fn unknown_types() {
    check_changed(|file| file.pair("key", 13, &[0; 8]), "its type is 13, which GGUF doesn't have");
    check_changed(|file| file.entry("x", &[32], 10, 0), "the tensor x: its type Q2_K isn't supp");
    check_changed(|file| file.entry("x", &[32], 99, 0), "the tensor x: its type type 99 isn't");
}

#[test]
fn shapes() {
    let table: [(&[u64], u32, &str); 6] = [
        (&[], 0, "it has 0 dimensions, not 1 to 4"),
        (&[1; 5], 0, "it has 5 dimensions, not 1 to 4"),
        (&[32, 0], 0, "one of its dimensions is 0"),
        (&[1 << 40, 1 << 40], 0, "its shape [1099511627776, 1099511627776] is larger than any"),
        (&[1 << 62, 1], 0, "its shape [1, 4611686018427387904] is larger than any"),
        (&[33, 32], 8, "33 values of Q8_0 aren't whole blocks of 32"),
    ];
    for (dims, kind, expected) in table {
        check_changed(|file| file.entry("x", dims, kind, 0), &format!("the tensor x: {expected}"));
    }
}

#[test]
fn places() {
    let behind = "the tensor x: it ends behind the file's end";
    check_changed(|file| file.entry("x", &[32], 0, 0), behind);
    check_changed(|file| file.entry("x", &[32], 0, 1 << 40), behind);
    check_changed(|file| file.entry("x", &[32], 0, u64::MAX), "the tensor x: it lies behind");
    check_changed(
        |file| {
            file.tensor("x", &[16], 0, &[0; 128]);
            file.entry("y", &[8], 0, 16);
        },
        "the tensor y: it begins at no multiple of 32",
    );
    check_changed(
        |file| {
            file.tensor("x", &[32], 0, &[0; 128]);
            file.entry("y", &[8], 0, 96);
        },
        "the tensor y overlaps x",
    );
    for alignment in [0_u32, 24, 1 << 31] {
        let alignment = alignment.to_le_bytes();
        let wrong = "general.alignment is";
        check_changed(|file| file.pair("general.alignment", 4, &alignment), wrong);
    }
}

#[test]
fn names_that_are_there_twice() {
    check_changed(|file| file.pair("llama.block_count", 7, &[1]), "it is there twice");
    check_changed(
        |file| {
            file.tensor("x", &[32], 0, &[0; 128]);
            file.tensor("x", &[32], 0, &[0; 128]);
        },
        "the tensor x: it is there twice",
    );
}

#[test]
fn versions() {
    let file = Writer::llama();
    check(b"GGML", "it doesn't begin with \"GGUF\"");
    check(b"", "it doesn't begin with \"GGUF\"");
    for (version, expected) in [
        (1, "it is version 1 of GGUF"),
        (4, "it is version 4 of GGUF"),
        (3 << 24, "its numbers are big-endian"),
    ] {
        check(&file.bytes_of_counts(version, [0, 0]), expected);
    }
}

#[test]
fn values_of_other_types_and_missing_ones() {
    check(&Writer::llama().bytes(), "it lacks the tensor token_embd.weight");
    let table = ["general.architecture", "llama.block_count", "llama.context_length"];
    for key in table {
        let mut file = Writer::llama();
        let is_other = |pair: &Vec<u8>| !pair.starts_with(&string(key));
        file.tensor("token_embd.weight", &[32, 3], 0, &[0; 384]);
        file.pairs.retain(is_other);
        check(&file.bytes(), &format!("it lacks the value {key:?}"));
        file.pair(key, 7, &[1]);
        check(&file.bytes(), &format!("the value {key:?} must be "));
    }
    let unknown = string("rwkv");
    check_changed(
        |file| {
            file.pairs.remove(0);
            file.pair("general.architecture", 8, &unknown);
        },
        "the architecture \"rwkv\" isn't supported: take llama",
    );
}

/// Cut anywhere, a file is refused, and nothing panics.
#[test]
fn truncated_files() {
    let whole = tiny().bytes();
    assert!(Gguf::parse(&whole, "file").is_ok());
    let header_len = whole.len() - tiny().data.len();
    let everywhere = (0..header_len).step_by(7).chain([header_len, whole.len() - 33]);
    for len in everywhere {
        assert!(Header::read(&whole[..len]).is_err(), "{len} of {} bytes", whole.len());
    }
}

/// The embedded model as a GGUF file.
fn tiny() -> Writer {
    let checkpoint = Checkpoint::tiny().unwrap();
    let mut file = file_of("llama", &checkpoint.config, &checkpoint.weights);
    file.pair("tokenizer.ggml.eos_token_id", 4, &257_u32.to_le_bytes());
    file.pair("tokenizer.chat_template", 8, &string("{{ messages[0].content ~ eos_token }}"));
    file
}

/// A model as a GGUF file, with a tokenizer of 258 tokens.
fn file_of(architecture: &str, config: &ModelConfig, weights: &Weights) -> Writer {
    let mut file = Writer { pairs: Vec::new(), tensors: Vec::new(), data: Vec::new() };
    file.pair("general.architecture", 8, &string(architecture));
    let key = |name: &str| format!("{architecture}.{name}");
    let attention = config.attention;
    let counts = [
        ("block_count", config.num_layers),
        ("embedding_length", config.hidden_width),
        ("feed_forward_length", config.ffn.width),
        ("attention.head_count", attention.num_heads),
        ("attention.head_count_kv", attention.num_kv_heads),
        ("attention.key_length", attention.head_dim),
        ("context_length", config.context_len),
    ];
    for (name, count) in counts {
        file.pair(&key(name), 10, &(count as u64).to_le_bytes());
    }
    if let Some(window) = attention.window {
        file.pair(&key("attention.sliding_window"), 10, &(window.get() as u64).to_le_bytes());
    }
    let eps = match config.norm {
        Norm::Rms { .. } => "attention.layer_norm_rms_epsilon",
        Norm::Layer { .. } => "attention.layer_norm_epsilon",
    };
    file.pair(&key(eps), 6, &config.norm.eps().to_le_bytes());
    if let Positions::Rotary(Rope { theta, scaling }) = config.positions {
        let RopeScaling::Linear { factor } = scaling else { panic!("{scaling:?}") };
        file.pair(&key("rope.freq_base"), 12, &theta.to_le_bytes());
        file.pair(&key("rope.scaling.type"), 8, &string("linear"));
        file.pair(&key("rope.scaling.factor"), 12, &factor.to_le_bytes());
    }
    add_tokenizer(&mut file);
    let known = ARCHITECTURES.iter().find(|known| known.name == architecture).unwrap();
    let names = ggml_names(config.num_layers);
    for (name, shape) in config.tensors() {
        // Heads may be stored where the config doesn't speak of one.
        if !weights.contains(&name) {
            continue;
        }
        let ggml = names.iter().find(|ggml| known.tensor_name(ggml) == name);
        let ggml = ggml.unwrap_or_else(|| panic!("{name}"));
        let tensor = weights.tensor(&name, &shape).unwrap();
        let dims: Vec<u64> = shape.iter().rev().map(|dim| *dim as u64).collect();
        match (known.change(ggml, attention.head_dim), tensor.values()) {
            (Change::None, WeightSlice::Bf16(values)) => {
                file.tensor(ggml, &dims, 30, bytemuck::cast_slice(values));
            }
            (Change::Pairs { head_dim }, WeightSlice::Bf16(values)) => {
                let bytes = in_pairs(bytemuck::cast_slice(values), shape[0], head_dim);
                file.tensor(ggml, &dims, 30, &bytes);
            }
            (Change::MinusOne, values) => {
                let values: Vec<f32> = values.to_f32().iter().map(|value| value + 1.0).collect();
                file.tensor(ggml, &dims, 0, bytemuck::cast_slice(&values));
            }
            _ => panic!("{name} isn't bfloat16"),
        }
    }
    file
}

fn add_tokenizer(file: &mut Writer) {
    file.pair("tokenizer.ggml.model", 8, &string("gpt2"));
    // All bytes: 188 of them stand for themselves, the others for U+0100 and up.
    let bytes = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ').chain('Ā'..='Ń');
    let tokens: Vec<String> =
        bytes.map(String::from).chain(["ab".into(), "<end>".into()]).collect();
    file.pair("tokenizer.ggml.tokens", 9, &strings(tokens.iter().map(String::as_str)));
    file.pair("tokenizer.ggml.merges", 9, &strings(["a b"].into_iter()));
    let types = (0..tokens.len()).map(|id| if id + 1 == tokens.len() { 3_i32 } else { 1 });
    let types: Vec<u8> = types.flat_map(i32::to_le_bytes).collect();
    let head = [&5_u32.to_le_bytes()[..], &(tokens.len() as u64).to_le_bytes()].concat();
    file.pair("tokenizer.ggml.token_type", 9, &[head, types].concat());
}

/// All names that tensors of these architectures have.
fn ggml_names(num_layers: usize) -> Vec<String> {
    let outer = ["token_embd", "position_embd", "output_norm", "output"].map(str::to_owned);
    let inner = [
        "attn_norm",
        "attn_q",
        "attn_k",
        "attn_v",
        "attn_qkv",
        "attn_q_norm",
        "attn_k_norm",
        "attn_output",
        "ffn_norm",
        "ffn_gate",
        "ffn_up",
        "ffn_down",
    ];
    let layer = |idx| inner.map(|name| format!("blk.{idx}.{name}"));
    let names = outer.into_iter().chain((0..num_layers).flat_map(layer));
    names.flat_map(|name| ["weight", "bias"].map(|kind| format!("{name}.{kind}"))).collect()
}

fn in_pairs(bytes: &[u8], num_rows: usize, head_dim: usize) -> Vec<u8> {
    let row_bytes = bytes.len() / num_rows;
    let mut stored = vec![0; bytes.len()];
    for (row, bytes) in bytes.chunks_exact(row_bytes).enumerate() {
        let to = stored_row(row, head_dim) * row_bytes;
        stored[to..to + row_bytes].copy_from_slice(bytes);
    }
    stored
}

/// Writes a model to a file and reads it again.
fn check_is_the_same(architecture: &str, expected: &ModelConfig, weights: &Weights) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&file_of(architecture, expected, weights).bytes()).unwrap();
    let (found, gguf) = Weights::open_gguf(file.path()).unwrap();
    let mut config = gguf.config;
    config.end_tokens.clone_from(&expected.end_tokens);
    assert!(config.tied_head.is_some());
    config.tied_head = expected.tied_head;
    assert_eq!(&config, expected);
    for (name, shape) in config.tensors().filter(|(name, _)| weights.contains(name)) {
        let [found, expected] = [&found, weights]
            .map(|weights| weights.tensor(&name, &shape).unwrap().values().to_f32().into_owned());
        assert!(found == expected, "{architecture}: {name}");
    }
    found.check_all_read().unwrap();
}

#[test]
fn a_model_is_the_same_in_both_formats() {
    let Checkpoint { config, weights, .. } = Checkpoint::tiny().unwrap();
    check_is_the_same("llama", &config, &weights);
    let Gguf { tokenizer, chat, .. } = Gguf::parse(&tiny().bytes(), "file").unwrap();
    assert_eq!(chat.unwrap().render("Hello").as_deref(), Ok("Hello<end>"));
    let tokens = tokenizer.encode("ab a<end>");
    assert_eq!(tokens.len(), 8, "a merge, and no token by the name of a special one");
    assert_eq!(tokenizer.special("<end>").map(|token| token.0), Some(257));
}

/// transformers' small models, see `tests/fixtures`.
#[test]
fn every_architecture_is_the_same_in_both_formats() {
    let table = [
        ("llama", "llama"),
        ("mistral", "llama"),
        ("qwen2", "qwen2"),
        ("qwen3", "qwen3"),
        ("gemma", "gemma"),
        ("starcoder2", "starcoder2"),
        ("gpt_bigcode_tanh", "starcoder"),
    ];
    let is_tried = |known: &Architecture| table.iter().any(|(_, name)| *name == known.name);
    assert!(ARCHITECTURES.iter().all(is_tried));
    for (folder, architecture) in table {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(folder);
        let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
        let config = ModelConfig::parse(&config, "config.json").unwrap();
        check_is_the_same(architecture, &config, &Weights::open(&folder).unwrap());
    }
}
