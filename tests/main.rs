//! Integration tests: one binary, one module a topic.

mod logits;
mod parity;
mod shared;
mod sharing;
mod tidy;
