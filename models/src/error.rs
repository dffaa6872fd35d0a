//! What can be wrong with a checkpoint. Each message says what, where, and what to do.

use std::path::PathBuf;

use thiserror::Error;

/// Why a checkpoint can't be used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file can't be read.
    #[error("can't read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The directory lacks a file.
    #[error("{directory} has no {file}: a model is a directory with {expected}")]
    MissingFile {
        /// The directory.
        directory: PathBuf,
        /// The file.
        file: &'static str,
        /// What a complete directory holds.
        expected: &'static str,
    },
    /// A JSON file is malformed, or a field is.
    #[error("{file}: {problem}")]
    Config {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The architecture isn't supported.
    #[error("the architecture {found:?} isn't supported; supported: {supported}")]
    Architecture {
        /// What config.json says.
        found: String,
        /// What it may say.
        supported: String,
    },
    /// The weights are damaged or don't fit the config.
    #[error("{file}: {problem}")]
    Weights {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The tokenizer is damaged, of an unknown kind, or doesn't fit the weights.
    #[error("{file}: {problem}")]
    Tokenizer {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}
