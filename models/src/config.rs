//! `config.json`, read once into a validated type: whatever passes here can be run.

use jump_kernels::{AttentionShape, PassLimits, TokenId};
use serde::Deserialize;

use crate::ModelError;

/// Architectures whose forward pass is here.
const ARCHITECTURES: [&str; 1] = ["LlamaForCausalLM"];

/// Heads are a multiple of this, so that a vector register never straddles two.
const HEAD_DIM_MULTIPLE: usize = 16;

/// No model is larger in any direction; products of three such counts fit into 64 bits with ease.
const MAX_COUNT: usize = 1 << 20;

/// A model's shape. All counts are at least 1.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Transformer layers.
    pub num_layers: usize,
    /// Width of the residual stream.
    pub hidden_width: usize,
    /// Width inside the gated layer.
    pub ffn_width: usize,
    /// Heads; query heads are a multiple of key heads.
    pub attention: AttentionShape,
    /// Tokens in the vocabulary.
    pub vocab_len: usize,
    /// Positions that the model was made for.
    pub context_len: usize,
    /// Added to the mean square in `RMSNorm`.
    pub norm_eps: f32,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
    /// Positions are divided by this (linear scaling); 1 for none.
    pub rope_factor: f64,
    /// Does the config say that the head is the embedding? `None` if it doesn't say.
    pub tied_head: Option<bool>,
    /// Tokens that end a text.
    pub end_tokens: Vec<TokenId>,
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(default)]
    architectures: Vec<String>,
    num_hidden_layers: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: f32,
    rope_theta: Option<f64>,
    rope_scaling: Option<RawRope>,
    rope_parameters: Option<RawRope>,
    hidden_act: Option<String>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    tie_word_embeddings: Option<bool>,
    eos_token_id: Option<OneOrMany>,
}

#[derive(Deserialize)]
struct RawRope {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    factor: Option<f64>,
    rope_theta: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "eos_token_id must be a token id or a list of them")]
enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl OneOrMany {
    fn into_tokens(self) -> Vec<TokenId> {
        match self {
            Self::One(id) => vec![TokenId(id)],
            Self::Many(ids) => ids.into_iter().map(TokenId).collect(),
        }
    }
}

impl ModelConfig {
    /// Reads the text of a `config.json`; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// Malformed JSON, a missing field, an unknown architecture, or a shape that can't be run.
    pub fn parse(text: &str, file: &str) -> Result<Self, ModelError> {
        let problem = |problem: String| ModelError::Config { file: file.to_owned(), problem };
        check_architecture(text, file)?;
        let raw: RawConfig = serde_json::from_str(text).map_err(|e| problem(e.to_string()))?;
        let unsupported = unsupported_features(&raw);
        if !unsupported.is_empty() {
            return Err(problem(format!("not supported: {}", unsupported.join(", "))));
        }
        let config = Self::from_raw(raw).map_err(problem)?;
        Ok(config)
    }

    fn from_raw(raw: RawConfig) -> Result<Self, String> {
        let num_heads = raw.num_attention_heads;
        let num_kv_heads = raw.num_key_value_heads.unwrap_or(num_heads);
        check_count("num_attention_heads", num_heads)?;
        check_count("num_key_value_heads", num_kv_heads)?;
        if !num_heads.is_multiple_of(num_kv_heads) {
            return Err(format!(
                "{num_heads} attention heads can't share {num_kv_heads} key/value heads evenly"
            ));
        }
        let head_dim = raw.head_dim.unwrap_or(raw.hidden_size / num_heads);
        check_count("head_dim", head_dim)?;
        if !head_dim.is_multiple_of(HEAD_DIM_MULTIPLE) {
            return Err(format!(
                "head_dim is {head_dim}; it must be a multiple of {HEAD_DIM_MULTIPLE}"
            ));
        }
        let norm_eps = raw.rms_norm_eps;
        if !(norm_eps > 0.0 && norm_eps < 1.0) {
            return Err(format!("rms_norm_eps is {norm_eps}; it must lie between 0 and 1"));
        }
        let (rope_theta, rope_factor) = rope(&raw)?;
        let config = Self {
            num_layers: raw.num_hidden_layers,
            hidden_width: raw.hidden_size,
            ffn_width: raw.intermediate_size,
            attention: AttentionShape { num_heads, num_kv_heads, head_dim },
            vocab_len: raw.vocab_size,
            context_len: raw.max_position_embeddings,
            norm_eps,
            rope_theta,
            rope_factor,
            tied_head: raw.tie_word_embeddings,
            end_tokens: raw.eos_token_id.map_or_else(Vec::new, OneOrMany::into_tokens),
        };
        config.check_counts()?;
        Ok(config)
    }

