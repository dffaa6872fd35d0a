//! Models and vocabularies in GGUF.

use std::path::PathBuf;

use jump_engine::{Engine, EngineSize};
use jump_kernels::TokenId;
use jump_kernels::cpu::Cpu;
use jump_models::{Checkpoint, Gguf};
use serde::Deserialize;

use crate::greedy::greedy;
use crate::shared::{shared_file, shared_json, skipped};

/// Names the file SmolLM2-135M-Instruct.Q4_1.gguf; the README says where it is from.
const FILE: &str = "JUMP_SMOLLM2";

/// Steps whose best two logits are closer in the golden run are left out: float32 arithmetic in
/// another order may choose the other one.
#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt: String,
    prompt_ids: Vec<u32>,
    greedy_ids: Vec<u32>,
    first_step_margin_below_0_1: Option<usize>,
}

/// The path of the file; `None`, with a visible line, if none is named.
pub fn smollm2_path() -> Option<PathBuf> {
    let path = std::env::var_os(FILE).map(PathBuf::from);
    if path.is_none() {
        skipped(&format!("the file that {FILE} names"));
    }
    path
}

fn smollm2() -> Option<Checkpoint> {
    Some(Checkpoint::open(&smollm2_path()?).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn smollm2_writes_what_transformers_does() {
    let Some(checkpoint) = smollm2() else { return };
    let Some(golden) = shared_json::<Golden>("golden/smollm2-expected_f32.json") else { return };
    let size = EngineSize { max_rows: 256, context_len: 512, num_blocks: 64, max_kv_bytes: None };
    let mut engine = Engine::new(Cpu::new(), &checkpoint, size).expect("it fits");
    for Case { prompt, prompt_ids, greedy_ids, first_step_margin_below_0_1: end } in golden.cases {
        let tokens = |ids: &[u32]| ids.iter().copied().map(TokenId).collect::<Vec<_>>();
        let run = tokens(&prompt_ids);
        // Text is always text: chat prompts hold tokens that it isn't tokenised to.
        if !prompt.contains("<|im_start|>") {
            assert_eq!(checkpoint.tokenizer.encode(&prompt), run, "{prompt:?}");
        }
        let expected = tokens(&greedy_ids[..end.unwrap_or(greedy_ids.len())]);
        assert!(expected.len() > 20, "{prompt:?}: too few steps are certain");
        let found = greedy(&mut engine, run, expected.len(), &[]);
        assert_eq!(found, expected, "after {prompt:?}");
    }
}

/// llama.cpp's vocabularies and its own vectors: texts, and their ids.
#[test]
fn ids_are_those_of_llama_cpp() {
    let table = [
        ("starcoder", "starcoder"),
        ("deepseek-coder", "deepseek-coder"),
        ("gpt2", "gpt-2"),
        ("llama2", "llama-spm"),
    ];
    for (folder, name) in table {
        let path = format!("tokenizers/{folder}/ggml-vocab-{name}.gguf");
        let Some(file) = shared_file(&path) else { continue };
        let read = |suffix| std::fs::read_to_string(format!("{}.{suffix}", file.display()));
        let bytes = std::fs::read(&file).expect("the file exists");
        let tokenizer = Gguf::parse_tokenizer(&bytes, name).unwrap_or_else(|e| panic!("{e}"));
        let (texts, ids) = (read("inp").expect("it is there"), read("out").expect("it is there"));
        let texts = texts.split("\n__ggml_vocab_test__\n");
        let mut num_texts = 0;
        for (text, ids) in texts.zip(ids.lines()) {
            let ids = ids.split_whitespace().map(|id| TokenId(id.parse().expect("an id")));
            assert_eq!(tokenizer.encode(text), ids.collect::<Vec<_>>(), "{name}: {text:?}");
            num_texts += 1;
        }
        assert!(num_texts > 40, "{name}: {num_texts} texts");
    }
}
