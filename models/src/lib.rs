//! What a checkpoint is: [`ModelConfig`], [`Weights`], [`Tokenizer`], [`FimTemplate`], and the
//! forward pass, [`Model::forward`], written once over the operations of a
//! [`Backend`](jump_kernels::Backend).
//!
//! **Invariant:** nothing here knows sequences, scheduling or programs. A pass gets its rows and
//! their blocks told by a [`Layout`](jump_kernels::Layout).

mod chat;
mod checkpoint;
mod config;
mod error;
mod fim;
mod forward;
mod gguf;
mod loading;
mod names;
mod random;
mod shapes;
mod stored;
mod tensors;
mod tokenizer;
mod tokenizer_config;
mod weights;

pub use chat::ChatTemplate;
pub use checkpoint::Checkpoint;
pub use config::{Biases, ModelConfig, Norm, Positions, Rope, RopeScaling};
pub use error::ModelError;
pub use fim::FimTemplate;
pub use forward::Model;
pub use gguf::Gguf;
pub use names::{QkvNames, TensorNames};
pub use shapes::ModelShape;
pub use tokenizer::{Encoding, Preamble, PreamblePart, Tokenizer};
pub use tokenizer_config::TokenizerConfig;
pub use weights::{OnRead, Tensor, Weights};
