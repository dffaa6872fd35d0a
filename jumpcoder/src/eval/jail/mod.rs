//! A jail: one folder in memory, in which programs that nobody trusts run one after another.
//!
//! [`Jail::run`] starts this very binary again, as three processes that are each the parent of the
//! next, and each give up what the next must not have:
//!
//! 1. the *walls* make the namespaces, and a root of nothing but the readable paths,
//! 2. the *keeper* is the first process in there: it starts the stages of the work, reads what they
//!    write, watches time and memory, and ends every process that a stage leaves behind,
//! 3. an *inmate* is a stage: it takes its limits upon itself, locks itself in with Landlock and
//!    seccomp, and becomes the program.
//!
//! Each is single-threaded when it gives something up, so no `unsafe` is needed. Whoever ends the
//! walls ends the keeper, and with the keeper the kernel ends all that runs in its namespace.
//! Without walls ([`Containment::Open`]) the keeper works in a temporary folder and finds the
//! processes by their parents; nothing but limits holds then.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod descendants;
mod filter;
mod inmate;
mod keeper;
mod root;
mod scratch;
mod stream;
mod walls;

pub use scratch::Scratch;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Where programs work, in the jail.
pub const FOLDER: &str = "/tmp";
/// How often a stage may take its time by the clock, waiting for others or sleeping.
pub const PATIENCE: u32 = 3;
/// What the keeper needs beside the stages' own time.
const GRACE: Duration = Duration::from_secs(20);
/// How often the end of a jail, and the wish to end it, are looked for.
const INTERVAL: Duration = Duration::from_millis(2);
/// More than any report has: its streams are cut.
const REPORT_BYTES_MAX: u64 = MIB;

/// What may happen to programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Containment {
    /// All walls, or nothing is run.
    #[default]
    Closed,
    /// Limits only: the program has this user's rights on files and the network.
    Open,
}

/// What a program may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Of the processor, for all processes of a stage together. By the clock a stage has
    /// [`PATIENCE`] times as much, so that a verdict doesn't depend on what else the machine does.
    pub time: Duration,
    /// Resident memory of all processes of a stage together.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub num_processes: u64,
    /// A file, and the whole folder.
    pub file_bytes: u64,
    /// Each of the two streams; more ends the stage.
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(15),
            memory_bytes: 1024 * MIB,
            num_processes: 256,
            file_bytes: 256 * MIB,
            output_bytes: MIB,
        }
    }
}

impl Limits {
    /// By the clock.
    fn wall(&self) -> Duration {
        self.time * PATIENCE
    }
}

/// A command that runs in a jail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stage {
    /// The program, by its whole path, and its arguments.
    pub command: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// What it may use.
    pub limits: Limits,
}

/// What is done in one jail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Names and texts of the files that lie in the folder at first.
    pub files: Vec<(String, String)>,
    /// Run in order, until one doesn't end with exit code 0.
    pub stages: Vec<Stage>,
    /// Whole paths that can be read and executed, beside the system's own; they need not exist.
    pub readable: Vec<PathBuf>,
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With this code.
    Exited(i32),
    /// By this signal, which wasn't ours.
    Signaled(i32),
    /// The time was over.
    OutOfTime,
    /// It had too much memory.
    OutOfMemory,
    /// It had too many processes, where the kernel doesn't count them.
    TooManyProcesses,
    /// It wrote too much.
    TooMuchOutput,
}

/// What came of a stage. The streams are their last parts where they are long.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// By the clock.
    pub seconds: f64,
}

/// A wall that can't be built here.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{part}: {reason}")]
pub struct Obstacle {
    /// What is missing.
    pub part: String,
    /// What the system says.
    pub reason: String,
}

impl Obstacle {
    fn new(part: &str, reason: &dyn fmt::Display) -> Self {
        Self { part: part.to_owned(), reason: reason.to_string() }
    }
}

/// Why there is no outcome.
#[derive(Debug, Error)]
pub enum JailError {
    /// The jail can't be built.
    #[error(
        "programs can't be contained on this machine ({0}): run this where user and mount \
         namespaces, Landlock and seccomp are allowed, or insist with --unsafe-no-sandbox, which \
         leaves only limits of time, memory and output between a program and your files"
    )]
    Obstacle(Obstacle),
    /// The binary can't be started again.
    #[error("can't start {path} for a jail: {reason}")]
    Start {
        /// The binary.
        path: String,
        /// What the system says.
        reason: io::Error,
    },
    /// It was ended from outside, or the machine is short of something.
    #[error("a jail ended without a report ({0})")]
    NoReport(String),
    /// The wish to end was heard.
    #[error("interrupted")]
    Interrupted,
}

/// What the walls and the keeper are told.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    job: Job,
    containment: Containment,
    /// The keeper works here.
    folder: PathBuf,
}

/// Starts jails.
#[derive(Clone, Debug)]
pub struct Jail {
    /// A binary whose command `jail` is [`enter`].
    pub binary: PathBuf,
    /// Are there walls?
    pub containment: Containment,
}

