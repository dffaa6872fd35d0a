//! The arguments of the benchmarks of a model by itself: `bench decode`, `prefill` and `score`.

use std::path::PathBuf;

use clap::Args;
use jump_models::ModelShape;
use jumpcoder::generator::ModelChoice;

use super::{DeviceArgs, at_least_one, at_most, num_threads};

#[derive(Args, Debug)]
pub struct DecodeArgs {
    /// Sequences of a step
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,8,32,64",
          value_parser = num_sequences)]
    pub sequences: Vec<usize>,
    /// Tokens that each has before
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "512",
          value_parser = num_tokens)]
    pub context: Vec<usize>,
    #[command(flatten)]
    pub subject: SubjectArgs,
}

#[derive(Args, Debug)]
pub struct PrefillArgs {
    /// Tokens of the prompts
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "128,512,2048",
          value_parser = num_tokens)]
    pub lengths: Vec<usize>,
    #[command(flatten)]
    pub subject: SubjectArgs,
}

#[derive(Args, Debug)]
pub struct ScoreBenchArgs {
    /// Tokens of the program
    #[arg(long, value_name = "N", default_value = "500", value_parser = num_tokens)]
    pub program: usize,
    /// Candidates, each with an insertion at another position
    #[arg(long, value_name = "N", default_value = "5", value_parser = num_sequences)]
    pub candidates: usize,
    /// Tokens of an insertion
    #[arg(long, value_name = "N", default_value = "12", value_parser = num_tokens)]
    pub insertion: usize,
    #[command(flatten)]
    pub subject: SubjectArgs,
}

/// What is measured, and how.
#[derive(Args, Debug)]
#[command(next_help_heading = "Subject")]
pub struct SubjectArgs {
    /// `tiny`, the embedded model, a folder in Hugging Face layout, or a GGUF file
    #[arg(long, value_name = "MODEL", default_value = "tiny")]
    pub model: ModelChoice,
    /// Take random weights of this shape: a known name, or a config.json
    #[arg(long, value_name = "SHAPE")]
    pub random_weights: Option<ModelShape>,
    /// Measurements of each figure
    #[arg(long, value_name = "N", default_value = "5", value_parser = at_least_one)]
    pub repeat: usize,
    /// Write the figures as JSON, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Threads [default: the cores of this machine]
    #[arg(long, value_name = "N", value_parser = num_threads)]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

fn num_sequences(text: &str) -> Result<usize, String> {
    at_most(1024, text)
}

fn num_tokens(text: &str) -> Result<usize, String> {
    at_most(1 << 17, text)
}
