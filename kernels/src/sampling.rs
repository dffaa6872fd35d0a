//! Sampling with a counter-based generator: a draw is a pure function of its key, so neither
//! batching nor the order of requests can change it.

/// How a token is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; greater than 0.
    pub temperature: f32,
    /// The smallest set of most probable tokens whose probabilities reach this is drawn from; in
    /// (0, 1].
    pub top_p: f32,
    /// The key of the draw: seed, problem, sample and position, mixed by the caller.
    pub key: u64,
}
