//! The system calls that no program of a benchmark needs, and that have let programs out of jails
//! before: they fail as if the user had no right to them.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use libc::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS, ENOSYS, EPERM,
};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// Refused altogether.
const REFUSED: [i64; 56] = [
    // Sockets of every kind; a pair of them is fine, runtimes talk to their threads that way.
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // Other processes' memory.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Mounts, roots and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // Large and young parts of the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_memfd_secret,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_quotactl,
    libc::SYS_vhangup,
];

/// On x86-64 the same calls have second numbers.
const X32_BIT: i64 = 0x4000_0000;

/// Filters the calls of this process and of all that come from it.
pub(super) fn apply() -> Result<(), String> {
    let programs = programs().map_err(|error| error.to_string())?;
    programs.iter().try_for_each(|program| {
        seccompiler::apply_filter(program).map_err(|error| error.to_string())
    })
}

fn programs() -> Result<[BpfProgram; 2], BackendError> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().flat_map(|call| [(*call, vec![]), (call | X32_BIT, vec![])]).collect();
    refused.insert(libc::SYS_clone, namespaces()?);
    refused.insert(libc::SYS_clone | X32_BIT, vec![]);
    // Its flags lie in memory, where no filter can look: C libraries then take the old call.
    let unknown = [libc::SYS_clone3, libc::SYS_clone3 | X32_BIT].map(|call| (call, vec![])).into();
    Ok([filter(refused, EPERM)?, filter(unknown, ENOSYS)?])
}

/// A clone with any of these flags.
fn namespaces() -> Result<Vec<SeccompRule>, BackendError> {
    let flags = [
        CLONE_NEWCGROUP,
        CLONE_NEWIPC,
        CLONE_NEWNET,
        CLONE_NEWNS,
        CLONE_NEWPID,
        CLONE_NEWUSER,
        CLONE_NEWUTS,
    ];
    let rule = |flag: i32| {
        let flag = u64::from(flag.cast_unsigned());
        let is_set = SeccompCmpOp::MaskedEq(flag);
        SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Qword, is_set, flag)?])
    };
    flags.into_iter().map(rule).collect()
}

fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Result<BpfProgram, BackendError> {
    let refuse = SeccompAction::Errno(errno.cast_unsigned());
    let arch = TargetArch::try_from(ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn filters_can_be_made_here() {
        let [refused, unknown] = super::programs().unwrap();
        assert!(refused.len() > super::REFUSED.len() && unknown.len() < refused.len());
    }
}
