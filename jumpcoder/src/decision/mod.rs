//! The decisions of the algorithm, as pure functions: where to infill, what may be a candidate, and
//! when one is accepted.

pub mod combination;
pub mod position;
pub mod scoring;
pub mod similarity;
