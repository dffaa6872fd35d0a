//! The compilers that are asked, and what their messages say.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Javac,
    Gxx,
    Python,
}

/// What a compiler says of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is no program, or the compiler had no time or no words for it.
    Broken,
    /// It is a program; of names the compiler knows nothing.
    Parsed,
    /// These names are not defined, as often as the compiler says so.
    Undefined(Vec<String>),
}

/// A compiler that takes longer says nothing.
const PATIENCE: Duration = Duration::from_mins(1);

/// What g++ says after the name of what it doesn't know, and before it.
const GXX_MESSAGES: [&str; 5] = [
    " was not declared in this scope",
    " does not name a type",
    " has not been declared",
    " is not a member of ",
    " is not a class, namespace, or enumeration",
];

impl Tool {
    /// The compiler of a language.
    pub(super) fn of(language: &str) -> Option<Self> {
        Some(match language {
            "java" => Self::Javac,
            "cpp" => Self::Gxx,
            "python" => Self::Python,
            _ => return None,
        })
    }

    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Javac => "javac",
            Self::Gxx => "g++",
            Self::Python => "python3",
        }
    }

    pub(super) fn is_installed(self) -> bool {
        let mut command = Command::new(self.program());
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Asks the compiler.
    pub(super) fn ask(self, text: &str) -> Finding {
        self.run(text).map_or(Finding::Broken, |(is_right, messages)| match self {
            Self::Javac => read_javac(&messages),
            Self::Gxx => read_gxx(&messages),
            Self::Python if is_right => Finding::Parsed,
            Self::Python => Finding::Broken,
        })
    }

    /// Runs the compiler on `text`: is it content, and what does it print?
    fn run(self, text: &str) -> io::Result<(bool, String)> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        File::create(path("Program.txt"))?.write_all(text.as_bytes())?;
        let messages = File::create(path("messages"))?;
        let mut command = Command::new(self.program());
        command.args(self.arguments()).current_dir(folder.path()).env("LC_ALL", "C");
        self.name_source(folder.path(), &mut command)?;
        command.stdin(File::open(path("Program.txt"))?);
        command.stdout(Stdio::null()).stderr(messages);
        let mut child = command.spawn()?;
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if began.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(2));
        };
        let messages = std::fs::read(path("messages"))?;
        Ok((status.success(), String::from_utf8_lossy(&messages).into_owned()))
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            // Without the last, errors in the heads of methods hide those in their bodies.
            Self::Javac => {
                &["-proc:none", "-Xmaxerrs", "10000", "-d", ".", "-XDshould-stop.ifError=FLOW"]
            }
            Self::Gxx => &["-x", "c++", "-std=gnu++17", "-fsyntax-only", "-w", "-"],
            Self::Python => &["-I", "-c", "import ast, sys; ast.parse(sys.stdin.buffer.read())"],
        }
    }

    /// Java's compiler reads no standard input.
    fn name_source(self, folder: &Path, command: &mut Command) -> io::Result<()> {
        if self == Self::Javac {
            std::fs::copy(folder.join("Program.txt"), folder.join("Program.java"))?;
            command.arg("Program.java");
        }
        Ok(())
    }
}

/// With an error of syntax, javac looks no further.
fn read_javac(messages: &str) -> Finding {
    let is_other = |line: &&str| {
        line.contains(": error: ")
            && !["cannot find symbol", "does not exist", "should be declared in a file named"]
                .iter()
                .any(|known| line.contains(known))
    };
    let is_syntax = |line: &str| line.ends_with("expected") || line.contains("illegal start of");
    if messages.lines().filter(is_other).any(is_syntax) {
        return Finding::Broken;
    }
    let symbol = |line: &str| {
        let symbol = line.trim_start().strip_prefix("symbol:")?.split_whitespace().nth(1)?;
        Some(symbol.split(['(', '<']).next()?.to_owned())
    };
    Finding::Undefined(messages.lines().filter_map(symbol).collect())
}

fn read_gxx(messages: &str) -> Finding {
    let errors = messages.lines().filter_map(|line| line.split_once(": error: "));
    let name = |(_, message): (&str, &str)| {
        let known = GXX_MESSAGES.iter().find_map(|known| message.find(known))?;
        let quoted = message[..known].strip_suffix('\'')?;
        Some(quoted[quoted.rfind('\'')? + 1..].to_owned())
    };
    Finding::Undefined(errors.filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let javac = "P.java:2: error: cannot find symbol\n  List<A> f;\n  ^\n  symbol:   class \
             List\n  \
                     location: class A\nP.java:3: error: cannot find symbol\n  symbol:   method \
                     g(int)\n2 errors\n";
        let found = ["List", "g"].map(str::to_owned).to_vec();
        assert_eq!(read_javac(javac), Finding::Undefined(found));
        assert_eq!(read_javac("P.java:1: error: ';' expected\n"), Finding::Broken);
        let gxx = "<stdin>:1:3: error: 'vector' was not declared in this scope\n<stdin>:2:1: \
             error: \
                   'sqrt' is not a member of 'std'; did you mean 'qsort'?\n<stdin>:3: error: \
                   expected ';'\n";
        let found = ["vector", "sqrt"].map(str::to_owned).to_vec();
        assert_eq!(read_gxx(gxx), Finding::Undefined(found));
    }
}
