//! The third process of a jail: takes its limits upon itself, locks itself in, and becomes the
//! program.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::setsid;
use serde::{Deserialize, Serialize};

use super::{Containment, FOLDER, Limits, Obstacle, filter, root};

/// Where a jail has this binary.
pub(super) const BINARY: &str = "/jail";
/// The exit code of a stage that did not become its program.
pub(super) const NOT_BEGUN: u8 = 125;
/// Files that are open at a time.
const NUM_FILES_MAX: u64 = 1024;
/// The newest Landlock whose rights are known here; older ones know fewer.
const ABI_KNOWN: ABI = ABI::V7;

/// What a stage becomes, and what holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Lock {
    pub(super) command: Vec<String>,
    pub(super) limits: Limits,
    pub(super) readable: Vec<PathBuf>,
    pub(super) containment: Containment,
}

/// Does not return, unless something is missing.
pub(super) fn become_program(text: &str) -> Obstacle {
    let lock: Lock = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Obstacle::new("the stage", &error),
    };
    if let Err(obstacle) = lock.close() {
        return obstacle;
    }
    let [program, arguments @ ..] = &*lock.command else {
        return Obstacle::new("the stage", &"it has no command");
    };
    Obstacle::new(program, &Command::new(program).args(arguments).exec())
}

impl Lock {
    fn close(&self) -> Result<(), Obstacle> {
        setsid().map_err(|error| Obstacle::new("a session", &error))?;
        prctl::set_no_new_privs().map_err(|error| Obstacle::new("no_new_privs", &error))?;
        // Whom the kernel ends first where memory is short; it is no harm if it can't be said.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
        self.set_limits().map_err(|error| Obstacle::new("limits", &error))?;
        if self.containment == Containment::Open {
            return Ok(());
        }
        let status = self.hide_files().map_err(|error| Obstacle::new("Landlock", &error))?;
        if status == RulesetStatus::NotEnforced {
            return Err(Obstacle::new("Landlock", &"this kernel doesn't enforce it"));
        }
        filter::apply().map_err(|error| Obstacle::new("seccomp", &error))
    }

    fn set_limits(&self) -> Result<(), nix::Error> {
        let limits = &self.limits;
        // The keeper sees it earlier; this is for what it can't see.
        let cpu_seconds = limits.time.as_secs() + 1;
        setrlimit(Resource::RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)?;
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        setrlimit(Resource::RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes)?;
        setrlimit(Resource::RLIMIT_NOFILE, NUM_FILES_MAX, NUM_FILES_MAX)?;
        // Memory has no limit of this kind: runtimes reserve far more than they use.
        setrlimit(Resource::RLIMIT_NPROC, limits.num_processes, limits.num_processes)
    }

    /// Landlock, beside the new root: what is not shown can't be opened, and what is shown can't be
    /// written, even if a mount were undone.
    fn hide_files(&self) -> Result<RulesetStatus, RulesetError> {
        let all = AccessFs::from_all(ABI_KNOWN);
        let read = AccessFs::from_read(ABI_KNOWN);
        let use_device = AccessFs::ReadFile | AccessFs::WriteFile;
        let mut readable = root::readable(&self.readable);
        readable.extend([BINARY.into(), "/proc".into()]);
        let status = Ruleset::default()
            // What the first Landlock knew is needed; what later ones added is taken where it is.
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(ABI::V1))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .handle_access(AccessNet::from_all(ABI_KNOWN))?
            .scope(Scope::from_all(ABI_KNOWN))?
            .create()?
            .add_rules(path_beneath_rules(readable, read))?
            .add_rules(path_beneath_rules(root::DEVICES, use_device))?
            .add_rules(path_beneath_rules([FOLDER], all))?
            .restrict_self()?;
        Ok(status.ruleset)
    }
}
