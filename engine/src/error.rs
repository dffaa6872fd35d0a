//! Operating errors of an engine. Misuse (a released sequence, an empty work) panics instead.

use jump_kernels::DeviceError;
use jump_models::ModelError;
use thiserror::Error;

/// Why a step or a start failed. A failed step has changed nothing, unless the device failed: then
/// all later steps fail, too.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The free blocks don't suffice.
    #[error("out of KV blocks: {needed} needed, {free} free of {total}")]
    OutOfBlocks {
        /// Blocks that the step takes at most.
        needed: usize,
        /// Blocks that are free.
        free: usize,
        /// All blocks.
        total: usize,
    },
    /// The step has too many rows.
    #[error("a step of {rows} rows, but the engine was sized for {max_rows}")]
    TooManyRows {
        /// Rows of the step.
        rows: usize,
        /// Rows that fit.
        max_rows: usize,
    },
    /// A sequence would become too long.
    #[error("a sequence of {len} tokens, but the context is {context_len}")]
    TooLong {
        /// Tokens of the sequence after the step.
        len: usize,
        /// Tokens that fit.
        context_len: usize,
    },
    /// The memory for keys and values can't hold what was asked for.
    #[error(
        "{num_blocks} KV blocks of {block_bytes} bytes need {needed_mib} MiB, more than the \
         {limit_mib} MiB allowed: lower --k or --max-context, or raise \
         --kv-memory-mib"
    )]
    KvMemory {
        /// Blocks.
        num_blocks: usize,
        /// Bytes of one in all layers.
        block_bytes: usize,
        /// All of them.
        needed_mib: usize,
        /// The limit.
        limit_mib: usize,
    },
    /// The model can't be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}
