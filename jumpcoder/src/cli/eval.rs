//! The command `eval`: reads the data and the samples, looks for toolchains, judges what isn't
//! judged yet, and says what came of it.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use jumpcoder::eval::exports;
use jumpcoder::eval::jail::{Containment, Jail};
use jumpcoder::eval::judge::{Bounds, Judge, Trial};
use jumpcoder::eval::report::{Judged, Report};
use jumpcoder::eval::results::{Record, ResultsFile, Slot};
use jumpcoder::eval::sample::{Answer, Sample, SampleFile};
use jumpcoder::eval::suite::Suite;
use jumpcoder::eval::verdict::{Kind, Verdict};
use jumpcoder::language;
use jumpcoder::listener::progress::stderr;
use jumpcoder::listener::ticker::Ticker;
use jumpcoder::output::{Existing, OutputError};

use super::args::{EvalArgs, JailArgs, ResultsArgs};
use super::bench::{Figures, print};
use super::ending::{Breakdown, Ending, Failure};
use super::plan::{Surroundings, UsageError};
use super::{interrupt, say};

/// `eval`.
pub fn eval(args: &EvalArgs) -> Result<Ending, Failure> {
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
    let judge = Judge::new(&suite, num_exams, jail(&args.jail)?, bounds(&args.jail))?;
    if args.jail.unsafe_no_sandbox {
        say("jumpcoder: programs aren't contained: they have your rights on files and the network");
    }
    if !args.quiet {
        toolchains(&judge);
    }
    let stop = interrupt::flag();
    let run = Run { suite: &suite, files: &files, judge: &judge, stop: &stop };
    let records = run.records(targets.results, args.quiet)?;
    let judged: Vec<_> =
        files.iter().zip(&records).map(|(file, records)| file_records(file, records)).collect();
    let num_missing = records.iter().flatten().filter(|record| record.is_none()).count();
    if num_missing > 0 {
        return Ok(interrupted(args, num_missing));
    }
    let exams = &suite.exams[..num_exams];
    let report = Report::new(exams, &judged, &ks);
    targets.figures.write(&report)?;
    if let Some((file, path)) = targets.evalplus {
        let written = exports::write_evalplus(file, exams, &judged[0].records);
        written.map_err(|reason| unwritable(path, reason))?;
    }
    if let Some(folder) = targets.multipl_e {
        let written = exports::write_multipl_e(folder, exams, &judged[0].records);
        written.map_err(|reason| unwritable(folder, reason))?;
    }
    if !args.quiet {
        print(&report.text())?;
    }
    Ok(ending(&records))
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
pub fn jail(args: &JailArgs) -> Result<Jail, Failure> {
    let binary = std::env::current_exe().map_err(Failure::Binary)?;
    let containment = if args.unsafe_no_sandbox { Containment::Open } else { Containment::Closed };
    Ok(Jail { binary, containment })
}

pub fn bounds(args: &JailArgs) -> Bounds {
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

/// The judging of all files.
struct Run<'a> {
    suite: &'a Suite,
    files: &'a [SampleFile],
    judge: &'a Judge<'a>,
    stop: &'a AtomicBool,
}

/// By file and sample; what an interrupted run didn't come to is missing.
type Records = Vec<Vec<Option<Record>>>;

impl Run<'_> {
    fn records(&self, results: Option<ResultsFile>, is_quiet: bool) -> Result<Records, Failure> {
        let samples: Vec<(&SampleFile, &Sample)> = self
            .files
            .iter()
            .flat_map(|file| file.samples.iter().map(move |sample| (file, sample)))
            .collect();
        let trials: Vec<_> = samples.iter().map(|(_, sample)| self.judge.trial(sample)).collect();
        let slots: Vec<_> = samples
            .iter()
            .zip(&trials)
            .map(|((file, sample), trial)| self.slot(file, sample, trial.as_ref()))
            .collect();
        let mut board = Board {
            records: vec![None; slots.len()],
            results,
            failure: None,
            ticker: (!is_quiet).then(|| ticker(slots.len())),
            num_passed: 0,
        };
        board.begin(&slots)?;
        // Equal programs are run once.
        let mut distinct: Vec<Trial> = Vec::new();
        let mut slots_of: Vec<Vec<usize>> = Vec::new();
        let mut by_digest: HashMap<&str, usize> = HashMap::new();
        for (slot, trial) in trials.iter().enumerate() {
            match trial {
                _ if board.records[slot].is_some() => {}
                None => board.keep(
                    slot,
                    self.record(samples[slot], &slots[slot], &unwritten(samples[slot].1)),
                    self.stop,
                ),
                Some(trial) => {
                    let idx = *by_digest.entry(&trial.digest).or_insert(distinct.len());
                    if idx == distinct.len() {
                        distinct.push(trial.clone());
                        slots_of.push(Vec::new());
                    }
                    slots_of[idx].push(slot);
                }
            }
        }
        let judged = self.judge.judge(&distinct, self.stop, |idx, verdict| {
            for slot in &slots_of[idx] {
                board.keep(*slot, self.record(samples[*slot], &slots[*slot], &verdict), self.stop);
            }
        });
        let mut records = board.end(judged)?.into_iter();
        Ok(self
            .files
            .iter()
            .map(|file| records.by_ref().take(file.samples.len()).collect())
            .collect())
    }

    fn slot(&self, file: &SampleFile, sample: &Sample, trial: Option<&Trial>) -> Slot {
        Slot {
            samples: file.path.display().to_string(),
            task_id: self.suite.exams[sample.exam].id.clone(),
            sample: sample.idx,
            digest: trial.map(|trial| trial.digest.clone()).unwrap_or_default(),
        }
    }

    fn record(
        &self,
        (_, sample): (&SampleFile, &Sample),
        slot: &Slot,
        verdict: &Verdict,
    ) -> Record {
        let exam = &self.suite.exams[sample.exam];
        let program = match &sample.answer {
            Answer::Solution(text) => Some(text.clone()),
            Answer::Completion(text) => Some(exam.whole(text)),
            Answer::Failure(_) => None,
        };
        Record {
            task_id: exam.id.clone(),
            sample: sample.idx,
            answer: sample.answer.clone(),
            result: verdict.result(),
            passed: verdict.kind == Kind::Passed,
            verdict: verdict.kind,
            language: exam.language.clone(),
            undefined: program.and_then(|program| undefined(&exam.language, &program)),
            exit_code: verdict.exit_code,
            seconds: verdict.seconds,
            samples: slot.samples.clone(),
            digest: slot.digest.clone(),
        }
    }
}

