//! From text to token ids and back. Text is always text: a special token's string inside it is not
//! taken for the token. The ids of a program are the tokenizer's own for the whole text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jump_kernels::TokenId;
use serde::Deserialize;

use crate::ModelError;

#[cfg(test)]
mod tests;

/// Lines whose tokens are remembered; the memory is emptied when it is full.
const MAX_REMEMBERED_LINES: usize = 1 << 16;

/// Ids may have gaps, but a list by id must stay small.
const MAX_IDS_PER_TOKEN: usize = 16;

/// A tokenizer whose tokens are strings of bytes.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The bytes of each token; none for special tokens.
    bytes: Vec<Box<[u8]>>,
    /// Tokens whose text is nothing but white space.
    blank: Vec<bool>,
    bos: Option<TokenId>,
    /// Do the tokens of a line never depend on the other lines?
    by_line: bool,
    remembered: Mutex<HashMap<Box<str>, Arc<[TokenId]>>>,
}

/// The tokens of a program, and the line that each belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The tokens.
    pub ids: Vec<TokenId>,
    /// For each token the line of its first byte that is not white space; `None` if it has none.
    pub lines: Vec<Option<u32>>,
}

impl Tokenizer {
    /// Reads the text of a `tokenizer.json`; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// Malformed JSON, or a kind of tokenizer whose tokens aren't strings of bytes.
    pub fn parse(text: &[u8], file: &str) -> Result<Self, ModelError> {
        let problem = |problem: String| ModelError::Tokenizer { file: file.to_owned(), problem };
        let kind = decoder_kind(text).map_err(problem)?;
        if kind != "ByteLevel" {
            return Err(problem(format!(
                "the decoder is {kind:?}; only byte-level BPE (\"ByteLevel\") is supported so far"
            )));
        }
        let mut inner = tokenizers::Tokenizer::from_bytes(text).map_err(|e| {
            problem(format!("not a tokenizer.json of Hugging Face tokenizers: {e}"))
        })?;
        check_model(&inner).map_err(problem)?;
        inner.set_encode_special_tokens(true);
        let bytes = token_bytes(&inner);
        let blank = bytes.iter().map(|bytes| is_blank(bytes)).collect();
        let bos = bos(&inner);
        let remembered = Mutex::default();
        let mut tokenizer = Self { inner, bytes, blank, bos, by_line: false, remembered };
        tokenizer.check_round_trip().map_err(problem)?;
        tokenizer.by_line = tokenizer.is_line_by_line();
        Ok(tokenizer)
    }

    /// Programs are put together from tokens, so the tokens of a text must give the text.
    fn check_round_trip(&self) -> Result<(), String> {
        const PROBE: &str = "def Fibonacci(n):\r\n\tπ = 'é日😀'  # 1.50\n\n    return {n: [~π]}\n";
        let ids = self.encode(PROBE);
        let bytes: Vec<u8> = ids.iter().flat_map(|id| self.bytes(*id)).copied().collect();
        // Some put a space in front of every text.
        if bytes.strip_prefix(b" ").unwrap_or(&bytes) == PROBE.as_bytes() {
            return Ok(());
        }
        let found = String::from_utf8_lossy(&bytes);
        Err(format!("it changes text: {PROBE:?} becomes {found:?}; is it the right file?"))
    }

    /// One more than the largest id.
    pub fn vocab_len(&self) -> usize {
        self.bytes.len()
    }

    /// The token that every text begins with, if the tokenizer adds one.
    pub fn bos(&self) -> Option<TokenId> {
        self.bos
    }

    /// The id of a special token by its string.
    pub fn special(&self, content: &str) -> Option<TokenId> {
        let id = self.inner.token_to_id(content)?;
        let added = self.inner.get_added_tokens_decoder();
        added.get(&id).is_some_and(|token| token.special).then_some(TokenId(id))
    }

    /// The bytes that a token stands for; none for special tokens.
    pub fn bytes(&self, token: TokenId) -> &[u8] {
        &self.bytes[token.0 as usize]
    }

    /// The tokens of `text`, without a beginning token.
    pub fn encode(&self, text: &str) -> Vec<TokenId> {
        // Encoding can only fail in a normalizer or model that byte-level BPE doesn't have.
        let encoding = self.inner.encode_fast(text, false).expect("byte-level BPE takes any text");
        encoding.get_ids().iter().copied().map(TokenId).collect()
    }

    /// The tokens of `lines`, each ending in `\n`, as one text without a beginning token.
    pub fn encode_lines<S: AsRef<str>>(&self, lines: &[S]) -> Vec<TokenId> {
        if !self.by_line {
            return self.encode(&concat(lines));
        }
        let mut ids = Vec::new();
        for line in lines {
            ids.extend_from_slice(&self.line(line.as_ref()));
        }
        ids
    }

    /// The tokens of the program `lines`, each ending in `\n`, with a beginning token if the
    /// tokenizer adds one.
    pub fn encode_program<S: AsRef<str>>(&self, lines: &[S]) -> Encoding {
        let mut encoding = Encoding::default();
        if let Some(bos) = self.bos {
            encoding.ids.push(bos);
            encoding.lines.push(None);
        }
        if self.by_line {
            self.encode_each_line(lines, &mut encoding);
        } else {
            self.encode_whole(lines, &mut encoding);
        }
        encoding
    }

    fn encode_each_line<S: AsRef<str>>(&self, lines: &[S], encoding: &mut Encoding) {
        for (line_idx, line) in lines.iter().enumerate() {
            for &token in self.line(line.as_ref()).iter() {
                let is_blank = self.blank[token.0 as usize];
                encoding.ids.push(token);
                encoding.lines.push((!is_blank).then_some(line_idx as u32));
            }
        }
    }

