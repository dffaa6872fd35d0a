//! The first process of a jail: it leaves the machine's namespaces, builds a root that has nothing
//! but the readable paths, and starts the keeper in there.
//!
//! It is root in its own user namespace, or the machine's root: mounting needs that. The keeper
//! gives it up.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, close};

use super::{Obstacle, Order, Outcome, inmate, root};

/// Builds the walls and waits for the keeper, who writes the report.
pub(super) fn build(order: &Order) -> Result<Option<Vec<Outcome>>, Obstacle> {
    die_with_parent()?;
    close_files();
    if !Uid::effective().is_root() {
        become_root()?;
    }
    let namespaces = [
        (CloneFlags::CLONE_NEWNS, "mount namespaces"),
        (CloneFlags::CLONE_NEWPID, "process namespaces"),
        (CloneFlags::CLONE_NEWNET, "network namespaces"),
        (CloneFlags::CLONE_NEWIPC, "IPC namespaces"),
        (CloneFlags::CLONE_NEWUTS, "host name namespaces"),
    ];
    for (flag, part) in namespaces {
        unshare(flag).map_err(|error| Obstacle::new(part, &error))?;
    }
    root::build(&order.job.readable)?;
    run_keeper(order)
}

/// Ends this process as soon as the one that started it ends.
pub(super) fn die_with_parent() -> Result<(), Obstacle> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|error| Obstacle::new("prctl", &error))
}

/// A file that the user's shell left open for us is none of a program's business.
fn close_files() {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten();
    let open = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    for file in open.filter(|file| *file > 2).collect::<Vec<_>>() {
        // The one with which the list was read is closed already.
        let _ = close(file);
    }
}

/// Root of a user namespace that maps nobody but this user.
fn become_root() -> Result<(), Obstacle> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    enter_user_namespace(&format!("0 {uid} 1"), &format!("0 {gid} 1"))
}

pub(super) fn enter_user_namespace(uid_map: &str, gid_map: &str) -> Result<(), Obstacle> {
    let failed = |error: &dyn Display| Obstacle::new("user namespaces", error);
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| failed(&error))?;
    for (file, text) in [("setgroups", "deny"), ("uid_map", uid_map), ("gid_map", gid_map)] {
        fs::write(format!("/proc/self/{file}"), text).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// The next process that is started is the first one of the process namespace.
fn run_keeper(order: &Order) -> Result<Option<Vec<Outcome>>, Obstacle> {
    let failed = |error: std::io::Error| Obstacle::new("starting in the new root", &error);
    let mut keeper = Command::new(inmate::BINARY)
        .args(["jail", "keeper"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let text = serde_json::to_vec(order).expect("texts and numbers");
    keeper.stdin.take().expect("it is piped").write_all(&text).map_err(failed)?;
    keeper.wait().map_err(failed)?;
    Ok(None)
}
