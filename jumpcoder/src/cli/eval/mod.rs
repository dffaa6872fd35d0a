//! The command `eval`: reads the data and the samples, looks for toolchains, judges what isn't
//! judged yet, and says what came of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;

use jumpcoder::eval::exports;
use jumpcoder::eval::jail::{Containment, Jail};
use jumpcoder::eval::judge::{Bounds, Judge};
use jumpcoder::eval::report::{Judged, Report};
use jumpcoder::eval::results::{Record, ResultsFile};
use jumpcoder::eval::sample::SampleFile;
use jumpcoder::eval::suite::Suite;
use jumpcoder::eval::verdict::Kind;
use jumpcoder::output::{Existing, OutputError};

use super::args::{EvalArgs, EvalCommand, JailArgs, ResultsArgs};
use super::bench::{Figures, in_pool, print};
use super::ending::{Breakdown, Ending, Failure};
use super::plan::{Surroundings, UsageError};
use super::{device, interrupt, say};

mod infilling;
mod run;

use run::{Records, Run, ticker};

/// `eval`.
pub fn eval(args: &EvalArgs) -> Result<Ending, Failure> {
    if let Some(EvalCommand::Infilling(args)) = &args.command {
        return infilling::infilling(args);
    }
    check(args)?;
    let suite = Suite::read(&args.data)?;
    let num_exams = args.limit.unwrap_or(usize::MAX).min(suite.exams.len());
    let mut files = Vec::new();
    for path in &args.samples {
        files.push(SampleFile::read(path, &suite)?);
    }
    if args.canonical {
        files.insert(0, SampleFile::canonical(&suite));
    }
    for file in &mut files {
        file.samples.retain(|sample| sample.exam < num_exams);
    }
    let ks = ks(&args.k, &files, num_exams)?;
    let targets = Targets::open(&args.results)?;
    let judge = judge(&suite, num_exams, &args.jail, args.quiet)?;
    let stop = interrupt::flag();
    let session = Session { suite: &suite, judge: &judge, stop: &stop, is_quiet: args.quiet };
    session.conclude(num_exams, &files, &ks, targets, "")
}

/// Jails and toolchains, named unless nobody wants to hear of them.
fn judge<'a>(
    suite: &'a Suite,
    num_exams: usize,
    args: &JailArgs,
    is_quiet: bool,
) -> Result<Judge<'a>, Failure> {
    let judge = Judge::new(suite, num_exams, jail(args)?, bounds(args))?;
    if args.unsafe_no_sandbox {
        say("jumpcoder: programs aren't contained: they have your rights on files and the network");
    }
    if !is_quiet {
        toolchains(&judge);
    }
    Ok(judge)
}

/// All that is needed to judge files.
struct Session<'a> {
    suite: &'a Suite,
    judge: &'a Judge<'a>,
    stop: &'a AtomicBool,
    is_quiet: bool,
}

impl Session<'_> {
    /// Judges the files and writes all that was asked for; `head` is shown above the table.
    fn conclude(
        &self,
        num_exams: usize,
        files: &[SampleFile],
        ks: &[usize],
        targets: Targets,
        head: &str,
    ) -> Result<Ending, Failure> {
        let Self { suite, judge, stop, is_quiet } = *self;
        let is_resumable = targets.results.is_some();
        let run = Run { suite, files, judge, stop };
        let records = run.records(targets.results, is_quiet)?;
        let num_missing = records.iter().flatten().filter(|record| record.is_none()).count();
        if num_missing > 0 {
            return Ok(interrupted(is_resumable, num_missing));
        }
        let judged = files.iter().zip(&records);
        let judged: Vec<_> = judged.map(|(file, records)| file_records(file, records)).collect();
        let exams = &suite.exams[..num_exams];
        let report = Report::new(exams, &judged, ks);
        targets.figures.write(&report)?;
        if let Some((file, path)) = targets.evalplus {
            let written = exports::write_evalplus(file, exams, &judged[0].records);
            written.map_err(|reason| unwritable(path, reason))?;
        }
        if let Some(folder) = targets.multipl_e {
            let written = exports::write_multipl_e(folder, exams, &judged[0].records);
            written.map_err(|reason| unwritable(folder, reason))?;
        }
        if !is_quiet {
            print(&format!("{head}{}", report.text()))?;
        }
        Ok(ending(&records))
    }
}

