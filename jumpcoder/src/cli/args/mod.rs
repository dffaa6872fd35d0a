//! The arguments as they are typed. Each value is checked alone here; how they go together is
//! [`plan`](super::plan)'s matter.

mod bench;
mod doctor;
mod eval;
mod inspect;
mod models;
mod selftest;
mod throughput;

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jump_kernels::ScoreKind;
use jumpcoder::device::DeviceChoice;
use jumpcoder::settings::{Checker, Mode};

pub use self::bench::{BenchCommand, GrowthArgs, OverheadArgs, WorkloadArgs};
pub use self::doctor::DoctorArgs;
pub use self::eval::{EvalArgs, EvalCommand, InfillingArgs, JailArgs, ResultsArgs};
pub use self::inspect::InspectArgs;
pub use self::models::{ModelArgs, ModelsArgs};
pub use self::selftest::{KernelsArgs, SelftestArgs};
pub use self::throughput::{DecodeArgs, PrefillArgs, ScoreBenchArgs, SubjectArgs};

const EXIT_CODES: &str = "\
Exit codes:
  0    all programs were written (or the reader of the output wanted no more)
  1    some problems failed: their lines of the output have an `error`
  2    nothing was done: bad usage, bad input, no such model, unwritable output
  3    the run broke off; what was finished before is in the output
  130  interrupted; what was finished before is in the output";

const EVAL_HELP: &str = "\
Intervals are of 95 %: Wilson's where each problem has one program, else the bootstrap over
problems. Programs without their problem's tests, problems without a program, and languages without
a toolchain count as failed, and are named.

Examples:
  jumpcoder eval samples.jsonl --data HumanEval.jsonl.gz
  jumpcoder eval ar.jsonl jump.jsonl --data HumanEval.jsonl.gz --output results.jsonl
      Who wins, and what an oracle that chose between the two would reach.
  jumpcoder eval --canonical --data humaneval-java.jsonl
      Does the data pass its own tests here?

Exit codes:
  0    all programs were judged, whether they passed or not
  1    some programs could not be judged
  2    nothing was done: bad usage, bad input, no way to contain programs
  3    the run broke off; what was judged before is in the results
  130  interrupted; what was judged before is in the results";

const SELFTEST_CODES: &str = "\
Exit codes:
  0    all was right
  1    something was wrong
  2    nothing was done: bad usage, no such device, too little memory";

const INSPECT_CODES: &str = "\
Exit codes:
  0    all programs were inspected (or the reader of the output wanted no more)
  1    some can't be read: their objects have an `error`
  2    nothing was done: bad usage, no such file of requests
  3    the run broke off; what was finished before is in the output";

