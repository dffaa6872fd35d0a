//! Compiled kernels on disk, so that only the first run on a machine waits for the compiler.
//!
//! A file's name has the hash of everything that its content depends on. Files are written under
//! names of their own and then renamed, so processes that write the same one don't disturb each
//! other, and their content is checked when they are read, so that one that was cut or damaged is
//! compiled again. A folder that can't be written to costs time and nothing else.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::nvrtc::{Nvrtc, Spills, Version};
use super::source::{FILES, KernelFile};

/// What a file begins with; the number changes with the format.
const MAGIC: [u8; 8] = *b"jcubin 1";

/// Magic, key, checksum.
const HEADER_BYTES: usize = 8 + 16 + 16;

/// The folder.
#[derive(Clone, Debug)]
pub struct CubinCache {
    folder: Option<PathBuf>,
}

impl CubinCache {
    /// In `folder`; in the user's own if none is named, and nowhere if there is none either.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder: folder.or_else(default_folder) }
    }

    /// Where it is.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The machine code of a file, compiled by `compile` if it isn't here.
    pub(super) fn get_or_compile<E>(
        &self,
        key: &Key,
        compile: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let Some(folder) = &self.folder else { return compile() };
        let path = folder.join(&key.file_name);
        if let Some(cubin) = fs::read(&path).ok().and_then(|bytes| unpack(key, bytes)) {
            return Ok(cubin);
        }
        let cubin = compile()?;
        // Without it, the next run compiles again.
        let _ = write(folder, &path, &[&header(key, &cubin), &cubin[..]]);
        Ok(cubin)
    }
}

/// `jumpcoder/kernels` in the folder that the user keeps caches in.
fn default_folder() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(caches.join("jumpcoder/kernels"))
}

/// Stands for all that a compiled file depends on.
pub struct Key {
    hash: u128,
    file_name: String,
}

impl Key {
    /// Every file of `cuda/` counts, since any may be included.
    pub fn new(file: &KernelFile, arch: &str, nvrtc: Version) -> Self {
        let options = Nvrtc::options(file, arch, Spills::Allowed);
        let version = format!("{}.{}", nvrtc.0, nvrtc.1);
        let sources = FILES.iter().flat_map(|(name, text)| [*name, *text]);
        let parts = [file.name, &version].into_iter();
        let parts = parts.chain(options.iter().map(String::as_str)).chain(sources);
        let hash = parts.fold(FNV_START, |hash, part| {
            // With its length, so that no two lists of parts are the same bytes.
            let hash = fnv(hash, &(part.len() as u64).to_le_bytes());
            fnv(hash, part.as_bytes())
        });
        let stem = file.name.trim_end_matches(".cu");
        Self { hash, file_name: format!("{stem}-{arch}-{hash:032x}.cubin") }
    }
}

/// FNV-1a: the cache guards against accidents, not against those who may write to it.
const FNV_START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;