/// What the arguments mean together.
fn check(args: &EvalArgs) -> Result<(), UsageError> {
    let num_files = args.samples.len() + usize::from(args.canonical);
    if num_files == 0 {
        return Err(UsageError::NoSamples);
    }
    let is_exported = args.results.evalplus.is_some() || args.results.multipl_e.is_some();
    if is_exported && num_files > 1 {
        return Err(UsageError::ExportOfSeveral);
    }
    for (idx, path) in args.samples.iter().enumerate() {
        if args.samples[..idx].contains(path) {
            return Err(UsageError::SamplesTwice(path.display().to_string()));
        }
    }
    Ok(())
}

/// The k for which every problem that has samples has enough.
fn ks(asked: &[usize], files: &[SampleFile], num_exams: usize) -> Result<Vec<usize>, UsageError> {
    let mut fewest = usize::MAX;
    for file in files {
        let mut counts = vec![0; num_exams];
        for sample in &file.samples {
            counts[sample.exam] += 1;
        }
        let found = counts.into_iter().filter(|count| *count > 0).min();
        fewest = fewest.min(found.unwrap_or(0));
    }
    if let Some(k) = asked.iter().find(|k| **k > fewest) {
        return Err(UsageError::TooFewSamples { k: *k, fewest });
    }
    if asked.is_empty() {
        return Ok([1, 10, 100].into_iter().filter(|k| *k == 1 || *k <= fewest).collect());
    }
    Ok(asked.to_vec())
}

/// Jails of this very binary.
fn jail(args: &JailArgs) -> Result<Jail, Failure> {
    let binary = std::env::current_exe().map_err(Failure::Binary)?;
    let containment = if args.unsafe_no_sandbox { Containment::Open } else { Containment::Closed };
    Ok(Jail { binary, containment })
}

fn bounds(args: &JailArgs) -> Bounds {
    Bounds {
        time: args.timeout,
        compile_time: args.compile_timeout,
        memory_bytes: args.memory_mib as u64,
        num_jobs: args.jobs.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
    }
}

/// Where things are written. All is opened before anything is judged.
struct Targets<'a> {
    results: Option<ResultsFile>,
    figures: Figures<'a>,
    evalplus: Option<(File, &'a Path)>,
    multipl_e: Option<&'a Path>,
}

impl<'a> Targets<'a> {
    fn open(args: &'a ResultsArgs) -> Result<Self, Failure> {
        let existing = match (args.resume, args.force) {
            (true, _) => Existing::Resume,
            (_, true) => Existing::Replace,
            _ => Existing::Refuse,
        };
        let results = args.output.as_deref().map(|path| ResultsFile::open(path, existing));
        let fresh = |path: &'a PathBuf| {
            if !args.force && path.exists() {
                let path = path.display().to_string();
                return Err(Failure::Output(OutputError::Exists { path }));
            }
            Ok(path.as_path())
        };
        let evalplus = args.evalplus.as_ref().map(|path| {
            let path = fresh(path)?;
            let file = File::create(path).map_err(|reason| unwritable(path, reason))?;
            Ok::<_, Failure>((file, path))
        });
        Ok(Self {
            results: results.transpose().map_err(Failure::Output)?,
            figures: Figures::open(args.json.as_deref())?,
            evalplus: evalplus.transpose()?,
            multipl_e: args.multipl_e.as_ref().map(fresh).transpose()?,
        })
    }
}

fn unwritable(path: &Path, reason: std::io::Error) -> Failure {
    Failure::Figures { path: path.display().to_string(), reason }
}

/// Names what is there, and what isn't.
fn toolchains(judge: &Judge) {
    for (language, found) in judge.toolchains() {
        match found {
            Ok(toolchain) => say(&format!("jumpcoder: {language}: {}", toolchain.version)),
            Err(error) => say(&format!("jumpcoder: {error}; they stay unjudged")),
        }
    }
}

fn file_records<'a>(file: &SampleFile, records: &'a [Option<Record>]) -> Judged<'a> {
    let name = file.path.display().to_string();
    Judged { samples: name, records: records.iter().flatten().collect() }
}

fn interrupted(is_resumable: bool, num_missing: usize) -> Ending {
    let advice = if is_resumable {
        "the results have the rest: go on with --resume"
    } else {
        "with --output FILE a run can be resumed"
    };
    say(&format!("jumpcoder: interrupted with {num_missing} programs unjudged; {advice}"));
    Ending::Interrupted
}

/// What could not be judged is said, not hidden in a rate.
fn ending(records: &Records) -> Ending {
    let unjudged: Vec<_> =
        records.iter().flatten().flatten().filter(|r| r.verdict == Kind::Unjudged).collect();
    let Some(first) = unjudged.first() else { return Ending::Success };
    let (num, id, result) = (unjudged.len(), &first.task_id, &first.result);
    say(&format!("jumpcoder: {num} programs were not judged and count as failed: {id} {result}"));
    Ending::SomeFailed
}
