//! The lines of a program: which begin a statement, which are comments, what is left open.
//!
//! Python's layout can be told without its grammar, by following quotes and brackets alone. That is
//! cheap, it cannot fail, and it answers what a tree of an unfinished program answers badly: the
//! parser gives up the whole function around a docstring that has not ended yet. So the layout is
//! found first, and what is open is closed for the parser ([`Layout::repaired`]).

use std::borrow::Cow;

use crate::language::repairs::Repairs;

/// What a line is, by what its beginning lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// Nothing but white space.
    Blank,
    /// Nothing but a comment.
    Comment,
    /// The first line of a statement.
    Statement,
    /// Goes on with a statement, inside brackets or after a backslash.
    Continuation,
    /// Begins inside a string.
    String,
}

/// One line of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub row: Row,
    /// The column of its first character that is not blank.
    pub indent: usize,
    /// The byte after its end.
    pub end: usize,
}

/// A logical line: one simple statement or one header of a compound one (`a; b` counts as one).
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    pub first_row: usize,
    pub last_row: usize,
    pub indent: usize,
    /// The bytes of its indentation: with tabs, Python wants these to agree with the columns.
    pub indent_bytes: usize,
    /// Its first byte.
    pub start: usize,
    /// Does it begin with `@`, so that a definition must follow?
    pub is_decorator: bool,
    /// Is it nothing but string literals, as a docstring is?
    pub only_strings: bool,
    /// Does it end in a colon, so that a block must follow?
    pub opens_block: bool,
}

/// The layout of a program.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub lines: Vec<Line>,
    pub statements: Vec<Statement>,
    /// Is any string or bracket not closed, or a string not on the lines that it may take?
    pub is_open: bool,
    /// What must be inserted, and before which byte, for the parser to make sense of it.
    repairs: Repairs,
}

impl Layout {
    pub(super) fn of(source: &str) -> Self {
        let mut scan = Scan::new(source);
        for line in source.split_inclusive('\n') {
            scan.line(line.len());
        }
        scan.finish()
    }

    /// The source with everything closed. Nothing moves to another line, and what is the same in
    /// two programs moves to the same column.
    pub(super) fn repaired<'s>(&self, source: &'s str) -> Cow<'s, str> {
        self.repairs.apply(source)
    }

    /// For each line: is it no place for code, because it begins inside a string, or is nothing
    /// but a comment or a docstring?
    pub(super) fn is_comment(&self) -> Vec<bool> {
        let is_comment = |line: &Line| matches!(line.row, Row::Comment | Row::String);
        let mut comments: Vec<bool> = self.lines.iter().map(is_comment).collect();
        for statement in self.statements.iter().filter(|statement| statement.only_strings) {
            comments[statement.first_row..=statement.last_row].fill(true);
        }
        comments
    }

    /// The number of statements at a column where they cannot be. A block that is still to come at
    /// the end of the program is not missed.
    pub(super) fn num_misplaced(&self) -> usize {
        let mut blocks = vec![(0, 0)];
        let mut expects_block = false;
        let mut num_misplaced = 0;
        for statement in &self.statements {
            let indent = (statement.indent, statement.indent_bytes);
            let around = *blocks.last().expect("the module never ends");
            let is_deeper = indent.0 > around.0;
            let mut is_misplaced = is_deeper != expects_block;
            if is_deeper {
                is_misplaced |= indent.1 <= around.1;
                blocks.push(indent);
            } else {
                blocks.retain(|block| block.0 <= indent.0);
                is_misplaced |= blocks.last() != Some(&indent);
            }
            num_misplaced += usize::from(is_misplaced);
            expects_block = statement.opens_block;
        }
        num_misplaced
    }
}

/// A string literal that has been opened.
#[derive(Clone, Copy)]
struct Quote {
    byte: u8,
    is_triple: bool,
}

/// The scan in progress.
struct Scan<'s> {
    source: &'s str,
    layout: Layout,
    /// The next byte to look at.
    at: usize,
    string: Option<Quote>,
    /// The brackets that are open, as what closes them.
    closers: Vec<char>,
    /// Was the last line end escaped?
    is_continued: bool,
    statement: Option<Statement>,
    /// The byte after the last code, where comments and white space are not code.
    code_end: usize,
}

