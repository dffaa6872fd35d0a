//! How a command ends, and which exit code says so.

use std::io;
use std::process::ExitCode;

use jump_kernels::DeviceError;
use jumpcoder::eval::jail::JailError;
use jumpcoder::eval::sample::SampleError;
use jumpcoder::eval::suite::SuiteError;
use jumpcoder::generator::GeneratorError;
use jumpcoder::listener::trace::TraceError;
use jumpcoder::output::OutputError;
use jumpcoder::overhead::BenchError;
use jumpcoder::problem::InputError;
use jumpcoder::replay::ReplayError;
use jumpcoder::throughput::TooLarge;
use thiserror::Error;

use super::plan::UsageError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All was done, or the reader of the output wanted no more.
    Success,
    /// All was done, but some problems have no program.
    SomeFailed,
    /// Nothing was done: the arguments, the problems or the model are of no use.
    Refused,
    /// The run broke off.
    Broken,
    /// The user ended it.
    Interrupted,
    /// As a process of a jail says.
    Code(u8),
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Success => 0,
            Ending::SomeFailed => 1,
            Ending::Refused => 2,
            Ending::Broken => 3,
            Ending::Interrupted => 130,
            Ending::Code(code) => code,
        })
    }
}

/// Why a command did not do its work.
#[derive(Debug, Error)]
pub enum Failure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Input(#[from] InputError),
    /// Found before the work began.
    #[error(transparent)]
    Output(OutputError),
    /// Found before the work began.
    #[error(transparent)]
    Trace(TraceError),
    #[error("can't load the model")]
    Model(#[source] GeneratorError),
    /// Found before the work began.
    #[error("can't use the device")]
    Device(#[source] DeviceError),
    /// Found before the work began.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Found before the work began.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// Found before the work began.
    #[error(transparent)]
    Samples(#[from] SampleError),
    /// Found before the work began.
    #[error(transparent)]
    Jail(#[from] JailError),
    #[error("can't find this program's own file, which every jail needs")]
    Binary(#[source] io::Error),
    /// Found before the work began.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// Found before the work began.
    #[error("can't write the figures to {path}")]
    Figures {
        path: String,
        #[source]
        reason: io::Error,
    },
    /// Found before the work began.
    #[error("can't read requests from {path}")]
    Requests {
        path: String,
        #[source]
        reason: io::Error,
    },
    /// Found while working.
    #[error(transparent)]
    Broken(#[from] Breakdown),
    #[error("the output was closed")]
    Closed,
}

/// What broke a run off.
#[derive(Debug, Error)]
pub enum Breakdown {
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    #[error(transparent)]
    Bench(#[from] BenchError),
    #[error(transparent)]
    Jail(JailError),
    #[error(transparent)]
    Output(OutputError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("can't write to standard output")]
    Stdout(#[source] io::Error),
    #[error("can't go on reading requests")]
    Requests(#[source] io::Error),
    #[error("can't start the threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

impl Failure {
    pub fn stdout(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        Self::Broken(Breakdown::Stdout(error))
    }

    /// An output that fails after the work began.
    pub fn output(error: OutputError) -> Self {
        match error {
            OutputError::Closed => Self::Closed,
            error => Self::Broken(Breakdown::Output(error)),
        }
    }

    /// What to tell the user, with the causes; nothing if the user closed the output.
    pub fn message(self) -> Option<String> {
        let advice = match self {
            Self::Closed => return None,
            Self::Usage(_) => "; see --help",
            Self::Broken(Breakdown::Bench(_)) => "",
            Self::Broken(_) => "; what was finished before is in the output",
            _ => "",
        };
        Some(format!("{:#}{advice}", anyhow::Error::new(self)))
    }

    pub fn ending(&self) -> Ending {
        match self {
            Self::Closed => Ending::Success,
            Self::Broken(Breakdown::Bench(BenchError::Interrupted)) => Ending::Interrupted,
            Self::Broken(_) => Ending::Broken,
            _ => Ending::Refused,
        }
    }
}
