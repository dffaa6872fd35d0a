//! From text to token ids and back. Text is always text: a special token's string inside it is not
//! taken for the token. The ids of a program are the tokenizer's own for the whole text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jump_kernels::TokenId;
use tokenizers::{AddedToken, ModelWrapper};

use crate::ModelError;
pub use preamble::{Preamble, PreamblePart};

use dummy_prefix::DummyPrefix;
use guard::guarded;
use seams::Seams;
use spelling::Spelling;

mod dummy_prefix;
mod guard;
mod preamble;
mod seams;
mod spelling;
mod stages;
#[cfg(test)]
mod tests;

/// Bytes of text whose tokens are remembered; the memory is emptied when they are exceeded.
const MAX_REMEMBERED_BYTES: usize = 4 << 20;

/// A tokenizer whose tokens are strings of bytes.
pub struct Tokenizer {
    /// Without its dummy prefix.
    inner: tokenizers::Tokenizer,
    dummy_prefix: DummyPrefix,
    seams: Seams,
    /// The bytes of each token; none for special tokens.
    bytes: Vec<Box<[u8]>>,
    /// Is there a token of a newline and something else?
    fuses_newlines: bool,
    bos: Option<TokenId>,
    memory: Mutex<Memory>,
}

/// The tokens of a program, and the line that each belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The tokens.
    pub ids: Vec<TokenId>,
    /// For each token the line of its first byte that is not white space; `None` if it has none.
    pub lines: Vec<Option<u32>>,
}

/// The tokens of stretches, which are the same in every text.
#[derive(Default)]
struct Memory {
    stretches: HashMap<Box<str>, Arc<Encoding>>,
    num_bytes: usize,
}

impl Tokenizer {
    /// Reads the text of a `tokenizer.json`; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// Malformed JSON, or a kind of tokenizer whose tokens aren't strings of bytes.
    pub fn parse(text: &[u8], file: &str) -> Result<Self, ModelError> {
        let problem = |reason: String| {
            let problem = format!("not a tokenizer.json of Hugging Face tokenizers: {reason}");
            ModelError::Tokenizer { file: file.to_owned(), problem }
        };
        let parsed = guarded(|| tokenizers::Tokenizer::from_bytes(text)).map_err(problem)?;
        Self::from_inner(parsed.map_err(|e| problem(e.to_string()))?, file)
    }

    /// Takes a tokenizer that was put together from another format; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// A kind of tokenizer whose tokens aren't strings of bytes.
    pub fn from_inner(inner: tokenizers::Tokenizer, file: &str) -> Result<Self, ModelError> {
        let problem = |problem| ModelError::Tokenizer { file: file.to_owned(), problem };
        Self::new(inner).map_err(problem)
    }

    fn new(mut inner: tokenizers::Tokenizer) -> Result<Self, String> {
        check_model(&inner)?;
        let spelling = Spelling::of(&inner)?;
        mark_special_tokens(&mut inner)?;
        inner.set_encode_special_tokens(true);
        let bos = bos(&inner);
        let dummy_prefix = DummyPrefix::take_from(&mut inner)?;
        let bytes = spelling.token_bytes(&inner)?;
        let seams = Seams::of(&inner, &bytes);
        let fuses_newlines = bytes.iter().any(|bytes| bytes.len() > 1 && bytes.contains(&b'\n'));
        let memory = Mutex::default();
        let tokenizer = Self { inner, dummy_prefix, seams, bytes, fuses_newlines, bos, memory };
        tokenizer.check_round_trip()?;
        Ok(tokenizer)
    }

    /// Programs are put together from tokens, so the tokens of a text must give the text.
    fn check_round_trip(&self) -> Result<(), String> {
        const PROBE: &str = "def Fibonacci(n):\r\n\tπ = 'é日😀'  # 1.50\n\n    return {n: [~π]}\n";
        let ids = self.encode(PROBE);
        let bytes: Vec<u8> = ids.iter().flat_map(|id| self.bytes(*id)).copied().collect();
        if bytes == self.dummy_prefix.before(PROBE).as_bytes() {
            return Ok(());
        }
        let found = String::from_utf8_lossy(&bytes);
        Err(format!("it changes text: {PROBE:?} becomes {found:?}; is it the right file?"))
    }

