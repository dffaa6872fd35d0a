//! How byte-level tokenizers cut text before they merge, by the names that GGUF files have for it.
//! Source of the names and expressions: llama.cpp's `src/llama-vocab.cpp`.

use serde_json::{Value as Json, json};

/// A way to cut text.
pub struct PreTokenizer {
    names: &'static [&'static str],
    /// Each cuts what the ones before it left whole, around its matches.
    expressions: &'static [&'static str],
    /// Is a piece that is a token taken whole, whatever the merges?
    pub ignores_merges: bool,
    /// Does a text begin with a token if the file doesn't say?
    pub adds_bos: bool,
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

const PRE_TOKENIZERS: [PreTokenizer; 7] = [
    PreTokenizer {
        names: &["gpt-2", "mellum", "exaone4", "mpt", "olmo"],
        expressions: &[GPT2],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "mellum2"],
        expressions: &[r"\p{N}", GPT2],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        expressions: &[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+", r"\p{N}"],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["qwen2", "stablelm2", "megrez", "deepseek-r1-qwen"],
        expressions: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["llama-bpe", "llama3", "llama-v3"],
        expressions: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
        ignores_merges: true,
        adds_bos: true,
    },
    PreTokenizer {
        names: &["seed-coder"],
        expressions: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["default"],
        expressions: &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
        ignores_merges: false,
        adds_bos: false,
    },
];

/// The one of this name.
///
/// # Errors
///
/// The name, if it isn't known.
pub fn find(name: &str) -> Result<&'static PreTokenizer, String> {
    let known = PRE_TOKENIZERS.iter().find(|known| known.names.contains(&name));
    known.ok_or_else(|| {
        let names: Vec<&str> =
            PRE_TOKENIZERS.iter().flat_map(|known| known.names).copied().collect();
        format!("its pre-tokenizer {name:?} isn't supported: {} are", names.join(", "))
    })
}

impl PreTokenizer {
    /// The same in a tokenizer.json.
    pub fn json(&self) -> Json {
        let split = |expression: &&str| {
            let pattern = json!({"Regex": expression});
            json!({"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false})
        };
        let mut steps: Vec<Json> = self.expressions.iter().map(split).collect();
        steps.push(json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": false,
        }));
        json!({"type": "Sequence", "pretokenizers": steps})
    }
}
