//! GGUF files: a model in one file, its tokenizer included, often with quantised weights.
//!
//! What a file says is translated into what a directory in Hugging Face's layout would say: a
//! config.json, a tokenizer.json, tensors by name. So there is one set of checks and one forward
//! pass for both. Nothing is taken at its word: [`Header::read`] compares every length, count and
//! offset with the file's size first. There are crates that read the format, but those looked at
//! (candle-core, gguf-rs-lib) reserve memory by counts from the file.

mod architecture;
mod config;
mod header;
mod metadata;
mod pre_tokenizer;
mod reader;
#[cfg(test)]
mod tests;
mod tokenizer;

use architecture::Architecture;
use header::{Header, TensorInfo};
use safetensors::Dtype;

use crate::stored::{Change, Stored};
use crate::{ChatTemplate, ModelConfig, ModelError, Tokenizer};

/// What files of the format begin with.
pub(crate) const MAGIC: &[u8; 4] = b"GGUF";

/// A tensor of the file, under its name at Hugging Face.
#[derive(Debug)]
pub(crate) struct GgufTensor {
    pub name: String,
    pub stored: Stored,
    pub shape: Vec<usize>,
    pub change: Change,
    pub start: usize,
    pub end: usize,
}

/// All that a file says, checked.
pub struct Gguf {
    /// The shape.
    pub config: ModelConfig,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// How conversations are written down, if the model was trained on any.
    pub chat: Option<ChatTemplate>,
    pub(crate) tensors: Vec<GgufTensor>,
}

impl Gguf {
    /// Reads a file of these bytes; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// A file that isn't whole, an architecture, a type of tensor or a tokenizer that isn't
    /// supported, or a shape that can't be run.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, ModelError> {
        let of_config = |problem| ModelError::Config { file: file.to_owned(), problem };
        let header = read_header(bytes, file)?;
        let architecture = config::architecture(&header.metadata).map_err(of_config)?;
        let json = config::config_json(&header, architecture).map_err(of_config)?;
        let config = ModelConfig::parse(&json.to_string(), file)?;
        let head_dim = config.attention.head_dim;
        let tensors = header.tensors.iter().map(|tensor| place(tensor, architecture, head_dim));
        let tensors =
            tensors.collect::<Result<_, String>>().map_err(|problem| unreadable(file, &problem))?;
        let chat = tokenizer::chat_template(&header.metadata).map_err(of_config)?;
        Ok(Self { config, tokenizer: tokenizer(&header, file)?, chat, tensors })
    }

    /// Reads the tokenizer of a file of these bytes, which may hold nothing else.
    ///
    /// # Errors
    ///
    /// A file that isn't whole, or a tokenizer that isn't supported.
    pub fn parse_tokenizer(bytes: &[u8], file: &str) -> Result<Tokenizer, ModelError> {
        tokenizer(&read_header(bytes, file)?, file)
    }
}

fn read_header<'a>(bytes: &'a [u8], file: &str) -> Result<Header<'a>, ModelError> {
    Header::read(bytes).map_err(|problem| unreadable(file, &problem))
}

fn unreadable(file: &str, problem: &str) -> ModelError {
    let problem = format!("not a GGUF file that can be read: {problem}");
    ModelError::Weights { file: file.to_owned(), problem }
}

fn tokenizer(header: &Header<'_>, file: &str) -> Result<Tokenizer, ModelError> {
    let json = tokenizer::tokenizer_json(&header.metadata);
    let json = json.map_err(|problem| ModelError::Tokenizer { file: file.to_owned(), problem })?;
    Tokenizer::parse(json.to_string().as_bytes(), file)
}

fn place(
    tensor: &TensorInfo<'_>,
    architecture: &Architecture,
    head_dim: usize,
) -> Result<GgufTensor, String> {
    let TensorInfo { stored, start, end, .. } = *tensor;
    let name = architecture.tensor_name(tensor.name);
    let change = architecture.change(tensor.name, head_dim);
    let problem = match change {
        Change::Pairs { .. } if !tensor.shape[0].is_multiple_of(head_dim) => {
            format!("{} rows aren't whole heads of {head_dim}", tensor.shape[0])
        }
        Change::MinusOne if stored != Stored::Float(Dtype::F32) => {
            "a norm's weights must be F32".to_owned()
        }
        _ => {
            return Ok(GgufTensor {
                name,
                stored,
                shape: tensor.shape.clone(),
                change,
                start,
                end,
            });
        }
    };
    Err(format!("the tensor {}: {problem}", tensor.name))
}
