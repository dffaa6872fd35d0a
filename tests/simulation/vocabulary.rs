//! Small byte-level tokenizers: every byte is a token, and so are some pieces of Python. A model
//! can write the same text in many ways, of which the tokenizer would choose one.

use jump_kernels::TokenId;
use jump_models::{FimTemplate, Tokenizer};
use serde_json::{Value, json};

/// Pieces that are tokens. Each is merged from the left, so that all its beginnings are, too.
const PIECES: [&str; 13] = [
    "    ", "return", "import", "print", "def", " =", " +", " a", " b", "(x", "):", " #", "\"\"\"",
];

/// A piece that makes the tokens of a line depend on the next one, as in StarCoder's vocabulary.
const BEGINS_WITH_NEWLINE: &str = "\n    ";

/// A piece that ends a line and has something of it, as in Qwen's vocabulary.
const ENDS_WITH_NEWLINE: &str = "):\n";

/// In what tokenizers differ.
#[derive(Clone, Copy, Debug)]
struct Variant {
    /// The piece with a newline in it.
    fused: Option<&'static str>,
    has_bos: bool,
    /// Prefix, suffix and middle token of a known family.
    fim: [&'static str; 3],
}

const PSM: [&str; 3] = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"];
const SPM: [&str; 3] = ["<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"];

const VARIANTS: [Variant; Vocabulary::NUM_VARIANTS] = [
    Variant { fused: None, has_bos: false, fim: PSM },
    Variant { fused: None, has_bos: true, fim: SPM },
    Variant { fused: Some(BEGINS_WITH_NEWLINE), has_bos: true, fim: PSM },
    Variant { fused: Some(ENDS_WITH_NEWLINE), has_bos: false, fim: PSM },
];

/// A tokenizer and the meaning of its special tokens.
pub struct Vocabulary {
    pub tokenizer: Tokenizer,
    pub fim: FimTemplate,
    pub end: TokenId,
    pub prefix: TokenId,
    pub suffix: TokenId,
    pub middle: TokenId,
    /// The token of each byte.
    pub bytes: Vec<TokenId>,
    /// The token that ends a line and begins the next one.
    pub newline_piece: Option<TokenId>,
}

impl Vocabulary {
    /// Kinds of vocabularies.
    pub const NUM_VARIANTS: usize = 4;

    /// The vocabulary of a kind.
    pub fn new(variant: usize) -> Self {
        let Variant { fused, has_bos, fim } = VARIANTS[variant];
        // Earlier merges win: after an indentation there would be none left to fuse.
        let pieces = fused.into_iter().chain(PIECES);
        let (tokens, merges) = merged(pieces);
        let specials = ["<end>", "<bos>", fim[0], fim[1], fim[2]];
        let text = tokenizer_json(&tokens, &merges, &specials, has_bos).to_string();
        let tokenizer = Tokenizer::parse(text.as_bytes(), "vocabulary").expect("well-formed");
        assert_eq!(tokenizer.bos().is_some(), has_bos);
        let special = |name: &str| tokenizer.special(name).expect("it was added");
        let token_of = |text: &str| {
            let place = tokens.iter().position(|token| *token == mapped(text.as_bytes()));
            place.map(|id| TokenId(id as u32))
        };
        Self {
            fim: FimTemplate::find(&tokenizer).expect("a known family"),
            end: special("<end>"),
            prefix: special(fim[0]),
            suffix: special(fim[1]),
            middle: special(fim[2]),
            bytes: (0..256).map(TokenId).collect(),
            newline_piece: fused.filter(|piece| piece.starts_with('\n')).and_then(token_of),
            tokenizer,
        }
    }
}

/// The tokens, those of the bytes first, and the merges that make the others.
fn merged<'a>(pieces: impl Iterator<Item = &'a str>) -> (Vec<String>, Vec<[String; 2]>) {
    let mut tokens: Vec<String> = (0..=u8::MAX).map(|byte| mapped(&[byte])).collect();
    let mut merges = Vec::new();
    for piece in pieces {
        for len in 2..=piece.len() {
            let (left, last) = piece.as_bytes()[..len].split_at(len - 1);
            let whole = mapped(&piece.as_bytes()[..len]);
            if !tokens.contains(&whole) {
                merges.push([mapped(left), mapped(last)]);
                tokens.push(whole);
            }
        }
    }
    (tokens, merges)
}

/// The characters that stand for bytes in such vocabularies.
fn mapped(bytes: &[u8]) -> String {
    let stands_for_itself = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let character = |byte: &u8| {
        let num_before = (0..*byte).filter(|before| !stands_for_itself(before)).count();
        let code = if stands_for_itself(byte) { u32::from(*byte) } else { 256 + num_before as u32 };
        char::from_u32(code).expect("below the surrogates")
    };
    bytes.iter().map(character).collect()
}

fn tokenizer_json(
    tokens: &[String],
    merges: &[[String; 2]],
    specials: &[&str],
    has_bos: bool,
) -> Value {
    let ids = tokens.iter().enumerate().map(|(id, token)| (token.clone(), Value::from(id)));
    let vocab: serde_json::Map<String, Value> = ids.collect();
    let added = specials.iter().enumerate().map(|(place, content)| {
        json!({
            "id": tokens.len() + place, "content": content, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false, "special": true,
        })
    });
    let added: Vec<Value> = added.collect();
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false,
    });
    let bos = json!({
        "type": "TemplateProcessing",
        "single": [
            { "SpecialToken": { "id": "<bos>", "type_id": 0 } },
            { "Sequence": { "id": "A", "type_id": 0 } },
        ],
        "pair": [
            { "Sequence": { "id": "A", "type_id": 0 } },
            { "Sequence": { "id": "B", "type_id": 1 } },
        ],
        "special_tokens": {
            "<bos>": { "id": "<bos>", "ids": [tokens.len() + 1], "tokens": ["<bos>"] },
        },
    });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": byte_level, "decoder": byte_level,
        "post_processor": if has_bos { bos } else { Value::Null },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": false, "vocab": vocab, "merges": merges,
        },
    })
}
