//! The commands of `bench`: everything that can be refused is looked at first, then the models are
//! loaded, then it is measured.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use jump_models::Checkpoint;
use jumpcoder::device::Device;
use jumpcoder::generator::{Generator, Limits};
use jumpcoder::mechanism::Mechanism;
use jumpcoder::overhead::{self, Plan, Workload};
use jumpcoder::problem;
use jumpcoder::replay::Replay;
use jumpcoder::scheduler::Submission;
use jumpcoder::settings::{Mode, Settings};
use jumpcoder::task::Task;
use serde::Serialize;

use super::args::{GrowthArgs, OverheadArgs, WorkloadArgs};
use super::ending::{Breakdown, Ending, Failure};
use super::plan::{UsageError, machine_limits, settings, source};
use super::threads::default_num_threads;
use super::{device, interrupt, say};

/// `bench overhead`.
pub fn overhead(args: OverheadArgs) -> Result<Ending, Failure> {
    let without = mechanisms(args.without.as_deref())?;
    let replay = args.replay.as_deref().map(Replay::read).transpose()?;
    let (settings, workload) = match &replay {
        None => {
            let tasks = Submission::all(&tasks(&args.workload)?);
            (settings(&args.algorithm), Workload { plain: tasks.clone(), jumping: tasks })
        }
        Some(replay) => {
            let limit = args.workload.limit.unwrap_or(usize::MAX).min(replay.tasks.len());
            let (mut jumping, mut plain) = (replay.tasks.clone(), replay.plain());
            jumping.truncate(limit);
            plain.truncate(limit);
            (replay.settings.clone(), Workload { jumping, plain })
        }
    };
    let figures = Figures::open(args.workload.json.as_deref())?;
    let device = device::open(&args.machine.device, false)?;
    let stop = interrupt::flag();
    let limits = machine_limits(&args.machine, args.machine.concurrency.unwrap_or(1));
    let plan =
        Plan { num_repeats: args.workload.repeat, by_task: limits.concurrency == 1, without };
    in_pool(args.machine.threads, || {
        let mut checkpoint = args.models.model.open().map_err(|e| Failure::Model(e.into()))?;
        replay.iter().try_for_each(|replay| replay.check(&checkpoint.tokenizer))?;
        if let Some(shape) = args.random_weights {
            checkpoint = checkpoint.with_random_weights(shape, 0);
        }
        let infilling = args.models.infilling_model.filter(|other| *other != args.models.model);
        let infilling = infilling.map(|other| other.open()).transpose();
        let infilling = infilling.map_err(|error| Failure::Model(error.into()))?;
        let mut generator = load(checkpoint, infilling, &device, &settings, limits)?;
        let report =
            overhead::measure(&mut generator, &settings, &workload, &plan, &stop, &mut |text| {
                progress(text);
            })
            .map_err(Breakdown::Bench)?;
        progress("");
        figures.write(&report)?;
        print(&report.table())?;
        if report.is_identical() {
            return Ok(Ending::Success);
        }
        say("jumpcoder: some modes wrote other programs than the rest, which must not be");
        Ok(Ending::SomeFailed)
    })
}

/// `bench growth`.
pub fn growth(args: GrowthArgs) -> Result<Ending, Failure> {
    let problems = tasks(&args.workload)?;
    let figures = Figures::open(args.workload.json.as_deref())?;
    let device = device::open(&args.machine.device, false)?;
    let stop = interrupt::flag();
    let limits = machine_limits(&args.machine, 1);
    let settings = settings(&args.algorithm);
    in_pool(args.machine.threads, || {
        let mut checkpoint = args.models.model.open().map_err(|e| Failure::Model(e.into()))?;
        if let Some(shape) = args.random_weights {
            checkpoint = checkpoint.with_random_weights(shape, 0);
        }
        // Tokens are forced: what the model would say so far away doesn't matter.
        let needed = overhead::growth::context_len(&problems, &args.lengths, &checkpoint.tokenizer);
        checkpoint.config.context_len = checkpoint.config.context_len.max(needed);
        let limits = Limits { max_context: Some(needed), ..limits };
        let mut generator = load(checkpoint, None, &device, &settings, limits)?;
        let points = overhead::growth::measure(
            &mut generator,
            &settings,
            &problems,
            &args.lengths,
            args.workload.repeat,
            &stop,
        )
        .map_err(Breakdown::Bench)?;
        figures.write(&points)?;
        print(&overhead::growth::table(&points))?;
        Ok(Ending::Success)
    })
}

fn load(
    checkpoint: Checkpoint,
    infilling: Option<Checkpoint>,
    device: &Device,
    settings: &Settings,
    limits: Limits,
) -> Result<Generator, Failure> {
    let settings = Settings { mode: Mode::Jump, ..settings.clone() };
    Generator::from_checkpoints(checkpoint, infilling, device, settings, limits)
        .map_err(Failure::Model)
}

fn mechanisms(names: Option<&[String]>) -> Result<Vec<Mechanism>, UsageError> {
    match names {
        None => Ok(Mechanism::ALL.to_vec()),
        Some([none]) if none == "none" => Ok(Vec::new()),
        Some(names) => {
            let known = names.iter().map(|name| name.parse().map_err(UsageError::Mechanism));
            known.collect()
        }
    }
}

fn tasks(args: &WorkloadArgs) -> Result<Vec<Task>, Failure> {
    let problems = problem::read(&source(args.input.clone()))?;
    Ok(problem::tasks(&problems, 1, args.limit))
}

/// Runs with so many threads.
pub fn in_pool<T: Send>(
    num_threads: Option<usize>,
    run: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let num_threads = num_threads.unwrap_or_else(default_num_threads);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(num_threads).build();
    pool.map_err(Breakdown::from)?.install(run)
}

/// Where the figures go for machines. Opened before anything is measured.
pub struct Figures<'a>(Option<(File, &'a Path)>);

impl<'a> Figures<'a> {
    pub fn open(path: Option<&'a Path>) -> Result<Self, Failure> {
        let open = |path: &'a Path| match File::create(path) {
            Ok(file) => Ok((file, path)),
            Err(reason) => Err(failed(path, reason)),
        };
        Ok(Self(path.map(open).transpose()?))
    }

    pub fn write(self, figures: &impl Serialize) -> Result<(), Failure> {
        let Some((file, path)) = self.0 else { return Ok(()) };
        serde_json::to_writer_pretty(file, figures).map_err(|error| failed(path, error.into()))
    }
}

fn failed(path: &Path, reason: io::Error) -> Failure {
    Failure::Figures { path: path.display().to_string(), reason }
}

/// Shows figures to people.
pub fn print(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)
}

/// Shows what runs, in one line of the terminal.
pub fn progress(text: &str) {
    if io::stderr().is_terminal() {
        // Nobody minds if it can't be shown.
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}
