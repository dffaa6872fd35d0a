//! The operations on a GPU, or on its emulator: for each file of `cuda/` its Rust twin of the same
//! name, with the parameter struct of `params.h`, the pure function from shapes to a launch, and the
//! launch itself.

pub mod attention;
pub mod attention_plan;
pub mod copy_blocks;
pub mod embed;
pub mod gather;
pub mod norm;
pub mod primitives;
pub mod rope_store;
