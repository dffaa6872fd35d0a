//! Integration tests: one binary, one module a topic.

mod engine;
mod logits;
mod parity;
mod replay;
mod shared;
mod sharing;
mod simulation;
mod tidy;
