//! A whole model on a device against the same model on the processor: the tokens that it takes, and
//! the scores that it gives.
//!
//! A device rounds activations, keys and values to bfloat16, so scores differ a little, and a token
//! may be another one where the processor had two that were nearly as likely. Everything else is a
//! fault.

use std::fmt::Write;

use jump_engine::{EngineError, LanguageModel, NextToken, ScoreTarget, SequenceId, Work};
use jump_kernels::{ScoreKind, TokenId};
use serde::Serialize;

const INFALLIBLE: &str = "a string can be written to";

/// Tokens that are decoded after each prompt.
const NUM_TOKENS: usize = 40;

/// What rounding to bfloat16 explains: of a score, and of the distance between the logits of two
/// tokens that are taken for each other. The embedded model's are off by 0.04 on the emulator.
const ALLOWED: f64 = 0.15;

/// What came of a prompt.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Tokens of the prompt.
    pub prompt_len: usize,
    /// Tokens that both took.
    pub num_same: usize,
    /// Where they parted: by how much the processor liked its own token more.
    pub margin: Option<f64>,
    /// The largest difference between logits.
    pub logit_difference: f64,
    /// The largest difference between log-probabilities.
    pub logprob_difference: f64,
    /// What is allowed of these three.
    pub allowed: f64,
    /// Was it right?
    pub is_right: bool,
}

/// Compares two of the same model. Each must have room for the prompts, one after the other, in one
/// step.
///
/// # Errors
///
/// A step that failed.
pub fn compare(
    device: &mut dyn LanguageModel,
    cpu: &mut dyn LanguageModel,
    prompts: &[Vec<TokenId>],
) -> Result<Vec<Outcome>, EngineError> {
    prompts.iter().map(|prompt| compare_one(device, cpu, prompt)).collect()
}

/// Tokens that [`compare`] needs beside a prompt.
pub const NUM_MORE: usize = NUM_TOKENS + 1;

fn compare_one(
    device: &mut dyn LanguageModel,
    cpu: &mut dyn LanguageModel,
    prompt: &[TokenId],
) -> Result<Outcome, EngineError> {
    let expected = decode(cpu, prompt)?;
    let found = decode(device, prompt)?;
    let same = expected.iter().zip(&found).take_while(|(a, b)| a == b);
    let num_same = same.count();
    let text = [prompt, &expected].concat();
    let margin = if num_same == expected.len() {
        None
    } else {
        let both = [expected[num_same], found[num_same]];
        let text = &text[..prompt.len() + num_same];
        Some(f64::from(margin(cpu, text, both)?))
    };
    let mut differ = |kind| -> Result<f64, EngineError> {
        Ok(difference(&scores(device, &text, kind)?, &scores(cpu, &text, kind)?))
    };
    let logit_difference = differ(ScoreKind::Logit)?;
    let logprob_difference = differ(ScoreKind::LogProb)?;
    // Written so that a NaN isn't right.
    let is_right = [margin.unwrap_or(0.0), logit_difference, logprob_difference]
        .iter()
        .all(|difference| *difference <= ALLOWED);
    Ok(Outcome {
        prompt_len: prompt.len(),
        num_same,
        margin,
        logit_difference,
        logprob_difference,
        allowed: ALLOWED,
        is_right,
    })
}

/// The likeliest tokens after a prompt, one by one.
fn decode(model: &mut dyn LanguageModel, prompt: &[TokenId]) -> Result<Vec<TokenId>, EngineError> {
    let id = model.new_sequence();
    let (mut next, mut tokens) = (prompt.to_vec(), Vec::new());
    while tokens.len() < NUM_TOKENS {
        let wanted = Some(NextToken::greedy());
        let work = Work { next: wanted, ..work(id, next) };
        let outcome = model.step(&[work])?.remove(0);
        let chosen = outcome.next.expect("it was wanted").chosen.token;
        tokens.push(chosen);
        next = vec![chosen];
    }
    model.release(id);
    Ok(tokens)
}

