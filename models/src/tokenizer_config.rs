//! What a `tokenizer_config.json` says beside the tokenizer itself. It may be missing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{ChatTemplate, ModelError};

/// The fields that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// Does every text begin with a token? `None`: the tokenizer itself tells.
    pub adds_bos: Option<bool>,
    /// That token's string.
    pub bos_token: Option<String>,
    /// How conversations are written down, if the model was trained on any.
    pub chat: Option<ChatTemplate>,
}

/// As the file has them.
#[derive(Default, Deserialize)]
struct Raw {
    add_bos_token: Option<bool>,
    bos_token: Option<RawToken>,
    eos_token: Option<RawToken>,
    unk_token: Option<RawToken>,
    pad_token: Option<RawToken>,
    chat_template: Option<RawTemplates>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawToken {
    Text(String),
    Added { content: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawTemplates {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

impl TokenizerConfig {
    /// Reads the text of the file, if there is one; `template` is that of a `chat_template.jinja`,
    /// which newer checkpoints have. `file` names the former in errors.
    ///
    /// # Errors
    ///
    /// Malformed JSON, or a field of another type.
    pub fn parse(
        text: Option<&[u8]>,
        template: Option<String>,
        file: &str,
    ) -> Result<Self, ModelError> {
        let raw: Option<Raw> = text.map(serde_json::from_slice).transpose().map_err(|error| {
            let problem = format!("{error}; without the file, the model has no chat template");
            ModelError::Config { file: file.to_owned(), problem }
        })?;
        let Raw { add_bos_token, bos_token, eos_token, unk_token, pad_token, chat_template } =
            raw.unwrap_or_default();
        let template = template.or_else(|| chat_template.and_then(RawTemplates::default_one));
        let tokens = [
            ("bos_token", bos_token),
            ("eos_token", eos_token),
            ("unk_token", unk_token),
            ("pad_token", pad_token),
        ];
        let named = tokens
            .into_iter()
            .filter_map(|(name, token)| token.map(|token| (name.to_owned(), token.into_text())));
        let tokens: BTreeMap<String, String> = named.collect();
        Ok(Self {
            adds_bos: add_bos_token,
            bos_token: tokens.get("bos_token").cloned(),
            chat: template.map(|template| ChatTemplate::new(template, tokens)),
        })
    }
}

impl RawToken {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Added { content: text } => text,
        }
    }
}

impl RawTemplates {
    fn default_one(self) -> Option<String> {
        match self {
            Self::One(template) => Some(template),
            Self::Named(named) => {
                let default = named.into_iter().find(|named| named.name == "default");
                default.map(|named| named.template)
            }
        }
    }
}