    /// The tensors of a checkpoint of this shape. The head is there unless the config says that it
    /// is the embedding.
    pub(crate) fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (hidden, ffn) = (self.hidden_width, self.ffn_width);
        let (q, kv) = (self.attention.q_width(), self.attention.kv_width());
        let parts = [
            ("input_layernorm", vec![hidden]),
            ("self_attn.q_proj", vec![q, hidden]),
            ("self_attn.k_proj", vec![kv, hidden]),
            ("self_attn.v_proj", vec![kv, hidden]),
            ("self_attn.o_proj", vec![hidden, q]),
            ("post_attention_layernorm", vec![hidden]),
            ("mlp.gate_proj", vec![ffn, hidden]),
            ("mlp.up_proj", vec![ffn, hidden]),
            ("mlp.down_proj", vec![hidden, ffn]),
        ];
        let layer = |layer_idx: usize| {
            let parts = parts.iter();
            parts.map(move |(part, shape)| {
                (format!("model.layers.{layer_idx}.{part}.weight"), shape.clone())
            })
        };
        let mut tensors = vec![
            ("model.embed_tokens.weight".to_owned(), vec![self.vocab_len, hidden]),
            ("model.norm.weight".to_owned(), vec![hidden]),
        ];
        if self.tied_head != Some(true) {
            tensors.push(("lm_head.weight".to_owned(), vec![self.vocab_len, hidden]));
        }
        tensors.extend((0..self.num_layers).flat_map(layer));
        tensors
    }

    /// Bytes of all weights in bfloat16, whatever a checkpoint stores them in.
    ///
    /// A loaded model takes more: the rows of the head (`2 * vocab_len * hidden_width` bytes) are
    /// there twice, for reading single rows and for multiplying, and loading adds the tensors of
    /// one layer for as long as they are packed.
    pub fn weight_bytes(&self) -> usize {
        // Each product fits, see `MAX_COUNT`; their sum over as many layers need not.
        let tensors = self.tensors().into_iter();
        let bytes = tensors.map(|(_, shape)| 2 * shape.iter().product::<usize>());
        bytes.fold(0, usize::saturating_add)
    }

    /// Passes of up to `max_rows` rows and sequences of up to `context_len` tokens, as a backend
    /// wants to know them.
    pub fn pass_limits(&self, max_rows: usize, context_len: usize) -> PassLimits {
        PassLimits {
            max_rows,
            context_len,
            attention: self.attention,
            vocab_len: self.vocab_len,
            hidden_width: self.hidden_width,
            num_layers: self.num_layers,
        }
    }

    /// Bytes that the activations of a pass of `max_rows` rows take at most, all in single
    /// precision.
    pub fn activation_bytes(&self, max_rows: usize) -> usize {
        let (hidden, qkv) = (self.hidden_width, self.attention.qkv_width());
        let width = 3 * hidden + 2 * qkv + self.attention.q_width() + self.ffn_width;
        max_rows.saturating_mul(width * size_of::<f32>())
    }

    fn check_counts(&self) -> Result<(), String> {
        let counts = [
            ("num_hidden_layers", self.num_layers),
            ("hidden_size", self.hidden_width),
            ("intermediate_size", self.ffn_width),
            ("vocab_size", self.vocab_len),
        ];
        for (name, count) in counts {
            check_count(name, count)?;
        }
        // What a context costs is known later, with the memory.
        if self.context_len == 0 || u32::try_from(self.context_len).is_err() {
            return Err(out_of_range("max_position_embeddings", self.context_len));
        }
        check_end_tokens(&self.end_tokens, self.vocab_len)
    }
}

fn check_count(name: &str, count: usize) -> Result<(), String> {
    if (1..=MAX_COUNT).contains(&count) { Ok(()) } else { Err(out_of_range(name, count)) }
}

fn out_of_range(name: &str, count: usize) -> String {
    let bound = if count == 0 { "at least 1" } else { "far smaller" };
    format!("{name} is {count}; it must be {bound}")
}

/// End tokens must be tokens.
pub(crate) fn check_end_tokens(tokens: &[TokenId], vocab_len: usize) -> Result<(), String> {
    match tokens.iter().find(|end| end.0 as usize >= vocab_len) {
        Some(end) => Err(format!("eos_token_id {} is outside of the {vocab_len} tokens", end.0)),
        None => Ok(()),
    }
}