const INSPECT_EXAMPLES: &str = "\
Examples:
  jumpcoder inspect --pretty program.py --at '1:import math'
      What is missing, and would this import be inserted?
  jumpcoder inspect src/*.py | jq -c '{name, missing: [.undefined[].name] | unique}'
      The undefined names of many programs.";

const EXAMPLES: &str = "\
Examples:
  jumpcoder generate
      Watch the embedded model write eight small programs.
  jumpcoder generate --input HumanEval.jsonl.gz --output samples.jsonl
      A benchmark. Go on with --resume if it was interrupted.
  jumpcoder generate --model ~/models/deepseek-coder-1.3b-base --max-context 2048 --concurrency 1
      Another model: a folder in Hugging Face layout, or a GGUF file.
  jumpcoder generate --input HumanEval.jsonl.gz --output many.jsonl --samples 10 --temperature 0.8
      Ten programs for each problem.
  echo '{\"id\": 1, \"prompt\": \"def add(a, b):\\n\"}' | jumpcoder generate --input - --output -
      One problem from a pipe.";

/// Code generation that jumps back to insert what is missing (JumpCoder, arXiv 2401.07870)
#[derive(Debug, Parser)]
#[command(name = "jumpcoder", version, after_help = EXIT_CODES)]
pub struct LowArgs {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write programs for problems
    ///
    /// A program is written line by line. Before each line, the model is also asked what might be
    /// missing at the positions it is least sure of; a line that makes the program better is
    /// inserted there.
    ///
    /// Without any arguments, the embedded model solves embedded examples.
    #[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
    Generate(Box<GenerateArgs>),
    /// Judge programs by the tests of their benchmark
    ///
    /// Every program runs in a jail: a root of its own in which nothing but a folder in memory can
    /// be written, without network, with limits of time, memory, processes and output. Where the
    /// kernel has no such walls, nothing is run.
    #[command(after_help = EVAL_HELP)]
    Eval(Box<EvalArgs>),
    /// Measure what jumping costs, and how fast the models are
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Say what this machine has: processor, GPUs, the libraries that they need
    ///
    /// What is missing is named, with where it was looked for.
    Doctor(DoctorArgs),
    /// Say what the judge sees of programs, as JSON
    ///
    /// One object for each: language, undefined names, syntax errors, functions, imports, comment
    /// lines. With --at, the verdict on an insertion: its `kind`; whether it stands at a position
    /// that infills are asked for; who is its `judge` (the syntax tree, the scores of the following
    /// lines, or nobody); the missing names that it `defines`; whether it is `accepted`, which is
    /// null where scores decide. Lines and columns count from 1, columns in characters.
    #[command(after_help = format!("{INSPECT_EXAMPLES}\n\n{INSPECT_CODES}"))]
    Inspect(InspectArgs),
    /// Say which models there is support for, or what models are and how much memory they need
    ///
    /// Their files are read and checked as before a run, but no weights are loaded.
    Models(ModelsArgs),
    /// Check that a device computes what it should
    ///
    /// The instructions that kernels are made of, then every operation against its reference in
    /// double precision, then the embedded model against the processor; on a GPU with times, beside
    /// what that GPU did at best in the same run.
    #[command(after_help = SELFTEST_CODES)]
    Selftest(Box<SelftestArgs>),
    /// One of the processes of a jail: `eval` starts it
    #[command(hide = true)]
    Jail {
        /// Which one
        #[arg(allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModeArg {
    /// JumpCoder (the paper's V)
    Jump,
    /// JumpCoder, unless the plain program is likelier (the paper's F)
    Filtered,
    /// Plain autoregressive generation, for comparison
    Ar,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Jump => Self::Jump,
            ModeArg::Filtered => Self::Filtered,
            ModeArg::Ar => Self::Ar,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CheckerArg {
    /// The syntax tree and its scopes
    Tree,
    /// javac, g++, python3, as the paper did it: slow
    Compiler,
}

impl From<CheckerArg> for Checker {
    fn from(checker: CheckerArg) -> Self {
        match checker {
            CheckerArg::Tree => Self::Tree,
            CheckerArg::Compiler => Self::Compiler,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ScoreArg {
    /// The raw logit, as the paper's code does it
    Logit,
    /// The logarithm of the probability: slower
    Logprob,
}

impl From<ScoreArg> for ScoreKind {
    fn from(score: ScoreArg) -> Self {
        match score {
            ScoreArg::Logit => Self::Logit,
            ScoreArg::Logprob => Self::LogProb,
        }
    }
}

#[derive(Args, Debug)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub models: ModelArgs,
    #[command(flatten)]
    pub way: WayArgs,
    #[command(flatten)]
    pub algorithm: AlgorithmArgs,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Files")]
pub struct FileArgs {
    /// Problems as JSONL, plain or gzipped; `-` is standard input [default: embedded examples]
    ///
    /// Understood are the layouts of HumanEval, MBPP (the JSON array too) and MultiPL-E, and
    /// plainly {"id", "prompt", "language"?, "stop"?} with `python` as the default language.
    #[arg(long, short, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Where the programs go as JSONL; `-` is standard output
    ///
    /// Each line has `task_id` and `solution`, the whole program, which EvalPlus reads, since an
    /// insertion may lie above the prompt; where it doesn't, there is `completion` too. Without
    /// --output the programs are shown on a terminal, or go to standard output as JSONL.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Go on with an output file: keep what is finished, write what is missing or failed
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Replace existing files
    #[arg(long)]
    pub force: bool,
    /// Write everything that happens as JSON, one event a line
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Only the first N problems
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Show the programs as they are written, insertions marked like a diff, one at a time
    ///
    /// Implies --concurrency 1. Colours are left away if NO_COLOR is set.
    #[arg(long)]
    pub watch: bool,
    /// No progress and no summary, only errors
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Algorithm")]
pub struct WayArgs {
    /// Which programs to write
    #[arg(long, value_enum, default_value = "jump")]
    pub mode: ModeArg,
    /// Decode every infill anew (the programs are the same, only later)
    #[arg(long)]
    pub no_speculative: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Algorithm")]
pub struct AlgorithmArgs {
    /// Positions that are infilled before each line
    #[arg(long, value_name = "K", default_value = "5", value_parser = at_least_one)]
    pub k: usize,
    /// By how much the mean score of a following line must improve
    #[arg(long, value_name = "TAU", default_value = "0.3", value_parser = finite,
          allow_negative_numbers = true)]
    pub tau: f64,
    /// Lines of a program at most, and rounds
    #[arg(long, value_name = "N", default_value = "64", value_parser = at_least_one)]
    pub max_lines: usize,
    /// Tokens of a line at most
    #[arg(long, value_name = "N", default_value = "256", value_parser = at_least_one)]
    pub max_line_tokens: usize,
    /// End a program before a line that begins with TEXT, too; may be repeated
    ///
    /// Adds to the problem's own stop strings. `\n`, `\t` and `\\` have their usual meaning;
    /// leading newlines don't count.
    #[arg(long, value_name = "TEXT", value_parser = stop, allow_hyphen_values = true)]
    pub stop: Vec<String>,
    /// Insert into comments and docstrings too
    #[arg(long)]
    pub infill_comments: bool,
    /// Never insert before a line of the prompt
    #[arg(long)]
    pub no_infill_prompt: bool,
    /// Judge imports and functions by scores, like all other lines
    #[arg(long)]
    pub no_ast_judge: bool,
    /// Who judges imports and functions
    #[arg(long, value_enum, default_value = "tree", conflicts_with = "reference_quirks")]
    pub checker: CheckerArg,
    /// Do what the authors' code does where that differs from what the paper means
    #[arg(long)]
    pub reference_quirks: bool,
    /// What a score is
    #[arg(long, value_enum, default_value = "logit")]
    pub score: ScoreArg,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// Programs for each problem
    #[arg(long, value_name = "N", default_value = "1", value_parser = num_samples)]
    pub samples: usize,
    /// Randomness of generated lines; 0 takes the likeliest tokens. Infills are never random
    #[arg(long, value_name = "T", default_value = "0", value_parser = temperature,
          allow_negative_numbers = true)]
    pub temperature: f32,
    /// Draw only from so many of the likeliest tokens [default: all]
    #[arg(long, value_name = "K", value_parser = num_tokens)]
    pub top_k: Option<NonZeroU32>,
    /// Draw only from the likeliest tokens that together have this probability [default: 1]
    #[arg(long, value_name = "P", value_parser = probability, allow_negative_numbers = true)]
    pub top_p: Option<f32>,
    /// The same seed gives the same programs
    #[arg(long, value_name = "SEED", default_value = "0")]
    pub seed: u64,
}

/// Where it runs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Device")]
pub struct DeviceArgs {
    /// `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:N`, or `emulator` (the GPU's kernels on
    /// the processor: slow) [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Let a token's last bits depend on what else is computed, where a GPU is faster that way
    ///
    /// Then a program may depend on what is written beside it.
    #[arg(long)]
    pub fast: bool,
    /// The library that compiles the GPU's kernels, or its folder [default: where it usually is]
    #[arg(long, value_name = "PATH")]
    pub nvrtc: Option<PathBuf>,
    /// Where compiled kernels are kept [default: jumpcoder/kernels in the user's cache]
    #[arg(long, value_name = "DIR")]
    pub kernel_cache: Option<PathBuf>,
    /// The part of the device's free memory that is taken beside the weights
    #[arg(long, value_name = "PART", default_value = "0.75", value_parser = fraction,
          allow_negative_numbers = true)]
    pub memory_fraction: f64,
}

/// None of these changes a program.
#[derive(Args, Debug)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    /// Threads [default: the cores of this machine]
    #[arg(long, value_name = "N", value_parser = num_threads)]
    pub threads: Option<usize>,
    /// Programs that are written at the same time [default: 8; for `bench` 1]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub concurrency: Option<usize>,
    /// Tokens of a prompt that are run in one step at most
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub prefill_chunk: Option<usize>,
    /// Tokens that are run in one step at most, of all programs together [default: 1024]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_batched_tokens: Option<usize>,
    /// Memory for keys and values, in MiB [default: what --memory-fraction leaves]
    #[arg(long, value_name = "MIB", value_parser = mebibytes)]
    pub kv_memory_mib: Option<usize>,
    /// Longest program in tokens, with its infill [default: 2048, or what the model can]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_context: Option<usize>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it must be a whole number, at least 1".to_owned()),
    }
}

/// Each has a stack: more than any machine's cores would only take its memory.
fn num_threads(text: &str) -> Result<usize, String> {
    at_most(1024, text)
}

/// All tasks of a run are in memory.
fn num_samples(text: &str) -> Result<usize, String> {
    at_most(100_000, text)
}

fn at_most(max: usize, text: &str) -> Result<usize, String> {
    let number = at_least_one(text)?;
    if number <= max { Ok(number) } else { Err(format!("it must be at most {max}")) }
}

/// Bytes, from MiB.
fn mebibytes(text: &str) -> Result<usize, String> {
    at_least_one(text)?.checked_mul(1 << 20).ok_or_else(|| "no machine has so much".to_owned())
}

fn finite(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err("it must be a finite number".to_owned()),
    }
}

fn temperature(text: &str) -> Result<f32, String> {
    let number = text.parse::<f32>().ok();
    number.filter(|number| number.is_finite() && *number >= 0.0).ok_or_else(|| {
        "it must be a finite number, above 0, or 0 for the likeliest tokens".to_owned()
    })
}

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= 1.0);
    number.ok_or_else(|| "it must be a number above 0, and at most 1".to_owned())
}

fn num_tokens(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| "it must be a whole number, at least 1".to_owned())
}

fn probability(text: &str) -> Result<f32, String> {
    text.parse::<f32>()
        .ok()
        .filter(|number| *number > 0.0 && *number <= 1.0)
        .ok_or_else(|| "it must be a number above 0, and at most 1".to_owned())
}

/// A stop string.
fn stop(text: &str) -> Result<String, String> {
    let plain = unescaped(text)?;
    if plain.trim_start_matches('\n').is_empty() {
        return Err("it would end every program at once: give what a line begins with".to_owned());
    }
    Ok(plain)
}

/// Text without the escapes that shells leave alone.
fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('\\') => plain.push('\\'),
            _ => return Err("after `\\` one of n, t and \\ is expected".to_owned()),
        }
    }
    Ok(plain)
}
