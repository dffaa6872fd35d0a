//! Where the libraries of CUDA lie on this machine.
//!
//! The loader knows few of those places: a wheel in a Python environment or a toolkit in its own
//! folder is invisible to it unless environment variables say so. So files are looked for here and
//! opened by their paths; what the loader finds by itself comes last. The names are those of Linux.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where NVRTC lies below a toolkit's folder, a Python environment's, or one that `pip --target`
/// filled. A `*` stands for anything inside a name.
const NVRTC_BELOW: [&str; 8] = [
    "libnvrtc.so*",
    "lib64/libnvrtc.so*",
    "lib/libnvrtc.so*",
    "targets/*/lib/libnvrtc.so*",
    "nvidia/cu*/lib/libnvrtc.so*",
    "nvidia/cuda_nvrtc/lib/libnvrtc.so*",
    "lib*/python3*/*-packages/nvidia/cu*/lib/libnvrtc.so*",
    "lib*/python3*/*-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so*",
];

/// Folders of toolkits.
const TOOLKITS: [&str; 3] = ["usr/local/cuda", "usr/local/cuda-*", "opt/cuda*"];

/// Folders of Python environments in the user's own.
const HOME_FOLDERS: [&str; 2] = [".local", ".pyenv/versions/*"];

/// Where drivers lie besides the loader's path: in containers, in WSL, on NixOS.
const DRIVER_FOLDERS: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/local/nvidia/lib64",
    "/usr/lib/wsl/lib",
    "/run/opengl-driver/lib",
];

/// The loader is asked for these names last.
const NVRTC_NAMES: [&str; 3] = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"];
const DRIVER_NAME: &str = "libcuda.so.1";

/// The variables that say where something is.
const VARIABLES: [&str; 7] =
    ["JUMP_NVRTC", "CUDA_PATH", "CUDA_HOME", "VIRTUAL_ENV", "CONDA_PREFIX", "HOME", "PATH"];

