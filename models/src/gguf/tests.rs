//! Files written here: whole ones, and those with the faults that loaders are known to fall for.

use std::io::Write;

use jump_kernels::WeightSlice;

use super::Gguf;
use super::header::Header;
use crate::stored::RowOrder;
use crate::{Checkpoint, Positions, Tensor};

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

/// The embedded model as a GGUF file: queries and keys in pairs, the embedding in another type.
fn tiny() -> Writer {
    let checkpoint = Checkpoint::tiny().unwrap();
    let config = &checkpoint.config;
    let mut file = Writer::llama();
    file.pairs.clear();
    file.pair("general.architecture", 8, &string("llama"));
    let attention = config.attention;
    let counts = [
        ("block_count", config.num_layers),
        ("embedding_length", config.hidden_width),
        ("feed_forward_length", config.ffn.width),
        ("attention.head_count", attention.num_heads),
        ("attention.head_count_kv", attention.num_kv_heads),
        ("context_length", config.context_len),
    ];
    for (name, count) in counts {
        file.pair(&format!("llama.{name}"), 10, &(count as u64).to_le_bytes());
    }
    let eps = f64::from(config.norm.eps()).to_le_bytes();
    file.pair("llama.attention.layer_norm_rms_epsilon", 12, &eps);
    let Positions::Rotary(rope) = config.positions else { panic!("it is a Llama") };
    file.pair("llama.rope.freq_base", 12, &rope.theta.to_le_bytes());
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
    file.pair("tokenizer.ggml.eos_token_id", 4, &257_u32.to_le_bytes());
    file.pair("tokenizer.chat_template", 8, &string("{{ messages[0].content ~ eos_token }}"));
    for (name, shape) in config.tensors() {
        let tensor = checkpoint.weights.tensor(&name, &shape).unwrap();
        let bytes: Vec<u8> = match tensor.values() {
            WeightSlice::Bf16(values) => bytemuck::cast_slice(values).to_vec(),
            _ => panic!("the embedded model is bfloat16"),
        };
        let is_paired = name.contains("q_proj") || name.contains("k_proj");
        let bytes = if is_paired { in_pairs(&bytes, shape[0], attention.head_dim) } else { bytes };
        let dims: Vec<u64> = shape.iter().rev().map(|dim| *dim as u64).collect();
        file.tensor(&ggml_name(&name), &dims, 30, &bytes);
    }
    file
}

fn in_pairs(bytes: &[u8], num_rows: usize, head_dim: usize) -> Vec<u8> {
    let row_bytes = bytes.len() / num_rows;
    let mut stored = vec![0; bytes.len()];
    for (row, bytes) in bytes.chunks_exact(row_bytes).enumerate() {
        let to = RowOrder::Pairs { head_dim }.stored_row(row) * row_bytes;
        stored[to..to + row_bytes].copy_from_slice(bytes);
    }
    stored
}

fn ggml_name(name: &str) -> String {
    let parts = [
        ("model.layers.", "blk."),
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.", "attn_"),
        ("mlp.", "ffn_"),
        ("_proj", ""),
    ];
    parts.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

#[test]
fn a_model_is_the_same_in_both_formats() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&tiny().bytes()).unwrap();
    let expected = Checkpoint::tiny().unwrap();
    let (weights, gguf) = crate::Weights::open_gguf(file.path()).unwrap();
    let mut config = gguf.config;
    config.end_tokens.clone_from(&expected.config.end_tokens);
    assert_eq!(config, expected.config);
    for (name, shape) in config.tensors() {
        let [found, expected] = [&weights, &expected.weights].map(|weights| {
            let Tensor::Bf16(values) = weights.tensor(&name, &shape).unwrap() else { panic!() };
            values.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        });
        assert!(found == expected, "{name}");
    }
    weights.check_all_read().unwrap();
    assert_eq!(gguf.chat.unwrap().render("Hello").as_deref(), Ok("Hello<end>"));
    let tokens = gguf.tokenizer.encode("ab a<end>");
    assert_eq!(tokens.len(), 8, "a merge, and no token by the name of a special one");
    assert_eq!(gguf.tokenizer.special("<end>").map(|token| token.0), Some(257));
}
