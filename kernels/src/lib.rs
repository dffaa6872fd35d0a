//! The operations of a transformer.
//!
//! [`Backend`] lists every operation that a forward pass needs; [`cpu`] implements them for
//! ordinary processors. A backend knows arrays, blocks of the KV cache and positions. It knows
//! nothing of models, sequences or requests: what runs where is told by a [`Layout`].
//!
//! **Invariant: batch-invariance.** Each row's result depends on that row's own sequence alone, bit
//! for bit, whatever else is in the batch and however a prefill was cut into chunks. So every
//! reduction has one fixed order.

mod backend;
pub mod cpu;
pub mod cuda;
mod layout;
mod pass;
mod quantised;
pub mod reference;
pub mod runtime;
mod sampling;
pub mod selftest;

pub use backend::{
    Activation, AttentionShape, Backend, Choice, Chosen, FfnShape, MatrixShape, MatrixView,
    NormKind, NormView, RopeTable, ScoreKind, Target, WeightKind, WeightSlice,
};
pub use layout::{BLOCK_LEN, BlockId, Layout, Segment, TokenId};
pub use pass::{Given, Part, PassInput, PassLimits, Wanted};
pub use quantised::Quantisation;
pub use runtime::DeviceError;
pub use sampling::{Sampling, mix_key};
