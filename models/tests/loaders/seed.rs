//! A whole checkpoint that is small enough to be read a million times.

use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

const NUM_LAYERS: usize = 2;
const HIDDEN: usize = 32;
const FFN: usize = 48;
const VOCAB: usize = 272;
const KV: usize = 16;

/// The files of a checkpoint in two shards, by name.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    let tensors = tensors();
    let (first, second) = tensors.split_at(tensors.len() / 2);
    vec![
        ("config.json", config().to_string().into_bytes()),
        ("generation_config.json", json!({"eos_token_id": [0, 1]}).to_string().into_bytes()),
        ("tokenizer.json", tokenizer().to_string().into_bytes()),
        ("model.safetensors.index.json", index(first, second).to_string().into_bytes()),
        ("model-1.safetensors", shard(first)),
        ("model-2.safetensors", shard(second)),
    ]
}

/// Writes the files of a checkpoint.
pub fn write(folder: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).expect("a temporary file can be written");
    }
}

fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": NUM_LAYERS,
        "hidden_size": HIDDEN,
        "intermediate_size": FFN,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "vocab_size": VOCAB,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
        "hidden_act": "silu",
        "tie_word_embeddings": true,
        "eos_token_id": 0,
    })
}

/// Names and shapes.
fn tensors() -> Vec<(String, Vec<usize>)> {
    let layer = |idx: usize| {
        let parts = [
            ("input_layernorm", vec![HIDDEN]),
            ("self_attn.q_proj", vec![HIDDEN, HIDDEN]),
            ("self_attn.k_proj", vec![KV, HIDDEN]),
            ("self_attn.v_proj", vec![KV, HIDDEN]),
            ("self_attn.o_proj", vec![HIDDEN, HIDDEN]),
            ("post_attention_layernorm", vec![HIDDEN]),
            ("mlp.gate_proj", vec![FFN, HIDDEN]),
            ("mlp.up_proj", vec![FFN, HIDDEN]),
            ("mlp.down_proj", vec![HIDDEN, FFN]),
        ];
        parts.map(|(part, shape)| (format!("model.layers.{idx}.{part}.weight"), shape))
    };
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![VOCAB, HIDDEN]),
        ("model.norm.weight".to_owned(), vec![HIDDEN]),
    ];
    tensors.extend((0..NUM_LAYERS).flat_map(layer));
    tensors
}

fn index(first: &[(String, Vec<usize>)], second: &[(String, Vec<usize>)]) -> Value {
    let in_file = |tensors: &[(String, Vec<usize>)], file: &str| {
        tensors.iter().map(|(name, _)| (name.clone(), json!(file))).collect::<Vec<_>>()
    };
    let shards = [in_file(first, "model-1.safetensors"), in_file(second, "model-2.safetensors")];
    json!({"weight_map": shards.concat().into_iter().collect::<serde_json::Map<_, _>>()})
}

/// Zeros in bfloat16.
fn shard(tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    let zeros = vec![0; 2 * VOCAB * HIDDEN];
    let view = |(name, shape): &(String, Vec<usize>)| {
        let num_bytes = 2 * shape.iter().product::<usize>();
        let view = TensorView::new(Dtype::BF16, shape.clone(), &zeros[..num_bytes]);
        (name.clone(), view.expect("as many bytes as the shape says"))
    };
    safetensors::serialize(tensors.iter().map(view), None).expect("sound tensors")
}

/// A vocabulary of two special tokens, the bytes, and what merges make.
pub fn tokens() -> Vec<String> {
    let stands_for_itself = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = (0x100..).filter_map(char::from_u32);
    let letter = |byte: u8| {
        let stands = stands_for_itself(byte).then(|| char::from(byte));
        stands.or_else(|| others.next()).expect("there are enough").to_string()
    };
    let special = ["<|end|>", "<|other|>"].map(str::to_owned);
    let merged = MERGES.iter().map(|(left, right)| format!("{left}{right}"));
    special.into_iter().chain((0..=u8::MAX).map(letter)).chain(merged).collect()
}

/// As files have them.
pub fn merges() -> Vec<String> {
    MERGES.iter().map(|(left, right)| format!("{left} {right}")).collect()
}

const MERGES: [(&str, &str); 6] =
    [("d", "e"), ("de", "f"), ("r", "e"), ("Ġ", "Ġ"), ("ĠĠ", "ĠĠ"), (":", "Ċ")];

/// Byte-level BPE.
fn tokenizer() -> Value {
    let tokens = tokens().into_iter().enumerate();
    let vocab: serde_json::Map<_, _> = tokens.map(|(id, token)| (token, json!(id))).collect();
    let added = |id: usize, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false, "special": true})
    };
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [added(0, "<|end|>"), added(1, "<|other|>")],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                          "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                    "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": false, "byte_fallback": false, "vocab": vocab,
                  "merges": merges()},
    })
}
