//! Where the tokens of a text can't depend on both sides. The text between two such *seams*, a
//! *stretch*, has the same tokens alone as within any text, so an edit only concerns its own.
//!
//! A rule is taken only if it is proven for the tokenizer's stages. The argument is always the
//! same: no match of a splitter and no token reaches over a seam; whatever looks beyond its match
//! sees on the other side what the end of the text would have it see; and normalizers neither
//! compose over it nor reorder. Patterns are matched from the left without looking back, so what
//! follows a seam doesn't depend on what is before it.

use serde_json::{Value, json};
use tokenizers::ModelWrapper;

use super::stages::stages;

/// Which places are seams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seams {
    /// Every one after a newline.
    AfterNewlines,
    /// After the last newline in white space.
    AfterLastNewlines,
    /// Before white space with a newline in it, if it begins with an ASCII blank.
    BeforeBlanks,
    /// None that is proven.
    Nowhere,
}

/// Splitters whose matches leave the seams alone, by their patterns.
///
/// - A class of newlines: each is a match of its own, whatever comes later splits these further.
/// - GPT-2: no alternative matches something and then white space, and only `\s+(?!\S)` looks
///   beyond its match, which begins in white space, so at or after the seam.
/// - Qwen2, Llama 3, DeepSeek-V3: in white space `\s*[\r\n]+` comes before what could match less,
///   and ends after the last newline; no other alternative matches a newline and then something
///   else.
/// - The embedded model's: nothing matches a newline but the first alternative, alone.
const PATTERNS: [(&str, Seams); 6] = [
    (r"[\r\n]", Seams::AfterNewlines),
    (
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        Seams::BeforeBlanks,
    ),
    (
        concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
            r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        Seams::AfterLastNewlines,
    ),
    (
        concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|",
            r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        Seams::AfterLastNewlines,
    ),
    (
        concat!(
            r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"##,
            r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|",
            r"\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        Seams::AfterLastNewlines,
    ),
    (r"\n| {2,}|\d| ?[A-Za-z_]+| ?[^\sA-Za-z0-9_]+|\t+|\s", Seams::AfterNewlines),
];

/// Splitters that match no white space and look at nothing beside it: they leave all seams alone.
const PATTERNS_WITHOUT_BLANKS: [&str; 6] =
    [r"\p{N}", r"\p{N}+", r"\p{N}{1,3}", r"[0-9]", "[一-龥]+", "[一-龥぀-ゟ゠-ヿ]+"];

impl Seams {
    /// The seams that a tokenizer's stages leave; `token_bytes` are the bytes of its tokens.
    pub fn of(inner: &tokenizers::Tokenizer, token_bytes: &[Box<[u8]>]) -> Self {
        let is_harmless = |stage: &Value| {
            let replaces_blanks =
                json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
            *stage == replaces_blanks || stage["type"] == "NFC"
        };
        let found = if stages(inner.get_normalizer(), "normalizers").iter().all(is_harmless) {
            let pre_tokenizers = stages(inner.get_pre_tokenizer(), "pretokenizers");
            Self::of_splitters(&pre_tokenizers)
                .unwrap_or_else(|| Self::of_pieces(inner, &pre_tokenizers, token_bytes))
        } else {
            Self::Nowhere
        };
        let reaches_over = |added: &tokenizers::AddedToken| {
            let looks_around = added.lstrip || added.rstrip || added.single_word;
            looks_around && !added.special || found.are_reached_over_by(added.content.as_bytes())
        };
        let is_matched_over = inner.get_added_tokens_decoder().values().any(reaches_over);
        if is_matched_over { Self::Nowhere } else { found }
    }

    /// The seams of the first splitter that has any, if none before it reaches over them. What
    /// comes after it works on its parts.
    fn of_splitters(splitters: &[Value]) -> Option<Self> {
        if !splitters.iter().all(works_on_parts) {
            return None;
        }
        for stage in splitters {
            let pattern = match stage["type"].as_str()? {
                "Digits" => continue,
                "ByteLevel" if stage["use_regex"] != false => PATTERNS[1].0,
                "ByteLevel" => return None,
                _ => stage["pattern"]["Regex"].as_str()?,
            };
            // DeepSeek-V3's file has newlines themselves in its classes.
            let pattern = pattern.replace('\r', r"\r").replace('\n', r"\n");
            if let Some((_, seams)) = PATTERNS.iter().find(|(known, _)| *known == pattern) {
                return Some(*seams);
            }
            if !PATTERNS_WITHOUT_BLANKS.contains(&pattern.as_str()) {
                return None;
            }
        }
        None
    }

    /// The seams of a text that is merged as a whole: a merge makes a token, so what no token
    /// reaches over, no merge does.
    fn of_pieces(
        inner: &tokenizers::Tokenizer,
        pre_tokenizers: &[Value],
        token_bytes: &[Box<[u8]>],
    ) -> Self {
        let splits_nowhere = |stage: &Value| match stage["type"].as_str() {
            Some("ByteLevel") => stage["use_regex"] == false && stage["add_prefix_space"] != true,
            // At most before blanks, each by itself.
            Some("Metaspace") => stage["prepend_scheme"] == "never",
            _ => false,
        };
        let ModelWrapper::BPE(model) = inner.get_model() else { return Self::Nowhere };
        let affix = model.continuing_subword_prefix.iter().chain(&model.end_of_word_suffix);
        let depends_on_ends = model.ignore_merges || affix.into_iter().any(|a| !a.is_empty());
        if depends_on_ends || !pre_tokenizers.iter().all(splits_nowhere) {
            return Self::Nowhere;
        }
        let candidates = [Self::AfterNewlines, Self::AfterLastNewlines, Self::BeforeBlanks];
        let is_clean = |seams: &Self| !token_bytes.iter().any(|b| seams.are_reached_over_by(b));
        candidates.into_iter().find(is_clean).unwrap_or(Self::Nowhere)
    }

    /// Could a token of these bytes lie over a seam?
    fn are_reached_over_by(self, bytes: &[u8]) -> bool {
        bytes.windows(2).any(|pair| match self {
            Self::AfterNewlines => pair[0] == b'\n',
            Self::AfterLastNewlines => pair[0] == b'\n' && !is_newline(pair[1]),
            Self::BeforeBlanks => !is_ascii_blank(pair[0]) && is_ascii_blank(pair[1]),
            Self::Nowhere => false,
        })
    }

    /// The stretches of `text`, one after the other.
    pub fn stretches(self, text: &str) -> impl Iterator<Item = &str> {
        let mut rest = text;
        std::iter::from_fn(move || {
            let (stretch, after) = rest.split_at(self.stretch_len(rest));
            rest = after;
            (!stretch.is_empty()).then_some(stretch)
        })
    }

    /// The bytes up to the first seam within `text`, or all.
    fn stretch_len(self, text: &str) -> usize {
        let seam = match self {
            Self::AfterNewlines => text.find('\n').map(|newline| newline + 1),
            Self::AfterLastNewlines => after_last_newline(text),
            Self::BeforeBlanks => before_blanks(text),
            Self::Nowhere => None,
        };
        seam.unwrap_or(text.len())
    }
}

fn after_last_newline(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let first = from + text[from..].find('\n')?;
        let run_end = text.len() - text[first..].trim_start().len();
        let last = first + text[first..run_end].rfind(['\r', '\n']).expect("it begins with one");
        if text.as_bytes()[last] == b'\n' {
            return Some(last + 1);
        }
        from = run_end;
    }
}

fn before_blanks(text: &str) -> Option<usize> {
    // White space at the beginning is the stretch's own.
    let mut from = text.len() - text.trim_start().len();
    loop {
        let newline = from + text[from..].find('\n')?;
        let run_start = text[..newline].trim_end().len();
        if is_ascii_blank(text.as_bytes()[run_start]) {
            return Some(run_start);
        }
        from = text.len() - text[newline..].trim_start().len();
    }
}

/// Does a pre-tokenizer do with each part of a text the same as with a text?
fn works_on_parts(stage: &Value) -> bool {
    match stage["type"].as_str() {
        Some("Digits") => true,
        Some("Split") => stage["behavior"] == "Isolated" && stage["invert"] == false,
        Some("ByteLevel") => stage["add_prefix_space"] == false,
        _ => false,
    }
}

fn is_newline(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn is_ascii_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
