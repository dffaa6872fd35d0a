//! `selftest`, and `bench kernels`, which runs the same cases to time them.

use jump_engine::EngineSize;
use jump_kernels::BLOCK_LEN;
use jump_kernels::runtime::SharedRuntime;
use jump_kernels::selftest::{self as kernels, Case};
use jump_models::Checkpoint;
use jumpcoder::device::Device;
use jumpcoder::problem::{self, Source};
use jumpcoder::selftest::{model, operations};
use jumpcoder::throughput::Ceilings;
use serde::Serialize;

use super::args::{KernelsArgs, SelftestArgs};
use super::bench::{Figures, in_pool, print, progress};
use super::ending::{Ending, Failure};
use super::plan::UsageError;
use super::{device, say};

/// What `--op` calls the whole model.
const MODEL: &str = "model";

/// What was found.
#[derive(Default, Serialize)]
struct Report {
    device: String,
    ceilings: Option<Ceilings>,
    operations: Vec<operations::Outcome>,
    model: Vec<model::Outcome>,
}

/// `selftest`.
pub fn selftest(args: &SelftestArgs) -> Result<Ending, Failure> {
    let figures = Figures::open(args.json.as_deref())?;
    let device = device::open(&args.device, false)?;
    let op = args.op.as_deref();
    in_pool(args.threads, || {
        let report = match &device {
            Device::Cpu => on_cpu(op)?,
            Device::Cuda { runtime, .. } => on_device(op, &device, runtime)?,
        };
        report.end(figures)
    })
}

/// `bench kernels`.
pub fn kernels(args: &KernelsArgs) -> Result<Ending, Failure> {
    let figures = Figures::open(args.json.as_deref())?;
    let device = device::open(&args.device, false)?;
    let (runtime, mode) = match &device {
        Device::Cuda { runtime, options } if !is_emulator(runtime) => {
            (runtime, options.determinism)
        }
        _ => return Err(UsageError::KernelsWithoutGpu.into()),
    };
    let cases = match &args.random_weights {
        None => kernels::cases(),
        Some(shape) => {
            let steps = args.rows.iter().flat_map(|rows| shape.dims.cases(*rows, mode));
            steps.chain(shape.dims.attention_cases()).collect()
        }
    };
    let can_run = |case: &Case| !case.needs_hopper || runtime.info().is_hopper;
    let cases = cases.into_iter().filter(|case| case.is_timed && can_run(case)).collect();
    let cases = chosen(cases, args.op.as_deref(), |case| case.op)?;
    run(&cases, runtime)?.end(figures)
}

fn is_emulator(runtime: &SharedRuntime) -> bool {
    runtime.info().arch == "emulator"
}

/// The cases of the operation that was asked for.
fn chosen<T>(
    cases: Vec<T>,
    op: Option<&str>,
    op_of: impl Fn(&T) -> &'static str,
) -> Result<Vec<T>, UsageError> {
    let Some(name) = op else { return Ok(cases) };
    let mut known: Vec<&str> = cases.iter().map(&op_of).collect();
    known.dedup();
    if name != MODEL && !known.contains(&name) {
        let known = known.join(", ");
        return Err(UsageError::Operation { name: name.to_owned(), known });
    }
    Ok(cases.into_iter().filter(|case| op_of(case) == name).collect())
}

fn on_cpu(op: Option<&str>) -> Result<Report, Failure> {
    let cases = chosen(kernels::cpu::cases(), op, |case| case.op)?;
    let operations = operations::on_cpu(&cases);
    Ok(Report { device: "cpu".to_owned(), operations, ..Report::default() })
}

fn on_device(
    op: Option<&str>,
    device: &Device,
    runtime: &SharedRuntime,
) -> Result<Report, Failure> {
    let info = runtime.info();
    let is_here = |case: &Case| {
        (!case.is_timed || !is_emulator(runtime)) && (!case.needs_hopper || info.is_hopper)
    };
    let cases = kernels::cases().into_iter().filter(is_here).collect();
    let cases = chosen(cases, op, |case| case.op)?;
    let mut report = run(&cases, runtime)?;
    // A model of operations that are wrong would say nothing.
    if report.is_right() && op.is_none_or(|op| op == MODEL) {
        report.model = whole_model(device, is_emulator(runtime))?;
    }
    Ok(report)
}

fn run(cases: &[Case], runtime: &SharedRuntime) -> Result<Report, Failure> {
    let is_timed = cases.iter().any(|case| case.is_timed);
    let ceilings = if is_timed && !is_emulator(runtime) {
        kernels::Ceilings::measure(runtime).map_err(Failure::Device)?.map(Ceilings::from)
    } else {
        None
    };
    let operations = operations::on_device(cases, runtime, ceilings, &mut |text| progress(text));
    let info = runtime.info();
    let device = format!("{} ({})", info.name, info.arch);
    Ok(Report { device, ceilings, operations, model: Vec::new() })
}

/// The embedded model on the device, beside the processor.
fn whole_model(device: &Device, is_slow: bool) -> Result<Vec<model::Outcome>, Failure> {
    let failed = |error| Failure::Model(jumpcoder::generator::GeneratorError::Engine(error));
    let checkpoint = Checkpoint::tiny().map_err(|error| Failure::Model(error.into()))?;
    let problems = problem::read(&Source::Examples)?;
    let tasks = problem::tasks(&problems, 1, Some(if is_slow { 1 } else { 3 }));
    let prompts = tasks.iter().map(|task| checkpoint.tokenizer.encode(&task.prompt));
    let prompts: Vec<_> = prompts.collect();
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0) + model::NUM_MORE;
    let size = EngineSize {
        max_rows: longest,
        context_len: longest,
        num_blocks: 3 * (longest.div_ceil(BLOCK_LEN) + 1),
        max_kv_bytes: None,
    };
    let mut on_device = device.load(&checkpoint, size).map_err(failed)?;
    let mut on_cpu = Device::Cpu.load(&checkpoint, size).map_err(failed)?;
    model::compare(&mut *on_device, &mut *on_cpu, &prompts).map_err(failed)
}

impl Report {
    fn is_right(&self) -> bool {
        self.operations.iter().all(|outcome| outcome.is_right)
            && self.model.iter().all(|outcome| outcome.is_right)
    }

    fn text(&self) -> String {
        let ceilings = self.ceilings.map_or(String::new(), |ceilings| format!("; {ceilings}"));
        let mut text = format!("{}{ceilings}\n", self.device);
        if !self.operations.is_empty() {
            text = format!("{text}\n{}", operations::table(&self.operations));
        }
        if !self.model.is_empty() {
            text = format!("{text}\nthe embedded model\n{}", model::table(&self.model));
        }
        text
    }

    /// Shows what was found.
    fn end(&self, figures: Figures<'_>) -> Result<Ending, Failure> {
        figures.write(self)?;
        print(&self.text())?;
        if self.is_right() {
            return Ok(Ending::Success);
        }
        say("jumpcoder: something was wrong: see WRONG and FAILED above");
        Ok(Ending::SomeFailed)
    }
}
