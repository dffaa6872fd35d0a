//! Texts made from a number: noise, words in any order, and programs with something done to them.

/// A program of each language.
const PROGRAMS: [(&str, &str); 9] = [
    ("python", include_str!("seeds/program.py")),
    ("java", include_str!("seeds/Program.java")),
    ("go", include_str!("seeds/program.go")),
    ("js", include_str!("seeds/program.js")),
    ("ts", include_str!("seeds/program.ts")),
    ("cpp", include_str!("seeds/program.cpp")),
    ("cs", include_str!("seeds/Program.cs")),
    ("rust", include_str!("seeds/program.rs")),
    ("php", include_str!("seeds/program.php")),
];
/// What programs are made of, and what they are broken by.
const PIECES: [&str; 44] = [
    "(", "[", "{", ")", "]", "}", ":", ";", "=", "\n", "\n    ", "\r\n", "\t", "'", "\"", "`",
    "\"\"\"", "\\", "//", "/*", "*/", "# ", "<", ">", "=>", "${", "f'{", "\u{0}", "\u{feff}",
    "\u{c}", "é", "𝛼", "def ", "class ", "import ", "from ", "lambda ", "if ", "for ", "new ", "@",
    "*", "x", "case ",
];
const MAX_EDITS: usize = 6;
const MAX_NOISE_BYTES: usize = 300;
const MAX_WORDS: usize = 120;

/// The program of a language: a new language needs one.
pub fn program(language: &str) -> &'static str {
    let found = PROGRAMS.iter().find(|(name, _)| *name == language);
    found.unwrap_or_else(|| panic!("tests/languages/seeds has no program of {language}")).1
}

/// Draws texts; the same number gives the same ones.
pub struct Texts {
    state: u64,
}

impl Texts {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // splitmix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % end as u64) as usize
    }

    /// Lines that each end in `\n`.
    pub fn text(&mut self, language: &str) -> String {
        let mut text = match self.below(8) {
            0 => self.noise(),
            1 => self.words(),
            _ => self.edited(language),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    /// Something to insert: lines that each end in `\n`, at least one.
    pub fn infill(&mut self, language: &str) -> String {
        let program = self.any_program(language);
        let lines: Vec<&str> = program.split_inclusive('\n').collect();
        let first = self.below(lines.len());
        let num_lines = 1 + self.below(4);
        let mut infill: String = lines[first..].iter().take(num_lines).copied().collect();
        if self.below(4) == 0 {
            infill = self.changed(&infill);
        }
        if !infill.ends_with('\n') {
            infill.push('\n');
        }
        infill
    }

    fn noise(&mut self) -> String {
        let num_bytes = self.below(MAX_NOISE_BYTES);
        let bytes: Vec<u8> = (0..num_bytes).map(|_| self.below(256) as u8).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn words(&mut self) -> String {
        let num_words = self.below(MAX_WORDS);
        (0..num_words).map(|_| self.piece()).collect()
    }

    fn edited(&mut self, language: &str) -> String {
        let mut text = self.any_program(language).to_owned();
        for _ in 0..self.below(MAX_EDITS) {
            text = self.changed(&text);
        }
        text
    }

    /// Mostly the language's own.
    fn any_program(&mut self, language: &str) -> &'static str {
        let other = PROGRAMS[self.below(PROGRAMS.len())].1;
        if self.below(8) > 0 { program(language) } else { other }
    }

    fn changed(&mut self, text: &str) -> String {
        let (a, b) = (self.place(text), self.place(text));
        let (start, end) = (a.min(b), a.max(b));
        let near = self.place(&text[start..end]).min(40);
        let near = text.floor_char_boundary(start + near);
        match self.below(6) {
            // What programs are while they are written.
            0 => text[..end].to_owned(),
            1 => format!("{}{}", &text[..start], &text[near..]),
            2 => format!("{}{}{}", &text[..start], &text[start..near], &text[start..]),
            3 => format!("{}{}{}", &text[..start], self.words(), &text[start..]),
            4 => format!("{}{}{}", &text[..near], self.piece(), &text[near..]),
            _ => self.without_line(text),
        }
    }

    fn without_line(&mut self, text: &str) -> String {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        if !lines.is_empty() {
            lines.remove(self.below(lines.len()));
        }
        lines.concat()
    }

    fn place(&mut self, text: &str) -> usize {
        text.floor_char_boundary(self.below(text.len() + 1))
    }

    fn piece(&mut self) -> String {
        if self.below(3) > 0 {
            return PIECES[self.below(PIECES.len())].to_owned();
        }
        let program = PROGRAMS[self.below(PROGRAMS.len())].1;
        let words: Vec<&str> = program.split_inclusive(' ').collect();
        words[self.below(words.len())].to_owned()
    }
}