    /// How many of `ids`, the tokens of whole lines, a model should see before it writes the next
    /// line. The others it should choose again, with what follows them.
    ///
    /// Many vocabularies have tokens of a newline with the indentation after it, or with more
    /// newlines, or with the signs before it. What a model has learned of such texts never begins a
    /// line after a newline by itself: it takes it for a sign that no indentation follows. To take
    /// the last tokens back is known as *token healing* (of Microsoft's guidance).
    pub fn num_settled(&self, ids: &[TokenId]) -> usize {
        if !self.fuses_newlines {
            return ids.len();
        }
        let is_blank = |id: &TokenId| self.bytes(*id).trim_ascii().is_empty();
        let num_blank = ids.iter().rev().take_while(|id| is_blank(id)).count();
        let settled = ids.len() - num_blank;
        let fuses = |id: &TokenId| self.bytes(*id).contains(&b'\n');
        settled - usize::from(ids[..settled].last().is_some_and(fuses))
    }

    /// One more than the largest id.
    pub fn vocab_len(&self) -> usize {
        self.bytes.len()
    }

    /// The token that every text begins with, if the tokenizer adds one.
    pub fn bos(&self) -> Option<TokenId> {
        self.bos
    }

    /// The same tokenizer, told by another file whether every text begins with this token.
    ///
    /// # Errors
    ///
    /// If the vocabulary has no such special token.
    pub fn with_bos(self, bos: Option<&str>) -> Result<Self, String> {
        let find =
            |bos| self.special(bos).ok_or_else(|| format!("bos_token {bos:?} is no special token"));
        let bos = bos.map(find).transpose()?;
        Ok(Self { bos, ..self })
    }

    /// The id of a special token by its string.
    pub fn special(&self, content: &str) -> Option<TokenId> {
        let id = self.inner.token_to_id(content)?;
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder();
        added.get(&id).is_some_and(|token| token.special).then_some(TokenId(id))
    }

    /// The bytes that a token stands for; none for special tokens. A text's first token may have a
    /// blank that the text hasn't.
    pub fn bytes(&self, token: TokenId) -> &[u8] {
        &self.bytes[token.0 as usize]
    }

    /// The tokens of `text`, without a beginning token.
    pub fn encode(&self, text: &str) -> Vec<TokenId> {
        self.encode_bare(&self.dummy_prefix.before(text))
    }

    /// The tokens of a text that has what belongs in front of it.
    fn encode_bare(&self, text: &str) -> Vec<TokenId> {
        // Normalizers don't fail, and the model has an unknown token if it names one.
        let encoding = self.inner.encode_fast(text, false).expect("BPE takes any text");
        encoding.get_ids().iter().copied().map(TokenId).collect()
    }

    /// The tokens of `lines` as one text without a beginning token.
    pub fn encode_lines<S: AsRef<str>>(&self, lines: &[S]) -> Vec<TokenId> {
        let mut encoding = Encoding::default();
        self.append(&self.dummy_prefix.before(&concat(lines)), &mut encoding);
        encoding.ids
    }

    /// The tokens of `lines` as one text that follows something else than text: it has no dummy
    /// prefix.
    pub fn encode_continuation<S: AsRef<str>>(&self, lines: &[S]) -> Vec<TokenId> {
        let mut encoding = Encoding::default();
        self.append(&concat(lines), &mut encoding);
        encoding.ids
    }

    /// The tokens of the program `lines`, each ending in `\n`, after a preamble. A token of both
    /// counts for the program.
    pub fn encode_program<S: AsRef<str>>(&self, preamble: &Preamble, lines: &[S]) -> Encoding {
        let Preamble { ids, text, begins_text } = preamble;
        let mut encoding = Encoding { ids: ids.clone(), lines: vec![None; ids.len()] };
        let whole = text.clone() + &concat(lines);
        if *begins_text {
            self.append(&self.dummy_prefix.before(&whole), &mut encoding);
        } else {
            self.append(&whole, &mut encoding);
        }
        let num_before = num_newlines(text.as_bytes());
        for line in &mut encoding.lines {
            *line = line.and_then(|line| line.checked_sub(num_before));
        }
        encoding
    }

    /// Appends the tokens of `text`, stretch by stretch.
    fn append(&self, text: &str, encoding: &mut Encoding) {
        let mut num_lines = 0;
        for stretch in self.seams.stretches(text) {
            let known = self.stretch(stretch);
            encoding.ids.extend_from_slice(&known.ids);
            let lines = known.lines.iter().map(|line| line.map(|line| line + num_lines));
            encoding.lines.extend(lines);
            num_lines += num_newlines(stretch.as_bytes());
        }
    }

