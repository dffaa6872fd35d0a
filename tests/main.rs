//! Integration tests: one binary, one module a topic.

mod architectures;
mod counting;
mod cuda;
mod engine;
mod gguf;
mod greedy;
mod languages;
mod logits;
mod parity;
mod replay;
mod shared;
mod sharing;
mod simulation;
mod tidy;
mod token_healing;
mod two_models;
