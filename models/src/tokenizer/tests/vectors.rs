//! The ids that other implementations give the same texts, for the vocabularies that only some
//! machines have.

use std::path::PathBuf;

use serde::Deserialize;

use super::*;

/// The file `path` of the reference data; `None`, with a visible line, if it isn't there.
fn shared_text(path: &str) -> Option<String> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../shared/tokenizers"].iter().collect();
    let text = std::fs::read_to_string(folder.join(path)).ok();
    if text.is_none() {
        skipped(path);
    }
    text
}

#[derive(Deserialize)]
struct Vocabulary {
    file: String,
    plain: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    text: String,
    ids: Vec<u32>,
}

/// Hugging Face's ids.
#[test]
fn plain_texts_have_the_reference_ids() {
    let Some(text) = shared_text("test_vectors.json") else { return };
    let vocabularies: HashMap<String, Vocabulary> = serde_json::from_str(&text).unwrap();
    for (name, Vocabulary { file, plain }) in vocabularies {
        let (folder, _) = file.split_once('/').unwrap();
        let Some(tokenizer) = shared(folder) else { continue };
        for Vector { text, ids } in plain {
            let found: Vec<u32> = tokenizer.encode(&text).iter().map(|id| id.0).collect();
            assert_eq!(found, ids, "{name}: {text:?}");
        }
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
    ];
    for (folder, name) in table {
        let file = |end| shared_text(&format!("{folder}/ggml-vocab-{name}.gguf.{end}"));
        let (Some(texts), Some(ids)) = (file("inp"), file("out")) else { continue };
        let Some(tokenizer) = shared(folder) else { continue };
        let texts = texts.split("\n__ggml_vocab_test__\n");
        let mut num_texts = 0;
        for (text, ids) in texts.zip(ids.lines()) {
            let ids: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
            let found: Vec<u32> = tokenizer.encode(text).iter().map(|id| id.0).collect();
            assert_eq!(found, ids, "{name}: {text:?}");
            num_texts += 1;
        }
        assert!(num_texts > 40, "{name}: only {num_texts} texts");
    }
}