impl<'s> Scan<'s> {
    fn new(source: &'s str) -> Self {
        Self {
            source,
            layout: Layout::default(),
            at: 0,
            string: None,
            closers: Vec::new(),
            is_continued: false,
            statement: None,
            code_end: 0,
        }
    }

    fn line(&mut self, line_len: usize) {
        let line = &self.source[self.at..self.at + line_len];
        let end = self.at + line_len;
        let code = line.trim_start_matches([' ', '\t', '\x0c', '\u{feff}']);
        let indent = indent_of(&line[..line.len() - code.len()]);
        let row = self.row_of(code);
        if self.string.is_none() {
            self.at = end - code.len();
        }
        self.layout.lines.push(Line { row, indent, end });
        match row {
            Row::Statement => self.open_statement(indent, line.len() - code.len()),
            Row::Continuation => self.indent_continuation(indent),
            Row::Blank | Row::Comment | Row::String => (),
        }
        self.is_continued = false;
        self.scan_to(end);
        if self.string.is_none() && self.closers.is_empty() && !self.is_continued {
            self.close_statement();
        }
    }

    /// What the next line is, where `code` is that line without its indentation.
    fn row_of(&mut self, code: &str) -> Row {
        if self.string.is_some() {
            return Row::String;
        }
        match code.bytes().next() {
            None | Some(b'\r' | b'\n') => return Row::Blank,
            Some(b'#') => return Row::Comment,
            Some(_) if self.statement.is_none() => return Row::Statement,
            Some(_) => (),
        }
        if !self.closers.is_empty() && ONLY_STATEMENTS.contains(&word_of(code)) {
            self.close_brackets();
            self.close_statement();
            return Row::Statement;
        }
        Row::Continuation
    }

    /// The parser ends the block at a line further out even inside brackets.
    fn indent_continuation(&mut self, indent: usize) {
        let missing = self.statement.map_or(0, |statement| statement.indent.saturating_sub(indent));
        if missing > 0 {
            self.layout.repairs.push(self.at, " ".repeat(missing));
        }
    }

    fn open_statement(&mut self, indent: usize, indent_bytes: usize) {
        let row = self.layout.lines.len() - 1;
        self.close_statement();
        self.statement = Some(Statement {
            first_row: row,
            last_row: row,
            indent,
            indent_bytes,
            start: self.at,
            is_decorator: self.source.as_bytes()[self.at] == b'@',
            only_strings: true,
            opens_block: false,
        });
    }

    fn close_statement(&mut self) {
        let Some(mut statement) = self.statement.take() else { return };
        let bytes = self.source.as_bytes();
        statement.opens_block = self.code_end > statement.start && bytes[self.code_end - 1] == b':';
        self.layout.statements.push(statement);
    }

    /// Reads the rest of a line.
    fn scan_to(&mut self, end: usize) {
        while self.at < end {
            match self.string {
                Some(quote) => self.string_to(quote, end),
                None => self.token_to(end),
            }
        }
        if let Some(statement) = &mut self.statement {
            statement.last_row = self.layout.lines.len() - 1;
        }
    }

    /// Reads a string to its closing quote or the end of the line.
    fn string_to(&mut self, quote: Quote, end: usize) {
        let bytes = &self.source.as_bytes()[..end];
        while self.at < end {
            let rest = &bytes[self.at..];
            if rest[0] == b'\\' {
                // An escaped line end of two bytes is escaped as a whole.
                self.at += if rest.starts_with(b"\\\r\n") { 3 } else { 2 };
                self.code_end = self.at.min(end);
                continue;
            }
            if rest[0] == quote.byte && (!quote.is_triple || is_triple(rest)) {
                self.at += if quote.is_triple { 3 } else { 1 };
                self.code_end = self.at;
                self.string = None;
                return;
            }
            if !quote.is_triple && matches!(rest[0], b'\r' | b'\n') {
                self.close_open(self.at, char::from(quote.byte).to_string());
                self.string = None;
                return;
            }
            self.at += 1;
            self.code_end = self.at;
        }
        // An escape may reach past the end of the text, never past that of a line.
        self.at = end;
    }

