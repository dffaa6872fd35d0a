//! The arguments of `bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jump_models::ModelShape;

use super::{
    AlgorithmArgs, DecodeArgs, EXIT_CODES, KernelsArgs, MachineArgs, ModelArgs, PrefillArgs,
    SELFTEST_CODES, ScoreBenchArgs, at_least_one,
};

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Run problems in several modes in turns: plain, jumping, jumping with nothing shared, and
    /// jumping without each of the ways to save work
    ///
    /// Prints seconds, tokens by kind, steps, KV blocks, and whether all outputs were identical.
    /// Mechanisms: cache (the program's sequences outlive a round), branches (so do the branches),
    /// fork (branches and candidates share blocks), progressive (rescoring as far as the walk
    /// goes), drafts (verified before decoded anew), lookahead (the line after the next while a
    /// round is judged), overlap (parts and tasks share steps), batch (works of one kind do),
    /// dot-head (one dot product a score).
    #[command(after_help = EXIT_CODES)]
    Overhead(Box<OverheadArgs>),
    /// Measure what a line costs in longer and longer programs
    ///
    /// Ordinary rounds, made up of the lines of the problems and forced, so that nothing but the
    /// length differs.
    #[command(after_help = EXIT_CODES)]
    Growth(Box<GrowthArgs>),
    /// Measure the kernels of a GPU, each by itself
    ///
    /// First what the GPU does at best, a large copy and a large product; then each kernel, checked
    /// and timed, with its share of the nearer of the two.
    #[command(after_help = SELFTEST_CODES)]
    Kernels(Box<KernelsArgs>),
    /// Measure decoding: one more token for each of some sequences, in one step
    ///
    /// Then six branches of one prompt beside six sequences with prompts of their own.
    #[command(after_help = EXIT_CODES)]
    Decode(Box<DecodeArgs>),
    /// Measure prompts, up to their first new token
    #[command(after_help = EXIT_CODES)]
    Prefill(Box<PrefillArgs>),
    /// Measure scoring: candidates that insert something into a program
    ///
    /// As forks in one step, as forks one by one, and each whole and alone; logits (one dot product
    /// a token) and log-probabilities.
    #[command(after_help = EXIT_CODES)]
    Score(Box<ScoreBenchArgs>),
}

#[derive(Args, Debug)]
pub struct OverheadArgs {
    #[command(flatten)]
    pub workload: WorkloadArgs,
    /// Mechanisms to switch off, each in a mode of its own, or `none` [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub without: Option<Vec<String>>,
    /// Do again what a run did whose trace is FILE: tokens, positions and verdicts are taken from
    /// there, so that only the cost is the model's own
    ///
    /// The model must have the tokenizer of the recorded one. Settings are the recorded ones.
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    pub replay: Option<PathBuf>,
    /// Replay on random weights of this shape: a known name, or a config.json
    #[arg(long, value_name = "SHAPE", requires = "replay")]
    pub random_weights: Option<ModelShape>,
    #[command(flatten)]
    pub models: ModelArgs,
    #[command(flatten)]
    pub algorithm: AlgorithmArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
}

#[derive(Args, Debug)]
pub struct GrowthArgs {
    #[command(flatten)]
    pub workload: WorkloadArgs,
    /// Lines of the prompts
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "10,30,60,120",
          value_parser = at_least_one)]
    pub lengths: Vec<usize>,
    /// Take random weights of this shape: a known name, or a config.json
    #[arg(long, value_name = "SHAPE")]
    pub random_weights: Option<ModelShape>,
    #[command(flatten)]
    pub models: ModelArgs,
    #[command(flatten)]
    pub algorithm: AlgorithmArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Workload")]
pub struct WorkloadArgs {
    /// Problems, as for `generate` [default: embedded examples]
    #[arg(long, short, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Only the first N problems
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Measurements of each figure
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one)]
    pub repeat: usize,
    /// Write the figures as JSON, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
