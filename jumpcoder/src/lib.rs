//! JumpCoder (arXiv 2401.07870): code generation that jumps back to insert what is missing.

pub mod combination;
pub mod event;
pub mod generator;
pub mod infilling;
pub mod language;
pub mod line_writer;
pub mod models;
pub mod next_line;
pub mod order;
pub mod output;
pub mod perplexity;
pub mod position;
pub mod problem;
pub mod program;
pub mod progress;
pub mod request;
pub mod rescoring;
pub mod scheduler;
pub mod scoring;
pub mod settings;
pub mod similarity;
pub mod task;
pub mod trace;
pub mod watch;
pub mod writing;
