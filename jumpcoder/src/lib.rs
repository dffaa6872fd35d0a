//! JumpCoder (arXiv 2401.07870): code generation that jumps back to insert what is missing.

pub mod event;
pub mod language;
pub mod settings;
pub mod task;
