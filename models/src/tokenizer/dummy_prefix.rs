//! The blank that some tokenizers put in front of a text, so that its first word looks like all
//! others. It is taken out of the tokenizer itself, since a text that goes on from another, as the
//! suffix of an infilling prompt does, must not have it.

use std::borrow::Cow;

use serde_json::{Value, json};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper};

use super::stages::{self, stages};

/// Which texts get a blank in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DummyPrefix {
    Never,
    /// All but the empty one.
    Always,
    /// Those that don't begin with one.
    UnlessBlank,
    /// The same, but for parts of a text that follow a special token.
    UnlessBlankOrPart,
}

impl DummyPrefix {
    /// Finds out, and changes `inner` so that it does it no more.
    pub fn take_from(inner: &mut tokenizers::Tokenizer) -> Result<Self, String> {
        let normalizers = stages(inner.get_normalizer(), "normalizers");
        let is_prepend = |stage: &Value| *stage == json!({ "type": "Prepend", "prepend": "▁" });
        if normalizers.iter().any(is_prepend) {
            let others = normalizers.into_iter().filter(|stage| !is_prepend(stage));
            let others: Vec<Value> = others.collect();
            let rest = json!({ "type": "Sequence", "normalizers": others });
            let rest: NormalizerWrapper = stages::parse(rest)?;
            inner.with_normalizer(Some(rest)).map_err(|e| e.to_string())?;
            return Ok(Self::Always);
        }
        let mut pre_tokenizers = stages(inner.get_pre_tokenizer(), "pretokenizers");
        // Later stages would put a blank in front of each part.
        let Some(first) = pre_tokenizers.first_mut() else { return Ok(Self::Never) };
        let found;
        match first["type"].as_str() {
            Some("Metaspace") if first["prepend_scheme"] != "never" => {
                let scheme = std::mem::replace(&mut first["prepend_scheme"], json!("never"));
                found = if scheme == "first" { Self::UnlessBlankOrPart } else { Self::UnlessBlank };
            }
            Some("ByteLevel") if first["add_prefix_space"] == true => {
                first["add_prefix_space"] = json!(false);
                found = Self::UnlessBlank;
            }
            _ => return Ok(Self::Never),
        }
        let changed = json!({ "type": "Sequence", "pretokenizers": pre_tokenizers });
        let changed: PreTokenizerWrapper = stages::parse(changed)?;
        inner.with_pre_tokenizer(Some(changed));
        Ok(found)
    }

    /// `text` with what belongs in front of it.
    pub fn before(self, text: &str) -> Cow<'_, str> {
        let has_one = match self {
            Self::Never => false,
            Self::Always => !text.is_empty(),
            Self::UnlessBlank | Self::UnlessBlankOrPart => {
                !text.is_empty() && !text.starts_with([' ', '▁'])
            }
        };
        if has_one { Cow::Owned(format!(" {text}")) } else { Cow::Borrowed(text) }
    }

    /// A part of a text, after a special token, with what belongs in front of it.
    pub fn before_part(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::UnlessBlankOrPart => Cow::Borrowed(text),
            _ => self.before(text),
        }
    }
}
