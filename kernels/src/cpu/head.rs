//! The logits of some rows, and the choice of a token from each.
//!
//! Rows go in chunks, so that their logits stay in the second cache whatever the batch.

use super::matmul::{Epilogue, Job};
use super::matrix::Matrix;
use super::rows::Rows;
use super::sample::draw;
use super::scratch::ScratchPool;
use super::simd::{Lanes, NUM_LANES, Simd};
use super::softmax::{Greatest, LogSumExp};
use super::threads;
use crate::backend::{Choice, Chosen, ScoreKind, Target};
use crate::layout::TokenId;

/// Rows of a chunk: two tiles of the matmul.
const CHUNK_ROWS: usize = 24;

/// Chooses a token for each of `choices`.
pub fn choose(
    simd: Simd,
    scratch: &ScratchPool,
    hidden: &Rows,
    head: &Matrix,
    choices: &[Choice],
) -> Vec<Chosen> {
    let mut chosen = vec![Chosen { token: TokenId(0), score: 0.0 }; choices.len()];
    for (choices, chosen) in choices.chunks(CHUNK_ROWS).zip(chosen.chunks_mut(CHUNK_ROWS)) {
        let rows = choices.iter().map(|choice| choice.row);
        with_logits(simd, scratch, hidden, head, rows, |logits| {
            let stride = head.num_outputs.next_multiple_of(NUM_LANES);
            let num_parts = threads::num_parts(choices.len(), logits.len());
            // A row of logits and its result are cut together: zipped into one slice of pairs.
            let mut rows: [Option<(&mut [f32], &mut Chosen)>; CHUNK_ROWS] = [const { None }; _];
            let pairs = logits.chunks_exact_mut(stride).zip(chosen);
            rows.iter_mut().zip(pairs).for_each(|(row, pair)| *row = Some(pair));
            threads::split_rows(&mut rows[..choices.len()], 1, num_parts, &|first, rows| {
                for (row, choice) in rows.iter_mut().zip(&choices[first..]) {
                    let (logits, chosen) = row.as_mut().expect("a pair for each choice");
                    **chosen = choose_one(simd, scratch, logits, head.num_outputs, choice);
                }
            });
        });
    }
    chosen
}

/// The log-probability of each target.
pub fn target_logprobs(
    simd: Simd,
    scratch: &ScratchPool,
    hidden: &Rows,
    head: &Matrix,
    targets: &[Target],
) -> Vec<f32> {
    let mut logprobs = vec![0.0; targets.len()];
    for (targets, logprobs) in targets.chunks(CHUNK_ROWS).zip(logprobs.chunks_mut(CHUNK_ROWS)) {
        let rows = targets.iter().map(|target| target.row);
        with_logits(simd, scratch, hidden, head, rows, |logits| {
            let stride = head.num_outputs.next_multiple_of(NUM_LANES);
            let num_parts = threads::num_parts(targets.len(), logits.len());
            let logits: &[f32] = logits;
            threads::split_rows(logprobs, 1, num_parts, &|first, logprobs| {
                for (i, logprob) in logprobs.iter_mut().enumerate() {
                    let logits = &logits[(first + i) * stride..][..stride];
                    *logprob = log_prob(simd, logits, targets[first + i].token);
                }
            });
        });
    }
    logprobs
}

/// Gives `run` the logits of `rows`, each row padded to whole vectors with negative infinity.
fn with_logits(
    simd: Simd,
    pool: &ScratchPool,
    hidden: &Rows,
    head: &Matrix,
    rows: impl ExactSizeIterator<Item = u32>,
    run: impl FnOnce(&mut [f32]),
) {
    let (num_rows, width) = (rows.len(), hidden.width());
    assert_eq!(width, head.num_inputs, "the head takes hidden rows");
    let stride = head.num_outputs.next_multiple_of(NUM_LANES);
    pool.with(|scratch| {
        let (x, logits) =
            scratch.floats(num_rows * (width + stride)).split_at_mut(num_rows * width);
        for (x, row) in x.chunks_exact_mut(width).zip(rows) {
            x.copy_from_slice(hidden.row(row as usize));
        }
        // On vectors always: `target_logits` repeats the bits.
        Job::new(x, head, Epilogue::Store, logits, stride).run(simd, pool);
        for logits in logits.chunks_exact_mut(stride) {
            logits[head.num_outputs..].fill(f32::NEG_INFINITY);
        }
        run(logits);
    });
}

/// Chooses from one row of logits, which it overwrites.
fn choose_one(
    simd: Simd,
    scratch: &ScratchPool,
    logits: &mut [f32],
    num_tokens: usize,
    choice: &Choice,
) -> Chosen {
    let normaliser = match choice.score {
        ScoreKind::Logit => 0.0,
        ScoreKind::LogProb => simd.run(LogSumExp(vectors(logits))),
    };
    if let Some(token) = choice.forced {
        let logit = logits[..num_tokens][token.0 as usize];
        return Chosen { token, score: (f64::from(logit) - normaliser) as f32 };
    }
    for banned in &*choice.banned {
        let banned = banned.0 as usize;
        assert!(banned < num_tokens, "banned token {banned} of {num_tokens}");
        logits[banned] = f32::NEG_INFINITY;
    }
    let greatest = simd.run(Greatest(vectors(logits)));
    let best = best_token(&logits[..num_tokens], greatest, &choice.banned);
    let (token, logit) = match choice.sampling {
        None => (best, logits[best]),
        Some(sampling) => scratch.with(|scratch| {
            let (copy, order) = scratch.floats_and_order(logits.len());
            copy.copy_from_slice(logits);
            let token = draw(simd, copy.as_chunks_mut().0, greatest, sampling, order);
            let token = token.unwrap_or(best);
            (token, logits[token])
        }),
    };
    let score = (f64::from(logit) - normaliser) as f32;
    Chosen { token: TokenId(token as u32), score }
}

/// The lowest id of the greatest logit. If none compares, as with NaNs, the first that may be
/// chosen.
fn best_token(logits: &[f32], greatest: f32, banned: &[TokenId]) -> usize {
    let may_be = |token: &usize| !banned.contains(&TokenId(*token as u32));
    let may_win = greatest > f32::NEG_INFINITY;
    let best = logits.iter().position(|logit| may_win && *logit >= greatest);
    best.or_else(|| (0..logits.len()).find(may_be)).expect("a token that is not banned")
}

fn log_prob(simd: Simd, logits: &[f32], token: TokenId) -> f32 {
    let normaliser = simd.run(LogSumExp(vectors(logits)));
    (f64::from(logits[token.0 as usize]) - normaliser) as f32
}

fn vectors(row: &[f32]) -> &[Lanes] {
    row.as_chunks().0
}
