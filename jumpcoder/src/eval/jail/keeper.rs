//! The second process of a jail: starts its stages, and sees to it that nothing is left of them.

use std::fs;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, setgid, setgroups, setuid};

use super::inmate::{self, Lock};
use super::stream::Stream;
use super::{Containment, End, Obstacle, Order, Outcome, Stage, descendants, walls};

/// Whom a program is, for the machine, where the machine's root started it.
const NOBODY: u32 = 65534;
/// Whom a program is, for itself.
const INMATE: u32 = 1000;
/// Stages take at least some of these.
const INTERVAL: Duration = Duration::from_millis(1);
/// Memory is looked at so often: reading it costs more than looking for the end.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// Runs the stages of an order. The report is the caller's to write.
pub(super) fn keep(order: &Order) -> Result<Option<Vec<Outcome>>, Obstacle> {
    match order.containment {
        Containment::Closed => give_up_rights()?,
        Containment::Open => {
            prctl::set_child_subreaper(true).map_err(|error| Obstacle::new("prctl", &error))?;
            walls::die_with_parent()?;
        }
    }
    let failed = |error: io::Error| Obstacle::new("writing into the folder", &error);
    std::env::set_current_dir(&order.folder).map_err(failed)?;
    for (name, text) in &order.job.files {
        fs::write(name, text).map_err(failed)?;
    }
    let mut outcomes = Vec::new();
    for stage in &order.job.stages {
        let outcome = run(stage, order)?;
        let is_good = outcome.end == End::Exited(0);
        outcomes.push(outcome);
        if !is_good {
            break;
        }
    }
    Ok(Some(outcomes))
}

/// From root of the new root to nobody in a user namespace of its own: there the number of
/// processes can be limited, and is counted for this jail alone.
fn give_up_rights() -> Result<(), Obstacle> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
        .map_err(|error| Obstacle::new("mounting /proc", &error))?;
    let failed = |error| Obstacle::new("giving up root", &error);
    let is_machines_root = !is_mapped_root();
    if is_machines_root {
        setgroups(&[]).map_err(failed)?;
        setgid(Gid::from_raw(NOBODY)).map_err(failed)?;
        setuid(Uid::from_raw(NOBODY)).map_err(failed)?;
    }
    // Else the files that say whom we are would be root's.
    prctl::set_dumpable(true).map_err(failed)?;
    let (uid, gid) = (Uid::effective(), Gid::effective());
    walls::enter_user_namespace(&format!("{INMATE} {uid} 1"), &format!("{INMATE} {gid} 1"))?;
    // A stage must not look into the keeper's memory or files.
    prctl::set_dumpable(false).map_err(failed)?;
    walls::die_with_parent()
}

/// Is root here only a user whom the walls made root of a namespace?
fn is_mapped_root() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().nth(2) == Some("1")
}

fn run(stage: &Stage, order: &Order) -> Result<Outcome, Obstacle> {
    let begin = Instant::now();
    let failed = |error: io::Error| Obstacle::new("starting a stage", &error);
    let lock = Lock {
        command: stage.command.clone(),
        limits: stage.limits,
        readable: order.job.readable.clone(),
        containment: order.containment,
    };
    let binary = match order.containment {
        Containment::Closed => inmate::BINARY.into(),
        Containment::Open => std::env::current_exe().map_err(failed)?,
    };
    let mut child = Command::new(binary)
        .args(["jail", "inmate", &serde_json::to_string(&lock).expect("texts and numbers")])
        .env_clear()
        .envs(stage.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let limit = stage.limits.output_bytes;
    let stdout = Stream::read(child.stdout.take().expect("it is piped"), limit);
    let stderr = Stream::read(child.stderr.take().expect("it is piped"), limit);
    let end = watch(&child, stage, begin, &[&stdout, &stderr]);
    descendants::end_all();
    Ok(Outcome {
        end,
        stdout: stdout.text(),
        stderr: stderr.text(),
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// Waits for the end of a stage, or for a reason to end it.
fn watch(child: &Child, stage: &Stage, begin: Instant, streams: &[&Stream]) -> End {
    let child = Pid::from_raw(child.id() as i32);
    let mut last_look = begin;
    loop {
        // The end first: who writes much and ends is to be judged by what it wrote.
        let end = reaped(child);
        if streams.iter().any(|stream| stream.is_too_long()) {
            return End::TooMuchOutput;
        }
        if let Some(end) = end {
            return end;
        }
        if begin.elapsed() > stage.limits.wall() {
            return End::OutOfTime;
        }
        if last_look.elapsed() > WATCH_INTERVAL {
            last_look = Instant::now();
            let found = descendants::size();
            if found.time > stage.limits.time {
                return End::OutOfTime;
            }
            if found.memory_bytes > stage.limits.memory_bytes {
                return End::OutOfMemory;
            }
            // Only root of a machine without walls gets so far: others have a limit.
            if found.num_processes > stage.limits.num_processes {
                return End::TooManyProcesses;
            }
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Lets go of all processes that have ended; tells how `child` did.
fn reaped(child: Pid) -> Option<End> {
    let mut found = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => found = Some(End::Exited(code)),
            // Its time on the processor was over.
            Ok(WaitStatus::Signaled(pid, Signal::SIGXCPU, _)) if pid == child => {
                found = Some(End::OutOfTime);
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                found = Some(End::Signaled(signal as i32));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return found,
            _ => {}
        }
    }
}
