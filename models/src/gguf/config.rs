//! The text of a `config.json` from a file's metadata, so that a shape goes through the same checks
//! wherever it comes from. Source of the keys: ggml's `docs/gguf.md`.

use serde_json::{Value, json};

use super::architecture::{ARCHITECTURES, Architecture};
use super::header::Header;
use super::metadata::Metadata;

/// Tokens that end a text, by what they are called.
const END_TOKENS: [&str; 3] = ["eos", "eot", "eom"];

/// The architecture that the file names.
///
/// # Errors
///
/// The name, if it isn't known.
pub fn architecture(metadata: &Metadata<'_>) -> Result<&'static Architecture, String> {
    let name = metadata.string("general.architecture")?;
    let name = name.ok_or("it lacks the value \"general.architecture\"")?;
    let known = ARCHITECTURES.iter().find(|architecture| architecture.name == name);
    known.ok_or_else(|| {
        let names: Vec<&str> = ARCHITECTURES.iter().map(|known| known.name).collect();
        format!("the architecture {name:?} isn't supported: take {}", names.join(" or "))
    })
}

/// What the config says in JSON.
///
/// # Errors
///
/// A value that is missing, of another type, or that stands for what isn't supported.
pub fn config_json(header: &Header<'_>, architecture: &Architecture) -> Result<Value, String> {
    let keys = Keys { metadata: &header.metadata, architecture: architecture.name };
    if keys.optional_count("expert_count")?.is_some_and(|count| count > 0) {
        return Err("mixtures of experts aren't supported".to_owned());
    }
    let num_heads = keys.count("attention.head_count")?;
    let hidden_width = keys.count("embedding_length")?;
    let head_dim = keys.head_dim(hidden_width, num_heads)?;
    let mut end_tokens = Vec::new();
    for name in END_TOKENS {
        end_tokens.extend(header.metadata.count(&format!("tokenizer.ggml.{name}_token_id"))?);
    }
    let (num_layers, context_len) = (keys.count("block_count")?, keys.count("context_length")?);
    let (ffn_width, norm_eps) = (keys.count("feed_forward_length")?, keys.norm_eps()?);
    let window = keys.optional_count("attention.sliding_window")?.or(architecture.window);
    let has = |name: &str| header.tensors.iter().any(|tensor| tensor.name == name);
    Ok(json!({
        "architectures": [class(architecture, window)?],
        "num_hidden_layers": num_layers,
        "hidden_size": hidden_width,
        "intermediate_size": ffn_width,
        "num_attention_heads": num_heads,
        "num_key_value_heads": keys.optional_count("attention.head_count_kv")?.unwrap_or(num_heads),
        "head_dim": head_dim,
        "vocab_size": vocab_len(header)?,
        "max_position_embeddings": context_len,
        "rms_norm_eps": norm_eps,
        "norm_epsilon": norm_eps,
        "rope_theta": keys.optional_float("rope.freq_base")?.unwrap_or(10_000.0),
        "rope_scaling": keys.rope_scaling()?,
        "hidden_act": architecture.activation,
        "sliding_window": window,
        // What Qwen adds: whether it is used, and from which layer on.
        "use_sliding_window": window.is_some(),
        "max_window_layers": 0,
        "attention_bias": has("blk.0.attn_q.bias"),
        "mlp_bias": has("blk.0.ffn_up.bias"),
        "use_bias": has("blk.0.attn_q.bias"),
        "tie_word_embeddings": !has("output.weight"),
        "eos_token_id": end_tokens,
        // What GPT-BigCode calls them.
        "n_layer": num_layers,
        "n_embd": hidden_width,
        "n_inner": ffn_width,
        "n_head": num_heads,
        "n_positions": context_len,
        "layer_norm_epsilon": norm_eps,
        "activation_function": architecture.activation,
    }))
}

/// transformers' class. A Llama with a window is a Mistral.
fn class(architecture: &Architecture, window: Option<u64>) -> Result<&'static str, String> {
    match (architecture.name, window) {
        ("llama", Some(_)) => Ok("MistralForCausalLM"),
        ("gemma" | "starcoder", Some(_)) => {
            Err(format!("a sliding window isn't supported in {}", architecture.hugging_face))
        }
        _ => Ok(architecture.hugging_face),
    }
}

/// The values whose keys begin with the architecture's name.
struct Keys<'a> {
    metadata: &'a Metadata<'a>,
    architecture: &'a str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn lacks(&self, name: &str) -> String {
        format!("it lacks the value {:?}", self.key(name))
    }

    fn optional_count(&self, name: &str) -> Result<Option<u64>, String> {
        self.metadata.count(&self.key(name))
    }

    fn count(&self, name: &str) -> Result<u64, String> {
        self.optional_count(name)?.ok_or_else(|| self.lacks(name))
    }

    fn optional_float(&self, name: &str) -> Result<Option<f64>, String> {
        self.metadata.float(&self.key(name))
    }

    /// Of norms by the root mean square, or of those by mean and variance.
    fn norm_eps(&self) -> Result<f64, String> {
        const RMS: &str = "attention.layer_norm_rms_epsilon";
        let eps = match self.optional_float(RMS)? {
            None => self.optional_float("attention.layer_norm_epsilon")?,
            eps => eps,
        };
        eps.ok_or_else(|| self.lacks(RMS))
    }

    fn head_dim(&self, hidden_width: u64, num_heads: u64) -> Result<u64, String> {
        let of_width = hidden_width.checked_div(num_heads).unwrap_or_default();
        let head_dim = self.optional_count("attention.key_length")?.unwrap_or(of_width);
        let value_dim = self.optional_count("attention.value_length")?.unwrap_or(head_dim);
        let rotated = self.optional_count("rope.dimension_count")?.unwrap_or(head_dim);
        if head_dim == value_dim && head_dim == rotated {
            return Ok(head_dim);
        }
        Err(format!(
            "heads of {head_dim} elements for keys and {value_dim} for values, {rotated} of them \
             rotated, aren't supported: the three must be the same"
        ))
    }

    fn rope_scaling(&self) -> Result<Value, String> {
        let kind = self.metadata.string(&self.key("rope.scaling.type"))?.unwrap_or("none");
        match kind {
            "none" => Ok(Value::Null),
            kind => Ok(
                json!({"rope_type": kind, "factor": self.optional_float("rope.scaling.factor")?}),
            ),
        }
    }
}

/// The rows of the embedding: what the file says elsewhere may be missing.
fn vocab_len(header: &Header<'_>) -> Result<usize, String> {
    let embedding = header.tensors.iter().find(|tensor| tensor.name == "token_embd.weight");
    let embedding = embedding.ok_or("it lacks the tensor token_embd.weight: is it a model?")?;
    Ok(embedding.shape[0])
}
