//! What the scripted model knows of a text, and what it says after it: a pure function of all
//! tokens so far, which a cache holds in the place of keys and values.
//!
//! It writes lines of partly valid Python, chosen by hashes: some of the whole text, so that one
//! token that is shared wrongly changes all that follows, and some of the text nearby, so that what
//! was written in an earlier round is often right again.

use jump_kernels::{Chosen, Sampling, ScoreKind, TokenId, mix_key};

use super::vocabulary::Vocabulary;

/// Where in an infilling prompt a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Section {
    #[default]
    Text,
    Prefix,
    Suffix,
    Middle,
}

/// A text, as far as the script looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Of all tokens.
    hash: u64,
    /// Of the tokens of this section.
    section_hash: u64,
    /// Of all tokens, at the line's beginning.
    line_seed: u64,
    /// Of what is near: the line before, or what comes before the gap.
    near_seed: u64,
    /// Of the line's bytes.
    line_hash: u64,
    line_len: u16,
    /// The line's indentation.
    indent: u16,
    /// The last byte of the line that isn't white space.
    last: u8,
    /// The indentation that the next statement should have.
    next_indent: u16,
    /// What is known of the place of the gap: seed and indentation.
    gap: (u64, u16),
    section: Section,
    /// By how much the lines so far make all that follows more likely.
    luck: i16,
}

impl Reading {
    /// Before the first token. `salt` tells models apart.
    pub fn new(salt: u64) -> Self {
        Self { hash: salt, ..Self::default() }
    }

    /// The text with one more token.
    pub fn read(mut self, token: TokenId, vocabulary: &Vocabulary) -> Self {
        self.hash = mix(self.hash, u64::from(token.0));
        self.section_hash = mix(self.section_hash, u64::from(token.0));
        let section = match token {
            token if token == vocabulary.prefix => Section::Prefix,
            token if token == vocabulary.suffix => Section::Suffix,
            token if token == vocabulary.middle => Section::Middle,
            _ => {
                let bytes = vocabulary.tokenizer.bytes(token);
                for byte in bytes {
                    self.read_byte(*byte);
                }
                return self;
            }
        };
        if self.section == Section::Prefix {
            self.gap = (self.line_hash ^ self.near_seed, self.next_indent);
        }
        let (near_seed, next_indent) = if section == Section::Middle { self.gap } else { (0, 0) };
        Self { section, section_hash: 0, next_indent, ..self.begun_line(near_seed) }
    }

    fn read_byte(&mut self, byte: u8) {
        if byte == b'\n' {
            self.end_line();
            return;
        }
        if byte == b' ' && self.indent == self.line_len {
            self.indent += 1;
        }
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        self.line_len += 1;
        self.line_hash = mix(self.line_hash, u64::from(byte));
    }

    fn end_line(&mut self) {
        if self.last != 0 {
            self.next_indent = self.indent + if self.last == b':' { 4 } else { 0 };
        }
        self.luck = match self.line_hash % 7 {
            // So that functions, which take several lines, are inserted often enough.
            _ if self.last == b':' => (self.luck + 1).min(6),
            0 | 1 => (self.luck + 1).min(6),
            2 => (self.luck - 1).max(-6),
            _ => self.luck,
        };
        *self = self.begun_line(self.line_hash);
    }

    fn begun_line(self, near_seed: u64) -> Self {
        let line_seed = self.hash;
        Self { line_seed, near_seed, line_hash: 0, line_len: 0, indent: 0, last: 0, ..self }
    }

    /// The score of `token` after the text.
    pub fn score(&self, token: TokenId, kind: ScoreKind) -> f32 {
        let noise = mix(self.hash, u64::from(token.0)) % 1000;
        let score = noise as f32 / 250.0 + f32::from(self.luck);
        match kind {
            ScoreKind::Logit => score,
            // Below 0, however lucky.
            ScoreKind::LogProb => (score - 11.0) / 2.0,
        }
    }
}

fn mix(hash: u64, value: u64) -> u64 {
    let x = (hash ^ value.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 29)
}

/// A line with the token that continues it after each of its bytes.
struct Line {
    bytes: Vec<u8>,
    /// The tokenizer's own where one begins there, otherwise the byte's.
    tokens: Vec<TokenId>,
}

/// Lines of one kind, by indentation.
type Lines = [Vec<Line>; NUM_INDENTS];

const NUM_INDENTS: usize = 3;
const INDENT: u16 = 4;

/// What the script can write.
pub struct Script {
    pub vocabulary: Vocabulary,
    statements: Lines,
    imports: Lines,
    functions: Lines,
    controls: Lines,
    others: Lines,
    /// So many tokens that other work ends before such a line.
    long: Lines,
}

