//! The command `eval infilling`: the infilling model fills all gaps, then the programs are judged.

use std::sync::atomic::{AtomicBool, Ordering};

use jumpcoder::eval::infilling::{Plan, fill, is_exact, size};
use jumpcoder::eval::sample::{Answer, Sample, SampleFile};
use jumpcoder::eval::statistics::wilson;
use jumpcoder::eval::suite::Suite;
use jumpcoder::generator::GeneratorError;
use jumpcoder::models::ReadyModel;
use jumpcoder::throughput::check_memory;

use super::super::args::InfillingArgs;
use super::{
    Breakdown, Ending, Failure, Session, Targets, device, in_pool, interrupt, judge, say, ticker,
};

/// Rows of a step.
const MAX_ROWS: usize = 1024;

/// `eval infilling`.
pub fn infilling(args: &InfillingArgs) -> Result<Ending, Failure> {
    let suite = Suite::read(&args.data)?;
    let num_exams = args.limit.unwrap_or(usize::MAX).min(suite.exams.len());
    let targets = Targets::open(&args.results)?;
    let judge = judge(&suite, num_exams, &args.jail, args.quiet)?;
    let stop = interrupt::flag();
    let samples = in_pool(args.threads, || write(args, &suite, num_exams, &stop))?;
    if stop.load(Ordering::SeqCst) {
        say("jumpcoder: interrupted before all gaps were filled; nothing was judged");
        return Ok(Ending::Interrupted);
    }
    let is_exact = |sample: &&Sample| {
        let Answer::Completion(infill) = &sample.answer else { return false };
        is_exact(&suite.exams[sample.exam], infill)
    };
    let exact = wilson(samples.iter().filter(is_exact).count(), samples.len());
    let [value, low, high] = [exact.value, exact.low, exact.high].map(|share| 100.0 * share);
    let head = format!("exact match: {value:.1} % [{low:.1}, {high:.1}]\n");
    let files = [SampleFile { path: args.model.to_string().into(), samples }];
    let session = Session { suite: &suite, judge: &judge, stop: &stop, is_quiet: args.quiet };
    session.conclude(num_exams, &files, &[1], targets, &head)
}

/// The infills, in the order of the exams.
fn write(
    args: &InfillingArgs,
    suite: &Suite,
    num_exams: usize,
    stop: &AtomicBool,
) -> Result<Vec<Sample>, Failure> {
    let mut model = load(args)?;
    let plan = plan(args);
    let mut samples = Vec::new();
    let mut ticker = (!args.quiet).then(|| ticker(num_exams));
    fill(&mut model, &suite.exams[..num_exams], plan, stop, |exam, infill| {
        samples.push(Sample { exam, idx: 0, answer: Answer::Completion(infill) });
        if let Some(ticker) = &mut ticker {
            ticker.num_done += 1;
            ticker.show("gaps filled");
        }
    })
    .map_err(|error| Breakdown::Generator(GeneratorError::from(error)))?;
    if let Some(ticker) = ticker {
        ticker.end();
    }
    samples.sort_by_key(|sample| sample.exam);
    Ok(samples)
}

fn load(args: &InfillingArgs) -> Result<ReadyModel, Failure> {
    let device = device::open(&args.device, args.quiet)?;
    let checkpoint = args.model.open().and_then(|model| model.asked_by(args.fim.as_deref()));
    let checkpoint = checkpoint.map_err(|error| Failure::Model(error.into()))?;
    if checkpoint.fim.is_none() {
        return Err(Failure::Model(GeneratorError::NoInfilling { model: checkpoint.name }));
    }
    let context_len = args.max_context.min(checkpoint.config.context_len);
    let size = size(plan(args), context_len, MAX_ROWS);
    let config = &checkpoint.config;
    let workspace = device.workspace_bytes(config, size.max_rows, size.context_len);
    let weight_bytes = device.weight_bytes(&checkpoint).saturating_add(workspace);
    let free_bytes = device.free_memory().map_err(Failure::Device)?;
    let block_bytes = device.block_bytes(config);
    check_memory(&checkpoint.name, weight_bytes, block_bytes, size, free_bytes)?;
    let engine = device.load(&checkpoint, size).map_err(|error| Failure::Model(error.into()))?;
    Ok(ReadyModel::new(engine, checkpoint))
}

fn plan(args: &InfillingArgs) -> Plan {
    Plan { concurrency: args.concurrency, max_tokens: args.max_tokens }
}
