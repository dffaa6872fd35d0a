//! Shows programs as they are written, line by line.
//!
//! A terminal only grows downwards, but JumpCoder writes upwards too. So an insertion is shown as
//! `git diff` would show it, as a hunk with the lines around it, and a finished program that had
//! insertions is shown once more as a whole, with those lines marked in their place.

use std::io::{self, Write};

use crate::event::{Change, Judge, Round};
use crate::task::{Observer, Solution, Task, TaskError};

/// Lines of the program that are shown before and after an insertion.
const NUM_CONTEXT_LINES: usize = 2;

#[derive(Clone, Copy)]
enum Style {
    Title,
    Hunk,
    Added,
    Dropped,
    Plain,
}

impl Style {
    /// The colours of `git diff`.
    fn code(self) -> &'static str {
        match self {
            Self::Title => "\x1b[1m",
            Self::Hunk => "\x1b[36m",
            Self::Added => "\x1b[32m",
            Self::Dropped => "\x1b[31m",
            Self::Plain => "",
        }
    }
}

/// A line of the program that is being written.
struct Line {
    text: String,
    is_inserted: bool,
}

/// Shows one program at a time: tasks must not overlap.
pub struct Watch<W> {
    writer: W,
    has_color: bool,
    titles: Vec<String>,
    lines: Vec<Line>,
    failure: Option<io::Error>,
}

impl<W: Write> Watch<W> {
    /// Writes to `writer`; without colour the marks `+` and `-` tell everything too.
    pub fn new(writer: W, has_color: bool) -> Self {
        Self { writer, has_color, titles: Vec::new(), lines: Vec::new(), failure: None }
    }

    /// Says which tasks the observer will hear of.
    pub fn begin(&mut self, tasks: &[Task]) {
        let has_samples = tasks.iter().any(|task| task.sample > 0);
        self.titles = tasks
            .iter()
            .map(|task| {
                let sample =
                    if has_samples { format!(" (sample {})", task.sample) } else { String::new() };
                task.id.clone() + &sample
            })
            .collect();
    }

    /// The first failure to write, as when the reader of a pipe has gone.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn put(&mut self, style: Style, mark: &str, text: &str) {
        if self.failure.is_some() {
            return;
        }
        let text = printable(text);
        let code = style.code();
        let outcome = if self.has_color && !code.is_empty() {
            writeln!(self.writer, "{code}{mark}{text}\x1b[m")
        } else {
            writeln!(self.writer, "{mark}{text}")
        };
        self.failure = outcome.and_then(|()| self.writer.flush()).err();
    }

    fn put_line(&mut self, idx: usize) {
        let text = self.lines[idx].text.clone();
        self.put(Style::Plain, " ", &text);
    }

    fn insert(&mut self, position: usize, inserted: &[String], num_dropped: usize, by: Judge) {
        let judge = match by {
            Judge::Ast => "it defines what was undefined",
            Judge::Score => "it makes the next lines likelier",
        };
        let title = format!("@@ inserted before line {}: {judge} @@", position + 1);
        self.put(Style::Hunk, "", &title);
        let num_kept = self.lines.len().saturating_sub(num_dropped);
        for idx in position.saturating_sub(NUM_CONTEXT_LINES)..position {
            self.put_line(idx);
        }
        for text in inserted {
            self.put(Style::Added, "+", text);
        }
        for idx in position..num_kept.min(position + NUM_CONTEXT_LINES) {
            self.put_line(idx);
        }
        if num_dropped > 0 {
            self.put(Style::Hunk, "", "@@ dropped, to be written anew @@");
        }
        for line in self.lines.split_off(num_kept) {
            self.put(Style::Dropped, "-", &line.text);
        }
        self.put(Style::Hunk, "", "@@ on from here @@");
        let inserted = inserted.iter().map(|text| Line { text: text.clone(), is_inserted: true });
        self.lines.splice(position..position, inserted);
    }

    /// The program once more, with its insertions in place, unless another one was kept.
    fn put_whole(&mut self, solution: &Solution) {
        let mut shown = String::new();
        for line in &self.lines {
            shown.push_str(&line.text);
        }
        if shown.trim_end() != solution.program.trim_end() {
            let title = match solution.kept_ar {
                Some(true) => "@@ the program without insertions is likelier: it is kept @@",
                _ => "@@ the whole program @@",
            };
            self.put(Style::Hunk, "", title);
            for text in solution.program.lines() {
                self.put(Style::Plain, " ", text);
            }
        } else if self.lines.iter().any(|line| line.is_inserted) {
            self.put(Style::Hunk, "", "@@ the whole program @@");
            for line in std::mem::take(&mut self.lines) {
                let (style, mark) =
                    if line.is_inserted { (Style::Added, "+") } else { (Style::Plain, " ") };
                self.put(style, mark, &line.text);
            }
        }
    }
}