/// By how much the first of two tokens is likelier after `text` than the second.
fn margin(
    model: &mut dyn LanguageModel,
    text: &[TokenId],
    [first, second]: [TokenId; 2],
) -> Result<f32, EngineError> {
    let id = model.new_sequence();
    let after = text.len() - 1;
    let targets = [first, second].map(|token| ScoreTarget { after, token });
    let work = Work { targets: targets.to_vec(), ..work(id, text.to_vec()) };
    let scores = model.step(&[work])?.remove(0).scores;
    model.release(id);
    Ok(scores[0] - scores[1])
}

/// The score of each token but the first. The second half is scored in a fork, beside the first.
fn scores(
    model: &mut dyn LanguageModel,
    text: &[TokenId],
    score: ScoreKind,
) -> Result<Vec<f32>, EngineError> {
    let half = text.len() / 2;
    let whole = model.new_sequence();
    model.step(&[work(whole, text[..half].to_vec())])?;
    let fork = model.fork_at(whole, half);
    let first = model.fork_at(whole, 0);
    let works = [(first, &text[..=half]), (fork, &text[half..])].map(|(id, part)| {
        let targets = part[1..].iter().enumerate();
        let targets = targets.map(|(after, token)| ScoreTarget { after, token: *token });
        let tokens = part[..part.len() - 1].to_vec();
        Work { targets: targets.collect(), score, ..work(id, tokens) }
    });
    let outcomes = model.step(&works)?;
    for id in [whole, fork, first] {
        model.release(id);
    }
    Ok(outcomes.into_iter().flat_map(|outcome| outcome.scores).collect())
}

fn work(sequence: SequenceId, tokens: Vec<TokenId>) -> Work {
    let score = ScoreKind::Logit;
    Work { sequence, tokens, targets: Vec::new(), next: None, score, full_head: false }
}

/// The largest difference; a NaN stays one.
fn difference(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "scores to compare");
    let pairs = found.iter().zip(expected);
    let differences = pairs.map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(0.0, |a, b| if b.is_nan() || b > a { b } else { a })
}

/// The table.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "{:>7} {:>6} {:>5} {:>8} {:>8} {:>8} {:>8}\n",
        "prompt", "tokens", "same", "margin", "logits", "logprobs", "allowed"
    );
    for outcome in outcomes {
        let margin = outcome.margin.map_or("-".to_owned(), |margin| format!("{margin:.4}"));
        writeln!(
            text,
            "{:>7} {NUM_TOKENS:>6} {:>5} {margin:>8} {:>8.4} {:>8.4} {:>8.4}{}",
            outcome.prompt_len,
            outcome.num_same,
            outcome.logit_difference,
            outcome.logprob_difference,
            outcome.allowed,
            if outcome.is_right { "" } else { "  WRONG" },
        )
        .expect(INFALLIBLE);
    }
    text
}

#[cfg(test)]
mod tests {
    use jump_engine::{Engine, EngineSize};
    use jump_kernels::cpu::Cpu;
    use jump_models::Checkpoint;

    use super::*;

    fn engine(checkpoint: &Checkpoint) -> Engine<Cpu> {
        let size = EngineSize { max_rows: 64, context_len: 64, num_blocks: 16, max_kv_bytes: None };
        Engine::new(Cpu::new(), checkpoint, size).unwrap()
    }

    #[test]
    fn a_model_agrees_with_itself_and_with_no_other() {
        let checkpoint = Checkpoint::tiny().unwrap();
        let prompts = [checkpoint.tokenizer.encode("def add(a, b):\n    return")];
        let shape = "tiny".parse().unwrap();
        let other = Checkpoint::tiny().unwrap().with_random_weights(shape, 1);
        let mut cpu = engine(&checkpoint);
        let same = compare(&mut engine(&checkpoint), &mut cpu, &prompts).unwrap().remove(0);
        assert!(same.is_right && same.num_same == NUM_TOKENS, "{same:?}");
        assert!(same.logit_difference <= 0.0 && same.margin.is_none(), "{same:?}");
        let other = compare(&mut engine(&other), &mut cpu, &prompts).unwrap().remove(0);
        assert!(!other.is_right && other.margin.unwrap() > 0.0, "{other:?}");
    }
}
