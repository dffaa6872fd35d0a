//! All processes that come from this one, however they try to get away.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid};

/// What they use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// What is resident, and not a file's.
    pub(super) memory_bytes: u64,
    pub(super) num_processes: u64,
    /// Of the processor.
    pub(super) time: Duration,
}

/// In which `/proc` counts time, on every Linux that Rust's programs run on.
const TICKS_PER_SECOND: u64 = 100;

/// What `/proc` says of a process.
struct Stat {
    parent: i32,
    time: Duration,
}

/// What the descendants of this process use now.
pub(super) fn size() -> Size {
    descendants().iter().fold(Size::default(), |sum, pid| Size {
        memory_bytes: sum.memory_bytes + resident_bytes(*pid),
        num_processes: sum.num_processes + 1,
        time: sum.time + stat(*pid).map_or(Duration::ZERO, |stat| stat.time),
    })
}

/// Ends all descendants, and those that they start meanwhile. They are this process's to reap: it
/// is the first of its namespace, or has asked for the orphans below it.
pub(super) fn end_all() {
    loop {
        let alive = descendants();
        if alive.is_empty() {
            return;
        }
        for pid in alive {
            // Who has just ended by itself can't be ended.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // One has ended, or will very soon.
        let _ = waitpid(None, None);
    }
}

/// By the parents that `/proc` names.
fn descendants() -> Vec<i32> {
    let parents: Vec<(i32, i32)> =
        processes().into_iter().filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
    let mut found = HashSet::from([getpid().as_raw()]);
    // A process may have a smaller id than its parent, so once through isn't always enough.
    loop {
        let is_child = |(pid, parent): &&(i32, i32)| found.contains(parent) && !found.contains(pid);
        let children: Vec<i32> = parents.iter().filter(is_child).map(|(pid, _)| *pid).collect();
        if children.is_empty() {
            found.remove(&getpid().as_raw());
            return found.into_iter().collect();
        }
        found.extend(children);
    }
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The name of a program stands in brackets, and may have brackets itself.
fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    // Its own time, and that of the children it has waited for; each the user's and the system's.
    let ticks: u64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    let time = Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
    Some(Stat { parent: fields.get(1)?.parse().ok()?, time })
}

fn resident_bytes(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let of = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
    };
    (of("RssAnon:") + of("RssShmem:")) * super::KIB
}
