//! The shapes of known models, by name: all that random weights need to cost what theirs cost.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde_json::json;

use crate::{ModelConfig, ModelError};

/// Layers, width, heads (of queries, of keys and values), width of the gated layer, vocabulary,
/// context, epsilon, the rope's base and factor, whether the head is tied.
type Row = (&'static str, usize, usize, [usize; 2], usize, usize, usize, f32, [f64; 2], bool);

/// As the models' configs have them; only those whose architecture the forward pass covers.
const SHAPES: [Row; 14] = [
    ("tiny", 5, 256, [4, 2], 704, 4096, 1024, 1e-5, [1e4, 1.0], true),
    ("smollm2-135m", 30, 576, [9, 3], 1536, 49_152, 8192, 1e-5, [1e5, 1.0], true),
    ("smollm2-360m", 32, 960, [15, 5], 2560, 49_152, 8192, 1e-5, [1e5, 1.0], true),
    ("smollm2-1.7b", 24, 2048, [32, 32], 8192, 49_152, 8192, 1e-5, [1.3e5, 1.0], true),
    ("deepseek-coder-1.3b", 24, 2048, [16, 16], 5504, 32_256, 16_384, 1e-6, [1e5, 4.0], false),
    ("deepseek-coder-6.7b", 32, 4096, [32, 32], 11_008, 32_256, 16_384, 1e-6, [1e5, 4.0], false),
    ("yi-coder-1.5b", 24, 2048, [16, 16], 5504, 64_000, 131_072, 1e-5, [1e7, 1.0], false),
    ("yi-coder-9b", 48, 4096, [32, 4], 11_008, 64_000, 131_072, 1e-5, [1e7, 1.0], false),
    ("opencoder-1.5b", 24, 2240, [14, 14], 6144, 96_640, 4096, 1e-5, [1e4, 1.0], false),
    ("opencoder-8b", 32, 4096, [32, 8], 14_336, 96_640, 8192, 1e-5, [5e5, 1.0], false),
    ("codellama-7b", 32, 4096, [32, 32], 11_008, 32_016, 16_384, 1e-5, [1e6, 1.0], false),
    ("codellama-13b", 40, 5120, [40, 40], 13_824, 32_016, 16_384, 1e-5, [1e6, 1.0], false),
    ("aixcoder-7b", 32, 4096, [32, 8], 14_464, 49_152, 32_768, 1e-6, [256e3, 1.0], false),
    ("seed-coder-8b", 32, 4096, [32, 8], 14_336, 155_136, 32_768, 1e-6, [5e5, 1.0], false),
];

/// A shape and its name. It is parsed from either one of [`ModelShape::names`] or the path of a
/// `config.json`, or of the directory that holds one.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelShape {
    /// What it is called: its name, or the path.
    pub name: String,
    /// The shape.
    pub config: ModelConfig,
}

impl ModelShape {
    /// The names of the shapes that are known here.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHAPES.iter().map(|row| row.0)
    }
}

impl FromStr for ModelShape {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let row = SHAPES.iter().find(|row| row.0 == name);
        let config = row.map_or_else(|| read(name), |row| ModelConfig::parse(&json(row), name));
        Ok(Self { name: name.to_owned(), config: config? })
    }
}

impl fmt::Display for ModelShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The text of a `config.json`, so that a shape goes through the same checks as a model's.
fn json(row: &Row) -> String {
    let &(_, num_layers, hidden, heads, ffn, vocab, context, eps, rope, tied) = row;
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": num_layers,
        "hidden_size": hidden,
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "intermediate_size": ffn,
        "vocab_size": vocab,
        "max_position_embeddings": context,
        "rms_norm_eps": eps,
        "rope_theta": rope[0],
        "rope_scaling": {"rope_type": "linear", "factor": rope[1]},
        "tie_word_embeddings": tied,
    });
    config.to_string()
}

fn read(name: &str) -> Result<ModelConfig, ModelError> {
    let path = Path::new(name);
    let path = if path.is_dir() { path.join("config.json") } else { path.to_owned() };
    if !path.exists() {
        let known = ModelShape::names().collect::<Vec<_>>().join(", ");
        return Err(ModelError::UnknownShape { name: name.to_owned(), known });
    }
    match std::fs::read_to_string(&path) {
        Ok(text) => ModelConfig::parse(&text, &path.display().to_string()),
        Err(reason) => Err(ModelError::Read { path, reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Checkpoint;

    fn shape(name: &str) -> ModelShape {
        name.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Parameters in millions, as they are known of the models, to one in a hundred.
    #[test]
    fn shapes_have_the_sizes_of_their_models() {
        let table = [
            ("tiny", 4.7),
            ("smollm2-135m", 134.5),
            ("smollm2-360m", 361.8),
            ("smollm2-1.7b", 1711.4),
            ("deepseek-coder-1.3b", 1346.5),
            ("deepseek-coder-6.7b", 6740.5),
            ("yi-coder-1.5b", 1476.5),
            ("yi-coder-9b", 8829.4),
            ("opencoder-1.5b", 1905.5),
            ("opencoder-8b", 7771.3),
            ("codellama-7b", 6738.5),
            ("codellama-13b", 13_016.0),
            ("aixcoder-7b", 7400.0),
            ("seed-coder-8b", 8250.0),
        ];
        assert!(ModelShape::names().eq(table.map(|(name, _)| name)), "a size for each");
        for (name, millions) in table {
            let found = (shape(name).config.weight_bytes() / 2) as f64 / 1e6;
            assert!((found / millions - 1.0).abs() < 1e-2, "{name}: {found}");
        }
    }

    #[test]
    fn the_embedded_model_has_its_own_shape() {
        let tiny = Checkpoint::tiny().unwrap().config;
        assert_eq!(shape("tiny").config, ModelConfig { end_tokens: Vec::new(), ..tiny });
    }

    #[test]
    fn a_config_is_read_from_its_path() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tiny");
        let tiny = Checkpoint::tiny().unwrap().config;
        for path in [directory.to_owned(), format!("{directory}/config.json")] {
            assert_eq!(shape(&path), ModelShape { name: path, config: tiny.clone() });
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_that_there_are() {
        let error = "codellama".parse::<ModelShape>().unwrap_err().to_string();
        assert!(error.contains("\"codellama\"") && !error.contains('\n'), "{error}");
        assert!(ModelShape::names().all(|name| error.contains(name)), "{error}");
        let error = env!("CARGO_MANIFEST_PATH").parse::<ModelShape>().unwrap_err().to_string();
        assert!(error.contains("Cargo.toml: expected value"), "{error}");
    }
}
