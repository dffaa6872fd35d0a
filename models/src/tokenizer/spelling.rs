//! The bytes that each token stands for, which vocabularies spell in two ways.

use std::collections::HashMap;

use serde_json::Value;

use super::stages::stages;

/// Ids may have gaps, but a list by id must stay small.
const MAX_IDS_PER_TOKEN: usize = 16;

/// How a vocabulary spells bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// A character for each byte (GPT-2).
    ByteLevel,
    /// Text with `▁` for blanks, and `<0x0A>` for bytes that are no text (SentencePiece).
    Pieces,
}

impl Spelling {
    /// The spelling that the decoder undoes.
    pub fn of(inner: &tokenizers::Tokenizer) -> Result<Self, String> {
        let decoders = stages(inner.get_decoder(), "decoders");
        let has = |kind: &str| decoders.iter().any(|stage| stage["type"] == kind);
        let undoes_blanks =
            |stage: &Value| stage["type"] == "Replace" && stage["pattern"]["String"] == "▁";
        if has("ByteLevel") {
            return Ok(Self::ByteLevel);
        }
        if has("Metaspace") || decoders.iter().any(undoes_blanks) {
            return Ok(Self::Pieces);
        }
        let kinds: Vec<&str> = decoders.iter().filter_map(|stage| stage["type"].as_str()).collect();
        Err(format!(
            "the decoder is {kinds:?}; only byte-level BPE (\"ByteLevel\") and SentencePiece's BPE \
             (\"Metaspace\", or \"Replace\" of ▁) are supported"
        ))
    }

    /// The bytes of each token by id; none for special tokens.
    pub fn token_bytes(self, inner: &tokenizers::Tokenizer) -> Result<Vec<Box<[u8]>>, String> {
        let alphabet = byte_alphabet();
        let vocab = inner.get_vocab(true);
        let max_id = vocab.values().max().map_or(0, |max| *max as usize);
        if max_id / MAX_IDS_PER_TOKEN > vocab.len() {
            return Err(format!("an id is {max_id}, but there are only {} tokens", vocab.len()));
        }
        let mut bytes: Vec<Box<[u8]>> = vec![Box::default(); max_id + 1];
        for (token, id) in vocab {
            bytes[id as usize] = match self {
                Self::ByteLevel => {
                    let mapped = token.chars().map(|c| alphabet.get(&c).copied());
                    // A token outside of the alphabet stands for its own text.
                    let mapped = mapped.collect::<Option<Box<[u8]>>>();
                    mapped.unwrap_or_else(|| token.as_bytes().into())
                }
                Self::Pieces => match byte_piece(&token) {
                    Some(byte) => [byte].into(),
                    None => token.replace('▁', " ").as_bytes().into(),
                },
            };
        }
        for (&id, added) in &inner.get_added_tokens_decoder() {
            let text = match self {
                _ if added.special => String::new(),
                Self::ByteLevel => added.content.clone(),
                Self::Pieces => added.content.replace('▁', " "),
            };
            bytes[id as usize] = text.as_bytes().into();
        }
        Ok(bytes)
    }
}

/// The byte of `<0x0A>`.
fn byte_piece(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// The character that stands for each byte in byte-level vocabularies (GPT-2's convention):
/// printable Latin-1 characters stand for themselves, the others for U+0100 and up, in order.
fn byte_alphabet() -> HashMap<char, u8> {
    let stands_for_itself = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 0x100;
    let mut alphabet = HashMap::new();
    for byte in 0..=u8::MAX {
        let code = if stands_for_itself(byte) {
            u32::from(byte)
        } else {
            next += 1;
            next - 1
        };
        alphabet.insert(char::from_u32(code).expect("below the surrogates"), byte);
    }
    alphabet
}
