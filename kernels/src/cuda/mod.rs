//! The operations on a GPU, or on its emulator: for each file of `cuda/` its Rust twin of the same
//! name, with the parameter struct of `params.h`, the pure function from shapes to a launch, and the
//! launch itself.

pub mod copy_blocks;
pub mod embed;
pub mod gather;
pub mod head;
pub mod head_merge;
pub mod norm;
pub mod primitives;
pub mod rope_store;
pub mod sample;
pub mod target_logits;
