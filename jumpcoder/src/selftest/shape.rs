//! The dimensions of models whose kernels can be timed.

use std::str::FromStr;

use jump_kernels::selftest::ModelDims;
use jump_models::{ModelConfig, ModelError, ModelShape, Norm};

/// A model's dimensions, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelShape {
    /// The name.
    pub name: String,
    /// The dimensions.
    pub dims: ModelDims,
}

impl From<&ModelConfig> for KernelShape {
    fn from(config: &ModelConfig) -> Self {
        let dims = ModelDims {
            hidden_width: config.hidden_width,
            ffn_width: config.ffn.width,
            is_gated: config.ffn.is_gated,
            has_layer_norm: matches!(config.norm, Norm::Layer { .. }),
            attention: config.attention,
            vocab_len: config.vocab_len,
        };
        Self { name: String::new(), dims }
    }
}

impl FromStr for KernelShape {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let shape: ModelShape = name.parse()?;
        Ok(Self { name: shape.name, ..Self::from(&shape.config) })
    }
}

#[cfg(test)]
mod tests {
    use super::KernelShape;

    #[test]
    fn dimensions_are_the_models() {
        let dims = |name: &str| name.parse::<KernelShape>().unwrap().dims;
        let width = |name: &str| dims(name).attention.qkv_width();
        assert_eq!(width("codellama-7b"), 3 * 4096);
        assert_eq!(width("qwen2.5-coder-7b"), 3584 + 2 * 512);
        assert_eq!(width("starcoder2-7b"), 4608 + 2 * 512);
        assert!(dims("qwen2.5-coder-7b").is_gated && !dims("starcoder2-7b").is_gated);
        assert!(dims("starcoder2-7b").has_layer_norm && !dims("codegemma-2b").has_layer_norm);
        assert!("gpt".parse::<KernelShape>().is_err());
    }
}
