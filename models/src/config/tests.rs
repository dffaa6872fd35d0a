//! What each key means, what it means if it is missing, and what is refused.

use std::num::NonZeroUsize;

use jump_kernels::Activation;
use serde_json::{Value, json};

use super::*;

const TINY: &str = include_str!("../../tiny/config.json");

fn parse(change: impl FnOnce(&mut Value)) -> Result<ModelConfig, String> {
    let mut config = serde_json::from_str(TINY).unwrap();
    change(&mut config);
    ModelConfig::parse(&config.to_string(), "config").map_err(|error| error.to_string())
}

fn check(field: &str, value: &Value, expected: &str) {
    let error = parse(|config| config[field] = value.clone()).unwrap_err();
    let is_clear = error.starts_with("config: ") && error.contains(expected);
    assert!(is_clear && !error.contains('\n'), "{field} {value}: {error}");
}

#[test]
fn refusals() {
    let table = [
        (
            "architectures",
            json!(["GPT2LMHeadModel"]),
            "the architecture GPT2LMHeadModel isn't supported: take a model whose",
        ),
        ("architectures", json!([]), "a model that doesn't name its `architectures` isn't"),
        ("architectures", json!("LlamaForCausalLM"), "invalid type: string"),
        ("num_hidden_layers", json!(0), "num_hidden_layers is 0; it must be at least 1"),
        ("num_hidden_layers", json!(-1), "invalid value: integer `-1`"),
        ("hidden_size", json!(1_u64 << 40), "hidden_size is 1099511627776; it must be far"),
        ("intermediate_size", json!(0), "intermediate_size is 0"),
        ("vocab_size", json!(0), "vocab_size is 0"),
        ("vocab_size", json!("many"), "invalid type: string \"many\""),
        ("max_position_embeddings", json!(0), "max_position_embeddings is 0; it must be at"),
        ("max_position_embeddings", json!(u64::MAX), "it must be far smaller"),
        ("num_attention_heads", json!(0), "num_attention_heads is 0"),
        ("num_key_value_heads", json!(0), "num_key_value_heads is 0"),
        ("num_key_value_heads", json!(3), "4 attention heads can't share 3 key/value heads"),
        ("head_dim", json!(0), "head_dim is 0"),
        ("head_dim", json!(72), "head_dim is 72; it must be a multiple of 16"),
        ("head_dim", json!(u64::MAX), "head_dim is 18446744073709551615; it must be far"),
        ("rms_norm_eps", json!(0), "the norms' epsilon is 0; it must lie between 0 and 1"),
        ("rms_norm_eps", json!(-1e-5), "the norms' epsilon is -0.00001"),
        ("rms_norm_eps", json!("x"), "rms_norm_eps: invalid type: string"),
        ("rope_theta", json!(0), "the rope's theta 0 and factor 1 must be at least 1"),
        ("rope_scaling", json!({"type": "linear"}), "linear rope scaling without a factor"),
        ("rope_scaling", json!({"type": "linear", "factor": 0}), "factor 0 must be at least"),
        ("rope_scaling", json!({"rope_type": "yarn"}), "rope scaling \"yarn\" isn't supported"),
        (
            "rope_scaling",
            json!({"rope_type": "llama3", "factor": 8}),
            "llama3 rope scaling without a low_freq_factor",
        ),
        (
            "rope_scaling",
            json!({"rope_type": "llama3", "low_freq_factor": 4, "high_freq_factor": 1}),
            "low_freq_factor 4 and high_freq_factor 1 must be above 0 and rise",
        ),
        ("rope_scaling", json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor 0.5"),
        ("rope_scaling", json!("linear"), "rope_scaling: invalid type: string"),
        ("hidden_act", json!("relu"), "not supported: hidden_act \"relu\" (silu, gelu"),
        ("attention_bias", json!(1), "attention_bias: invalid type: integer"),
        ("eos_token_id", json!(4096), "eos_token_id 4096 is outside of the 4096 tokens"),
        ("eos_token_id", json!(-1), "eos_token_id must be a token id or a list of them"),
        ("eos_token_id", json!([0, "x"]), "eos_token_id must be a token id or a list of them"),
    ];
    for (field, value, expected) in table {
        check(field, &value, expected);
    }
}

#[test]
fn fields_that_may_be_missing() {
    let required = [
        "architectures",
        "num_hidden_layers",
        "hidden_size",
        "intermediate_size",
        "num_attention_heads",
        "vocab_size",
        "max_position_embeddings",
    ];
    let whole: Value = serde_json::from_str(TINY).unwrap();
    for field in whole.as_object().unwrap().keys() {
        let parsed = parse(|config| drop(config.as_object_mut().unwrap().remove(field)));
        assert_eq!(parsed.is_err(), required.contains(&&**field), "{field}: {parsed:?}");
        assert!(parsed.err().is_none_or(|error| error.contains(field.as_str())), "{field}");
    }
    let without = |fields: &[&str]| {
        let keeps = |name: &str| !fields.contains(&name);
        parse(|config| config.as_object_mut().unwrap().retain(|name, _| keeps(name))).unwrap()
    };
    let bare = without(&["num_key_value_heads", "tie_word_embeddings", "eos_token_id"]);
    assert_eq!(bare.attention.num_kv_heads, bare.attention.num_heads);
    assert_eq!((bare.tied_head, bare.end_tokens), (None, Vec::new()));
    assert_eq!(without(&["head_dim"]).attention.head_dim, 64, "hidden_size over the heads");
}

#[test]
fn old_and_new_ropes() {
    let table = [
        ("rope_scaling", json!(null), (10_000.0, 1.0)),
        ("rope_scaling", json!({"type": "linear", "factor": 4}), (10_000.0, 4.0)),
        ("rope_scaling", json!({"rope_type": "default"}), (10_000.0, 1.0)),
        ("rope_parameters", json!({"rope_type": "default", "rope_theta": 5e5}), (5e5, 1.0)),
    ];
    for (field, value, expected) in table {
        let config = parse(|config| config[field] = value.clone()).unwrap();
        let (theta, factor) = expected;
        let rope = Rope { theta, scaling: RopeScaling::Linear { factor } };
        assert_eq!(config.positions, Positions::Rotary(rope), "{field} {value}");
    }
    let many = parse(|config| config["eos_token_id"] = json!([0, 4])).unwrap();
    assert_eq!(many.end_tokens, [TokenId(0), TokenId(4)]);
}

/// The smallest config of a class: what must be there.
fn smallest(architecture: &str) -> Value {
    if architecture == "GPTBigCodeForCausalLM" {
        return json!({
            "architectures": [architecture], "n_layer": 2, "n_embd": 96, "n_head": 6,
            "n_positions": 64, "vocab_size": 100,
        });
    }
    json!({
        "architectures": [architecture], "num_hidden_layers": 2, "hidden_size": 1024,
        "intermediate_size": 96, "num_attention_heads": 64, "max_position_embeddings": 64,
        "vocab_size": 100,
    })
}

fn parse_with(architecture: &str, keys: &Value) -> Result<ModelConfig, String> {
    let mut config = smallest(architecture);
    for (key, value) in keys.as_object().unwrap() {
        config[key] = value.clone();
    }
    ModelConfig::parse(&config.to_string(), "config").map_err(|error| error.to_string())
}

/// As transformers' classes have them.
#[test]
fn what_is_missing_is_the_classs() {
    let window = NonZeroUsize::new(4096);
    // Class; key heads, elements of a head, window; activation; biases; epsilon, offset or kind.
    let rms = |eps| Norm::Rms { eps, weight_offset: 0.0 };
    let qkv = Biases { qkv: true, ..Biases::default() };
    let all = Biases { qkv: true, attention_out: true, ffn: true };
    let (none, silu, tanh) = (Biases::default(), Activation::Silu, Activation::GeluTanh);
    let gemma = Norm::Rms { eps: 1e-6, weight_offset: 1.0 };
    let layer = Norm::Layer { eps: 1e-5 };
    let table = [
        ("LlamaForCausalLM", 64, 16, None, silu, true, none, rms(1e-6), None),
        ("MistralForCausalLM", 8, 16, window, silu, true, none, rms(1e-6), None),
        ("Qwen2ForCausalLM", 32, 16, None, silu, true, qkv, rms(1e-6), None),
        ("Qwen3ForCausalLM", 32, 128, None, silu, true, none, rms(1e-6), None),
        ("GemmaForCausalLM", 16, 256, None, tanh, true, none, gemma, Some(true)),
        ("Starcoder2ForCausalLM", 2, 16, None, tanh, false, all, layer, Some(true)),
        ("GPTBigCodeForCausalLM", 1, 16, None, tanh, false, all, layer, Some(true)),
    ];
    assert!(FAMILIES.iter().map(|(name, _)| *name).eq(table.map(|row| row.0)), "a row for each");
    for (name, kv_heads, head_dim, window, activation, is_gated, biases, norm, tied) in table {
        let config = parse_with(name, &json!({})).unwrap();
        let AttentionShape { num_kv_heads: k, head_dim: d, window: w, .. } = config.attention;
        assert_eq!((k, d, w), (kv_heads, head_dim, window), "{name}");
        assert_eq!((config.ffn.activation, config.ffn.is_gated), (activation, is_gated), "{name}");
        assert_eq!((config.biases, config.norm), (biases, norm), "{name}");
        assert_eq!(config.tied_head, tied, "{name}");
        assert_eq!(config.has_head_norms, name == "Qwen3ForCausalLM");
        let is_learned = config.positions == Positions::Learned;
        assert_eq!(is_learned, name == "GPTBigCodeForCausalLM");
        assert_eq!(config.embedding_scale > 1.0, name == "GemmaForCausalLM");
    }
    assert_eq!(parse_with("GPTBigCodeForCausalLM", &json!({})).unwrap().ffn.width, 4 * 96);
}

#[test]
fn keys_of_the_families() {
    type Check = fn(&ModelConfig) -> bool;
    let table: [(&str, Value, Check); 16] = [
        ("Llama", json!({"attention_bias": true}), |c| c.biases.qkv && c.biases.attention_out),
        ("Llama", json!({"mlp_bias": true}), |c| c.biases.ffn && !c.biases.qkv),
        ("Llama", json!({"head_dim": 48}), |c| c.attention.head_dim == 48),
        ("Mistral", json!({"sliding_window": null}), |c| c.attention.window.is_none()),
        ("Mistral", json!({"sliding_window": 7}), |c| c.attention.window.unwrap().get() == 7),
        ("Mistral", json!({"num_key_value_heads": null}), |c| c.attention.num_kv_heads == 64),
        ("Qwen2", json!({"use_sliding_window": true}), |c| c.attention.window.is_none()),
        ("Qwen2", json!({"use_sliding_window": true, "max_window_layers": 0}), |c| {
            c.attention.window.unwrap().get() == 4096
        }),
        (
            "Qwen2",
            json!({"layer_types": ["full_attention", "full_attention"], "sliding_window": 3}),
            |c| c.attention.window.is_none(),
        ),
        ("Qwen3", json!({"attention_bias": true}), |c| c.biases.qkv && c.biases.attention_out),
        ("Gemma", json!({"hidden_act": "gelu"}), |c| c.ffn.activation == Activation::GeluTanh),
        ("Gemma", json!({}), |c| c.embedding_scale.to_bits() == 32.0_f32.to_bits()),
        ("Gemma", json!({"tie_word_embeddings": false}), |c| c.tied_head == Some(false)),
        ("Starcoder2", json!({"use_bias": false}), |c| c.biases == Biases::default()),
        ("Starcoder2", json!({"sliding_window": 9}), |c| c.attention.window.unwrap().get() == 9),
        ("GPTBigCode", json!({"activation_function": "gelu", "n_inner": 100}), |c| {
            c.ffn.activation == Activation::Gelu && c.ffn.width == 100
        }),
    ];
    for (family, keys, check) in table {
        let config = parse_with(&format!("{family}ForCausalLM"), &keys).unwrap();
        assert!(check(&config), "{family} {keys}: {config:?}");
    }
}

#[test]
fn refusals_of_the_families() {
    let mixed = json!({"use_sliding_window": true, "max_window_layers": 1});
    let table = [
        ("Qwen2", mixed.clone(), "a sliding window in 1 of 2 layers isn't supported"),
        ("Qwen3", mixed, "a sliding window in 1 of 2 layers isn't supported"),
        ("Qwen2", json!({"layer_types": ["sliding_attention", "x"]}), "in 2 of 2 layers isn't"),
        ("Mistral", json!({"sliding_window": 0}), "sliding_window is 0; it must be at least 1"),
        ("Starcoder2", json!({"sliding_window": u64::MAX}), "it must be far smaller"),
        ("Starcoder2", json!({"hidden_size": 0}), "hidden_size is 0"),
        (
            "Gemma",
            json!({"use_bidirectional_attention": true}),
            "use_bidirectional_attention isn't",
        ),
        ("GPTBigCode", json!({"multi_query": false}), "not supported: multi_query false"),
        ("GPTBigCode", json!({"n_head": 5}), "n_embd 96 is no multiple of n_head 5"),
        ("GPTBigCode", json!({"n_head": 0}), "n_head is 0"),
        ("GPTBigCode", json!({"n_embd": u64::MAX, "n_head": 1}), "it must be far smaller"),
        ("GPTBigCode", json!({"n_inner": 0}), "intermediate_size is 0"),
    ];
    for (family, keys, expected) in table {
        let error = parse_with(&format!("{family}ForCausalLM"), &keys).unwrap_err();
        assert!(error.contains(expected) && !error.contains('\n'), "{family} {keys}: {error}");
    }
}

/// By hand from the formula in transformers' modeling_rope_utils.py.
#[test]
fn llama3_mixes_frequencies() {
    let scaling = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_context_len: 8192.0,
    };
    let scaled: Vec<f64> = Rope { theta: 5e5, scaling }.frequencies(128).collect();
    let plain = Rope { theta: 5e5, scaling: RopeScaling::Linear { factor: 1.0 } };
    let plain: Vec<f64> = plain.frequencies(128).collect();
    let share = |pair: usize| scaled[pair] / plain[pair];
    assert!((share(0) - 1.0).abs() < 1e-12 && (share(63) - 0.125).abs() < 1e-12);
    // Wave 32 is 2π · 5e5^(1/2) = 4442.9 long, and 8192 / 4442.9 = 1.84384 lies between 1 and 4.
    let smooth = (1.843_84 - 1.0) / 3.0;
    assert!((share(32) - (smooth + (1.0 - smooth) / 8.0)).abs() < 1e-5, "{}", share(32));
}
