//! How byte-level tokenizers cut text before they merge, by the names that GGUF files have for it.
//! Source of the names and expressions: llama.cpp's `src/llama-vocab.cpp`.

use serde_json::{Value as Json, json};

/// A way to cut text.
pub struct PreTokenizer {
    names: &'static [&'static str],
    /// Each cuts what the ones before it left whole, around its matches. An expression is a list of
    /// alternatives, of which the first that matches counts.
    expressions: &'static [&'static [&'static str]],
    /// Is a piece that is a token taken whole, whatever the merges?
    pub ignores_merges: bool,
    /// Does a text begin with a token if the file doesn't say?
    pub adds_bos: bool,
}

const GPT2: &[&str] = &[
    "'s|'t|'re|'ve|'m|'ll|'d",
    r" ?\p{L}+",
    r" ?\p{N}+",
    r" ?[^\s\p{L}\p{N}]+",
    TRAILING_SPACES,
    r"\s+",
];

/// All spaces but the one before the next word.
const TRAILING_SPACES: &str = r"\s+(?!\S)";
const ANY_CASE: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const WORD: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+";
const SIGNS_AND_NEWLINES: &str = r" ?[^\s\p{L}\p{N}]+[\r\n]*";
const SIGNS: &str = r" ?[^\s\p{L}\p{N}\r\n]+";
const NEWLINES: &str = r"\s*[\r\n]+";
const DIGIT: &str = r"\p{N}";

const PRE_TOKENIZERS: [PreTokenizer; 7] = [
    PreTokenizer {
        names: &["gpt-2", "mellum", "exaone4", "mpt", "olmo"],
        expressions: &[GPT2],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "mellum2"],
        expressions: &[&[DIGIT], GPT2],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        expressions: &[
            &[r"[\r\n]"],
            &[r"\s?\p{L}+"],
            &[r"\s?\p{P}+"],
            &[r"[一-龥ࠀ-一가-퟿]+"],
            &[DIGIT],
        ],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["qwen2", "stablelm2", "megrez", "deepseek-r1-qwen"],
        expressions: &[&[
            ANY_CASE,
            WORD,
            DIGIT,
            SIGNS_AND_NEWLINES,
            NEWLINES,
            TRAILING_SPACES,
            r"\s+",
        ]],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["llama-bpe", "llama3", "llama-v3"],
        expressions: &[&[
            ANY_CASE,
            WORD,
            r"\p{N}{1,3}",
            SIGNS_AND_NEWLINES,
            NEWLINES,
            TRAILING_SPACES,
            r"\s+",
        ]],
        ignores_merges: true,
        adds_bos: true,
    },
    PreTokenizer {
        names: &["seed-coder"],
        expressions: &[&[ANY_CASE, WORD, DIGIT, SIGNS, NEWLINES, TRAILING_SPACES, r"\s+"]],
        ignores_merges: false,
        adds_bos: false,
    },
    PreTokenizer {
        names: &["default"],
        expressions: &[&[r"[\p{P}\$\+<=>\^~\|]+"], GPT2, &[r"\p{N}+"], &["[0-9][0-9][0-9]"]],
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
        let split = |expression: &&[&str]| {
            let pattern = json!({"Regex": expression.join("|")});
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
