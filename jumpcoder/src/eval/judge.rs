//! The judge: runs distinct programs once each, many at a time, and says what came of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::jail::{Jail, JailError, Job, Limits, Stage};
use super::sample::{Answer, Sample};
use super::suite::{Exam, Harness, Proof, Suite};
use super::toolchain::{Toolchain, ToolchainError};
use super::verdict::Verdict;
use crate::output::digest;

/// What programs may use, and how many run at a time.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of the tests' run, on the processor.
    pub time: Duration,
    /// Of each compiler, on the processor.
    pub compile_time: Duration,
    /// Of all processes of a program.
    pub memory_bytes: u64,
    /// Jails at a time.
    pub num_jobs: usize,
}

/// A program and the exam that it is put to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Which exam.
    pub exam: usize,
    /// The whole program, without tests.
    pub solution: String,
    /// Of all that decides about the verdict.
    pub digest: String,
}

/// Everything that judging needs.
#[derive(Debug)]
pub struct Judge<'a> {
    suite: &'a Suite,
    jail: Jail,
    bounds: Bounds,
    toolchains: HashMap<(String, Harness), Result<Toolchain, ToolchainError>>,
}

impl<'a> Judge<'a> {
    /// Looks for the toolchains of the first `num_exams`, and sees whether jails can be built.
    ///
    /// # Errors
    ///
    /// [`JailError`] if they can't.
    pub fn new(
        suite: &'a Suite,
        num_exams: usize,
        jail: Jail,
        bounds: Bounds,
    ) -> Result<Self, JailError> {
        jail.check()?;
        let find = |(language, harness): (String, Harness)| {
            let found = Toolchain::find(&language, harness);
            ((language, harness), found)
        };
        let toolchains = suite.languages(num_exams).into_iter().map(find).collect();
        Ok(Self { suite, jail, bounds, toolchains })
    }

    /// The toolchains, by language.
    pub fn toolchains(&self) -> Vec<(&str, Result<&Toolchain, &ToolchainError>)> {
        let mut all: Vec<_> = self
            .toolchains
            .iter()
            .map(|((language, _), found)| (language.as_str(), found.as_ref()))
            .collect();
        all.sort_by_key(|(language, _)| *language);
        all
    }

    /// What is to be run for a sample; nothing where its answer is a failure.
    pub fn trial(&self, sample: &Sample) -> Option<Trial> {
        let exam = &self.suite.exams[sample.exam];
        let solution = match &sample.answer {
            Answer::Solution(text) => text.clone(),
            Answer::Completion(text) => exam.whole(text),
            Answer::Failure(_) => return None,
        };
        let bounds = format!("{:?} {}", self.bounds.time, self.bounds.memory_bytes);
        let parts = exam.parts().into_iter().chain([&*solution, &*bounds]);
        Some(Trial { exam: sample.exam, digest: digest(parts), solution })
    }

    /// Judges `trials`; `hear` is told each verdict as it comes, with the place of its trial. Ends
    /// early once `stop` is set.
    ///
    /// # Errors
    ///
    /// [`JailError`] if the machine fails; never because of a program.
    pub fn judge(
        &self,
        trials: &[Trial],
        stop: &AtomicBool,
        mut hear: impl FnMut(usize, Verdict),
    ) -> Result<(), JailError> {
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::channel();
        let work = |sender: mpsc::Sender<_>| {
            while !stop.load(Ordering::SeqCst) {
                let idx = next.fetch_add(1, Ordering::SeqCst);
                let Some(trial) = trials.get(idx) else { return };
                let verdict = self.verdict(trial, stop);
                // Who listens doesn't leave before all senders have gone.
                let _ = sender.send((idx, verdict));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.bounds.num_jobs.min(trials.len()) {
                let (work, sender) = (&work, sender.clone());
                scope.spawn(move || work(sender));
            }
            drop(sender);
            let mut failure = None;
            for (idx, verdict) in receiver {
                match verdict {
                    Ok(verdict) => hear(idx, verdict),
                    Err(JailError::Interrupted) => {}
                    Err(error) => {
                        stop.store(true, Ordering::SeqCst);
                        failure.get_or_insert(error);
                    }
                }
            }
            failure.map_or(Ok(()), Err)
        })
    }

    fn verdict(&self, trial: &Trial, stop: &AtomicBool) -> Result<Verdict, JailError> {
        let exam = &self.suite.exams[trial.exam];
        let toolchain = match &self.toolchains[&(exam.language.clone(), exam.harness)] {
            Ok(toolchain) => toolchain,
            Err(error) => return Ok(Verdict::unjudged(&error.to_string())),
        };
        let proof = Proof::draw();
        let text = exam.text(&trial.solution, &proof);
        let job = self.job(toolchain, text);
        let outcomes = match self.jail.run(&job, stop) {
            // What a machine in trouble did to one jail must not end all of them.
            Err(JailError::NoReport(_)) => self.jail.run(&job, stop),
            outcomes => outcomes,
        };
        Ok(Verdict::new(&outcomes?, toolchain, &proof, &exam.given()))
    }

    fn job(&self, toolchain: &Toolchain, text: String) -> Job {
        let memory_bytes = self.bounds.memory_bytes;
        let stage = |command: &Vec<String>, time| Stage {
            command: command.clone(),
            environment: toolchain.whole_environment(),
            limits: Limits { time, memory_bytes, ..Limits::default() },
        };
        let compile = toolchain.compile.iter().map(|c| stage(c, self.bounds.compile_time));
        Job {
            files: vec![(toolchain.source.to_owned(), text)],
            stages: compile.chain([stage(&toolchain.run, self.run_time(toolchain))]).collect(),
            readable: toolchain.readable.clone(),
        }
    }

    /// Go's own test command compiles first.
    fn run_time(&self, toolchain: &Toolchain) -> Duration {
        let compiles = toolchain.compile.is_empty() && toolchain.messages.passed.is_some();
        self.bounds.time + if compiles { self.bounds.compile_time } else { Duration::ZERO }
    }
}

impl Exam {
    /// The program that a completion makes.
    pub fn whole(&self, completion: &str) -> String {
        format!("{}{completion}{}", self.prompt, self.suffix)
    }
}
