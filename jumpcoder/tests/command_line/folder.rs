//! A folder for a test, and the binary run inside of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No run of these tests takes so long, unless it hangs.
const TIME_LIMIT: Duration = Duration::from_mins(10);
/// Address space of a run, in KiB: the tiny model and its default KV memory take a quarter.
const MEMORY_LIMIT_KIB: &str = "4194304";

/// A folder of its own, that goes when the test ends.
pub struct Folder(PathBuf);

/// A run that has ended by itself, and without a panic.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Self {
        static NUM_FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let idx = NUM_FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("jumpcoder-command-line-{}-{idx}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// With a file `in` that holds `lines`.
    pub fn with_input(lines: &str) -> Self {
        let folder = Self::new();
        folder.write("in", lines);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Never through a link: a test must not change what it was made from.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The lines of a file, which must be JSON.
    pub fn json_lines(&self, name: &str) -> Vec<Value> {
        json_lines(&self.read(name))
    }

    /// Starts the binary in this folder; its standard streams are the files named here.
    pub fn spawn(&self, words: &[&str], stdin: Stdio) -> Child {
        // The emulator takes addresses for all the memory that a device could have, and the virtual
        // machines of programs that are judged for more than they use.
        let is_spacious = words.contains(&"emulator") || words.contains(&"eval");
        let limit = if is_spacious { "unlimited" } else { MEMORY_LIMIT_KIB };
        let script = format!("ulimit -v {limit}; exec \"$0\" \"$@\"");
        Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_jumpcoder")])
            .args(words)
            .current_dir(&self.0)
            .env("NO_COLOR", "")
            .env_remove("RUST_BACKTRACE")
            .stdin(stdin)
            .stdout(File::create(self.path("stdout")).unwrap())
            .stderr(File::create(self.path("stderr")).unwrap())
            .spawn()
            .unwrap()
    }

    /// Runs the binary with the words of `line`.
    pub fn run(&self, line: &str) -> Run {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn run_words(&self, words: &[&str]) -> Run {
        self.finish(self.spawn(words, Stdio::null()))
    }

    pub fn run_with_stdin(&self, line: &str, stdin: &str) -> Run {
        self.write("stdin", stdin);
        let words: Vec<_> = line.split_whitespace().collect();
        let stdin = File::open(self.path("stdin")).unwrap();
        self.finish(self.spawn(&words, stdin.into()))
    }

    fn finish(&self, child: Child) -> Run {
        let status = wait(child);
        let (stdout, stderr) = (self.read("stdout"), self.read("stderr"));
        assert!(!stderr.contains("panicked"), "{stderr}");
        let code = status.code().unwrap_or_else(|| panic!("{status}: {stderr}"));
        Run { code, stdout, stderr }
    }

    /// Runs what must end with `code` and with one line on standard error that has all of `parts`.
    pub fn refused(&self, line: &str, code: i32, parts: &[&str]) {
        let run = self.run(line);
        let is_one_line = run.stderr.starts_with("jumpcoder: ") && run.stderr.lines().count() == 1;
        let says = parts.iter().all(|part| run.stderr.contains(part));
        assert!(run.code == code && is_one_line && says, "{line}: {run:?} should say {parts:?}");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Waits for the end, which must come.
pub fn wait(mut child: Child) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begin.elapsed() > TIME_LIMIT {
            child.kill().unwrap();
            panic!("the run hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn json_lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is cut: {text}");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The programs of JSON lines, which must all have one.
pub fn programs(lines: &[Value]) -> Vec<String> {
    let program = |line: &Value| {
        assert!(line.get("error").is_none(), "{line}");
        line["solution"].as_str().unwrap().to_owned()
    };
    lines.iter().map(program).collect()
}

/// The folder of a package's source.
pub fn package(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The eight examples `copies` times, with ids of their own.
pub fn examples(copies: usize) -> String {
    let text = fs::read_to_string(package("jumpcoder/src/examples.jsonl")).unwrap();
    let copy = |copy: usize| text.replace("\"TinyTasks/", &format!("\"copy{copy}/"));
    (0..copies).map(copy).collect()
}