/// What a search depends on.
pub struct Machine {
    root: PathBuf,
    variables: Vec<(&'static str, OsString)>,
}

/// Files to try in their order, and the places that they come from, for the message if none will
/// do.
#[derive(Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Paths; names without a folder are for the loader.
    pub files: Vec<PathBuf>,
    /// Where they were looked for.
    pub places: Vec<String>,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let value = |name| Some((name, env::var_os(name).filter(|value| !value.is_empty())?));
        let variables = VARIABLES.into_iter().filter_map(value).collect();
        Self { root: PathBuf::from("/"), variables }
    }

    fn variable(&self, name: &str) -> Option<&OsString> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The files that may be NVRTC. If one is named, as a file or a folder, there is no other.
    pub fn nvrtc(&self, named: Option<&Path>) -> Candidates {
        let named = named.or_else(|| self.variable("JUMP_NVRTC").map(Path::new));
        if let Some(path) = named {
            let place = path.display().to_string();
            // A name alone would be the loader's to find.
            let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let files = if path.is_file() { vec![path.to_owned()] } else { nvrtc_below(path) };
            return Candidates { files: distinct(files), places: vec![place] };
        }
        let mut places = Vec::new();
        let mut files = Vec::new();
        for (folder, pattern) in self.nvrtc_places() {
            let place: PathBuf = folder.join(pattern).components().collect();
            places.push(place.display().to_string());
            files.extend(matches(&folder, pattern).iter().flat_map(|found| nvrtc_below(found)));
        }
        let mut files = distinct(files);
        files.extend(NVRTC_NAMES.map(PathBuf::from));
        places.dedup();
        places.push("the loader's path".to_owned());
        Candidates { files, places }
    }

    /// The files that may be the driver.
    pub fn driver(&self) -> Candidates {
        let mut files = vec![PathBuf::from(DRIVER_NAME)];
        for folder in DRIVER_FOLDERS {
            files.extend(matches(&self.root, &format!("{}/{DRIVER_NAME}", &folder[1..])));
        }
        let mut places = vec!["the loader's path".to_owned()];
        places.extend(DRIVER_FOLDERS.map(str::to_owned));
        Candidates { files, places }
    }

    /// Folders, with patterns of folders below them that may be toolkits or Python environments:
    /// what the user's variables say first, then toolkits, then Python environments.
    fn nvrtc_places(&self) -> Vec<(PathBuf, &'static str)> {
        let named = |name: &&str| self.variable(name).map(PathBuf::from);
        let itself = |folder| (folder, "");
        let mut places = Vec::new();
        places.extend(["CUDA_PATH", "CUDA_HOME"].iter().filter_map(named).map(itself));
        places.extend(TOOLKITS.map(|toolkit| (self.root.clone(), toolkit)));
        places.extend(["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(named).map(itself));
        places.extend(self.python_prefixes().into_iter().map(itself));
        // Where `python3` is a script that chooses a version, the versions are in the second.
        let home = |home| HOME_FOLDERS.map(|folder| (Path::new(home).to_owned(), folder));
        places.extend(self.variable("HOME").into_iter().flat_map(home));
        places.extend(["usr/local", "usr"].map(|prefix| (self.root.clone(), prefix)));
        places
    }

    /// The environments of the first `python3` on the path: its own, and of what it links to.
    fn python_prefixes(&self) -> Vec<PathBuf> {
        let Some(path) = self.variable("PATH") else { return Vec::new() };
        let python = env::split_paths(path).map(|folder| folder.join("python3"));
        let Some(python) = python.into_iter().find(|file| file.is_file()) else {
            return Vec::new();
        };
        let prefix = |file: &Path| Some(file.parent()?.parent()?.to_owned());
        let target = fs::canonicalize(&python).ok();
        [prefix(&python), target.as_deref().and_then(prefix)].into_iter().flatten().collect()
    }
}

/// The NVRTC libraries in a folder of whatever kind.
fn nvrtc_below(folder: &Path) -> Vec<PathBuf> {
    NVRTC_BELOW.iter().flat_map(|pattern| matches(folder, pattern)).collect()
}

/// Each file once, whatever links lead to it, by the first of its names.
fn distinct(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = Vec::new();
    let is_new = |file: &PathBuf| {
        let target = fs::canonicalize(file).unwrap_or_else(|_| file.clone());
        let is_new = !seen.contains(&target);
        seen.push(target);
        is_new
    };
    files.into_iter().filter(is_new).collect()
}

/// What exists below `folder` under a relative path, in whose names `*` stands for anything; the
/// newest versions first.
pub fn matches(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for component in Path::new(pattern).components() {
        let Component::Normal(name) = component else { continue };
        let name = name.to_string_lossy();
        found = match name.split_once('*') {
            None => found.into_iter().map(|path| path.join(&*name)).collect(),
            Some((start, end)) => found.iter().flat_map(|path| entries(path, start, end)).collect(),
        };
    }
    found.retain(|path| path.exists());
    found
}

/// The entries of a folder whose names start and end so, the newest versions first.
fn entries(folder: &Path, start: &str, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: fs::DirEntry| entry.file_name().into_string().ok();
    let mut names: Vec<String> = entries.filter_map(|entry| name(entry.ok()?)).collect();
    names.retain(|name| {
        name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
    });
    names.sort_by_cached_key(|name| std::cmp::Reverse((version(name), name.clone())));
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// The numbers in a name.
fn version(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::runtime::folder::Folder;

    fn machine(folder: &Folder, variables: &[(&'static str, &str)]) -> Machine {
        let value = |value: &str| folder.path().join(value).into_os_string();
        let variables = variables.iter().map(|(name, path)| (*name, value(path))).collect();
        Machine { root: folder.path().to_owned(), variables }
    }

    /// The files that are found, as paths in the folder, without the loader's.
    fn found(folder: &Folder, candidates: &Candidates) -> Vec<String> {
        let inside =
            |file: &PathBuf| Some(file.strip_prefix(folder.path()).ok()?.display().to_string());
        candidates.files.iter().filter_map(inside).collect()
    }

    #[test]
    fn every_usual_place_is_searched() {
        let places = [
            "usr/local/cuda-12.4/lib64/libnvrtc.so.12",
            "usr/local/cuda-12.10/targets/x86_64-linux/lib/libnvrtc.so.12",
            "opt/cuda/lib64/libnvrtc.so.13",
            "usr/lib/python3/dist-packages/nvidia/cu13/lib/libnvrtc.so.13",
            "usr/local/lib/python3.11/dist-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
            "venv/lib/python3.9/site-packages/nvidia/cu13/lib/libnvrtc.so.13",
            "venv/lib64/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
            "conda/lib/libnvrtc.so.12.4.127",
            "home/.local/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13",
            "home/.pyenv/versions/3.11.7/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so",
            "python/lib/python3.13/site-packages/nvidia/cu13/lib/libnvrtc.so.13",
        ];
        let variables = [
            ("VIRTUAL_ENV", "venv"),
            ("CONDA_PREFIX", "conda"),
            ("HOME", "home"),
            ("PATH", "python/bin"),
        ];
        for place in places {
            let folder = Folder::new();
            folder.write("python/bin/python3", b"");
            folder.write(place, b"");
            let candidates = machine(&folder, &variables).nvrtc(None);
            assert_eq!(found(&folder, &candidates), [place]);
            assert_eq!(candidates.files.len(), 1 + NVRTC_NAMES.len(), "and the loader's");
        }
    }

    #[test]
    fn the_newest_comes_first_and_variables_before_folders() {
        let folder = Folder::new();
        for place in ["usr/local/cuda-9.2", "usr/local/cuda-12.4", "usr/local/cuda-12.10", "mine"] {
            folder.write(&format!("{place}/lib64/libnvrtc.so.12"), b"");
        }
        let candidates = machine(&folder, &[("CUDA_HOME", "mine")]).nvrtc(None);
        let order = ["mine", "usr/local/cuda-12.10", "usr/local/cuda-12.4", "usr/local/cuda-9.2"];
        assert_eq!(found(&folder, &candidates), order.map(|f| format!("{f}/lib64/libnvrtc.so.12")));
    }

    #[test]
    fn a_file_with_many_names_is_tried_once() {
        let folder = Folder::new();
        folder.write("usr/local/cuda-13.0/lib64/libnvrtc.so.13.0.88", b"");
        let lib = folder.path().join("usr/local/cuda-13.0/lib64");
        symlink("libnvrtc.so.13.0.88", lib.join("libnvrtc.so.13")).unwrap();
        symlink("libnvrtc.so.13", lib.join("libnvrtc.so")).unwrap();
        symlink("cuda-13.0", folder.path().join("usr/local/cuda")).unwrap();
        let candidates = machine(&folder, &[]).nvrtc(None);
        assert_eq!(found(&folder, &candidates), ["usr/local/cuda/lib64/libnvrtc.so.13.0.88"]);
    }

    #[test]
    fn an_environment_is_found_through_its_python() {
        let folder = Folder::new();
        folder.write("base/bin/python3.11", b"");
        folder.write("base/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13", b"");
        fs::create_dir_all(folder.path().join("venv/bin")).unwrap();
        symlink("../../base/bin/python3.11", folder.path().join("venv/bin/python3")).unwrap();
        let candidates = machine(&folder, &[("PATH", "venv/bin")]).nvrtc(None);
        let file = "base/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13";
        let [only] = &found(&folder, &candidates)[..] else { panic!("{candidates:?}") };
        assert!(only.ends_with(file), "{only}");
    }

    #[test]
    fn what_is_named_is_all_that_is_tried() {
        let folder = Folder::new();
        folder.write("usr/local/cuda/lib64/libnvrtc.so.13", b"");
        let file = folder.write("wheels/nvidia/cu13/lib/libnvrtc.so.13", b"");
        let machine = machine(&folder, &[("JUMP_NVRTC", "wheels")]);
        let empty = folder.path().join("nothing");
        let table = [
            (None, vec![file.clone()]),
            (Some(&file), vec![file.clone()]),
            (Some(&empty), Vec::new()),
        ];
        for (named, files) in table {
            let candidates = machine.nvrtc(named.map(PathBuf::as_path));
            assert_eq!(candidates.files, files);
            assert_eq!(candidates.places.len(), 1, "{candidates:?}");
        }
    }

    #[test]
    fn the_driver_is_looked_for_in_containers_too() {
        let folder = Folder::new();
        folder.write("usr/local/nvidia/lib64/libcuda.so.1", b"");
        let candidates = machine(&folder, &[]).driver();
        assert_eq!(candidates.files[0], Path::new(DRIVER_NAME), "the loader's comes first");
        assert_eq!(found(&folder, &candidates), ["usr/local/nvidia/lib64/libcuda.so.1"]);
    }
}
