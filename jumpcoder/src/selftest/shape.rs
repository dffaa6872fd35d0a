//! The dimensions of models whose kernels can be timed: all shapes that can be run whole, and two
//! more whose layers have parts that the forward pass doesn't know yet.

use std::str::FromStr;

use jump_kernels::AttentionShape;
use jump_kernels::selftest::ModelDims;
use jump_models::{ModelConfig, ModelError, ModelShape};

/// A model's dimensions, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelShape {
    /// The name.
    pub name: String,
    /// The dimensions.
    pub dims: ModelDims,
}

const fn attention(num_heads: usize, num_kv_heads: usize) -> AttentionShape {
    AttentionShape { num_heads, num_kv_heads, head_dim: 128 }
}

/// As the models' configs have them: the first has biases in its attention, the second everywhere,
/// and layer norms.
const MORE: [(&str, ModelDims); 2] = [
    (
        "qwen2.5-coder-7b",
        ModelDims {
            hidden_width: 3584,
            ffn_width: 18_944,
            is_gated: true,
            has_layer_norm: false,
            attention: attention(28, 4),
            vocab_len: 152_064,
        },
    ),
    (
        "starcoder2-7b",
        ModelDims {
            hidden_width: 4608,
            ffn_width: 18_432,
            is_gated: false,
            has_layer_norm: true,
            attention: attention(36, 4),
            vocab_len: 49_152,
        },
    ),
];

impl From<&ModelConfig> for KernelShape {
    fn from(config: &ModelConfig) -> Self {
        let dims = ModelDims {
            hidden_width: config.hidden_width,
            ffn_width: config.ffn_width,
            is_gated: true,
            has_layer_norm: false,
            attention: config.attention,
            vocab_len: config.vocab_len,
        };
        Self { name: String::new(), dims }
    }
}

impl FromStr for KernelShape {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        if let Some((name, dims)) = MORE.iter().find(|(known, _)| *known == name) {
            return Ok(Self { name: (*name).to_owned(), dims: *dims });
        }
        let shape: ModelShape = name.parse()?;
        Ok(Self { name: shape.name, ..Self::from(&shape.config) })
    }
}

#[cfg(test)]
mod tests {
    use super::KernelShape;

    #[test]
    fn shapes_that_run_whole_and_others_are_known() {
        let width = |name: &str| name.parse::<KernelShape>().unwrap().dims.attention.qkv_width();
        assert_eq!(width("codellama-7b"), 3 * 4096);
        assert_eq!(width("qwen2.5-coder-7b"), 3584 + 2 * 512);
        assert_eq!(width("starcoder2-7b"), 4608 + 2 * 512);
        assert!("gpt".parse::<KernelShape>().is_err());
    }
}
