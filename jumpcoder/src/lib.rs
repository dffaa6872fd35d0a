//! JumpCoder (arXiv 2401.07870): code generation that jumps back to insert what is missing.
//!
//! A [`Generator`](generator::Generator) runs [`Task`](task::Task)s. The way down: the
//! [`scheduler`] keeps many [`writing`](request::writing)s in flight; each is one
//! [`Request`](request::Request) (or two), which goes round after round, orders works from the
//! models and takes their outcomes; what it does with them is said by the pure functions in
//! [`decision`] and by the [`language`] of the program.

pub mod decision;
pub mod device;
pub mod eval;
pub mod event;
pub mod generator;
pub mod idle;
pub mod inspect;
pub mod language;
pub mod listener;
pub mod mechanism;
pub mod memory_plan;
pub mod models;
pub mod output;
pub mod overhead;
pub mod problem;
pub mod program;
pub mod prompt_format;
pub mod replay;
pub mod request;
pub mod scheduler;
pub mod selftest;
pub mod settings;
pub mod task;
pub mod throughput;
