//! The operations on a GPU, or on its emulator: for each file of `cuda/` its Rust twin of the same
//! name, with the parameter struct of `params.h`, the pure function from shapes to a launch, and
//! the launch itself.

mod backend;
mod cache;
mod graphs;
#[cfg(test)]
mod layouts;
mod memory;
mod operations;
mod pass;
mod read_out;
mod staging;
mod workspace;

pub mod attention;
pub mod attention_plan;
pub mod ceiling;
pub mod copy_blocks;
pub mod embed;
pub mod gather;
pub mod gemm;
pub mod head;
pub mod head_merge;
pub mod norm;
pub mod primitives;
pub mod rope_store;
pub mod sample;
pub mod target_logits;

pub use backend::Cuda;

/// What a row's bits may depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Determinism {
    /// On the row's own sequence alone, not on what else is in the pass or how large the pass is.
    #[default]
    Deterministic,
    /// On the kernel that is the fastest for the pass.
    Fast,
}

/// How the backend computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CudaOptions {
    /// What a row's bits may depend on.
    pub determinism: Determinism,
    /// Which sequences that share blocks attend together; changes no bit.
    pub grouping: attention_plan::Grouping,
}
