//! The shapes of known models, by name: all that random weights need to cost what theirs cost.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::{ModelConfig, ModelError};

/// A model a line; the file says what its columns are.
const TABLE: &str = include_str!("table.txt");

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
        rows().map(|row| row[0])
    }
}

impl FromStr for ModelShape {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let row = rows().find(|row| row[0] == name);
        let config = row.map_or_else(|| read(name), |row| ModelConfig::parse(&json(row), name));
        Ok(Self { name: name.to_owned(), config: config? })
    }
}

impl fmt::Display for ModelShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A line of the table, by column.
type Row = [&'static str; 13];

fn rows() -> impl Iterator<Item = Row> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns.try_into().expect("a row has all columns")
    })
}

/// The text of a `config.json`, so that a shape goes through the same checks as a model's.
fn json(row: Row) -> String {
    let [_, family, layers, width, heads, kv_heads, ffn, vocab, context, eps, theta, factor, tied] =
        row;
    let number = |text: &str| -> Value { text.parse::<f64>().map_or(Value::Null, Value::from) };
    let count = |text: &str| -> Value { text.parse::<usize>().expect("a count").into() };
    let (rope, head_dim) = (json!({"rope_type": "linear", "factor": number(factor)}), 256);
    let mut config = json!({
        "num_hidden_layers": count(layers),
        "hidden_size": count(width),
        "num_attention_heads": count(heads),
        "num_key_value_heads": count(kv_heads),
        "intermediate_size": count(ffn),
        "vocab_size": count(vocab),
        "max_position_embeddings": count(context),
        "rms_norm_eps": number(eps),
        "rope_theta": number(theta),
        "rope_scaling": rope,
        "tie_word_embeddings": tied == "yes",
    });
    let own = match family {
        "llama" => json!({"architectures": ["LlamaForCausalLM"]}),
        "granite" => json!({
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": true,
            "mlp_bias": true,
        }),
        "mistral" => json!({"architectures": ["MistralForCausalLM"], "sliding_window": null}),
        "qwen2" => json!({"architectures": ["Qwen2ForCausalLM"]}),
        "gemma" => json!({"architectures": ["GemmaForCausalLM"], "head_dim": head_dim}),
        "starcoder2" => json!({
            "architectures": ["Starcoder2ForCausalLM"],
            "norm_epsilon": number(eps),
            "sliding_window": 4096,
        }),
        "gpt_bigcode" => json!({
            "architectures": ["GPTBigCodeForCausalLM"],
            "n_layer": count(layers),
            "n_embd": count(width),
            "n_head": count(heads),
            "n_inner": count(ffn),
            "n_positions": count(context),
            "layer_norm_epsilon": number(eps),
        }),
        other => unreachable!("no family {other} in the table"),
    };
    let [Value::Object(config), Value::Object(own)] = [&mut config, &mut own.clone()] else {
        unreachable!("both are objects")
    };
    config.append(own);
    Value::Object(std::mem::take(config)).to_string()
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
            ("granite-3b-code", 3482.6),
            ("granite-8b-code", 8054.9),
            ("codestral-22b", 22_247.3),
            ("qwen2.5-coder-0.5b", 494.0),
            ("qwen2.5-coder-1.5b", 1543.7),
            ("qwen2.5-coder-3b", 3085.9),
            ("qwen2.5-coder-7b", 7615.6),
            ("qwen2.5-coder-14b", 14_770.0),
            ("qwen2.5-coder-32b", 32_763.9),
            ("codegemma-2b", 2506.2),
            ("codegemma-7b", 8537.7),
            ("starcoder2-3b", 3030.4),
            ("starcoder2-7b", 7173.9),
            ("starcoder2-15b", 15_957.9),
            ("santacoder", 1124.9),
            ("starcoderbase-1b", 1137.2),
            ("starcoderbase-7b", 7326.7),
            ("starcoder", 15_517.5),
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
        assert!(error.contains("Cargo.toml: invalid type: sequence"), "{error}");
    }
}
