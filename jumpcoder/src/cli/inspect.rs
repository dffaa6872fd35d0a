//! The command `inspect`: what the judge sees of programs, as JSON, one object for each.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use jumpcoder::inspect::{Findings, Insertion, inspect};
use jumpcoder::language::{self, Language};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::args::InspectArgs;
use super::bench::in_pool;
use super::ending::{Breakdown, Ending, Failure};
use super::plan::UsageError;

/// Files that are read before their findings are written: all threads have work, and little is in
/// memory.
const NUM_FILES_AT_ONCE: usize = 256;
/// Of requests, what has come is answered together.
const REQUESTS_BYTES_AT_ONCE: usize = 1 << 20;

/// `inspect`.
pub fn command(args: &InspectArgs) -> Result<Ending, Failure> {
    let subject = Subject::new(args)?;
    in_pool(args.threads, || match subject {
        Subject::Files { language } => files(args, language),
        Subject::Requests(requests) => {
            batch(BufReader::with_capacity(REQUESTS_BYTES_AT_ONCE, requests))
        }
    })
}

/// What is inspected.
enum Subject {
    Files { language: Option<&'static dyn Language> },
    Requests(Box<dyn Read + Send>),
}

impl Subject {
    fn new(args: &InspectArgs) -> Result<Self, Failure> {
        if args.batch {
            return match &args.files[..] {
                [] => Ok(Self::Requests(Box::new(io::stdin()))),
                [path] if is_stdin(path) => Ok(Self::Requests(Box::new(io::stdin()))),
                [path] => File::open(path)
                    .map(|file| Self::Requests(Box::new(file)))
                    .map_err(|reason| Failure::Requests { path: shown(path), reason }),
                _ => Err(UsageError::SeveralBatches.into()),
            };
        }
        let by_name = |name: &String| {
            let known = language::by_name(name, false);
            known.ok_or_else(|| UsageError::Language(name.clone()))
        };
        let language = args.language.as_ref().map(by_name).transpose()?;
        if language.is_none() && args.files.iter().any(|path| is_stdin(path)) {
            return Err(UsageError::StdinWithoutLanguage.into());
        }
        Ok(Self::Files { language })
    }
}

/// What is written of one program.
#[derive(Debug, Serialize)]
struct Answer {
    name: String,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content {
    Found(Findings),
    Failed { error: String },
}

impl Answer {
    fn new(name: String, found: Result<Findings, String>) -> Self {
        let content = found.map_or_else(|error| Content::Failed { error }, Content::Found);
        Self { name, content }
    }
}

fn files(args: &InspectArgs, language: Option<&'static dyn Language>) -> Result<Ending, Failure> {
    let mut output = Answers::new(args.pretty);
    for files in args.files.chunks(NUM_FILES_AT_ONCE) {
        let answer = |path| Answer::new(shown(path), inspect_file(path, language, &args.at));
        output.write(&files.par_iter().map(|path| answer(path)).collect::<Vec<_>>())?;
    }
    Ok(output.ending())
}

fn inspect_file(
    path: &Path,
    language: Option<&'static dyn Language>,
    insertions: &[Insertion],
) -> Result<Findings, String> {
    let language = language.map_or_else(|| language_of(path), Ok)?;
    let bytes = if is_stdin(path) { read_stdin() } else { fs::read(path) };
    let bytes = bytes.map_err(|error| format!("can't be read: {error}"))?;
    Ok(inspect(&utf8(bytes)?, language, insertions))
}

fn language_of(path: &Path) -> Result<&'static dyn Language, String> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.and_then(|extension| language::by_name(extension, false)).ok_or_else(|| {
        "no language is known by this extension: name one with --language".to_owned()
    })
}

fn read_stdin() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("invalid UTF-8 after byte {at}: save it as UTF-8")
    })
}

/// A line of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    name: String,
    language: String,
    text: String,
    #[serde(default)]
    insertions: Vec<Insertion>,
}

/// Answers requests as they come: whoever waits for an answer gets it.
fn batch(mut requests: BufReader<impl Read>) -> Result<Ending, Failure> {
    let mut output = Answers::new(false);
    let mut num_lines = 0;
    loop {
        let lines = next_lines(&mut requests).map_err(Breakdown::Requests)?;
        if lines.is_empty() {
            return Ok(output.ending());
        }
        let numbered = lines.par_iter().enumerate();
        let asked = numbered.filter(|(_, line)| !line.trim_ascii().is_empty());
        let answers = asked.map(|(idx, line)| answer(line, num_lines + idx + 1));
        output.write(&answers.collect::<Vec<_>>())?;
        num_lines += lines.len();
    }
}

/// At least one line, unless there is none left, and those that have come with it.
fn next_lines(requests: &mut BufReader<impl Read>) -> io::Result<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    while lines.is_empty() || requests.buffer().contains(&b'\n') {
        let mut line = Vec::new();
        if requests.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        lines.push(line);
    }
    Ok(lines)
}

fn answer(line: &[u8], line_number: usize) -> Answer {
    match serde_json::from_slice::<Request>(line) {
        Err(error) => {
            let text = error.to_string();
            // The parser counts lines too, but it only ever sees one of them.
            let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
            let name = format!("line {line_number}");
            Answer::new(name, Err(format!("no request, at column {}: {reason}", error.column())))
        }
        Ok(Request { name, language, text, insertions }) => {
            let known = language::by_name(&language, false);
            let known = known.ok_or_else(|| UsageError::Language(language).to_string());
            Answer::new(name, known.map(|known| inspect(&text, known, &insertions)))
        }
    }
}

/// Standard output, and whether all went well so far.
struct Answers {
    is_pretty: bool,
    has_error: bool,
}

impl Answers {
    fn new(is_pretty: bool) -> Self {
        Self { is_pretty, has_error: false }
    }

    fn write(&mut self, answers: &[Answer]) -> Result<(), Failure> {
        let mut text = Vec::new();
        for answer in answers {
            self.has_error |= matches!(answer.content, Content::Failed { .. });
            let written = if self.is_pretty {
                serde_json::to_writer_pretty(&mut text, answer)
            } else {
                serde_json::to_writer(&mut text, answer)
            };
            written.expect("names and numbers");
            text.push(b'\n');
        }
        let mut stdout = io::stdout();
        stdout.write_all(&text).and_then(|()| stdout.flush()).map_err(Failure::stdout)
    }

    fn ending(&self) -> Ending {
        if self.has_error { Ending::SomeFailed } else { Ending::Success }
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