impl<W: Write> Observer for Watch<W> {
    fn started(&mut self, task: usize, lines: &[String]) {
        let title = format!("=== {} ===", self.titles[task]);
        self.put(Style::Title, "", &title);
        self.lines.clear();
        for text in lines {
            self.put(Style::Plain, " ", text);
            self.lines.push(Line { text: text.clone(), is_inserted: false });
        }
    }

    fn round(&mut self, _task: usize, round: &Round) {
        match &round.change {
            Change::Append { line } => {
                self.put(Style::Plain, " ", line);
                self.lines.push(Line { text: line.clone(), is_inserted: false });
            }
            Change::Insert { position, lines, num_dropped, by } => {
                self.insert(*position, lines, *num_dropped, *by);
            }
            Change::None => {}
        }
    }

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        match result {
            Ok(solution) => {
                self.put_whole(solution);
                let num = solution.insertions.len();
                let plural = if num == 1 { "" } else { "s" };
                let summary = format!("--- {num} insertion{plural}, {:.2} s", solution.seconds);
                self.put(Style::Title, "", &summary);
            }
            Err(error) => {
                let text = format!("{} failed: {error}", self.titles[task]);
                self.put(Style::Dropped, "", &text);
            }
        }
        self.put(Style::Plain, "", "");
        self.lines.clear();
    }
}

/// The text without its line end; what could steer a terminal is shown, not sent.
fn printable(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' && c != '\n' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Decoded, TokenCounts};

    fn round(change: Change) -> Round {
        Round {
            round: 0,
            num_lines: 1,
            positions: Vec::new(),
            infills: Vec::new(),
            next_line: String::new(),
            decoded: Decoded::default(),
            ended: false,
            candidates: Vec::new(),
            change,
            tokens: TokenCounts::default(),
            seconds: 0.0,
        }
    }

    fn solution(program: &str) -> Solution {
        Solution {
            program: program.to_owned(),
            completion: None,
            insertions: Vec::new(),
            num_rounds: 0,
            tokens: TokenCounts::default(),
            kept_ar: None,
            seconds: 0.25,
        }
    }

    /// What is shown of a program of three lines, with one inserted and one dropped.
    fn shown(has_color: bool, program: &str) -> String {
        let task = Task {
            id: "x".to_owned(),
            sample: 0,
            prompt: String::new(),
            language: "python".to_owned(),
            stop: Vec::new(),
        };
        let mut watch = Watch::new(Vec::new(), has_color);
        watch.begin(&[task]);
        watch.started(0, &["def f():\n".to_owned()]);
        for line in ["  a\x1b[2J\r\n", "  b\n"] {
            watch.round(0, &round(Change::Append { line: line.to_owned() }));
        }
        let lines = vec!["import a\n".to_owned()];
        let change = Change::Insert { position: 0, lines, num_dropped: 1, by: Judge::Ast };
        watch.round(0, &round(change));
        watch.finished(0, &Ok(solution(program)));
        assert!(watch.failure().is_none());
        String::from_utf8(watch.writer).unwrap()
    }

    #[test]
    fn insertions_are_marked_like_a_diff() {
        let expected = [
            "=== x ===",
            " def f():",
            "   a\\u{1b}[2J",
            "   b",
            "@@ inserted before line 1: it defines what was undefined @@",
            "+import a",
            " def f():",
            "   a\\u{1b}[2J",
            "@@ dropped, to be written anew @@",
            "-  b",
            "@@ on from here @@",
            "@@ the whole program @@",
            "+import a",
            " def f():",
            "   a\\u{1b}[2J",
            "--- 0 insertions, 0.25 s",
            "",
            "",
        ];
        assert_eq!(shown(false, "import a\ndef f():\n  a\x1b[2J\r\n"), expected.join("\n"));
    }

    #[test]
    fn colours_are_those_of_git() {
        let text = shown(true, "import a\ndef f():\n  a\x1b[2J\r\n");
        for part in ["\x1b[32m+import a\x1b[m\n", "\x1b[31m-  b\x1b[m\n", "\n def f():\n"] {
            assert!(text.contains(part), "{text:?} should contain {part:?}");
        }
    }

    #[test]
    fn another_program_that_was_kept_is_shown() {
        let text = shown(false, "plain\n");
        assert!(text.contains("@@ the whole program @@\n plain\n"), "{text}");
    }
}
