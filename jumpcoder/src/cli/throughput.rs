//! The benchmarks of a model by itself: the model is loaded for what is asked, measured, and the
//! figures are shown.

use jump_engine::{EngineSize, LanguageModel};
use jump_kernels::selftest as kernels;
use jump_models::Checkpoint;
use jumpcoder::device::Device;
use jumpcoder::overhead::BenchError;
use jumpcoder::throughput::{Ceilings, Cost, Subject, check_memory, decode, prefill, score};
use serde::Serialize;

use super::args::{DecodeArgs, PrefillArgs, ScoreBenchArgs, SubjectArgs};
use super::bench::{Figures, in_pool, print};
use super::ending::{Breakdown, Ending, Failure};
use super::{device, interrupt};

/// What was measured.
#[derive(Serialize)]
struct Report<P> {
    model: String,
    device: String,
    num_threads: usize,
    num_repeats: usize,
    ceilings: Option<Ceilings>,
    points: Vec<P>,
}

/// `bench decode`.
pub fn decode(args: &DecodeArgs) -> Result<Ending, Failure> {
    let (num_sequences, contexts) = (args.sequences.clone(), args.context.clone());
    let plan = decode::Plan { num_sequences, contexts };
    run(&args.subject, plan.size(), |subject| plan.measure(subject), decode::table)
}

/// `bench prefill`.
pub fn prefill(args: &PrefillArgs) -> Result<Ending, Failure> {
    let plan = prefill::Plan { lengths: args.lengths.clone() };
    run(&args.subject, plan.size(), |subject| plan.measure(subject), prefill::table)
}

/// `bench score`.
pub fn score(args: &ScoreBenchArgs) -> Result<Ending, Failure> {
    let plan = score::Plan {
        program_len: args.program,
        num_candidates: args.candidates,
        insertion_len: args.insertion,
    };
    run(&args.subject, plan.size(), |subject| plan.measure(subject), score::table)
}

fn run<P: Serialize>(
    args: &SubjectArgs,
    size: EngineSize,
    measure: impl FnOnce(&mut Subject<'_>) -> Result<Vec<P>, BenchError> + Send,
    table: fn(&[P]) -> String,
) -> Result<Ending, Failure> {
    let figures = Figures::open(args.json.as_deref())?;
    let device = device::open(&args.device, false)?;
    let stop = interrupt::flag();
    in_pool(args.threads, || {
        let mut checkpoint = args.model.open().map_err(|error| Failure::Model(error.into()))?;
        if let Some(shape) = args.random_weights.clone() {
            checkpoint = checkpoint.with_random_weights(shape, 0);
        }
        // What the model would say so far away doesn't matter.
        checkpoint.config.context_len = checkpoint.config.context_len.max(size.context_len);
        let ceilings = ceilings(&device)?;
        let (mut model, cost) = load(&device, &checkpoint, size)?;
        let num_repeats = args.repeat;
        let mut subject = Subject { model: &mut *model, cost, ceilings, num_repeats, stop: &stop };
        let points = measure(&mut subject).map_err(Breakdown::Bench)?;
        let report = Report {
            model: checkpoint.name,
            device: device.to_string(),
            num_threads: rayon::current_num_threads(),
            num_repeats,
            ceilings,
            points,
        };
        figures.write(&report)?;
        print(&format!("{}\n{}", header(&report), table(&report.points)))?;
        Ok(Ending::Success)
    })
}

fn load(
    device: &Device,
    checkpoint: &Checkpoint,
    size: EngineSize,
) -> Result<(Box<dyn LanguageModel>, Cost), Failure> {
    let config = &checkpoint.config;
    let block_bytes = device.block_bytes(config);
    let workspace = device.workspace_bytes(config, size.max_rows, size.context_len);
    let weight_bytes = device.weight_bytes(checkpoint).saturating_add(workspace);
    let free_bytes = device.free_memory().map_err(Failure::Device)?;
    check_memory(&checkpoint.name, weight_bytes, block_bytes, size, free_bytes)?;
    let model = device.load(checkpoint, size).map_err(|error| Failure::Model(error.into()))?;
    Ok((model, Cost::new(config, block_bytes)))
}

/// What a GPU can do at best.
fn ceilings(device: &Device) -> Result<Option<Ceilings>, Failure> {
    let Device::Cuda { runtime, .. } = device else { return Ok(None) };
    if runtime.info().arch == "emulator" {
        return Ok(None);
    }
    let measured = kernels::Ceilings::measure(runtime).map_err(Failure::Device)?;
    Ok(measured.map(Ceilings::from))
}

fn header<P>(report: &Report<P>) -> String {
    let Report { model, device, num_threads, num_repeats, .. } = report;
    let ceilings = report.ceilings.map_or(String::new(), |ceilings| format!("; {ceilings}"));
    format!(
        "{model} on {device}, {num_threads} threads{ceilings}\n\
         {num_repeats} repeats in turns, median [min..max]\n"
    )
}