/// The end tokens that a `generation_config.json` adds.
///
/// # Errors
///
/// Malformed JSON.
pub(crate) fn generation_end_tokens(text: &str, file: &str) -> Result<Vec<TokenId>, ModelError> {
    #[derive(Deserialize)]
    struct RawGeneration {
        eos_token_id: Option<OneOrMany>,
    }
    let raw: RawGeneration = serde_json::from_str(text)
        .map_err(|e| ModelError::Config { file: file.to_owned(), problem: e.to_string() })?;
    Ok(raw.eos_token_id.map_or_else(Vec::new, OneOrMany::into_tokens))
}

/// Looks at the architecture before anything else: another one lacks fields that are required here,
/// and its name says more than a missing field.
fn check_architecture(text: &str, file: &str) -> Result<(), ModelError> {
    #[derive(Deserialize)]
    struct Architectures {
        #[serde(default)]
        architectures: Vec<String>,
    }
    let found: Architectures = serde_json::from_str(text)
        .map_err(|e| ModelError::Config { file: file.to_owned(), problem: e.to_string() })?;
    if found.architectures.iter().any(|name| ARCHITECTURES.contains(&name.as_str())) {
        return Ok(());
    }
    Err(ModelError::Architecture {
        file: file.to_owned(),
        found: match found.architectures.as_slice() {
            [] => "a model that doesn't name its `architectures`".to_owned(),
            names => format!("the architecture {}", names.join(", ")),
        },
        supported: ARCHITECTURES.join(" or "),
    })
}

fn unsupported_features(raw: &RawConfig) -> Vec<String> {
    let mut found = Vec::new();
    debug_assert!(!raw.architectures.is_empty(), "checked before");
    if raw.attention_bias {
        found.push("attention_bias".to_owned());
    }
    if raw.mlp_bias {
        found.push("mlp_bias".to_owned());
    }
    if let Some(act) = raw.hidden_act.as_deref().filter(|act| *act != "silu") {
        found.push(format!("hidden_act {act:?}"));
    }
    found
}

/// Base and linear factor of the rotary embedding. Older configs have `rope_theta` and
/// `rope_scaling`, newer ones `rope_parameters` with both.
fn rope(raw: &RawConfig) -> Result<(f64, f64), String> {
    let scaling = raw.rope_parameters.as_ref().or(raw.rope_scaling.as_ref());
    let theta = scaling.and_then(|s| s.rope_theta).or(raw.rope_theta).unwrap_or(10_000.0);
    let kind = scaling.and_then(|s| s.rope_type.as_deref()).unwrap_or("default");
    let factor = match kind {
        "default" => 1.0,
        "linear" => scaling.and_then(|s| s.factor).ok_or("linear rope scaling without a factor")?,
        other => return Err(format!("rope scaling {other:?} isn't supported (linear is)")),
    };
    // So that no frequency is above 1, and none becomes infinite.
    if theta.is_finite() && theta >= 1.0 && factor.is_finite() && factor >= 1.0 {
        return Ok((theta, factor));
    }
    Err(format!("the rope's theta {theta} and factor {factor} must be at least 1"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TINY: &str = include_str!("../tiny/config.json");

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
                json!(["Qwen2ForCausalLM"]),
                "the architecture Qwen2ForCausalLM isn't",
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
            ("rms_norm_eps", json!(0), "rms_norm_eps is 0; it must lie between 0 and 1"),
            ("rms_norm_eps", json!(-1e-5), "rms_norm_eps is -0.00001"),
            ("rope_theta", json!(0), "the rope's theta 0 and factor 1 must be at least 1"),
            ("rope_scaling", json!({"type": "linear"}), "linear rope scaling without a factor"),
            ("rope_scaling", json!({"type": "linear", "factor": 0}), "factor 0 must be at least"),
            ("rope_scaling", json!({"rope_type": "yarn"}), "rope scaling \"yarn\" isn't supported"),
            ("hidden_act", json!("gelu"), "not supported: hidden_act \"gelu\""),
            ("attention_bias", json!(true), "not supported: attention_bias"),
            ("mlp_bias", json!(true), "not supported: mlp_bias"),
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
            "rms_norm_eps",
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
            assert_eq!((config.rope_theta, config.rope_factor), expected, "{field} {value}");
        }
        let many = parse(|config| config["eos_token_id"] = json!([0, 4])).unwrap();
        assert_eq!(many.end_tokens, [TokenId(0), TokenId(4)]);
    }
}
