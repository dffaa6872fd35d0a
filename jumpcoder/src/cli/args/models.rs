//! Which models, and how they are asked; the arguments of `models`, which describes them.

use clap::{Args, ValueEnum};
use jumpcoder::generator::ModelChoice;
use jumpcoder::prompt_format::PromptFormat;

use super::{DeviceArgs, at_least_one};

#[derive(Args, Debug)]
#[command(next_help_heading = "Models")]
pub struct ModelArgs {
    /// `tiny`, the embedded model, a folder in Hugging Face layout, or a GGUF file
    #[arg(long, value_name = "MODEL", default_value = "tiny")]
    pub model: ModelChoice,
    /// The model that fills in what is missing [default: the same as --model]
    #[arg(long, value_name = "MODEL")]
    pub infilling_model: Option<ModelChoice>,
    /// How the infilling model is asked, where its tokens don't tell
    ///
    /// A family (`qwen`, `codegemma`, `starcoder`, `santacoder`, `deepseek`, `seed-coder`,
    /// `codellama`, `codestral`, `aixcoder`, `codegen2.5`, `mellum`), or special tokens around the
    /// texts, with blanks between: `<PRE> {prefix} <SUF> {suffix} <MID>`.
    #[arg(long, value_name = "PROMPT")]
    pub fim: Option<String>,
    /// How the generation model is asked for a program
    ///
    /// With `chat` and `wizardcoder` the problem is put into words, and the program is written
    /// inside of a code fence; it ends where that closes.
    #[arg(long, value_enum, default_value = "plain")]
    pub prompt_format: PromptFormatArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PromptFormatArg {
    /// It goes on from the problem as it is
    Plain,
    /// By the chat template of its tokenizer
    Chat,
    /// By WizardCoder's instruction
    #[value(name = "wizardcoder")]
    WizardCoder,
}

impl From<PromptFormatArg> for PromptFormat {
    fn from(format: PromptFormatArg) -> Self {
        match format {
            PromptFormatArg::Plain => Self::Plain,
            PromptFormatArg::Chat => Self::Chat,
            PromptFormatArg::WizardCoder => Self::WizardCoder,
        }
    }
}

#[derive(Args, Debug)]
pub struct ModelsArgs {
    /// What is described: `tiny`, or checkpoints [default: what there is support for]
    #[arg(value_name = "MODEL")]
    pub models: Vec<ModelChoice>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// Programs that are written at the same time, for the memory that they need
    #[arg(long, value_name = "N", default_value = "8", value_parser = at_least_one)]
    pub concurrency: usize,
    /// Longest program in tokens, with its infill [default: 2048, or what the model can]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_context: Option<usize>,
    #[command(flatten)]
    pub device: DeviceArgs,
}
