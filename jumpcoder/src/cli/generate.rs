//! The command `generate`: everything that can be refused is looked at first, then the models are
//! loaded, then the session runs.

use jumpcoder::device::Device;
use jumpcoder::generator::{Generator, GeneratorError, Limits};
use jumpcoder::listener::trace::Trace;
use jumpcoder::output::Output;
use jumpcoder::problem;
use jumpcoder::scheduler::Submission;

use super::ending::{Breakdown, Ending, Failure};
use super::plan::{HiArgs, Target};
use super::session::Session;
use super::{device, interrupt, loading, say};

pub fn generate(args: &HiArgs) -> Result<Ending, Failure> {
    let problems = problem::read(&args.source)?;
    let device = device::open(&args.device, !args.has_summary)?;
    let output = match &args.target {
        None => None,
        Some(Target::Stdout) => Some(Output::stdout()),
        Some(Target::File(path)) => {
            Some(Output::file(path, args.existing).map_err(Failure::Output)?)
        }
    };
    let trace = args.trace.as_deref().map(|path| Trace::open(path, args.existing));
    let trace = trace.transpose().map_err(Failure::Trace)?;
    let stop = interrupt::flag();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.num_threads).build();
    let pool = pool.map_err(Breakdown::from)?;
    // More than there is to do would only reserve memory.
    let num_tasks = problems.len().saturating_mul(args.num_samples).max(1);
    let concurrency = args.limits.concurrency.min(num_tasks);
    let limits = Limits { concurrency, ..args.limits };
    pool.install(|| {
        let mut generator = generator(args, &device, limits).map_err(Failure::Model)?;
        let identity = generator.model_identity();
        let session = Session { args, problems: &problems, output, trace, stop: &stop };
        let report = session.run(&identity, |tasks, observer, stop| {
            generator.run(Submission::all(tasks), observer, stop).map(drop)
        })?;
        for message in &report.messages {
            say(message);
        }
        Ok(report.ending)
    })
}

/// Loads the models, and shows how far that is.
fn generator(args: &HiArgs, device: &Device, limits: Limits) -> Result<Generator, GeneratorError> {
    let settings = args.settings.clone();
    let (model, infilling) =
        Generator::open(&args.model, args.infilling_model.as_ref(), &settings)?;
    for checkpoint in [Some(&model), infilling.as_ref()].into_iter().flatten() {
        loading::watch(checkpoint, args.view);
    }
    Generator::from_checkpoints(model, infilling, device, settings, limits)
}
