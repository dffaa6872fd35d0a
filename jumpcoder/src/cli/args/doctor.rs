//! The arguments of `doctor`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// The library that compiles the GPU's kernels, or its folder [default: where it usually is]
    #[arg(long, value_name = "PATH")]
    pub nvrtc: Option<PathBuf>,
    /// Where compiled kernels are kept [default: jumpcoder/kernels in the user's cache]
    #[arg(long, value_name = "DIR")]
    pub kernel_cache: Option<PathBuf>,
}
