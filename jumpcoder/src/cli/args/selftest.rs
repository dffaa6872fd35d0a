//! The arguments of `selftest` and `bench kernels`.

use std::path::PathBuf;

use clap::Args;
use jumpcoder::selftest::KernelShape;

use super::{DeviceArgs, at_most, num_threads};

#[derive(Args, Debug)]
pub struct SelftestArgs {
    /// Only this operation, or `model` for the whole model
    #[arg(long, value_name = "NAME")]
    pub op: Option<String>,
    /// Write what was found as JSON, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Threads [default: the cores of this machine]
    #[arg(long, value_name = "N", value_parser = num_threads)]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Args, Debug)]
pub struct KernelsArgs {
    /// Take the dimensions of this model: a known name, or a config.json [default: some of many
    /// models]
    #[arg(long, value_name = "SHAPE")]
    pub random_weights: Option<KernelShape>,
    /// Rows of a step, with --random-weights
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,6,16,64,512",
          value_parser = num_rows)]
    pub rows: Vec<usize>,
    /// Only this operation
    #[arg(long, value_name = "NAME")]
    pub op: Option<String>,
    /// Write the figures as JSON, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

fn num_rows(text: &str) -> Result<usize, String> {
    at_most(1 << 14, text)
}
