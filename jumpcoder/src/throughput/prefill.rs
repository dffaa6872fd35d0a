//! Prefill: a prompt is run in one pass, up to its first new token.

use std::fmt::Write;

use jump_engine::EngineSize;
use serde::Serialize;

use super::{Ceilings, INFALLIBLE, Subject, greedy, percent, rate};
use crate::overhead::{BenchError, Spread};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Tokens of the prompts.
    pub lengths: Vec<usize>,
}

/// What a prompt costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// Its tokens.
    pub num_tokens: usize,
    /// Until its first new token.
    pub seconds: Spread,
    /// Of the prompt.
    pub tokens_per_second: Spread,
    /// Operations that it takes, attention and one row of the head included.
    pub flops: f64,
    /// Of these.
    pub flops_per_second: Spread,
    /// Of the device's product.
    pub share_of_product: Option<Spread>,
}

impl Plan {
    /// The engine that it needs.
    pub fn size(&self) -> EngineSize {
        let longest = self.lengths.iter().max().copied().unwrap_or_default();
        super::size([longest], longest)
    }

    /// Measures.
    ///
    /// # Errors
    ///
    /// A step that failed, or the user ended it.
    pub fn measure(&self, subject: &mut Subject<'_>) -> Result<Vec<Point>, BenchError> {
        let seconds = subject.in_turns(&self.lengths, |subject, num_tokens| {
            let id = subject.model.new_sequence();
            let tokens = subject.tokens(*num_tokens as u64, *num_tokens);
            let (_, seconds) = subject.step(&[greedy(id, tokens)])?;
            subject.model.release(id);
            Ok(seconds)
        })?;
        let points = self.lengths.iter().zip(&seconds);
        Ok(points.map(|(num_tokens, seconds)| point(subject, *num_tokens, seconds)).collect())
    }
}

fn point(subject: &Subject<'_>, num_tokens: usize, seconds: &[f64]) -> Point {
    let flops = subject.cost.flops(0, num_tokens) + subject.cost.head_flops;
    let flops_per_second = rate(flops, seconds);
    let share = |roof: Ceilings| flops_per_second.times(1.0 / roof.flops_per_second);
    Point {
        num_tokens,
        seconds: Spread::of(seconds.iter().copied()),
        tokens_per_second: rate(num_tokens as f64, seconds),
        flops,
        flops_per_second,
        share_of_product: subject.ceilings.map(share),
    }
}

/// The table.
pub fn table(points: &[Point]) -> String {
    let mut text = format!(
        "{:>7} {:>27} {:>30} {:>24} {:>20}\n",
        "tokens", "ms", "tokens/s", "TFLOP/s", "% of a product"
    );
    for point in points {
        writeln!(
            text,
            "{:>7} {:>27} {:>30} {:>24} {:>20}",
            point.num_tokens,
            format!("{:.3}", point.seconds.times(1e3)),
            format!("{:.1}", point.tokens_per_second),
            format!("{:.3}", point.flops_per_second.times(1e-12)),
            percent(point.share_of_product),
        )
        .expect(INFALLIBLE);
    }
    text
}