fn unwritten(sample: &Sample) -> Verdict {
    let Answer::Failure(reason) = &sample.answer else { unreachable!("all others have a trial") };
    Verdict::unjudged(reason)
}

/// The names that `program` uses and that nothing defines, if the language is known.
fn undefined(language: &str, program: &str) -> Option<Vec<String>> {
    let language = language::by_name(language, false)?;
    let program = format!("{}\n", program.trim_end_matches('\n'));
    let lines: Vec<&str> = program.split_inclusive('\n').collect();
    let mut names: Vec<String> =
        language.read(&lines).undefined().iter().map(|undefined| undefined.name.clone()).collect();
    names.sort();
    names.dedup();
    Some(names)
}

fn ticker(num_total: usize) -> Ticker {
    if Surroundings::here().is_stderr_terminal {
        Ticker::bar(num_total, 0)
    } else {
        Ticker::lines(stderr(), num_total, 0)
    }
}

/// What is known so far, and where it is written and shown.
struct Board {
    records: Vec<Option<Record>>,
    results: Option<ResultsFile>,
    failure: Option<OutputError>,
    ticker: Option<Ticker>,
    num_passed: usize,
}

impl Board {
    fn begin(&mut self, slots: &[Slot]) -> Result<(), Failure> {
        let Some(results) = &mut self.results else { return Ok(()) };
        for (slot, record) in results.begin(slots).map_err(Failure::Output)? {
            self.show(&record);
            self.records[slot] = Some(record);
        }
        Ok(())
    }

    /// After a failure nothing more is written: it would follow half a line.
    fn keep(&mut self, slot: usize, record: Record, stop: &AtomicBool) {
        if self.failure.is_some() {
            return;
        }
        if let Some(results) = &mut self.results
            && let Err(error) = results.write(slot, &record)
        {
            self.failure = Some(error);
            stop.store(true, Ordering::SeqCst);
            return;
        }
        self.show(&record);
        self.records[slot] = Some(record);
    }

    fn show(&mut self, record: &Record) {
        self.num_passed += usize::from(record.passed);
        let Some(ticker) = &mut self.ticker else { return };
        ticker.num_done += 1;
        ticker.show(&format!("passed: {}", self.num_passed));
    }

    fn end(
        self,
        judged: Result<(), jumpcoder::eval::jail::JailError>,
    ) -> Result<Vec<Option<Record>>, Failure> {
        if let Some(ticker) = self.ticker {
            ticker.end();
        }
        let ended = self.results.map_or(Ok(()), ResultsFile::end);
        if let Some(error) = self.failure {
            return Err(Failure::output(error));
        }
        judged.map_err(Breakdown::Jail)?;
        ended.map_err(Failure::output)?;
        Ok(self.records)
    }
}

fn file_records<'a>(file: &SampleFile, records: &'a [Option<Record>]) -> Judged<'a> {
    let name = file.path.display().to_string();
    Judged { samples: name, records: records.iter().flatten().collect() }
}

fn interrupted(args: &EvalArgs, num_missing: usize) -> Ending {
    let advice = if args.results.output.is_some() {
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
