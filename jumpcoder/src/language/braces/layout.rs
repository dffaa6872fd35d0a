//! The lines of a program: which are comments, how deep in brackets they end, what is left open.
//!
//! The parser makes little of a program whose last blocks are still open, which is how programs are
//! while they are being written. So brackets are followed first, by the text alone, and what is
//! open is closed for the parser ([`Layout::repaired`]).

use super::lexis::{Lexis, Literal};
use crate::language::repairs::Repairs;

/// One line of the text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    /// Does it begin inside a comment or a literal?
    pub begins_inside: bool,
    pub has_comment: bool,
    /// The first and the last byte of its code, if there is any.
    pub first_code: Option<u8>,
    pub last_code: Option<u8>,
    /// Brackets that are open at its end.
    pub depth: usize,
    /// The byte after its end.
    pub end: usize,
}

/// The layout of a program.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub lines: Vec<Line>,
    /// The byte that code begins at, comments left out.
    pub code_start: Option<usize>,
    /// What must be inserted, and before which byte, for everything to be closed.
    repairs: Repairs,
}

impl Layout {
    pub(super) fn of(source: &str, lexis: &Lexis) -> Self {
        let layout = Self::default();
        let mut scan = Scan { source, lexis, layout, at: 0, code_end: 0, open: vec![] };
        scan.layout.lines.push(Line::default());
        while scan.at < source.len() {
            scan.step();
        }
        scan.finish()
    }

    /// The source with everything closed. No line moves.
    pub(super) fn repaired(&self, source: &str) -> String {
        self.repairs.apply(source).into_owned()
    }

    /// The byte after the line that ends what the text begins with, as far as can be seen.
    pub(super) fn statement_end(&self, optional_semicolons: bool) -> Option<usize> {
        let ends = |line_idx: &usize| {
            let line = &self.lines[*line_idx];
            let is_closed = line.last_code.is_some_and(|last| matches!(last, b'}' | b';'));
            let is_over = || optional_semicolons && self.is_statement_over(*line_idx);
            line.depth == 0 && (is_closed || is_over())
        };
        (0..self.lines.len()).find(ends).map(|line_idx| self.lines[line_idx].end)
    }

    /// Is there more code, none of which can belong to a statement that ends with this line?
    fn is_statement_over(&self, line_idx: usize) -> bool {
        let goes_on = |byte: u8| b"=<>+-*%&|^?:.,([{".contains(&byte);
        let next = self.lines[line_idx + 1..].iter().find_map(|line| line.first_code);
        let last = self.lines[line_idx].last_code;
        last.is_some_and(|last| !goes_on(last)) && next.is_some_and(|next| !goes_on(next))
    }

    /// For each line: is it no place for code?
    pub(super) fn is_comment(&self) -> Vec<bool> {
        let is_comment =
            |line: &Line| line.begins_inside || line.has_comment && line.last_code.is_none();
        self.lines.iter().map(is_comment).collect()
    }
}

/// The scan in progress.
struct Scan<'s> {
    source: &'s str,
    lexis: &'s Lexis,
    layout: Layout,
    /// The next byte to look at.
    at: usize,
    /// The byte after the last code, where comments and white space are not code.
    code_end: usize,
    /// The brackets that are open.
    open: Vec<Bracket>,
}

#[derive(Clone, Copy)]
struct Bracket {
    closer: char,
    /// Does it hold statements?
    is_block: bool,
}

