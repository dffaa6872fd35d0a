//! `config.json`, read once into a validated type: whatever passes here can be run.

use jump_kernels::{AttentionShape, TokenId};
use serde::Deserialize;

use crate::ModelError;

/// Architectures whose forward pass is here.
const ARCHITECTURES: [&str; 1] = ["LlamaForCausalLM"];

/// Heads are a multiple of this, so that a vector register never straddles two.
const HEAD_DIM_MULTIPLE: usize = 16;

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
#[serde(untagged)]
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
        if num_heads == 0 || num_kv_heads == 0 || !num_heads.is_multiple_of(num_kv_heads) {
            return Err(format!(
                "{num_heads} attention heads can't share {num_kv_heads} key/value heads evenly"
            ));
        }
        let head_dim = raw.head_dim.unwrap_or(raw.hidden_size / num_heads);
        if head_dim == 0 || !head_dim.is_multiple_of(HEAD_DIM_MULTIPLE) {
            return Err(format!(
                "head_dim is {head_dim}; it must be a multiple of {HEAD_DIM_MULTIPLE}"
            ));
        }
        let (rope_theta, rope_factor) = rope(&raw)?;
        let config = Self {
            num_layers: raw.num_hidden_layers,
            hidden_width: raw.hidden_size,
            ffn_width: raw.intermediate_size,
            attention: AttentionShape { num_heads, num_kv_heads, head_dim },
            vocab_len: raw.vocab_size,
            context_len: raw.max_position_embeddings,
            norm_eps: raw.rms_norm_eps,
            rope_theta,
            rope_factor,
            tied_head: raw.tie_word_embeddings,
            end_tokens: raw.eos_token_id.map_or_else(Vec::new, OneOrMany::into_tokens),
        };
        config.check_counts()?;
        Ok(config)
    }

    fn check_counts(&self) -> Result<(), String> {
        let counts = [
            ("num_hidden_layers", self.num_layers),
            ("hidden_size", self.hidden_width),
            ("intermediate_size", self.ffn_width),
            ("vocab_size", self.vocab_len),
            ("max_position_embeddings", self.context_len),
        ];
        for (name, count) in counts {
            if count == 0 || u32::try_from(count).is_err() {
                return Err(format!("{name} is {count}"));
            }
        }
        if let Some(end) = self.end_tokens.iter().find(|end| end.0 as usize >= self.vocab_len) {
            return Err(format!("eos_token_id {} is outside of the vocabulary", end.0));
        }
        Ok(())
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
        found: found.architectures.join(", "),
        supported: ARCHITECTURES.join(", "),
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
    if theta.is_finite() && theta > 0.0 && factor.is_finite() && factor > 0.0 {
        return Ok((theta, factor));
    }
    Err(format!("rope theta {theta} and factor {factor} must be positive"))
}
