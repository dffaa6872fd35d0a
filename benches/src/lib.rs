//! What the benches share: spreads of repeated measurements, the machine's limits and the model's
//! cost against them, runs of a mode with all that they tell.
//!
//! The machines that this runs on are shared, so nothing here compares figures of different
//! moments: what is compared runs in turns, and every figure comes with its spread.

pub mod args;
pub mod contestant;
pub mod machine;
pub mod passes;
pub mod speed;
pub mod spread;
pub mod throughput;
