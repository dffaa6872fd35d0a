//! Decoding: a step gives one more token to each of many sequences, of which each has its own
//! prompt; and six branches of one prompt, as the algorithm decodes them, beside six strangers.

use std::fmt::Write;

use jump_engine::{EngineError, EngineSize, SequenceId};
use jump_kernels::TokenId;
use serde::Serialize;

use super::{INFALLIBLE, Subject, greedy, percent, rate, ratio};
use crate::overhead::{BenchError, Spread};

/// Steps of a measurement, after one that isn't measured.
const NUM_STEPS: usize = 8;

/// Branches of one prompt.
const NUM_BRANCHES: usize = 6;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Sequences of a step.
    pub num_sequences: Vec<usize>,
    /// Tokens that each has before.
    pub contexts: Vec<usize>,
}

/// What a step costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// Tokens of a sequence before.
    pub context_len: usize,
    /// Sequences of a step.
    pub num_sequences: usize,
    /// Are they branches that share these tokens?
    pub is_shared: bool,
    /// Of a step, of each repeat.
    pub seconds: Spread,
    /// Tokens that are won.
    pub tokens_per_second: Spread,
    /// Bytes that a step must read: the weights, and keys and values once.
    pub bytes: f64,
    /// Of these.
    pub bytes_per_second: Spread,
    /// Of the device's copy.
    pub share_of_copy: Option<Spread>,
    /// Branches: compared with as many sequences that share nothing.
    pub seconds_per_separate: Option<Spread>,
}

/// A way to decode.
#[derive(Clone, Copy)]
struct Mode {
    num_sequences: usize,
    is_shared: bool,
}

impl Plan {
    /// The engine that it needs.
    pub fn size(&self) -> EngineSize {
        let most = self.most();
        let longest = self.contexts.iter().max().copied().unwrap_or_default() + NUM_STEPS + 2;
        let size = super::size(vec![longest; most + NUM_BRANCHES], most.max(longest).min(512));
        EngineSize { max_rows: size.max_rows.max(most), ..size }
    }

    fn most(&self) -> usize {
        self.num_sequences.iter().copied().fold(NUM_BRANCHES, usize::max)
    }

    /// Measures.
    ///
    /// # Errors
    ///
    /// A step that failed, or the user ended it.
    pub fn measure(&self, subject: &mut Subject<'_>) -> Result<Vec<Point>, BenchError> {
        let separate = |num_sequences| Mode { num_sequences, is_shared: false };
        let mut modes: Vec<Mode> = self.num_sequences.iter().copied().map(separate).collect();
        // The last two are compared with each other.
        modes.push(separate(NUM_BRANCHES));
        modes.push(Mode { num_sequences: NUM_BRANCHES, is_shared: true });
        let mut points = Vec::new();
        for context_len in &self.contexts {
            let mut prompts = Vec::new();
            for idx in 0..self.most() {
                let tokens = subject.tokens(idx as u64, *context_len);
                prompts.push(subject.sequence_of(&tokens)?);
            }
            let seconds = subject
                .in_turns(&modes, |subject, mode| decode(subject, &prompts, *context_len, *mode))?;
            for id in prompts {
                subject.model.release(id);
            }
            let base = &seconds[modes.len() - 2];
            for (mode, seconds) in modes.iter().zip(&seconds) {
                let mut point = point(subject, *context_len, *mode, seconds);
                point.seconds_per_separate = mode.is_shared.then(|| ratio(seconds, base));
                points.push(point);
            }
        }
        Ok(points)
    }
}

/// Seconds of a step. Afterwards all is as it was.
fn decode(
    subject: &mut Subject<'_>,
    prompts: &[SequenceId],
    context_len: usize,
    mode: Mode,
) -> Result<f64, EngineError> {
    let ids: Vec<SequenceId> = if mode.is_shared {
        (0..mode.num_sequences).map(|_| subject.model.fork_at(prompts[0], context_len)).collect()
    } else {
        prompts[..mode.num_sequences].to_vec()
    };
    let mut last = subject.tokens(u64::MAX, ids.len());
    let mut sum = 0.0;
    for step in 0..=NUM_STEPS {
        let seconds = advance(subject, &ids, &mut last)?;
        // The first copies the block that branches have begun together.
        sum += if step == 0 { 0.0 } else { seconds };
    }
    for id in ids {
        if mode.is_shared {
            subject.model.release(id);
        } else {
            subject.model.truncate(id, context_len);
        }
    }
    Ok(sum / NUM_STEPS as f64)
}

/// One step; `last` are the sequences' newest tokens.
fn advance(
    subject: &mut Subject<'_>,
    ids: &[SequenceId],
    last: &mut [TokenId],
) -> Result<f64, EngineError> {
    let works = ids.iter().zip(last.iter()).map(|(id, token)| greedy(*id, vec![*token]));
    let works: Vec<_> = works.collect();
    let (outcomes, seconds) = subject.step(&works)?;
    for (last, outcome) in last.iter_mut().zip(outcomes) {
        *last = outcome.next.expect("it was wanted").chosen.token;
    }
    Ok(seconds)
}

fn point(subject: &Subject<'_>, context_len: usize, mode: Mode, seconds: &[f64]) -> Point {
    let num = mode.num_sequences as f64;
    // In the middle of the measured steps; each token sees its own keys and values, too.
    let own_len = (NUM_STEPS + 3) as f64 / 2.0;
    let num_prompts = if mode.is_shared { 1.0 } else { num };
    let num_tokens = num_prompts * context_len as f64 + num * own_len;
    let bytes = subject.cost.pass_bytes + num_tokens * subject.cost.kv_bytes;
    let bytes_per_second = rate(bytes, seconds);
    let share = |roof: super::Ceilings| bytes_per_second.times(1.0 / roof.bytes_per_second);
    Point {
        context_len,
        num_sequences: mode.num_sequences,
        is_shared: mode.is_shared,
        seconds: Spread::of(seconds.iter().copied()),
        tokens_per_second: rate(num, seconds),
        bytes,
        bytes_per_second,
        share_of_copy: subject.ceilings.map(share),
        seconds_per_separate: None,
    }
}

/// The table.
pub fn table(points: &[Point]) -> String {
    let mut text = format!(
        "{:>8} {:>10}  {:<8} {:>24} {:>27} {:>9} {:>22} {:>20} {:>20}\n",
        "context",
        "sequences",
        "prompts",
        "ms/step",
        "tokens/s",
        "MB/step",
        "GB/s",
        "% of a copy",
        "times separate"
    );
    for point in points {
        let ratio =
            point.seconds_per_separate.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        writeln!(
            text,
            "{:>8} {:>10}  {:<8} {:>24} {:>27} {:>9.1} {:>22} {:>20} {ratio:>20}",
            point.context_len,
            point.num_sequences,
            if point.is_shared { "shared" } else { "own" },
            format!("{:.3}", point.seconds.times(1e3)),
            format!("{:.1}", point.tokens_per_second),
            point.bytes / 1e6,
            format!("{:.1}", point.bytes_per_second.times(1e-9)),
            percent(point.share_of_copy),
        )
        .expect(INFALLIBLE);
    }
    text
}
