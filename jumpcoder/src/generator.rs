//! Loads the models and runs tasks: a stand-in of the interface, until the engine is merged.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use thiserror::Error;

use crate::settings::Settings;
use crate::task::{Observer, Task};

/// Bounds of a run. None of them changes a program, except that `max_context` may refuse one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Programs that are written at the same time.
    pub concurrency: usize,
    /// Tokens of one prompt that are run in one step at most.
    pub prefill_chunk: Option<usize>,
    /// Memory for keys and values.
    pub kv_bytes: Option<usize>,
    /// Tokens of a program and its infill together.
    pub max_context: Option<usize>,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelChoice {
    /// The embedded one.
    Tiny,
    /// A folder in Hugging Face's layout.
    Directory(PathBuf),
}

impl FromStr for ModelChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "tiny" { Self::Tiny } else { Self::Directory(text.into()) })
    }
}

impl fmt::Display for ModelChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Tiny => f.write_str("tiny"),
            Self::Directory(path) => path.display().fmt(f),
        }
    }
}

/// Why nothing can be generated.
#[derive(Debug, Error)]
pub enum GeneratorError {
    /// The engine is not part of this build.
    #[error("this build has no engine")]
    NoEngine,
}

/// The models, and memory for a number of programs.
pub struct Generator {}

impl Generator {
    /// Loads the models and sizes all memory.
    ///
    /// # Errors
    ///
    /// Always, as long as there is no engine.
    pub fn new(
        _model: &ModelChoice,
        _infilling: Option<&ModelChoice>,
        _settings: Settings,
        _limits: Limits,
    ) -> Result<Self, GeneratorError> {
        Err(GeneratorError::NoEngine)
    }

    /// Text that names the models and their weights.
    pub fn model_identity(&self) -> String {
        String::new()
    }

    /// Runs all tasks; `stop` is looked at between steps.
    ///
    /// # Errors
    ///
    /// Always, as long as there is no engine.
    pub fn run(
        &mut self,
        _tasks: &[Task],
        _observer: &mut dyn Observer,
        _stop: &AtomicBool,
    ) -> Result<(), GeneratorError> {
        Err(GeneratorError::NoEngine)
    }
}
