//! The arguments of `inspect`.

use std::path::PathBuf;

use clap::Args;
use jumpcoder::inspect::Insertion;

use super::{num_threads, unescaped};

#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The programs; `-` is standard input. With --batch, one file of requests [default: `-`]
    #[arg(value_name = "FILE", required_unless_present = "batch")]
    pub files: Vec<PathBuf>,
    /// Their language [default: by each file's extension]
    #[arg(long, value_name = "LANGUAGE", conflicts_with = "batch")]
    pub language: Option<String>,
    /// Judge the insertion of TEXT before LINE, too; may be repeated
    ///
    /// The line after the last one is the end. `\n`, `\t` and `\\` in TEXT have their usual
    /// meaning.
    #[arg(long, value_name = "LINE:TEXT", value_parser = insertion, conflicts_with = "batch")]
    pub at: Vec<Insertion>,
    /// Answer requests, one JSON object a line: {"name", "language", "text", "insertions"?}
    ///
    /// `insertions` is a list of {"line", "text"}. Each request gets one line, at once.
    #[arg(long, conflicts_with = "pretty")]
    pub batch: bool,
    /// Break and indent the lines of the output
    #[arg(long)]
    pub pretty: bool,
    /// Threads [default: the cores of this machine]
    #[arg(long, value_name = "N", value_parser = num_threads)]
    pub threads: Option<usize>,
}

fn insertion(text: &str) -> Result<Insertion, String> {
    let (line, text) = text.split_once(':').ok_or("it must be LINE:TEXT, as 1:import math")?;
    let line = line.trim().parse().map_err(|_| "a line's number must stand before the colon")?;
    Ok(Insertion { line, text: unescaped(text)? })
}
