//! The text of a `tokenizer.json` from a file's metadata: byte-level BPE ("gpt2"), and
//! SentencePiece's BPE ("llama"), whose merges follow from its pieces' scores.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value as Json, json};

use super::metadata::{Metadata, Value};
use super::pre_tokenizer;
use crate::ChatTemplate;

/// What kind of token a token is, by ggml's numbers.
mod token_type {
    pub const UNKNOWN: i128 = 2;
    pub const CONTROL: i128 = 3;
    pub const USER_DEFINED: i128 = 4;
}

/// The tokens of the file.
struct Vocabulary<'a> {
    tokens: Vec<&'a str>,
    /// Their types; empty if all are normal.
    types: Vec<i128>,
}

/// What the tokenizer says in JSON.
///
/// # Errors
///
/// A value that is missing or of another type, or a kind of tokenizer that isn't supported.
pub fn tokenizer_json(metadata: &Metadata<'_>) -> Result<Json, String> {
    let vocabulary = Vocabulary::read(metadata)?;
    let model = metadata.string("tokenizer.ggml.model")?;
    let (parts, adds_bos) = match model {
        Some("gpt2") => byte_level(metadata, &vocabulary)?,
        Some("llama") => sentence_piece(metadata, &vocabulary)?,
        other => {
            let name = other.unwrap_or("nothing");
            return Err(format!("its tokenizer is {name:?}; \"gpt2\" and \"llama\" are supported"));
        }
    };
    let mut json = json!({
        "version": "1.0",
        "added_tokens": vocabulary.added_tokens(),
        "post_processor": null,
    });
    let adds_bos = metadata.bool("tokenizer.ggml.add_bos_token")?.unwrap_or(adds_bos);
    if let Some(bos) = metadata.count("tokenizer.ggml.bos_token_id")?.filter(|_| adds_bos) {
        json["post_processor"] = vocabulary.begin_with(bos)?;
    }
    json.as_object_mut().expect("made above").extend(parts);
    Ok(json)
}

/// The chat template, if there is one, with the tokens that it may name.
///
/// # Errors
///
/// A value of another type.
pub fn chat_template(metadata: &Metadata<'_>) -> Result<Option<ChatTemplate>, String> {
    let Some(source) = metadata.string("tokenizer.chat_template")? else { return Ok(None) };
    let tokens = strings(metadata, "tokenizer.ggml.tokens")?;
    let mut named = BTreeMap::new();
    for name in ["bos", "eos"] {
        let id = metadata.count(&format!("tokenizer.ggml.{name}_token_id"))?;
        if let Some(token) = id.and_then(|id| tokens.get(usize::try_from(id).ok()?)) {
            named.insert(format!("{name}_token"), (*token).to_owned());
        }
    }
    Ok(Some(ChatTemplate::new(source.to_owned(), named)))
}

impl<'a> Vocabulary<'a> {
    fn read(metadata: &Metadata<'a>) -> Result<Self, String> {
        let tokens = strings(metadata, "tokenizer.ggml.tokens")?;
        let types = metadata.array("tokenizer.ggml.token_type", "numbers", |value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        });
        let types = types?.unwrap_or_default();
        if !types.is_empty() && types.len() != tokens.len() {
            return Err(format!("{} tokens, but {} types of tokens", tokens.len(), types.len()));
        }
        Ok(Self { tokens, types })
    }

    fn has_type(&self, id: usize, wanted: i128) -> bool {
        self.types.get(id) == Some(&wanted)
    }

    /// Ids by token.
    fn ids(&self) -> Result<HashMap<&'a str, usize>, String> {
        let mut ids = HashMap::new();
        for (id, token) in self.tokens.iter().enumerate() {
            if let Some(other) = ids.insert(*token, id) {
                return Err(format!("the token {token:?} is there twice, as {other} and {id}"));
            }
        }
        Ok(ids)
    }

    /// All tokens with their ids.
    fn json(&self) -> Json {
        let pairs = self.tokens.iter().enumerate();
        pairs.map(|(id, token)| ((*token).to_owned(), json!(id))).collect::<Map<_, _>>().into()
    }

    /// Tokens that text isn't split into (control tokens), or that are looked for in it before
    /// anything else.
    fn added_tokens(&self) -> Json {
        let added = self.tokens.iter().enumerate().filter_map(|(id, token)| {
            let is_special = [token_type::CONTROL, token_type::UNKNOWN];
            let is_special = is_special.iter().any(|wanted| self.has_type(id, *wanted));
            let is_added = is_special || self.has_type(id, token_type::USER_DEFINED);
            (is_added && !token.is_empty()).then(|| {
                json!({
                    "id": id, "content": token, "special": is_special, "normalized": false,
                    "single_word": false, "lstrip": false, "rstrip": false,
                })
            })
        });
        added.collect()
    }

    /// A post-processor that puts the token `bos` in front.
    fn begin_with(&self, bos: u64) -> Result<Json, String> {
        let token = usize::try_from(bos).ok().and_then(|id| self.tokens.get(id));
        let token = token.ok_or_else(|| {
            format!("bos_token_id is {bos}, outside of the {} tokens", self.tokens.len())
        })?;
        let of = |kind: &str, id: &str| json!({kind: {"id": id, "type_id": 0}});
        let single = json!([of("SpecialToken", token), of("Sequence", "A")]);
        Ok(json!({
            "type": "TemplateProcessing",
            "single": single,
            "pair": [of("SpecialToken", token), of("Sequence", "A"), of("Sequence", "B")],
            "special_tokens": {*token: {"id": token, "ids": [bos], "tokens": [token]}},
        }))
    }
}