fn fnv(hash: u128, bytes: &[u8]) -> u128 {
    const PRIME: u128 = (1 << 88) + 0x13b;
    bytes.iter().fold(hash, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

/// What stands before `cubin` in its file.
fn header(key: &Key, cubin: &[u8]) -> [u8; HEADER_BYTES] {
    let checksum = fnv(FNV_START, cubin);
    let parts = [&MAGIC[..], &key.hash.to_le_bytes(), &checksum.to_le_bytes()];
    parts.concat().try_into().expect("the sizes add up")
}

/// The machine code in a file, unless that is another one's or damaged.
fn unpack(key: &Key, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let (found, cubin) = bytes.split_at_checked(HEADER_BYTES)?;
    let is_right = found == header(key, cubin);
    is_right.then(|| bytes.split_off(HEADER_BYTES))
}

fn write(folder: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    static NUM_WRITTEN: AtomicUsize = AtomicUsize::new(0);
    fs::create_dir_all(folder)?;
    let idx = NUM_WRITTEN.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("{}-{idx}.partial", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    let written = written.and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // A full disk: what was written is of no use to anyone.
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use super::*;
    use crate::runtime::folder::Folder;

    fn cache(folder: &Folder) -> CubinCache {
        CubinCache::new(Some(folder.path().join("kernels")))
    }

    fn key() -> Key {
        Key::new(&KernelFile::plain("gather.cu"), "sm_90a", (13, 0))
    }

    fn pack(key: &Key, cubin: &[u8]) -> Vec<u8> {
        [&header(key, cubin), cubin].concat()
    }

    /// What the cache gives, and whether it was compiled for that.
    fn get(cache: &CubinCache, cubin: &[u8]) -> (Vec<u8>, bool) {
        let mut is_compiled = false;
        let found = cache.get_or_compile(&key(), || {
            is_compiled = true;
            Ok::<_, Infallible>(cubin.to_owned())
        });
        let Ok(found) = found;
        (found, is_compiled)
    }

    #[test]
    fn a_file_is_compiled_once() {
        let folder = Folder::new();
        let cache = cache(&folder);
        assert_eq!(get(&cache, b"first"), (b"first".to_vec(), true));
        assert_eq!(get(&cache, b"second"), (b"first".to_vec(), false));
        let names: Vec<_> = fs::read_dir(cache.folder().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1, "no draft is left: {names:?}");
    }

    #[test]
    fn a_failure_is_not_kept() {
        let folder = Folder::new();
        let cache = cache(&folder);
        assert_eq!(cache.get_or_compile(&key(), || Err("fails")), Err("fails"));
        assert_eq!(get(&cache, b"cubin"), (b"cubin".to_vec(), true));
    }

    #[test]
    fn damaged_files_are_compiled_again() {
        let folder = Folder::new();
        let cache = cache(&folder);
        let path = cache.folder().unwrap().join(key().file_name);
        let other = Key::new(&KernelFile::plain("gather.cu"), "sm_80", (13, 0));
        let whole = pack(&key(), b"cubin");
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let cut = |num_bytes: usize| whole[..num_bytes].to_vec();
        let damaged = [
            Vec::new(),
            cut(HEADER_BYTES - 1),
            cut(HEADER_BYTES),
            cut(whole.len() - 1),
            [&whole[..], b"more"].concat(),
            flipped,
            pack(&other, b"cubin"),
            b"something else, which is longer than the header of a file would be".to_vec(),
        ];
        for bytes in damaged {
            fs::create_dir_all(cache.folder().unwrap()).unwrap();
            fs::write(&path, &bytes).unwrap();
            assert_eq!(get(&cache, b"new"), (b"new".to_vec(), true), "{bytes:?}");
            assert_eq!(get(&cache, b"newer"), (b"new".to_vec(), false), "it was replaced");
        }
    }

    #[test]
    fn the_key_tells_everything_apart() {
        let file = |value| KernelFile { name: "gather.cu", constants: vec![("HEAD_DIM", value)] };
        let keys = [
            key(),
            Key::new(&KernelFile::plain("gather.cu"), "sm_80", (13, 0)),
            Key::new(&KernelFile::plain("gather.cu"), "sm_90a", (13, 1)),
            Key::new(&KernelFile::plain("other.cu"), "sm_90a", (13, 0)),
            Key::new(&file(64), "sm_90a", (13, 0)),
            Key::new(&file(128), "sm_90a", (13, 0)),
        ];
        let mut hashes = keys.each_ref().map(|key| key.hash).to_vec();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), keys.len());
        assert_eq!(key().hash, key().hash);
    }

    /// Published values of the 128-bit hash.
    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv(FNV_START, b""), FNV_START);
        assert_eq!(fnv(FNV_START, b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(fnv(FNV_START, b"foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
    }

    #[test]
    fn many_may_write_at_once() {
        let folder = Folder::new();
        let cache = cache(&folder);
        let cubin = vec![7; 1 << 16];
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert_eq!(get(&cache, &cubin).0, cubin, "no one sees a part of a file");
                        // Others may have removed it just now.
                        let _ = fs::remove_file(cache.folder().unwrap().join(key().file_name));
                    }
                });
            }
        });
        let left = fs::read_dir(cache.folder().unwrap()).unwrap();
        let left =
            left.filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "partial");
        assert_eq!(left.count(), 0, "no draft is left");
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_costs_only_time() {
        let folder = Folder::new();
        // A file in the folder's place refuses even those who may write everywhere.
        let file = folder.write("kernels", b"");
        let blocked = CubinCache::new(Some(file.join("deeper")));
        assert_eq!(get(&blocked, b"cubin"), (b"cubin".to_vec(), true));
        let locked = folder.path().join("locked");
        fs::create_dir_all(&locked).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
        let locked = CubinCache::new(Some(locked));
        assert_eq!(get(&locked, b"cubin"), (b"cubin".to_vec(), true));
    }
}
