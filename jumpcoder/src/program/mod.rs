//! A program that is being written: its lines, its tokens, and the scores of its tokens.
//!
//! **Invariant:** the tokens are always the tokenizer's own for the whole text; `scores` has one
//! place for each. A score that isn't known yet is `None`.

pub mod line_writer;

use std::sync::Arc;

use jump_kernels::TokenId;
use jump_models::{Encoding, Preamble, Tokenizer};

/// A line of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text, ending in `\n`, with no other `\n` in it.
    pub text: String,
    /// Does it come from the prompt?
    pub is_prompt: bool,
}

impl Line {
    /// A line that was generated or inserted; `text` gets its `\n` here.
    pub fn written(text: &str) -> Self {
        debug_assert!(!text.contains('\n'), "{text:?} is more than a line");
        Self { text: format!("{text}\n"), is_prompt: false }
    }

    /// Is there nothing but white space?
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

impl AsRef<str> for Line {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// The scores of a line's tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineScore {
    /// Scored tokens; at least 1.
    pub num_tokens: usize,
    /// The first one's score.
    pub first: f32,
    /// Their mean.
    pub mean: f64,
}

/// Scores that are known of a token sequence, to be taken over by a program that begins alike.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownScores {
    /// The tokens.
    pub ids: Vec<TokenId>,
    /// The score of each, where it is known.
    pub scores: Vec<Option<f32>>,
}

/// A program and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    preamble: Arc<Preamble>,
    lines: Vec<Line>,
    encoding: Encoding,
    scores: Vec<Option<f32>>,
    num_settled: usize,
    lead: Vec<u8>,
}

impl Program {
    /// The program that a prompt is, after a preamble, with what is `known` of it. `None` if the
    /// prompt is blank.
    pub fn from_prompt(
        prompt: &str,
        preamble: Preamble,
        tokenizer: &Tokenizer,
        known: &KnownScores,
    ) -> Option<Self> {
        let prompt = prompt.trim_end();
        if prompt.is_empty() {
            return None;
        }
        let lines = prompt.split('\n');
        let lines = lines.map(|line| Line { text: format!("{line}\n"), is_prompt: true });
        Some(Self::new(Arc::new(preamble), lines.collect(), tokenizer, known))
    }

    /// The program of other lines after the same preamble; as long as its tokens are those of
    /// `known`, it has their scores.
    #[must_use]
    pub fn with_lines(&self, lines: Vec<Line>, tokenizer: &Tokenizer, known: &KnownScores) -> Self {
        Self::new(Arc::clone(&self.preamble), lines, tokenizer, known)
    }

    fn new(
        preamble: Arc<Preamble>,
        lines: Vec<Line>,
        tokenizer: &Tokenizer,
        known: &KnownScores,
    ) -> Self {
        let encoding = tokenizer.encode_program(&preamble, &lines);
        let num_known = common_prefix_len(&encoding.ids, &known.ids);
        let mut scores = known.scores[..num_known].to_vec();
        scores.resize(encoding.ids.len(), None);
        let num_settled = num_settled(&encoding, tokenizer);
        let lead = encoding.ids[num_settled..].iter().flat_map(|id| tokenizer.bytes(*id));
        let lead = lead.copied().collect();
        Self { preamble, lines, encoding, scores, num_settled, lead }
    }

    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The whole text.
    pub fn text(&self) -> String {
        self.lines.iter().map(AsRef::as_ref).collect()
    }

    /// The tokens.
    pub fn ids(&self) -> &[TokenId] {
        &self.encoding.ids
    }

    /// The tokens after which the next line is written. What the others say, its *lead*, is written
    /// again with it: see [`Tokenizer::num_settled`].
    pub fn num_settled(&self) -> usize {
        self.num_settled
    }

    /// The bytes of the tokens that aren't settled.
    pub fn lead(&self) -> &[u8] {
        &self.lead
    }

    /// The first token that isn't of the preamble.
    pub fn start(&self) -> usize {
        if self.preamble.has_text() {
            let first = self.encoding.lines.iter().position(Option::is_some);
            return first.unwrap_or(self.encoding.ids.len());
        }
        self.preamble.ids_len()
    }

    /// For each token the line that it counts for, if it counts.
    pub fn token_lines(&self) -> &[Option<u32>] {
        &self.encoding.lines
    }

    /// Sets the score of a token.
    pub fn set_score(&mut self, token_idx: usize, score: f32) {
        self.scores[token_idx] = Some(score);
    }

    /// Forgets the score of the first token.
    pub fn forget_first_score(&mut self) {
        self.scores[0] = None;
    }

    /// What is known of its tokens.
    pub fn known_scores(&self) -> KnownScores {
        KnownScores { ids: self.encoding.ids.clone(), scores: self.scores.clone() }
    }

    /// The tokens that count for a line and whose score isn't known, among those from `start` on.
    pub fn unscored(&self, start: usize) -> impl Iterator<Item = usize> {
        let counts = |token_idx: &usize| self.encoding.lines[*token_idx].is_some();
        let is_unknown = |token_idx: &usize| self.scores[*token_idx].is_none();
        (start..self.scores.len()).filter(counts).filter(is_unknown)
    }

    /// The scores of each line; `None` for a line without scored tokens.
    pub fn line_scores(&self) -> Vec<Option<LineScore>> {
        let mut lines: Vec<Option<LineScore>> = vec![None; self.lines.len()];
        for (line, score) in self.encoding.lines.iter().zip(&self.scores) {
            let (Some(line), Some(score)) = (line, *score) else { continue };
            let place = &mut lines[*line as usize];
            let line = place.get_or_insert(LineScore { num_tokens: 0, first: score, mean: 0.0 });
            // The sum until all are added.
            line.mean += f64::from(score);
            line.num_tokens += 1;
        }
        for line in lines.iter_mut().flatten() {
            line.mean /= line.num_tokens as f64;
        }
        lines
    }
}

/// At least the first token that counts is settled: what is before it may not be the program's.
fn num_settled(encoding: &Encoding, tokenizer: &Tokenizer) -> usize {
    let num_settled = tokenizer.num_settled(&encoding.ids);
    let first = encoding.lines.iter().position(Option::is_some);
    if first.is_some_and(|first| first < num_settled) { num_settled } else { encoding.ids.len() }
}

/// How far two token sequences are the same.
pub fn common_prefix_len(a: &[TokenId], b: &[TokenId]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
