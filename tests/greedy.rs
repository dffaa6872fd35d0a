//! Greedy decoding of a single text, a token at a time.

use jump_engine::{Engine, LanguageModel, NextToken, Work};
use jump_kernels::cpu::Cpu;
use jump_kernels::{ScoreKind, TokenId};

/// The tokens after `prompt`: up to `max_tokens`, and no more after one of `end_tokens`.
pub fn greedy(
    engine: &mut Engine<Cpu>,
    prompt: Vec<TokenId>,
    max_tokens: usize,
    end_tokens: &[TokenId],
) -> Vec<TokenId> {
    let sequence = engine.new_sequence();
    let (mut found, mut run) = (Vec::new(), prompt);
    while found.len() < max_tokens && !found.last().is_some_and(|last| end_tokens.contains(last)) {
        let next = Some(NextToken::greedy());
        let (targets, score) = (Vec::new(), ScoreKind::Logit);
        let work = Work { sequence, tokens: run, targets, next, score, full_head: false };
        let outcome = engine.step(&[work]).expect("it fits").remove(0);
        let token = outcome.next.expect("it was wanted").chosen.token;
        found.push(token);
        run = vec![token];
    }
    engine.release(sequence);
    found
}
