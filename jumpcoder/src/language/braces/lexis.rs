//! What is not code: comments and literals, told from the text alone.
//!
//! Brackets count only outside of them, so they must be known before a tree can be had of an
//! unfinished program.

/// A language's comments and literals.
pub struct Lexis {
    /// What begins a comment that goes to the end of the line.
    pub line_comments: &'static [&'static str],
    /// What begins and ends a comment that may go over lines.
    pub block_comment: Option<(&'static str, &'static str)>,
    /// May comments hold comments?
    pub comments_nest: bool,
    /// Does the end of a line end a statement that can't go on?
    pub optional_semicolons: bool,
    /// The literal that a text begins with, if it does, given the last code before it.
    pub literal: fn(text: &str, before: &str) -> Option<Literal>,
}

/// A string, a character, a regular expression: text within which brackets don't count.
#[derive(Debug, PartialEq, Eq)]
pub struct Literal {
    /// Its bytes.
    pub len: usize,
    /// What its end lacks, if it isn't closed.
    pub missing: Option<String>,
}

impl Lexis {
    /// The comment that `text` begins with, if it does.
    pub fn comment(&self, text: &str) -> Option<Literal> {
        let is_comment = self.line_comments.iter().any(|opener| text.starts_with(opener));
        // So begin attributes, also where a hash alone begins a comment.
        if is_comment && !text.starts_with("#[") {
            let len = text.find('\n').unwrap_or(text.len());
            return Some(Literal { len, missing: None });
        }
        let (open, close) = self.block_comment?;
        let mut inside = text.strip_prefix(open)?;
        let mut depth = 1;
        while depth > 0 {
            let end = inside.find(close);
            let nested = inside.find(open).filter(|_| self.comments_nest);
            match (end, nested) {
                (_, Some(nested)) if end.is_none_or(|end| nested < end) => {
                    inside = &inside[nested + open.len()..];
                    depth += 1;
                }
                (Some(end), _) => {
                    inside = &inside[end + close.len()..];
                    depth -= 1;
                }
                (None, _) => {
                    return Some(Literal { len: text.len(), missing: Some(close.repeat(depth)) });
                }
            }
        }
        Some(Literal { len: text.len() - inside.len(), missing: None })
    }
}

impl Literal {
    /// The literal between two of the quotes that `text` begins with, with backslash escapes. If it
    /// may not span lines, it ends before the end of the line at the latest.
    pub fn quoted(text: &str, quote: &str, spans_lines: bool) -> Option<Self> {
        let inside = text.strip_prefix(quote)?;
        let mut at = 0;
        while at < inside.len() {
            let rest = &inside[at..];
            if rest.starts_with(quote) {
                return Some(Self { len: 2 * quote.len() + at, missing: None });
            }
            if !spans_lines && rest.starts_with(['\n', '\r']) {
                break;
            }
            at += rest.strip_prefix('\\').map_or(first_len(rest), |rest| 1 + first_len(rest));
        }
        // A backslash at the end would escape the quote that is added.
        let escaped = if inside.ends_with('\\') && at >= inside.len() { "\n" } else { "" };
        let len = quote.len() + at.min(inside.len());
        Some(Self { len, missing: Some(format!("{escaped}{quote}")) })
    }

    /// The literal between two `quote`s, in which `opener`, a bracket and maybe a sign, begins code
    /// that goes to the closing bracket and may have brackets and literals in it.
    pub fn interpolated(text: &str, quote: char, opener: &str, lexis: &Lexis) -> Option<Self> {
        let inside = text.strip_prefix(quote)?;
        let mut scan = Interpolation { text, at: text.len() - inside.len(), closers: vec![quote] };
        let mut unclosed = String::new();
        while !scan.closers.is_empty() && scan.at < text.len() {
            if scan.closers.last() == Some(&quote) {
                scan.step_outside(quote, opener);
            } else {
                unclosed = scan.step_inside(lexis);
            }
        }
        if scan.closers.last() == Some(&quote) && text.ends_with('\\') {
            // A backslash would escape the quote that is added.
            unclosed.push('\n');
        }
        let closers: String = scan.closers.iter().rev().collect();
        let missing = (!closers.is_empty()).then(|| unclosed + &closers);
        Some(Self { len: scan.at, missing })
    }

    /// The literal that `open` begins and `close` ends, without escapes.
    pub fn raw(text: &str, open: &str, close: &str) -> Option<Self> {
        let inside = text.strip_prefix(open)?;
        Some(match inside.find(close) {
            Some(end) => Self { len: open.len() + end + close.len(), missing: None },
            None => Self { len: text.len(), missing: Some(close.to_owned()) },
        })
    }
}

/// Goes over a literal with code in it.
struct Interpolation<'s> {
    text: &'s str,
    at: usize,
    /// What closes the literal, the code in it, and what is open in that.
    closers: Vec<char>,
}

impl Interpolation<'_> {
    /// Goes over a part of the literal's own text.
    fn step_outside(&mut self, quote: char, opener: &str) {
        let rest = &self.text[self.at..];
        if rest.starts_with(opener) {
            self.closers.push('}');
            self.at += opener.len();
        } else if rest.starts_with(quote) {
            self.closers.pop();
            self.at += quote.len_utf8();
        } else {
            let escaped = rest.strip_prefix('\\');
            self.at += escaped.map_or(first_len(rest), |rest| 1 + first_len(rest));
        }
    }

    /// Goes over a part of the code: what that part lacks, if the text ends in it.
    fn step_inside(&mut self, lexis: &Lexis) -> String {
        let (before, rest) = self.text.split_at(self.at);
        if let Some(part) = lexis.comment(rest).or_else(|| (lexis.literal)(rest, before)) {
            self.at += part.len;
            // A comment that goes to the end of the line ends there.
            return part.missing.unwrap_or_else(|| "\n".to_owned());
        }
        let first = rest.chars().next().expect("there is a rest");
        match first {
            '{' => self.closers.push('}'),
            '(' => self.closers.push(')'),
            '[' => self.closers.push(']'),
            _ if self.closers.last() == Some(&first) => drop(self.closers.pop()),
            _ => (),
        }
        self.at += first.len_utf8();
        String::new()
    }
}

/// The bytes of the first character, 0 if there is none.
fn first_len(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}
