//! The compiler of one device: NVRTC behind the cache, several files at a time.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::cubin_cache::{CubinCache, Key};
use super::{DeviceError, KernelFile, Nvrtc, Spills};

/// Makes machine code for one architecture.
pub struct Compiler {
    pub nvrtc: Nvrtc,
    pub cache: CubinCache,
    pub arch: String,
}

impl Compiler {
    /// The machine code of a file.
    pub fn cubin(&self, file: &KernelFile) -> Result<Vec<u8>, DeviceError> {
        let key = Key::new(file, &self.arch, self.nvrtc.version());
        self.cache.get_or_compile(&key, || self.nvrtc.compile(file, &self.arch, Spills::Allowed))
    }

    /// That of all `files`, in their order, on all cores.
    pub fn cubins(&self, files: &[KernelFile]) -> Result<Vec<Vec<u8>>, DeviceError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let take = || files.get(next.fetch_add(1, Ordering::Relaxed));
            let compiled = std::iter::from_fn(take).map(|file| (file, self.cubin(file)));
            compiled.collect::<Vec<_>>()
        };
        let num_threads = thread::available_parallelism().map_or(1, NonZero::get).min(files.len());
        // Threads of their own: a thread of the caller's pool may hold what the pool's others need.
        let mut compiled = thread::scope(|scope| {
            let workers: Vec<_> = (0..num_threads).map(|_| scope.spawn(work)).collect();
            let done = workers.into_iter().map(|worker| worker.join().expect("compiled"));
            done.flatten().collect::<Vec<_>>()
        });
        // Files of one array are in the order of their addresses.
        compiled.sort_unstable_by_key(|(file, _)| std::ptr::from_ref(*file));
        compiled.into_iter().map(|(_, cubin)| cubin).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::runtime::folder::Folder;
    use crate::runtime::nvrtc::tests::installed;

    #[test]
    fn files_are_compiled_in_parallel_and_then_found_on_disk() {
        let Some(nvrtc) = installed() else { return };
        let folder = Folder::new();
        let cache = CubinCache::new(Some(folder.path().to_owned()));
        let compiler = Compiler { nvrtc, cache, arch: "sm_80".to_owned() };
        let files: Vec<KernelFile> =
            ["gather.cu", "embed.cu", "gather.cu"].map(KernelFile::plain).into();
        let cubins = compiler.cubins(&files).unwrap();
        let alone = files
            .iter()
            .map(|file| compiler.nvrtc.compile(file, "sm_80", Spills::Allowed).unwrap());
        assert_eq!(cubins, alone.collect::<Vec<_>>(), "in their order, and the same bytes");
        let num_kept = || fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(num_kept(), 2);
        assert_eq!(compiler.cubins(&files).unwrap(), cubins);
        assert_eq!(num_kept(), 2);
        assert_eq!(compiler.cubins(&[]).unwrap(), Vec::<Vec<u8>>::new());
    }
}