impl Script {
    /// A script in a kind of vocabulary.
    pub fn new(variant: usize) -> Self {
        let vocabulary = Vocabulary::new(variant);
        let lines = |texts: &[String]| {
            [0, 1, 2].map(|level| {
                let indent = " ".repeat(level * usize::from(INDENT));
                let lines = texts.iter().map(|text| format!("{indent}{text}\n"));
                lines.map(|text| Line::new(&text, &vocabulary)).collect()
            })
        };
        Self {
            statements: lines(&statements()),
            imports: lines(&texts(&["import os", "import math as m", "from os import b"])),
            functions: lines(&texts(&[
                "def f(x):",
                "def g(a, b):",
                "def h(x): return x",
                "def c():",
                "def m(*a, **b):",
                "def b(x, y=1):",
                "async def f(m):",
            ])),
            controls: lines(&texts(&["if a:", "for i in b:", "while c:", "try:", "else:"])),
            others: lines(&texts(&[
                "",
                "  ",
                "# a",
                "# π",
                "\"\"\"d",
                "\"\"\"",
                "\"\"\"e\"\"\"",
                "@f",
                "class A:",
                "k = (1,",
                "\ta = 2",
                "b = 1\r",
            ])),
            long: lines(&texts(&[
                "c = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
                "m = 'characters without a token'",
                "return {1: a, 2: b, 3: c, 4: f, 5: os}",
            ])),
            vocabulary,
        }
    }

    /// A prompt of so many lines.
    pub fn prompt(&self, num_lines: usize, seed: u64) -> String {
        let mut reading = Reading::new(seed);
        let mut text = Vec::new();
        for _ in 0..num_lines {
            let line = self.line(&reading).map_or(&b"pass\n"[..], |line| &line.bytes);
            for byte in line {
                reading = reading.read(self.vocabulary.bytes[usize::from(*byte)], &self.vocabulary);
            }
            text.extend_from_slice(line);
        }
        String::from_utf8(text).expect("lines are text")
    }

    /// What the model chooses after a text.
    pub fn choose(&self, text: &Reading, sampling: Option<Sampling>) -> TokenId {
        let Vocabulary { end, bytes, newline_piece, .. } = &self.vocabulary;
        let whim = mix(text.hash, sampling.map_or(0, |sampling| sampling.key));
        let Some(line) = self.line(text).filter(|_| !whim.is_multiple_of(397)) else { return *end };
        let place = usize::from(text.line_len);
        let (byte, token) = match (line.bytes.get(place), line.tokens.get(place)) {
            (Some(byte), Some(token)) => (*byte, *token),
            _ => (b'\n', bytes[usize::from(b'\n')]),
        };
        let own = bytes[usize::from(byte)];
        match whim / 397 % 64 {
            // A draw that isn't the most probable one.
            0..12 if sampling.is_some() && byte.is_ascii_alphanumeric() => {
                bytes[usize::from(b'a') + (whim / 10_000 % 6) as usize]
            }
            // The same text in other tokens.
            0..4 => own,
            // Half a character.
            4 if (whim / 10_000).is_multiple_of(8) => bytes[0xCF],
            5..24 if byte == b'\n' => newline_piece.unwrap_or(own),
            _ => token,
        }
    }

    /// The line that the text is in, or which begins there; `None` at the end.
    fn line(&self, text: &Reading) -> Option<&Line> {
        let is_infill = text.section == Section::Middle;
        // What is near decides most of the time.
        let seed = if text.line_seed.is_multiple_of(3) { text.line_seed } else { text.near_seed };
        let seed = mix(seed, u64::from(is_infill));
        let is_over = text.line_seed % if is_infill { 6 } else { 97 } == 1;
        if is_over && text.line_len == 0 {
            return None;
        }
        let lines = match (seed >> 8) % 24 {
            0 | 1 if is_infill => &self.imports,
            2..8 if is_infill => &self.functions,
            0 | 2 => &self.functions,
            3 | 9 => &self.controls,
            7 | 8 => &self.others,
            10..15 if !is_infill => &self.long,
            _ => &self.statements,
        };
        let is_dedented = (seed >> 16).is_multiple_of(4) && text.next_indent > 0;
        let level = usize::from((text.next_indent / INDENT).saturating_sub(is_dedented.into()));
        let lines = &lines[level.min(NUM_INDENTS - 1)];
        Some(&lines[(seed >> 24) as usize % lines.len()])
    }

    /// What the model gives after a text: a token that it must take, or its choice.
    pub fn chosen(
        &self,
        text: &Reading,
        forced: Option<TokenId>,
        sampling: Option<Sampling>,
        kind: ScoreKind,
    ) -> Chosen {
        let token = forced.unwrap_or_else(|| self.choose(text, sampling));
        Chosen { token, score: text.score(token, kind) }
    }
}

impl Line {
    fn new(text: &str, vocabulary: &Vocabulary) -> Self {
        let bytes = text.as_bytes().to_vec();
        let mut tokens: Vec<TokenId> =
            bytes.iter().map(|byte| vocabulary.bytes[usize::from(*byte)]).collect();
        let mut place = 0;
        for token in vocabulary.tokenizer.encode(text) {
            tokens[place] = token;
            place += vocabulary.tokenizer.bytes(token).len();
        }
        Self { bytes, tokens }
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Simple statements over a few names, some of which nothing defines.
fn statements() -> Vec<String> {
    const NAMES: [&str; 6] = ["a", "b", "c", "f", "m", "os"];
    let mut statements = texts(&["pass", "return x", "print(a)", "return f(b)"]);
    for (name, other) in NAMES.iter().flat_map(|name| NAMES.map(|other| (*name, other))) {
        let number = mix_key(&[statements.len() as u64]) % 90;
        statements.push(match number % 5 {
            0 => format!("{name} = {number}"),
            1 => format!("{name} = f({other})"),
            2 => format!("{name} += {other}"),
            3 => format!("print({name}, {number}, {other})"),
            _ => format!("{name} = [{other} + {number}]"),
        });
    }
    statements
}