    /// Reads one token that is not the inside of a string.
    fn token_to(&mut self, end: usize) {
        let rest = &self.source.as_bytes()[self.at..end];
        let token_len = match rest[0] {
            b' ' | b'\t' | b'\r' | b'\n' | b'\x0c' => {
                self.at += 1;
                return;
            }
            b'#' => {
                self.at = end;
                return;
            }
            b'\\' if rest[1..].iter().all(|byte| matches!(byte, b'\r' | b'\n')) => {
                self.is_continued = rest.len() > 1;
                self.at = end;
                return;
            }
            b'"' | b'\'' => self.open_string(rest),
            _ if is_word(rest[0]) => self.word(rest),
            byte => self.punctuation(byte),
        };
        self.at += token_len;
        self.code_end = self.at;
    }

    fn open_string(&mut self, rest: &[u8]) -> usize {
        let is_triple = is_triple(rest);
        self.string = Some(Quote { byte: rest[0], is_triple });
        if is_triple { 3 } else { 1 }
    }

    /// A name, keyword or number, or the letters before a string's quote.
    fn word(&mut self, rest: &[u8]) -> usize {
        let word_len = rest.iter().take_while(|&&byte| is_word(byte)).count();
        let is_prefix = word_len <= 2 && matches!(rest.get(word_len), Some(b'"' | b'\''));
        self.see_code(is_prefix);
        word_len
    }

    fn punctuation(&mut self, byte: u8) -> usize {
        self.see_code(false);
        match byte {
            b'(' => self.closers.push(')'),
            b'[' => self.closers.push(']'),
            b'{' => self.closers.push('}'),
            b')' | b']' | b'}' => drop(self.closers.pop()),
            _ => (),
        }
        1
    }

    fn see_code(&mut self, is_string: bool) {
        if let Some(statement) = &mut self.statement {
            statement.only_strings &= is_string;
        }
    }

    /// Closes the brackets that are open, after the last code.
    fn close_brackets(&mut self) {
        let code = &self.source[..self.code_end];
        let mut repair = String::new();
        if expects_operand(code) {
            repair.push_str(" ...");
        }
        repair.extend(self.closers.drain(..).rev());
        self.close_open(self.code_end, repair);
    }

    fn close_open(&mut self, at: usize, repair: String) {
        self.layout.is_open = true;
        self.layout.repairs.push(at, repair);
    }

    fn finish(mut self) -> Layout {
        if let Some(quote) = self.string.take() {
            let quote_len = if quote.is_triple { 3 } else { 1 };
            // A backslash at the very end of the text would escape the quote.
            let line_end = if self.source.ends_with('\n') { "" } else { "\n" };
            let quote = char::from(quote.byte).to_string().repeat(quote_len);
            self.code_end = self.source.len();
            self.close_open(self.code_end, format!("{line_end}{quote}"));
        }
        if !self.closers.is_empty() {
            self.close_brackets();
        }
        self.close_statement();
        self.layout
    }
}

/// Words that only begin statements: before one, every bracket must have been closed.
const ONLY_STATEMENTS: [&str; 17] = [
    "assert", "break", "class", "continue", "def", "del", "elif", "except", "finally", "global",
    "import", "nonlocal", "pass", "raise", "return", "try", "while",
];

/// Words after which an expression must follow.
const BEFORE_OPERANDS: [&str; 11] =
    ["and", "await", "else", "from", "if", "in", "is", "lambda", "not", "or", "yield"];

/// Must an expression follow `code`, as after an operator?
fn expects_operand(code: &str) -> bool {
    if code.ends_with(|last: char| "+-*/%=<>&|^~@:".contains(last)) {
        return true;
    }
    let word_len = code.bytes().rev().take_while(|&byte| is_word(byte)).count();
    BEFORE_OPERANDS.contains(&&code[code.len() - word_len..])
}

/// The word that `code` begins with, if any.
pub(super) fn word_of(code: &str) -> &str {
    &code[..code.bytes().take_while(|&byte| is_word(byte)).count()]
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

fn is_triple(rest: &[u8]) -> bool {
    rest.len() >= 3 && rest[1] == rest[0] && rest[2] == rest[0]
}

/// The column after `blanks`, as Python counts: tabs go to the next multiple of eight.
fn indent_of(blanks: &str) -> usize {
    blanks.chars().fold(0, |column, blank| match blank {
        ' ' => column + 1,
        '\t' => (column / 8 + 1) * 8,
        // A form feed starts the count again; a byte order mark takes no column.
        '\x0c' => 0,
        _ => column,
    })
}
