//! Which models, and how they are asked.

use clap::Args;
use jumpcoder::generator::ModelChoice;

#[derive(Args, Debug)]
#[command(next_help_heading = "Models")]
pub struct ModelArgs {
    /// `tiny`, the embedded model, or a folder in Hugging Face layout
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
}
