//! The same numbers as Hugging Face: `tiny-logits.json` was made with transformers in float32.

use jump_engine::{Engine, EngineSize, LanguageModel, ScoreTarget, Work};
use jump_kernels::cpu::Cpu;
use jump_kernels::{ScoreKind, TokenId};
use jump_models::Checkpoint;
use serde::Deserialize;

use crate::greedy::greedy;
use crate::shared::shared_json;

/// What float32 arithmetic in another order may differ by.
const TOLERANCE: f32 = 1e-3;

#[derive(Deserialize)]
struct Golden {
    kind: String,
    text: Option<String>,
    ids: Vec<u32>,
    target_logit: Vec<f32>,
    target_logprob: Vec<f32>,
    top_ids: Vec<[u32; 5]>,
    top_logits: Vec<[f32; 5]>,
    greedy_ids: Option<Vec<u32>>,
}

fn engine() -> Engine<Cpu> {
    let checkpoint = Checkpoint::tiny().expect("the embedded model is whole");
    let size =
        EngineSize { max_rows: 1024, context_len: 1024, num_blocks: 128, max_kv_bytes: None };
    Engine::new(Cpu::new(), &checkpoint, size).expect("the embedded model is whole")
}

fn tokens(ids: &[u32]) -> Vec<TokenId> {
    ids.iter().copied().map(TokenId).collect()
}

/// Runs `ids` in chunks and gives the scores of `targets`, which are `(after, token)` pairs.
pub fn scores(
    engine: &mut dyn LanguageModel,
    ids: &[TokenId],
    chunk_len: usize,
    targets: &[(usize, TokenId)],
    score: ScoreKind,
) -> Vec<f32> {
    let sequence = engine.new_sequence();
    let mut scores = Vec::new();
    for (chunk_idx, chunk) in ids.chunks(chunk_len).enumerate() {
        let start = chunk_idx * chunk_len;
        let in_chunk =
            targets.iter().filter(|(after, _)| (start..start + chunk.len()).contains(after));
        let target =
            |(after, token): &(usize, TokenId)| ScoreTarget { after: after - start, token: *token };
        let targets = in_chunk.map(target).collect();
        let tokens = chunk.to_vec();
        let work = Work { sequence, tokens, targets, next: None, score, full_head: false };
        scores.extend(engine.step(&[work]).expect("it fits").remove(0).scores);
    }
    engine.release(sequence);
    scores
}

fn check(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < TOLERANCE, "{what} at {place}: {found}, not {expected}");
    }
}

#[test]
fn logits_are_those_of_transformers() {
    let Some(golden) = shared_json::<Vec<Golden>>("golden/tiny-logits.json") else { return };
    let mut engine = engine();
    for Golden { kind, ids, target_logit, target_logprob, top_ids, top_logits, .. } in &golden {
        let ids = tokens(ids);
        let next: Vec<_> = ids[1..].iter().copied().enumerate().collect();
        let top =
            top_ids.iter().enumerate().flat_map(|(row, top)| top.map(|id| (row, TokenId(id))));
        let top: Vec<_> = top.collect();
        let mut bits = None;
        for chunk_len in [ids.len(), 64, 7, 1] {
            let what = format!("{kind} of {} tokens in chunks of {chunk_len}", ids.len());
            let mut run = |targets, score| scores(&mut engine, &ids, chunk_len, targets, score);
            let logits = run(&next, ScoreKind::Logit);
            check(&logits, target_logit, &what);
            check(&run(&next, ScoreKind::LogProb), target_logprob, &what);
            check(&run(&top, ScoreKind::Logit), top_logits.as_flattened(), &what);
            let found: Vec<u32> = logits.iter().map(|logit| logit.to_bits()).collect();
            assert_eq!(*bits.get_or_insert(found.clone()), found, "{what}: other bits");
        }
    }
}

#[test]
fn greedy_ids_are_those_of_transformers() {
    let Some(golden) = shared_json::<Vec<Golden>>("golden/tiny-logits.json") else { return };
    let mut engine = engine();
    let end = TokenId(0);
    for Golden { text, ids, greedy_ids, .. } in &golden {
        let Some(expected) = greedy_ids else { continue };
        let found = greedy(&mut engine, tokens(ids), expected.len(), &[end]);
        assert_eq!(found, tokens(expected), "after {text:?}");
    }
}

#[test]
fn ids_are_those_of_transformers() {
    let Some(golden) = shared_json::<Vec<Golden>>("golden/tiny-logits.json") else { return };
    let checkpoint = Checkpoint::tiny().expect("the embedded model is whole");
    for Golden { kind, text, ids, .. } in &golden {
        let Some(text) = text.as_ref().filter(|_| kind == "plain") else { continue };
        let found = checkpoint.tokenizer.encode(text);
        // The long text was cut at 1,000 tokens.
        assert!(found.starts_with(&tokens(ids)), "{kind} {text:?}");
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        assert_eq!(checkpoint.tokenizer.encode_lines(&lines), found, "by line {text:?}");
    }
}
