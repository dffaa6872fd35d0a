//! The families whose forward pass is here, by the names of transformers' classes: what each reads
//! from its `config.json`. Counts must be there; whatever else is missing has the value that the
//! class gives it (configuration_*.py of transformers 5.24.0).

use std::num::NonZeroUsize;

use jump_kernels::{Activation, AttentionShape, FfnShape};

use super::keys::Keys;
use super::{Biases, ModelConfig, Norm, Positions, Rope, check_count};
use crate::names::TensorNames;

type Read = fn(&Keys) -> Result<ModelConfig, String>;

/// The classes, and how their configs are read.
pub(super) const FAMILIES: [(&str, Read); 7] = [
    ("LlamaForCausalLM", llama),
    ("MistralForCausalLM", mistral),
    ("Qwen2ForCausalLM", qwen2),
    ("Qwen3ForCausalLM", qwen3),
    ("GemmaForCausalLM", gemma),
    ("Starcoder2ForCausalLM", starcoder2),
    ("GPTBigCodeForCausalLM", gpt_bigcode),
];

/// What a family's class gives to keys that are missing.
struct Defaults {
    /// `None`: as many as there are heads.
    num_kv_heads: Option<usize>,
    /// `None`: the hidden width over the heads.
    head_dim: Option<usize>,
    activation: &'static str,
    is_gated: bool,
}

const LLAMA: Defaults =
    Defaults { num_kv_heads: None, head_dim: None, activation: "silu", is_gated: true };

fn llama(keys: &Keys) -> Result<ModelConfig, String> {
    let attention = keys.value_or("attention_bias", false)?;
    let ffn = keys.value_or("mlp_bias", false)?;
    let biases = Biases { qkv: attention, attention_out: attention, ffn };
    Ok(ModelConfig { biases, ..llama_like(keys, &LLAMA)? })
}

fn mistral(keys: &Keys) -> Result<ModelConfig, String> {
    let mut config = llama_like(keys, &Defaults { num_kv_heads: Some(8), ..LLAMA })?;
    // Missing is one thing, null another.
    let default = if keys.contains("sliding_window") { None } else { Some(4096) };
    config.attention.window = window(keys.optional("sliding_window")?.or(default))?;
    Ok(config)
}

fn qwen2(keys: &Keys) -> Result<ModelConfig, String> {
    let mut config = llama_like(keys, &Defaults { num_kv_heads: Some(32), ..LLAMA })?;
    config.attention.window = qwen_window(keys, config.num_layers)?;
    Ok(ModelConfig { biases: Biases { qkv: true, ..Biases::default() }, ..config })
}

fn qwen3(keys: &Keys) -> Result<ModelConfig, String> {
    let defaults = Defaults { num_kv_heads: Some(32), head_dim: Some(128), ..LLAMA };
    let mut config = llama_like(keys, &defaults)?;
    config.attention.window = qwen_window(keys, config.num_layers)?;
    let bias = keys.value_or("attention_bias", false)?;
    let biases = Biases { qkv: bias, attention_out: bias, ffn: false };
    Ok(ModelConfig { biases, has_head_norms: true, ..config })
}

/// Qwen's windows are for the layers from one on; here all layers are the same.
fn qwen_window(keys: &Keys, num_layers: usize) -> Result<Option<NonZeroUsize>, String> {
    let default = if keys.contains("sliding_window") { None } else { Some(4096) };
    let is_used = keys.value_or("use_sliding_window", false)?;
    let len = keys.optional("sliding_window")?.or(default).filter(|_| is_used);
    let first = keys.value_or("max_window_layers", 28)?;
    let num_sliding = match keys.optional::<Vec<String>>("layer_types")? {
        Some(types) => types.iter().filter(|kind| *kind != "full_attention").count(),
        None if len.is_some() => num_layers.saturating_sub(first),
        None => 0,
    };
    if num_sliding == 0 {
        return Ok(None);
    }
    if num_sliding < num_layers || len.is_none() {
        return Err(format!(
            "a sliding window in {num_sliding} of {num_layers} layers isn't supported (in all or \
             none is): see use_sliding_window, max_window_layers and layer_types"
        ));
    }
    window(len)
}

fn gemma(keys: &Keys) -> Result<ModelConfig, String> {
    let defaults = Defaults {
        num_kv_heads: Some(16),
        head_dim: Some(256),
        activation: "gelu_pytorch_tanh",
        is_gated: true,
    };
    let mut config = llama_like(keys, &defaults)?;
    // The first releases said "gelu" and meant its tanh form; transformers corrects them, too.
    if config.ffn.activation == Activation::Gelu {
        config.ffn.activation = Activation::GeluTanh;
    }
    if keys.value_or("use_bidirectional_attention", false)? {
        return Err("use_bidirectional_attention isn't supported".to_owned());
    }
    let bias = keys.value_or("attention_bias", false)?;
    Ok(ModelConfig {
        biases: Biases { qkv: bias, attention_out: bias, ffn: false },
        norm: Norm::Rms { eps: keys.value_or("rms_norm_eps", 1e-6)?, weight_offset: 1.0 },
        embedding_scale: (config.hidden_width as f64).sqrt() as f32,
        tied_head: Some(keys.value_or("tie_word_embeddings", true)?),
        ..config
    })
}

