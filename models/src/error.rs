//! What can be wrong with a checkpoint. Each message says what, where, and what to do.

use std::path::PathBuf;

use jump_kernels::DeviceError;
use thiserror::Error;

/// Why a checkpoint can't be used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file can't be read.
    #[error("can't read {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says. It is not called `source`: whoever prints an error with
        /// its sources would say it twice.
        reason: std::io::Error,
    },
    /// There is nothing by that name, or a file of another kind.
    #[error(
        "{path} {problem}: a model is `tiny` or the path of a GGUF file or of a directory with \
         {expected}"
    )]
    NoDirectory {
        /// What was named.
        path: PathBuf,
        /// What it is instead.
        problem: &'static str,
        /// What a complete directory holds.
        expected: &'static str,
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
    #[error("{file}: {}", one_line(problem))]
    Config {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The architecture isn't supported.
    #[error(
        "{file}: {} isn't supported: take a model whose architecture is {supported}",
        one_line(found)
    )]
    Architecture {
        /// The file.
        file: String,
        /// What config.json says.
        found: String,
        /// What it may say.
        supported: String,
    },
    /// The model has learned fewer positions than are asked for.
    #[error("{name} knows {known} positions, not {context_len}: take --max-context {known}")]
    Context {
        /// The model.
        name: String,
        /// Positions that it has learned.
        known: usize,
        /// Positions that are asked for.
        context_len: usize,
    },
    /// No shape has that name.
    #[error("there is no shape {name:?}: take {known}, or the path of a config.json")]
    UnknownShape {
        /// What was named.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The weights are damaged or don't fit the config.
    #[error("{file}: {}", one_line(problem))]
    Weights {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The tokenizer is damaged, of an unknown kind, or doesn't fit the weights.
    #[error("{file}: {}", one_line(problem))]
    Tokenizer {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// There is no such infilling prompt, or the vocabulary hasn't its tokens.
    #[error("the infilling prompt {choice:?}: {problem}")]
    Fim {
        /// What was named.
        choice: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The device can't take it.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// What a file says may hold anything, and be of any length; a message is one line.
fn one_line(text: &str) -> String {
    const MAX_CHARS: usize = 600;
    let mut line = String::new();
    for (idx, c) in text.chars().enumerate() {
        match c {
            _ if idx == MAX_CHARS => {
                line.push('…');
                break;
            }
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}