/// The parts of a tokenizer.json that depend on the kind, and whether texts begin with a token if
/// the file doesn't say.
type Parts = (Map<String, Json>, bool);

fn byte_level(metadata: &Metadata<'_>, vocabulary: &Vocabulary<'_>) -> Result<Parts, String> {
    let pre = pre_tokenizer::find(metadata.string("tokenizer.ggml.pre")?.unwrap_or("default"))?;
    let merges = strings(metadata, "tokenizer.ggml.merges")?;
    let merges = merges.iter().map(|merge| {
        // A token may be a space itself.
        let space = merge.bytes().skip(1).position(|byte| byte == b' ');
        let pair = space.and_then(|idx| Some((merge.get(..=idx)?, merge.get(idx + 2..)?)));
        pair.map(|(left, right)| json!([left, right]))
            .ok_or_else(|| format!("the merge {merge:?} isn't of two tokens"))
    });
    let merges: Vec<Json> = merges.collect::<Result<_, _>>()?;
    vocabulary.ids()?;
    let parts = json!({
        "normalizer": null,
        "pre_tokenizer": pre.json(),
        "decoder": {
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
        },
        "model": {
            "type": "BPE", "vocab": vocabulary.json(), "merges": merges,
            "ignore_merges": pre.ignores_merges,
        },
    });
    let Json::Object(parts) = parts else { unreachable!("an object was made") };
    Ok((parts, pre.adds_bos))
}

fn sentence_piece(metadata: &Metadata<'_>, vocabulary: &Vocabulary<'_>) -> Result<Parts, String> {
    let scores = metadata.array("tokenizer.ggml.scores", "numbers", |value| match value {
        Value::Float(number) => Some(*number),
        _ => None,
    })?;
    let scores = scores.ok_or("it lacks the value \"tokenizer.ggml.scores\"")?;
    if scores.len() != vocabulary.tokens.len() {
        let num_tokens = vocabulary.tokens.len();
        return Err(format!("{num_tokens} tokens, but {} scores of tokens", scores.len()));
    }
    let merges = merges_by_score(vocabulary, &scores)?;
    let has_dummy_prefix = metadata.bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let replace = |from: &str, to: &str| {
        let pattern = json!({"String": from});
        json!({"type": "Replace", "pattern": pattern, "content": to})
    };
    let mut normalizers = vec![replace(" ", "▁")];
    let mut decoders =
        vec![replace("▁", " "), json!({"type": "ByteFallback"}), json!({"type": "Fuse"})];
    if has_dummy_prefix {
        normalizers.insert(0, json!({"type": "Prepend", "prepend": "▁"}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let is_unknown = |id: &usize| vocabulary.has_type(*id, token_type::UNKNOWN);
    let unknown = (0..vocabulary.tokens.len()).find(is_unknown);
    let parts = json!({
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": null,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE", "vocab": vocabulary.json(), "merges": merges,
            "unk_token": unknown.map(|id| vocabulary.tokens[id]),
            "fuse_unk": true, "byte_fallback": true,
        },
    });
    let Json::Object(parts) = parts else { unreachable!("an object was made") };
    Ok((parts, true))
}

/// SentencePiece merges the two neighbours whose piece has the highest score. So each way to cut a
/// piece into two pieces is a merge, ranked by the whole's score.
fn merges_by_score(vocabulary: &Vocabulary<'_>, scores: &[f64]) -> Result<Vec<Json>, String> {
    let ids = vocabulary.ids()?;
    let mut merges = Vec::new();
    for (id, piece) in vocabulary.tokens.iter().enumerate() {
        let is_apart = [token_type::CONTROL, token_type::UNKNOWN, token_type::USER_DEFINED];
        if is_apart.iter().any(|wanted| vocabulary.has_type(id, *wanted)) {
            continue;
        }
        for (cut, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(cut);
            if let (Some(left), Some(right)) = (ids.get(left), ids.get(right)) {
                merges.push((scores[id], id, *left, *right));
            }
        }
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2, a.3).cmp(&(b.1, b.2, b.3))));
    let merge = |(_, _, left, right): (f64, usize, usize, usize)| {
        json!([vocabulary.tokens[left], vocabulary.tokens[right]])
    };
    Ok(merges.into_iter().map(merge).collect())
}

fn strings<'a>(metadata: &Metadata<'a>, key: &str) -> Result<Vec<&'a str>, String> {
    let strings = metadata.array(key, "texts", |value| match value {
        Value::String(text) => Some(*text),
        _ => None,
    });
    strings?.ok_or_else(|| format!("it lacks the value {key:?}"))
}
