//! How fast a model runs by itself, on any device: decoding, reading a prompt, and scoring, as the
//! algorithm asks for them.
//!
//! What is compared runs in turns, after a warm-up, so that ratios are of parts that ran side by
//! side. Times are of the wall clock around [`LanguageModel::step`]: what a caller waits for.

mod cost;
pub mod decode;
pub mod prefill;
pub mod score;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jump_engine::{EngineError, EngineSize, LanguageModel, NextToken, Outcome, SequenceId, Work};
use jump_kernels::{BLOCK_LEN, ScoreKind, TokenId, mix_key};
use serde::Serialize;
use thiserror::Error;

pub use self::cost::Cost;

use crate::generator::GeneratorError;
use crate::overhead::{BenchError, Spread};

const INFALLIBLE: &str = "a string can be written to";

/// A model that is measured.
pub struct Subject<'a> {
    /// The model, without sequences.
    pub model: &'a mut dyn LanguageModel,
    /// What its passes cost.
    pub cost: Cost,
    /// What its device can do, if that was measured.
    pub ceilings: Option<Ceilings>,
    /// Measurements of each figure, at least one.
    pub num_repeats: usize,
    /// Ends it.
    pub stop: &'a AtomicBool,
}

/// What a device can do, measured in the same run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceilings {
    /// Bytes that a large copy reads and writes.
    pub bytes_per_second: f64,
    /// Multiplications and additions of a large product.
    pub flops_per_second: f64,
}

impl fmt::Display for Ceilings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, flops) = (self.bytes_per_second / 1e9, self.flops_per_second / 1e12);
        write!(f, "a copy moves {bytes:.0} GB/s, a product does {flops:.1} TFLOP/s")
    }
}

impl From<jump_kernels::selftest::Ceilings> for Ceilings {
    fn from(measured: jump_kernels::selftest::Ceilings) -> Self {
        let jump_kernels::selftest::Ceilings { bytes_per_second, flops_per_second } = measured;
        Self { bytes_per_second, flops_per_second }
    }
}

/// What the memory is too small for.
#[derive(Debug, Error)]
#[error(
    "the weights of {model} take {weight_mib} MiB and its keys and values {kv_mib} MiB, but only \
     {free_mib} MiB of memory are free: take fewer or shorter sequences, or a smaller shape"
)]
pub struct TooLarge {
    /// The model.
    pub model: String,
    /// Its weights, and what passes need.
    pub weight_mib: usize,
    /// Keys and values.
    pub kv_mib: usize,
    /// What there is.
    pub free_mib: usize,
}

/// Checks that a model of `size` fits into `free_bytes`, if the system says how many these are.
///
/// # Errors
///
/// It doesn't.
pub fn check_memory(
    model: &str,
    weight_bytes: usize,
    block_bytes: usize,
    size: EngineSize,
    free_bytes: Option<usize>,
) -> Result<(), TooLarge> {
    const MIB: usize = 1 << 20;
    let kv_bytes = size.num_blocks.saturating_mul(block_bytes);
    let needed = weight_bytes.saturating_add(kv_bytes);
    match free_bytes {
        Some(free) if needed > free => Err(TooLarge {
            model: model.to_owned(),
            weight_mib: weight_bytes / MIB,
            kv_mib: kv_bytes / MIB,
            free_mib: free / MIB,
        }),
        _ => Ok(()),
    }
}

/// An engine for sequences of these lengths at the same time, and steps of so many rows.
pub(crate) fn size(lens: impl IntoIterator<Item = usize>, max_rows: usize) -> EngineSize {
    let (mut num_blocks, mut context_len) = (0, 0);
    for len in lens {
        num_blocks += len.div_ceil(BLOCK_LEN) + 1;
        context_len = context_len.max(len);
    }
    EngineSize { max_rows, context_len, num_blocks, max_kv_bytes: None }
}

impl Subject<'_> {
    /// Runs each of `modes` once to warm up, and then in turns. `run` gives the seconds of one.
    fn in_turns<M>(
        &mut self,
        modes: &[M],
        mut run: impl FnMut(&mut Self, &M) -> Result<f64, EngineError>,
    ) -> Result<Vec<Vec<f64>>, BenchError> {
        let mut seconds: Vec<Vec<f64>> = modes.iter().map(|_| Vec::new()).collect();
        for repeat in 0..=self.num_repeats {
            for (mode, seconds) in modes.iter().zip(&mut seconds) {
                let measured = run(self, mode).map_err(GeneratorError::from)?;
                if repeat > 0 {
                    seconds.push(measured);
                }
                if self.stop.load(Ordering::Relaxed) {
                    return Err(BenchError::Interrupted);
                }
            }
        }
        Ok(seconds)
    }

    /// The outcomes of a step, and its seconds.
    fn step(&mut self, work: &[Work]) -> Result<(Vec<Outcome>, f64), EngineError> {
        let begin = Instant::now();
        let outcomes = self.model.step(work)?;
        Ok((outcomes, begin.elapsed().as_secs_f64()))
    }

    /// A sequence of `tokens`.
    fn sequence_of(&mut self, tokens: &[TokenId]) -> Result<SequenceId, BenchError> {
        let id = self.model.new_sequence();
        let max_rows = self.model.size().max_rows;
        for chunk in tokens.chunks(max_rows) {
            self.model.step(&[plain(id, chunk.to_vec())]).map_err(GeneratorError::from)?;
        }
        Ok(id)
    }

    /// `num` tokens, the same for the same `key`.
    fn tokens(&self, key: u64, num: usize) -> Vec<TokenId> {
        let vocab_len = self.cost.vocab_len as u64;
        (0..num as u64).map(|idx| TokenId((mix_key(&[key, idx]) % vocab_len) as u32)).collect()
    }
}

/// Tokens of which nothing is wanted.
fn plain(sequence: SequenceId, tokens: Vec<TokenId>) -> Work {
    let score = ScoreKind::Logit;
    Work { sequence, tokens, targets: Vec::new(), next: None, score, full_head: false }
}

/// Tokens after which the likeliest is wanted.
fn greedy(sequence: SequenceId, tokens: Vec<TokenId>) -> Work {
    Work { next: Some(NextToken::greedy()), ..plain(sequence, tokens) }
}

/// `amount` in each of these seconds.
fn rate(amount: f64, seconds: &[f64]) -> Spread {
    Spread::of(seconds.iter().map(|seconds| amount / seconds))
}

/// Of each repeat, what `seconds` are to `base`.
fn ratio(seconds: &[f64], base: &[f64]) -> Spread {
    Spread::of(seconds.iter().zip(base).map(|(seconds, base)| seconds / base))
}

/// A share for people, in per cent.
fn percent(share: Option<Spread>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}", share.times(100.0)))
}

#[cfg(test)]
mod tests {
    use super::{check_memory, size};

    #[test]
    fn sizes_hold_all_sequences() {
        let size = size([16, 17, 1], 7);
        assert_eq!((size.num_blocks, size.context_len, size.max_rows), (2 + 3 + 2, 17, 7));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_numbers() {
        let size = size([160], 1);
        let check = |free| check_memory("m", 3 << 20, 1 << 20, size, free);
        assert!(check(None).is_ok() && check(Some(14 << 20)).is_ok());
        let error = check(Some((14 << 20) - 1)).unwrap_err().to_string();
        assert!(error.contains("3 MiB") && error.contains("11 MiB"), "{error}");
    }
}