impl Scan<'_> {
    fn step(&mut self) {
        let rest = &self.source[self.at..];
        let first = rest.chars().next().expect("there is a rest");
        if first == '\n' {
            self.at += 1;
            self.end_line(false);
        } else if first.is_whitespace() {
            self.at += first.len_utf8();
        } else if let Some(comment) = self.lexis.comment(rest) {
            self.line().has_comment = true;
            self.skip(comment);
        } else if let Some(literal) = (self.lexis.literal)(rest, &self.source[..self.code_end]) {
            self.see_code();
            self.skip(literal);
            self.code_end = self.at;
            self.line().last_code = self.source[..self.at].bytes().last();
        } else {
            self.code(rest, first);
        }
    }

    fn code(&mut self, rest: &str, first: char) {
        self.see_code();
        self.bracket(first);
        let word_len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += word_len.max(first.len_utf8());
        self.code_end = self.at;
        self.line().last_code = Some(self.source.as_bytes()[self.at - 1]);
    }

    fn see_code(&mut self) {
        self.layout.code_start.get_or_insert(self.at);
        let first = self.source.as_bytes()[self.at];
        self.line().first_code.get_or_insert(first);
    }

    fn line(&mut self) -> &mut Line {
        self.layout.lines.last_mut().expect("there is always a line")
    }

    /// Goes over a comment or literal, and over the ends of the lines in it.
    fn skip(&mut self, part: Literal) {
        let end = self.at + part.len.max(1);
        while let Some(line_len) = self.source[self.at..end].find('\n') {
            self.at += line_len + 1;
            self.end_line(true);
        }
        self.at = end;
        if let Some(missing) = part.missing {
            self.layout.repairs.push(end, missing);
        }
    }

    fn end_line(&mut self, begins_inside: bool) {
        let (depth, end) = (self.open.len(), self.at);
        let line = self.line();
        (line.depth, line.end) = (depth, end);
        self.layout.lines.push(Line { begins_inside, ..Line::default() });
    }

    fn bracket(&mut self, bracket: char) {
        match bracket {
            '(' => self.open.push(Bracket { closer: ')', is_block: false }),
            '[' => self.open.push(Bracket { closer: ']', is_block: false }),
            '{' => {
                let before = self.source[..self.code_end].chars().last();
                let is_block = before.is_none_or(|before| !"=(,[]:?".contains(before));
                self.open.push(Bracket { closer: '}', is_block });
            }
            ')' | ']' | '}' => self.close(bracket),
            _ => (),
        }
    }

    /// Closes the innermost bracket that `closer` can close, and what was left open in it.
    fn close(&mut self, closer: char) {
        let Some(idx) = self.open.iter().rposition(|open| open.closer == closer) else { return };
        let missing = self.closers(idx + 1);
        if !missing.is_empty() {
            self.layout.repairs.push(self.code_end, missing);
        }
        self.open.pop();
    }

    /// What closes all but the outermost `num_kept` brackets; they are closed then.
    fn closers(&mut self, num_kept: usize) -> String {
        let mut closers = String::new();
        for inner_idx in (num_kept..self.open.len()).rev() {
            let bracket = self.open[inner_idx];
            closers.push(bracket.closer);
            let is_in_block = inner_idx == 0 || self.open[inner_idx - 1].is_block;
            if !bracket.is_block && is_in_block && !self.lexis.optional_semicolons {
                closers.push(';');
            }
        }
        self.open.truncate(num_kept);
        closers
    }

    fn finish(mut self) -> Layout {
        let line_end = self.source.len();
        let depth = self.open.len();
        let line = self.line();
        (line.depth, line.end) = (depth, line_end);
        let last_code = self.source[..self.code_end].chars().last();
        let is_unfinished = last_code.is_some_and(|last| !";{}:,".contains(last));
        let in_block = self.open.last().is_some_and(|bracket| bracket.is_block);
        let mut missing = String::new();
        if self.open.is_empty() {
            return self.end();
        }
        if !self.source.ends_with('\n') {
            missing.push('\n');
        }
        if is_unfinished && in_block && !self.lexis.optional_semicolons {
            missing.push(';');
        }
        missing.push_str(&self.closers(0));
        self.layout.repairs.push(line_end, missing);
        self.end()
    }

    /// The text after the last `\n` is a line only if there is any.
    fn end(mut self) -> Layout {
        if self.source.is_empty() || self.source.ends_with('\n') {
            self.layout.lines.pop();
        }
        self.layout
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c == '$' || c.is_alphanumeric()
}