    /// The tokens of a stretch; lines count from its beginning.
    fn stretch(&self, stretch: &str) -> Arc<Encoding> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory.stretches.get(stretch) {
            return Arc::clone(known);
        }
        let ids = self.encode_bare(stretch);
        let lines = self.token_lines(&ids);
        let encoding = Arc::new(Encoding { ids, lines });
        // Without seams, every program would be remembered at every length.
        if self.seams != Seams::Nowhere {
            memory.keep(stretch, &encoding);
        }
        encoding
    }

    /// For each token the line of its first byte that is not white space, by counting the newlines
    /// before it: a normalizer may change the bytes between them.
    fn token_lines(&self, ids: &[TokenId]) -> Vec<Option<u32>> {
        let mut num_before = 0;
        let mut line = |id: &TokenId| {
            let bytes = self.bytes(*id);
            let (blank, rest) = bytes.split_at(num_blank_bytes(bytes));
            let line = (!rest.is_empty()).then_some(num_before + num_newlines(blank));
            num_before += num_newlines(bytes);
            line
        };
        ids.iter().map(&mut line).collect()
    }
}

impl Memory {
    fn keep(&mut self, stretch: &str, encoding: &Arc<Encoding>) {
        self.num_bytes += stretch.len();
        if self.num_bytes > MAX_REMEMBERED_BYTES {
            self.stretches.clear();
            self.num_bytes = stretch.len();
        }
        self.stretches.insert(stretch.into(), Arc::clone(encoding));
    }
}

fn concat<S: AsRef<str>>(lines: &[S]) -> String {
    lines.iter().map(AsRef::as_ref).collect()
}

fn num_newlines(bytes: &[u8]) -> u32 {
    (bytes.split(|byte| *byte == b'\n').count() - 1) as u32
}

/// The white space that `bytes` begin with, as Python's `str.strip` sees it. A piece of a character
/// is none.
fn num_blank_bytes(bytes: &[u8]) -> usize {
    let is_space = |c: &char| c.is_whitespace() || matches!(c, '\x1c'..='\x1f');
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    valid.chars().take_while(is_space).map(char::len_utf8).sum()
}

/// Checks what encoding relies on.
fn check_model(inner: &tokenizers::Tokenizer) -> Result<(), String> {
    let model = match inner.get_model() {
        ModelWrapper::BPE(model) => model,
        ModelWrapper::Unigram(_) => {
            return Err("the model is Unigram; only BPE is supported".into());
        }
        ModelWrapper::WordPiece(_) => {
            return Err("the model is WordPiece; only BPE is supported".into());
        }
        ModelWrapper::WordLevel(_) => {
            return Err("the model is WordLevel; only BPE is supported".into());
        }
    };
    if model.dropout.is_some_and(|dropout| dropout != 0.0) {
        return Err("its model draws tokens at random: set \"dropout\" to null".to_owned());
    }
    match &model.unk_token {
        Some(unknown) if inner.token_to_id(unknown).is_none() => {
            Err(format!("the unknown token {unknown:?} isn't in the vocabulary"))
        }
        _ => Ok(()),
    }
}

/// Some files don't call their control tokens special, so that text could write them.
fn mark_special_tokens(inner: &mut tokenizers::Tokenizer) -> Result<(), String> {
    let added = inner.get_added_tokens_decoder();
    let is_unmarked = |added: &&AddedToken| !added.special && is_control(&added.content);
    let mark = |added: &AddedToken| AddedToken { special: true, ..added.clone() };
    let marked: Vec<AddedToken> = added.values().filter(is_unmarked).map(mark).collect();
    if marked.is_empty() {
        return Ok(());
    }
    inner.add_special_tokens(marked).map(drop).map_err(|e| e.to_string())
}

/// Does the string of an added token look like `<|…|>`?
fn is_control(content: &str) -> bool {
    const BARS: [char; 2] = ['|', '｜'];
    let inside = content.strip_prefix('<').and_then(|content| content.strip_suffix('>'));
    inside.is_some_and(|inside| inside.starts_with(BARS) && inside.ends_with(BARS))
}

/// The token that the post-processor puts in front of a text.
fn bos(inner: &tokenizers::Tokenizer) -> Option<TokenId> {
    let with = inner.encode_fast("a", true).ok()?;
    let without = inner.encode_fast("a", false).ok()?;
    let first = *with.get_ids().first()?;
    (without.get_ids().first() != Some(&first)).then_some(TokenId(first))
}
