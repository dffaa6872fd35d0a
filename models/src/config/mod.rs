//! `config.json`, read once into a validated type: whatever passes here can be run.

mod families;
mod keys;
mod rope;
#[cfg(test)]
mod tests;

use jump_kernels::{AttentionShape, FfnShape, PassLimits, TokenId};
use serde::Deserialize;

pub use rope::{Rope, RopeScaling};

use crate::ModelError;
use crate::names::TensorNames;
use crate::tensors::Named;
use families::FAMILIES;
use keys::Keys;

/// Heads are a multiple of this, so that a vector register never straddles two.
const HEAD_DIM_MULTIPLE: usize = 16;

/// No model is larger in any direction; products of three such counts fit into 64 bits with ease.
const MAX_COUNT: usize = 1 << 20;

/// A model's description: its shape, and which of the things that models differ in it has. All
/// counts are at least 1. The forward pass knows nothing else of a family.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The name of transformers' class.
    pub architecture: &'static str,
    /// Transformer layers.
    pub num_layers: usize,
    /// Width of the residual stream.
    pub hidden_width: usize,
    /// Heads; query heads are a multiple of key heads.
    pub attention: AttentionShape,
    /// The feed-forward layer.
    pub ffn: FfnShape,
    /// Tokens in the vocabulary.
    pub vocab_len: usize,
    /// Positions that the model was made for.
    pub context_len: usize,
    /// Every normalisation of hidden rows.
    pub norm: Norm,
    /// Which matrices have a bias.
    pub biases: Biases,
    /// Whether each query and key head is RMS-normalised by itself before it is rotated, with the
    /// epsilon of `norm`.
    pub has_head_norms: bool,
    /// How a token knows where it is.
    pub positions: Positions,
    /// Multiplies the embedding.
    pub embedding_scale: f32,
    /// Does the config say that the head is the embedding? `None` if it doesn't say.
    pub tied_head: Option<bool>,
    /// Tokens that end a text.
    pub end_tokens: Vec<TokenId>,
    /// Where the tensors are.
    pub names: &'static TensorNames,
}

/// A model's normalisations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Norm {
    /// By the root mean square.
    Rms {
        /// Added to the mean square.
        eps: f32,
        /// Added to the weights, which Gemma stores less one.
        weight_offset: f32,
    },
    /// By mean and variance, with a bias.
    Layer {
        /// Added to the variance.
        eps: f32,
    },
}

impl Norm {
    /// What keeps the root from zero.
    pub fn eps(&self) -> f32 {
        let (Self::Rms { eps, .. } | Self::Layer { eps }) = self;
        *eps
    }
}

/// Which matrices of a layer have a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Biases {
    /// Those of queries, keys and values.
    pub qkv: bool,
    /// That behind the attention.
    pub attention_out: bool,
    /// Those of the feed-forward layer.
    pub ffn: bool,
}

