//! How programs of a language are run: where its compiler or interpreter is, what it needs to see,
//! and the commands that the benchmarks' own harnesses give it.
//!
//! A toolchain is looked for once, by asking it for its version and its folders outside of any
//! jail; what is missing is named before anything is judged.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use thiserror::Error;

use super::jail::{FOLDER, Scratch};
use super::suite::Harness;

mod compiled;
mod go;
mod scripts;
mod virtual_machines;

/// A language's tools and what their messages mean.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// What it calls itself.
    pub version: String,
    /// The name of the file that holds the program.
    pub source: &'static str,
    /// Commands before the one that runs the tests.
    pub compile: Vec<Vec<String>>,
    /// The command that runs the tests.
    pub run: Vec<String>,
    /// Beside `PATH`, `HOME` and the like.
    pub environment: Vec<(String, String)>,
    /// Paths outside the system's own that it reads.
    pub readable: Vec<PathBuf>,
    /// How its messages are read.
    pub messages: Messages,
    /// What was compiled before, in a folder among the readable ones.
    pub cache: Option<Arc<Scratch>>,
}

/// Texts in what a failing program writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// A test failed.
    pub assertion: &'static [&'static str],
    /// The program isn't one of its language.
    pub syntax: &'static [&'static str],
    /// It wanted more memory than there is.
    pub memory: &'static [&'static str],
    /// The tests were run, where no proof can be printed.
    pub passed: Option<&'static str>,
    /// There are no tests.
    pub untested: Option<&'static str>,
    /// What stands before and after the name of a library that isn't there.
    pub missing: &'static [(&'static str, &'static str)],
    /// Is any text on standard error a failure?
    pub silent: bool,
}

/// A language can't be judged here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ToolchainError {
    /// A program or file isn't there.
    #[error("{language} programs need {what}, which isn't there: {advice}")]
    Missing {
        /// The language.
        language: String,
        /// What is missing.
        what: String,
        /// What to do.
        advice: String,
    },
    /// Nobody knows how to run it.
    #[error(
        "programs in {0:?} can't be judged: it is none of python, cpp, cs, go, java, js, php, rs, \
             ts"
    )]
    Unknown(String),
}

impl Toolchain {
    /// The tools of a language, as a benchmark uses them.
    ///
    /// # Errors
    ///
    /// [`ToolchainError`] with what is missing.
    pub fn find(language: &str, harness: Harness) -> Result<Self, ToolchainError> {
        match language {
            "python" => scripts::python(),
            "js" | "javascript" => scripts::javascript(harness),
            "ts" | "typescript" => scripts::typescript(),
            "php" => scripts::php(),
            "cpp" => compiled::cpp(harness),
            "rs" | "rust" => compiled::rust(harness),
            "go" => go::go(harness),
            "java" => virtual_machines::java(harness),
            "cs" | "csharp" => virtual_machines::c_sharp(),
            _ => Err(ToolchainError::Unknown(language.to_owned())),
        }
    }

    /// Everything that a program finds in its environment.
    pub fn whole_environment(&self) -> Vec<(String, String)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut all = vec![
            pair("PATH", "/usr/local/bin:/usr/bin:/bin"),
            pair("HOME", FOLDER),
            pair("TMPDIR", FOLDER),
            pair("LANG", "C.UTF-8"),
        ];
        all.extend(self.environment.iter().cloned());
        all
    }
}

/// The path of a program of this name.
fn program(language: &str, name: &str, advice: &str) -> Result<PathBuf, ToolchainError> {
    let folders = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let is_program = |path: &PathBuf| path.is_file();
    env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(is_program)
        .ok_or_else(|| missing(language, &format!("the program `{name}`"), advice))
}

fn missing(language: &str, what: &str, advice: &str) -> ToolchainError {
    let [language, what, advice] = [language, what, advice].map(str::to_owned);
    ToolchainError::Missing { language, what, advice }
}

/// What a program answers, without blanks around it.
fn ask(language: &str, program: &Path, arguments: &[&str]) -> Result<String, ToolchainError> {
    let shown = program.display();
    let failed = |reason: &str| {
        let advice = format!("`{shown} {}` says: {reason}", arguments.join(" "));
        missing(language, &format!("a working {shown}"), &advice)
    };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(&error.to_string()))?;
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    if !output.status.success() {
        return Err(failed(stderr.trim()));
    }
    // Some answer on standard error.
    let answer = if stdout.trim().is_empty() { stderr } else { stdout };
    Ok(answer.trim().to_owned())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn words<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Vec<String> {
    words.into_iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let found = program("x", "no-such-program", "install it").unwrap_err();
        let expected = "x programs need the program `no-such-program`, which isn't there: \
                        install it";
        assert_eq!(found.to_string(), expected);
        let found = ask("x", Path::new("/no/such/x"), &["--version"]).unwrap_err().to_string();
        assert!(found.contains("`/no/such/x --version` says: No such file"), "{found}");
        assert!(Toolchain::find("cobol", Harness::MultiPlE).is_err());
    }
}
