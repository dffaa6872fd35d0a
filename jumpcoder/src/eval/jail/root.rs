//! The root that programs see: what can be read, mounted so that nothing can be written; a folder
//! in memory; four devices. Whatever isn't named here doesn't exist for them.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{chdir, pivot_root};

use super::{FOLDER, Obstacle, inmate};

/// The system's programs and libraries, and what these read of its settings.
const SYSTEM: [&str; 13] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
];

/// The devices that programs may use.
pub(super) const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"];

/// Of the folder in memory.
const FOLDER_OPTIONS: &str = "size=256m,nr_inodes=16k,mode=1777";

/// Everything that can be read, parents before what is in them, nothing twice.
pub(super) fn readable(more: &[PathBuf]) -> Vec<PathBuf> {
    let system = SYSTEM.iter().map(PathBuf::from);
    let mut paths: Vec<_> =
        system.chain(more.iter().cloned()).filter(|p| p.is_absolute()).collect();
    paths.sort();
    paths.dedup_by(|path, before| path.starts_with(before));
    paths.retain(|path| path.symlink_metadata().is_ok());
    paths
}

/// Builds the root and goes there. Needs a mount namespace of its own, and to be its root.
pub(super) fn build(more: &[PathBuf]) -> Result<(), Obstacle> {
    let binary = std::env::current_exe().map_err(|error| Obstacle::new("the binary", &error))?;
    let failed = |error: io::Error| Obstacle::new("mounting a new root", &error);
    // Covers the system's temporary folder, in this namespace only.
    let base = std::env::temp_dir();
    lay_out(&base, &binary, &readable(more)).map_err(failed)?;
    enter(&base).map_err(|error| Obstacle::new("changing the root", &error))
}

fn lay_out(base: &Path, binary: &Path, readable: &[PathBuf]) -> io::Result<()> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    // What lies in the folder that is covered can only be reached by what was opened before.
    let sources: Vec<_> = readable.iter().chain([&binary.to_owned()]).map(open).collect();
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), base, Some("tmpfs"), flags, Some("size=1m,mode=755"))?;
    let inside = |path: &Path| base.join(path.strip_prefix("/").expect("paths are whole"));
    let folder = inside(Path::new(FOLDER));
    fs::create_dir_all(&folder)?;
    mount(Some("tmpfs"), &folder, Some("tmpfs"), flags, Some(FOLDER_OPTIONS))?;
    let targets = readable.iter().map(PathBuf::as_path).chain([Path::new(inmate::BINARY)]);
    for (source, target) in sources.into_iter().zip(targets) {
        show(source?, &inside(target))?;
    }
    for device in DEVICES {
        show(Source::Mount(fs::File::open(device)?), &inside(Path::new(device)))?;
    }
    // The keeper mounts its own over it. Where no `/proc` is in sight, the kernel lets nobody but
    // the machine's root do that.
    let proc = inside(Path::new("/proc"));
    fs::create_dir_all(&proc)?;
    Ok(mount(Some("/proc"), &proc, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?)
}

/// What is shown in the new root.
enum Source {
    Link(PathBuf),
    Mount(fs::File),
}

fn open(path: &PathBuf) -> io::Result<Source> {
    if path.is_symlink() {
        path.read_link().map(Source::Link)
    } else {
        fs::File::open(path).map(Source::Mount)
    }
}

/// Shows a file or folder at `target`, where it can't be written.
fn show(source: Source, target: &Path) -> io::Result<()> {
    let file = match source {
        Source::Link(to) => {
            make_parents(target)?;
            return symlink(to, target);
        }
        Source::Mount(file) => file,
    };
    if file.metadata()?.is_dir() {
        fs::create_dir_all(target)?;
    } else {
        make_parents(target)?;
        fs::write(target, "")?;
    }
    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    let none = None::<&str>;
    mount(Some(&*source), target, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
    let flags = kept_flags(target)? | MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    Ok(mount(none, target, none, flags, none)?)
}

fn make_parents(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("nothing is shown at the root"))
}

/// What a mount forbids, a user namespace can't allow: mounting again must say it again.
fn kept_flags(path: &Path) -> io::Result<MsFlags> {
    let found = statvfs(path)?.flags();
    let pairs = [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ];
    let kept = pairs.into_iter().filter(|(flag, _)| found.contains(*flag));
    Ok(kept.fold(MsFlags::empty(), |all, (_, flag)| all | flag))
}

/// The old root is mounted over the new one, and goes.
fn enter(base: &Path) -> io::Result<()> {
    chdir(base)?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    let none = None::<&str>;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    Ok(mount(none, "/", none, flags, Some("size=1m,mode=755"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_named_twice() {
        let more = ["/usr/lib/x", "/usr", "relative", "/proc/self", "/no/such/path"];
        let found = readable(&more.map(PathBuf::from));
        assert!(found.contains(&PathBuf::from("/usr")) && found.contains(&"/proc/self".into()));
        assert!(!found.iter().any(|path| path.starts_with("/usr/lib") || path.is_relative()));
        assert!(!found.contains(&PathBuf::from("/no/such/path")));
        assert!(found.is_sorted());
    }
}
