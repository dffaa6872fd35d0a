//! The judging of files: which programs are still to be run, and where their verdicts go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use jumpcoder::eval::jail::JailError;
use jumpcoder::eval::judge::{Judge, Trial};
use jumpcoder::eval::results::{Record, ResultsFile, Slot};
use jumpcoder::eval::sample::{Answer, Sample, SampleFile};
use jumpcoder::eval::suite::Suite;
use jumpcoder::eval::verdict::{Kind, Verdict};
use jumpcoder::language;
use jumpcoder::listener::progress::stderr;
use jumpcoder::listener::ticker::Ticker;
use jumpcoder::output::OutputError;

use super::{Breakdown, Failure, Surroundings};

/// The judging of all files.
pub(super) struct Run<'a> {
    pub(super) suite: &'a Suite,
    pub(super) files: &'a [SampleFile],
    pub(super) judge: &'a Judge<'a>,
    pub(super) stop: &'a AtomicBool,
}

/// By file and sample; what an interrupted run didn't come to is missing.
pub(super) type Records = Vec<Vec<Option<Record>>>;

impl Run<'_> {
    pub(super) fn records(
        &self,
        results: Option<ResultsFile>,
        is_quiet: bool,
    ) -> Result<Records, Failure> {
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
            undefined: program.and_then(|whole| undefined(&exam.language, &exam.program(&whole))),
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

pub(super) fn ticker(num_total: usize) -> Ticker {
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

    fn end(self, judged: Result<(), JailError>) -> Result<Vec<Option<Record>>, Failure> {
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