    fn encode_whole<S: AsRef<str>>(&self, lines: &[S], encoding: &mut Encoding) {
        let text = concat(lines);
        let whole = self.inner.encode(text.as_str(), false).expect("byte-level BPE takes any text");
        let mut line_idx = 0;
        let mut line_end = lines.first().map_or(0, |line| line.as_ref().len());
        for (&id, &(start, end)) in whole.get_ids().iter().zip(whole.get_offsets()) {
            let piece = &text[start..end];
            let first_byte = start + (piece.len() - piece.trim_start().len());
            while first_byte >= line_end && line_idx + 1 < lines.len() {
                line_idx += 1;
                line_end += lines[line_idx].as_ref().len();
            }
            encoding.ids.push(TokenId(id));
            encoding.lines.push((!self.blank[id as usize]).then_some(line_idx as u32));
        }
    }

    fn line(&self, line: &str) -> Arc<[TokenId]> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ids) = remembered.get(line) {
            return Arc::clone(ids);
        }
        let ids: Arc<[TokenId]> = self.encode(line).into();
        if remembered.len() == MAX_REMEMBERED_LINES {
            remembered.clear();
        }
        remembered.insert(line.into(), Arc::clone(&ids));
        ids
    }

    /// Finds out whether the tokens of a text are those of its lines, one after the other.
    ///
    /// If no token but `\n` itself holds a newline, none reaches over the end of a line. What is
    /// left is that the pre-tokenizer may look over it; it sees only the neighbouring characters,
    /// so all pairs of kinds of line ends and line beginnings are tried.
    fn is_line_by_line(&self) -> bool {
        const ENDS: [&str; 14] =
            ["", "x", "x1", "):", "x ", "x  ", "\t", " ", "   ", "\"\"\"", "'", "é", "日", "\r"];
        const BEGINNINGS: [&str; 16] = [
            "",
            "x",
            "1",
            "'s",
            " x",
            "  x",
            "    x",
            "\tx",
            "\n",
            "\n\n    x",
            " \n",
            "(",
            " (",
            "é",
            "日",
            "\r",
        ];
        let fuses = |bytes: &[u8]| bytes.contains(&b'\n') && bytes != b"\n";
        if self.bytes.iter().any(|bytes| fuses(bytes)) {
            return false;
        }
        ENDS.iter().all(|end| {
            BEGINNINGS.iter().all(|beginning| {
                let text = format!("a{end}\n{beginning}b\n");
                let lines = text.split_inclusive('\n');
                self.encode(&text) == lines.flat_map(|line| self.encode(line)).collect::<Vec<_>>()
            })
        })
    }
}

fn concat<S: AsRef<str>>(lines: &[S]) -> String {
    lines.iter().map(AsRef::as_ref).collect()
}

/// The type of the decoder: of a sequence, the one that makes the bytes.
fn decoder_kind(text: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        decoders: Vec<Kind>,
    }
    #[derive(Deserialize)]
    struct Raw {
        decoder: Option<Kind>,
    }
    let raw: Raw = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let Some(decoder) = raw.decoder else {
        return Ok("null".to_owned());
    };
    let is_byte_level = |kind: &Kind| kind.kind == "ByteLevel";
    if is_byte_level(&decoder) || decoder.decoders.iter().any(is_byte_level) {
        return Ok("ByteLevel".to_owned());
    }
    Ok(decoder.kind)
}

/// Checks what encoding and [`token_bytes`] rely on.
fn check_model(inner: &tokenizers::Tokenizer) -> Result<(), String> {
    if !matches!(inner.get_model(), tokenizers::ModelWrapper::BPE(_)) {
        return Err("the model isn't BPE; only byte-level BPE is supported so far".to_owned());
    }
    let vocab = inner.get_vocab(true);
    let max_id = vocab.values().max().copied().unwrap_or_default();
    if max_id as usize / MAX_IDS_PER_TOKEN > vocab.len() {
        return Err(format!("an id is {max_id}, but there are only {} tokens", vocab.len()));
    }
    Ok(())
}

/// The token that the post-processor puts in front of a text.
fn bos(inner: &tokenizers::Tokenizer) -> Option<TokenId> {
    let with = inner.encode_fast("a", true).ok()?;
    let without = inner.encode_fast("a", false).ok()?;
    let first = *with.get_ids().first()?;
    (without.get_ids().first() != Some(&first)).then_some(TokenId(first))
}

fn token_bytes(inner: &tokenizers::Tokenizer) -> Vec<Box<[u8]>> {
    let alphabet = byte_alphabet();
    let vocab = inner.get_vocab(true);
    let vocab_len = vocab.values().max().map_or(0, |max| *max as usize + 1);
    let mut bytes: Vec<Box<[u8]>> = vec![Box::default(); vocab_len];
    for (token, id) in vocab {
        let mapped = token.chars().map(|c| alphabet.get(&c).copied());
        // A token outside of the alphabet stands for its own text.
        let mapped = mapped.collect::<Option<Box<[u8]>>>();
        bytes[id as usize] = mapped.unwrap_or_else(|| token.as_bytes().into());
    }
    for (&id, added) in &inner.get_added_tokens_decoder() {
        let text = if added.special { "" } else { added.content.as_str() };
        bytes[id as usize] = text.as_bytes().into();
    }
    bytes
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

/// Is the text of `bytes` white space, as Python's `str.strip` sees it? Special tokens are.
fn is_blank(bytes: &[u8]) -> bool {
    let is_space = |c: char| c.is_whitespace() || matches!(c, '\x1c'..='\x1f');
    String::from_utf8_lossy(bytes).chars().all(is_space)
}