/// How a token knows where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Positions {
    /// Queries and keys are rotated.
    Rotary(Rope),
    /// Each position of the context has a row that is added to the embedding.
    Learned,
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
    /// The architectures whose forward pass is here.
    pub fn architectures() -> impl Iterator<Item = &'static str> {
        FAMILIES.into_iter().map(|(name, _)| name)
    }

    /// Reads the text of a `config.json`; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// Malformed JSON, a missing field, an unknown architecture, or a shape that can't be run.
    pub fn parse(text: &str, file: &str) -> Result<Self, ModelError> {
        let problem = |problem: String| ModelError::Config { file: file.to_owned(), problem };
        let keys = Keys::parse(text).map_err(problem)?;
        // Before anything else: another architecture lacks keys that are required here, and its
        // name says more than a missing key.
        let found: Vec<String> = keys.value_or("architectures", Vec::new()).map_err(problem)?;
        let Some((name, read)) = FAMILIES.iter().find(|(name, _)| found.iter().any(|n| n == name))
        else {
            return Err(unknown_architecture(&found, file));
        };
        let mut config = read(&keys).map_err(problem)?;
        config.architecture = name;
        let end_tokens = keys.optional::<OneOrMany>("eos_token_id").map_err(problem)?;
        config.end_tokens = end_tokens.map_or_else(Vec::new, OneOrMany::into_tokens);
        config.check().map_err(problem)?;
        Ok(config)
    }

    /// Whether a description that was put together can be run.
    ///
    /// # Errors
    ///
    /// What can't, by the names that `config.json` has for it.
    pub fn check(&self) -> Result<(), String> {
        let AttentionShape { num_heads, num_kv_heads, head_dim, .. } = self.attention;
        let counts = [
            ("num_hidden_layers", self.num_layers),
            ("hidden_size", self.hidden_width),
            ("intermediate_size", self.ffn.width),
            ("vocab_size", self.vocab_len),
            ("num_attention_heads", num_heads),
            ("num_key_value_heads", num_kv_heads),
            ("head_dim", head_dim),
        ];
        for (name, count) in counts {
            check_count(name, count)?;
        }
        if !num_heads.is_multiple_of(num_kv_heads) {
            return Err(format!(
                "{num_heads} attention heads can't share {num_kv_heads} key/value heads evenly"
            ));
        }
        if !head_dim.is_multiple_of(HEAD_DIM_MULTIPLE) {
            return Err(format!(
                "head_dim is {head_dim}; it must be a multiple of {HEAD_DIM_MULTIPLE}"
            ));
        }
        // What a context costs is known later, with the memory.
        if self.context_len == 0 || u32::try_from(self.context_len).is_err() {
            return Err(out_of_range("max_position_embeddings", self.context_len));
        }
        let eps = self.norm.eps();
        if !(eps > 0.0 && eps < 1.0) {
            return Err(format!("the norms' epsilon is {eps}; it must lie between 0 and 1"));
        }
        check_end_tokens(&self.end_tokens, self.vocab_len)
    }

    /// Bytes of all weights in bfloat16, whatever a checkpoint stores them in. What they take on a
    /// device is [`Model::weight_bytes`](crate::Model::weight_bytes).
    pub fn weight_bytes(&self) -> usize {
        // Each product fits, see `MAX_COUNT`; their sum over as many layers need not.
        let bytes = |(_, shape): Named| 2 * shape.iter().product::<usize>();
        let outer: usize = self.outer_tensors().into_iter().map(bytes).sum();
        let layer: usize = self.layer_tensors(0).all().map(bytes).sum();
        layer.saturating_mul(self.num_layers).saturating_add(outer)
    }

    /// Passes of up to `max_rows` rows and sequences of up to `context_len` tokens, as a backend
    /// wants to know them.
    pub fn pass_limits(&self, max_rows: usize, context_len: usize) -> PassLimits {
        PassLimits {
            max_rows,
            context_len,
            attention: self.attention,
            ffn: self.ffn,
            vocab_len: self.vocab_len,
            hidden_width: self.hidden_width,
            num_layers: self.num_layers,
        }
    }

    /// Bytes that the activations of a pass of `max_rows` rows take at most, all in single
    /// precision.
    pub fn activation_bytes(&self, max_rows: usize) -> usize {
        let (hidden, qkv) = (self.hidden_width, self.attention.qkv_width());
        let width = 3 * hidden + 2 * qkv + self.attention.q_width() + self.ffn.width;
        max_rows.saturating_mul(width * size_of::<f32>())
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

fn unknown_architecture(found: &[String], file: &str) -> ModelError {
    ModelError::Architecture {
        file: file.to_owned(),
        found: match found {
            [] => "a model that doesn't name its `architectures`".to_owned(),
            names => format!("the architecture {}", names.join(", ")),
        },
        supported: FAMILIES.map(|(name, _)| name).join(" or "),
    }
}