impl Jail {
    /// Can jails be built here? Runs the smallest job there is.
    ///
    /// # Errors
    ///
    /// [`JailError`] with what is missing.
    pub fn check(&self) -> Result<(), JailError> {
        let binary = match self.containment {
            Containment::Closed => inmate::BINARY.to_owned(),
            Containment::Open => self.binary.display().to_string(),
        };
        let command = vec![binary, "jail".to_owned(), "nothing".to_owned()];
        let stage = Stage { command, environment: Vec::new(), limits: Limits::default() };
        let job = Job { files: Vec::new(), stages: vec![stage], readable: Vec::new() };
        let outcomes = self.run(&job, &AtomicBool::new(false))?;
        match &*outcomes {
            [Outcome { end: End::Exited(0), .. }] => Ok(()),
            [Outcome { stderr, .. }] => {
                let (part, reason) = stderr.trim().split_once(": ").unwrap_or(("a stage", stderr));
                Err(JailError::Obstacle(Obstacle::new(part, &reason)))
            }
            _ => Err(JailError::NoReport("a check has one stage".to_owned())),
        }
    }

    /// Runs a job, unless `stop` is set meanwhile. There is an outcome for every stage that was
    /// begun.
    ///
    /// # Errors
    ///
    /// [`JailError`] if the job could not be run; what its programs do is never an error.
    pub fn run(&self, job: &Job, stop: &AtomicBool) -> Result<Vec<Outcome>, JailError> {
        let start = |reason| JailError::Start { path: self.binary.display().to_string(), reason };
        // Only where there are no walls does anything reach the disk.
        let scratch = match self.containment {
            Containment::Closed => None,
            Containment::Open => Some(Scratch::new().map_err(start)?),
        };
        let folder = scratch.as_ref().map_or(FOLDER.into(), |scratch| scratch.path().to_owned());
        let order = Order { job: job.clone(), containment: self.containment, folder };
        let first = match self.containment {
            Containment::Closed => "walls",
            Containment::Open => "keeper",
        };
        let mut child = Command::new(&self.binary)
            .args(["jail", first])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(start)?;
        let limit: Duration = job.stages.iter().map(|stage| stage.limits.wall()).sum();
        let report = tell(&mut child, &order).and_then(|()| hear(&mut child, limit + GRACE, stop));
        // Its end is the end of all that it started.
        let _ = child.kill();
        let status = child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
        let report = report?.ok_or(JailError::NoReport(status))?;
        report.map_err(JailError::Obstacle)
    }
}

fn tell(child: &mut Child, order: &Order) -> Result<(), JailError> {
    let text = serde_json::to_vec(order).expect("texts and numbers");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(&text).map_err(|error| JailError::NoReport(error.to_string()))
}

/// The report, if one comes.
fn hear(
    child: &mut Child,
    limit: Duration,
    stop: &AtomicBool,
) -> Result<Option<Report>, JailError> {
    let stdout = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        stdout.take(REPORT_BYTES_MAX).read_to_end(&mut text).map(|_| text)
    });
    let begin = Instant::now();
    while !reader.is_finished() {
        if stop.load(Ordering::SeqCst) {
            return Err(JailError::Interrupted);
        }
        if begin.elapsed() > limit {
            return Ok(None);
        }
        std::thread::sleep(INTERVAL);
    }
    let text = reader.join().expect("reading doesn't panic");
    Ok(text.ok().and_then(|text| serde_json::from_slice(&text).ok()))
}

/// What the keeper says in the end.
type Report = Result<Vec<Outcome>, Obstacle>;

/// Goes on as one of the processes of a jail: `words` are what follows the binary's `jail`.
/// Returns the exit code; a stage that becomes its program doesn't return.
pub fn enter(words: &[OsString]) -> u8 {
    let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
    let report = match &*words {
        ["walls"] => read_order().and_then(|order| walls::build(&order)),
        ["keeper"] => read_order().and_then(|order| keeper::keep(&order)),
        ["inmate", text] => {
            // Nobody but the keeper hears it.
            let _ = writeln!(io::stderr(), "{}", inmate::become_program(text));
            return inmate::NOT_BEGUN;
        }
        ["nothing"] => return 0,
        _ => Err(Obstacle::new("jail", &"only `jumpcoder eval` starts this")),
    };
    match report {
        // The keeper has written it.
        Ok(None) => {}
        Ok(Some(outcomes)) => write_report(&Ok(outcomes)),
        Err(obstacle) => write_report(&Err(obstacle)),
    }
    0
}

fn read_order() -> Result<Order, Obstacle> {
    let mut text = Vec::new();
    let read = io::stdin().read_to_end(&mut text);
    read.map_err(|error| Obstacle::new("reading the order", &error))?;
    serde_json::from_slice(&text).map_err(|error| Obstacle::new("the order", &error))
}

fn write_report(report: &Report) {
    let text = serde_json::to_vec(report).expect("texts and numbers");
    // Where nobody hears it, nobody waits for it.
    let _ = io::stdout().write_all(&text);
}