fn starcoder2(keys: &Keys) -> Result<ModelConfig, String> {
    let defaults = Defaults {
        num_kv_heads: Some(2),
        head_dim: None,
        activation: "gelu_pytorch_tanh",
        is_gated: false,
    };
    let mut config = llama_like(keys, &defaults)?;
    config.attention.window = window(keys.optional("sliding_window")?)?;
    let bias = keys.value_or("use_bias", true)?;
    Ok(ModelConfig {
        biases: Biases { qkv: bias, attention_out: bias, ffn: bias },
        norm: Norm::Layer { eps: keys.value_or("norm_epsilon", 1e-5)? },
        tied_head: Some(keys.value_or("tie_word_embeddings", true)?),
        names: &TensorNames::STARCODER2,
        ..config
    })
}

/// What Llama and most others have in common.
fn llama_like(keys: &Keys, defaults: &Defaults) -> Result<ModelConfig, String> {
    let hidden_width = keys.required("hidden_size")?;
    let num_heads = keys.required("num_attention_heads")?;
    check_count("num_attention_heads", num_heads)?;
    // Null is a number of its own: that of the heads.
    let is_given = keys.contains("num_key_value_heads");
    let default = defaults.num_kv_heads.filter(|_| !is_given).unwrap_or(num_heads);
    let num_kv_heads = keys.value_or("num_key_value_heads", default)?;
    let head_dim = keys.optional("head_dim")?.or(defaults.head_dim);
    let head_dim = head_dim.unwrap_or(hidden_width / num_heads);
    let activation =
        activation("hidden_act", &keys.value_or("hidden_act", defaults.activation.to_owned())?)?;
    Ok(ModelConfig {
        num_layers: keys.required("num_hidden_layers")?,
        hidden_width,
        attention: AttentionShape { num_heads, num_kv_heads, head_dim, window: None },
        ffn: FfnShape {
            width: keys.required("intermediate_size")?,
            activation,
            is_gated: defaults.is_gated,
        },
        vocab_len: keys.required("vocab_size")?,
        context_len: keys.required("max_position_embeddings")?,
        norm: Norm::Rms { eps: keys.value_or("rms_norm_eps", 1e-6)?, weight_offset: 0.0 },
        biases: Biases::default(),
        has_head_norms: false,
        positions: Positions::Rotary(Rope::read(keys)?),
        embedding_scale: 1.0,
        tied_head: keys.optional("tie_word_embeddings")?,
        // Set for all families alike, as is the name.
        end_tokens: Vec::new(),
        architecture: "",
        names: &TensorNames::LLAMA,
    })
}

fn gpt_bigcode(keys: &Keys) -> Result<ModelConfig, String> {
    let hidden_width: usize = keys.required("n_embd")?;
    let num_heads = keys.required("n_head")?;
    check_count("n_head", num_heads)?;
    if !hidden_width.is_multiple_of(num_heads) {
        return Err(format!("n_embd {hidden_width} is no multiple of n_head {num_heads}"));
    }
    let mut refused = Vec::new();
    for (key, supported) in
        [("multi_query", true), ("scale_attn_weights", true), ("add_cross_attention", false)]
    {
        if keys.value_or(key, supported)? != supported {
            refused.push(format!("{key} {}", !supported));
        }
    }
    if !refused.is_empty() {
        return Err(format!("not supported: {}", refused.join(", ")));
    }
    let head_dim = hidden_width / num_heads;
    let default = hidden_width.saturating_mul(4);
    let function = keys.value_or("activation_function", "gelu_pytorch_tanh".to_owned())?;
    Ok(ModelConfig {
        num_layers: keys.required("n_layer")?,
        hidden_width,
        attention: AttentionShape { num_heads, num_kv_heads: 1, head_dim, window: None },
        ffn: FfnShape {
            width: keys.value_or("n_inner", default)?,
            activation: activation("activation_function", &function)?,
            is_gated: false,
        },
        vocab_len: keys.required("vocab_size")?,
        context_len: keys.required("n_positions")?,
        norm: Norm::Layer { eps: keys.value_or("layer_norm_epsilon", 1e-5)? },
        biases: Biases { qkv: true, attention_out: true, ffn: true },
        has_head_norms: false,
        positions: Positions::Learned,
        embedding_scale: 1.0,
        tied_head: Some(keys.value_or("tie_word_embeddings", true)?),
        // Set for all families alike, as is the name.
        end_tokens: Vec::new(),
        architecture: "",
        names: &TensorNames::GPT_BIGCODE,
    })
}

/// The function that transformers calls so (activations.py).
fn activation(key: &str, name: &str) -> Result<Activation, String> {
    match name {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" | "gelu_python" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh" => {
            Ok(Activation::GeluTanh)
        }
        _ => Err(format!("not supported: {key} {name:?} (silu, gelu and its tanh forms are)")),
    }
}

fn window(len: Option<usize>) -> Result<Option<NonZeroUsize>, String> {
    match len {
        // Kernels count positions in 32 bits.
        Some(len) if len == 0 || u32::try_from(len).is_err() => {
            Err(super::out_of_range("sliding_window", len))
        }
        len => Ok(len.and_then(NonZeroUsize::new)),
    }
}
