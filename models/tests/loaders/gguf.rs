//! A whole GGUF file that is small enough to be read a million times: a Llama of one layer, with
//! quantised weights and a byte-level tokenizer.

const HIDDEN: u64 = 32;
const FFN: u64 = 64;
const KV: u64 = 16;

const STRING: u32 = 8;
const UINT32: u32 = 4;
const INT32: u32 = 5;
const FLOAT32: u32 = 6;
const ARRAY: u32 = 9;

const F32: u32 = 0;
const Q4_1: u32 = 3;
const Q8_0: u32 = 8;

/// The bytes of the file.
pub fn file(tokens: &[String], merges: &[String]) -> Vec<u8> {
    let pairs = pairs(tokens, merges);
    let tensors = tensors(tokens.len() as u64);
    let mut file = [b"GGUF".as_slice(), &3_u32.to_le_bytes()].concat();
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend((pairs.len() as u64).to_le_bytes());
    file.extend(pairs.concat());
    let mut start = 0_u64;
    for (name, dims, kind) in &tensors {
        file.extend(string(name));
        file.extend((dims.len() as u32).to_le_bytes());
        file.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
        file.extend(kind.to_le_bytes());
        file.extend(start.to_le_bytes());
        start += num_bytes(dims, *kind).next_multiple_of(32);
    }
    file.resize(file.len().next_multiple_of(32) + start as usize, 0);
    file
}

fn pairs(tokens: &[String], merges: &[String]) -> Vec<Vec<u8>> {
    let pair = |key: &str, kind: u32, value: &[u8]| {
        [&string(key), &kind.to_le_bytes()[..], value].concat()
    };
    let count = |key: &str, value: u64| pair(key, UINT32, &(value as u32).to_le_bytes());
    // The first two tokens are special.
    let kinds = (0..tokens.len()).map(|idx| if idx < 2 { 3_i32 } else { 1 });
    let kinds: Vec<Vec<u8>> = kinds.map(|kind| kind.to_le_bytes().to_vec()).collect();
    let strings = |texts: &[String]| texts.iter().map(|text| string(text)).collect::<Vec<_>>();
    vec![
        pair("general.architecture", STRING, &string("llama")),
        count("llama.block_count", 1),
        count("llama.embedding_length", HIDDEN),
        count("llama.feed_forward_length", FFN),
        count("llama.attention.head_count", 2),
        count("llama.attention.head_count_kv", 1),
        count("llama.context_length", 64),
        pair("llama.attention.layer_norm_rms_epsilon", FLOAT32, &1e-5_f32.to_le_bytes()),
        pair("llama.rope.freq_base", FLOAT32, &1e4_f32.to_le_bytes()),
        pair("tokenizer.ggml.model", STRING, &string("gpt2")),
        pair("tokenizer.ggml.pre", STRING, &string("gpt-2")),
        pair("tokenizer.ggml.tokens", ARRAY, &array(STRING, &strings(tokens))),
        pair("tokenizer.ggml.merges", ARRAY, &array(STRING, &strings(merges))),
        pair("tokenizer.ggml.token_type", ARRAY, &array(INT32, &kinds)),
        count("tokenizer.ggml.eos_token_id", 0),
    ]
}

/// Names, shapes with the width first, and types.
fn tensors(vocab: u64) -> Vec<(&'static str, Vec<u64>, u32)> {
    vec![
        ("token_embd.weight", vec![HIDDEN, vocab], Q8_0),
        ("output_norm.weight", vec![HIDDEN], F32),
        ("blk.0.attn_norm.weight", vec![HIDDEN], F32),
        ("blk.0.attn_q.weight", vec![HIDDEN, HIDDEN], Q4_1),
        ("blk.0.attn_k.weight", vec![HIDDEN, KV], Q4_1),
        ("blk.0.attn_v.weight", vec![HIDDEN, KV], Q4_1),
        ("blk.0.attn_output.weight", vec![HIDDEN, HIDDEN], Q4_1),
        ("blk.0.ffn_norm.weight", vec![HIDDEN], F32),
        ("blk.0.ffn_gate.weight", vec![HIDDEN, FFN], Q4_1),
        ("blk.0.ffn_up.weight", vec![HIDDEN, FFN], Q4_1),
        ("blk.0.ffn_down.weight", vec![FFN, HIDDEN], Q8_0),
    ]
}

fn num_bytes(dims: &[u64], kind: u32) -> u64 {
    let num_values = dims.iter().product::<u64>();
    match kind {
        Q8_0 => num_values / 32 * 34,
        Q4_1 => num_values / 32 * 20,
        _ => num_values * 4,
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn array(kind: u32, items: &[Vec<u8>]) -> Vec<u8> {
    let head = [&kind.to_le_bytes()[..], &(items.len() as u64).to_le_bytes()].concat();
    [head, items.concat()].concat()
}
