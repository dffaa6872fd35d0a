//! What a run tells while it goes: one event a round, in the order of the rounds.

use jump_kernels::TokenId;
use jump_models::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::program::line_writer::{LineEnd, LineWriter};

/// A position that was chosen to be infilled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChosenPosition {
    /// The line before which is inserted.
    pub position: usize,
    /// The score of that line's first scored token.
    pub score: f32,
}

/// What the infilling model found at a position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Infill {
    /// The line before which it would be inserted.
    pub position: usize,
    /// The text, without what follows its end; empty when nothing is missing.
    pub text: String,
    /// How it was decoded.
    pub decoded: Decoded,
}

/// A text as a model wrote it: its tokens may not be those that the tokenizer would choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoded {
    /// The tokens, without the one that ended the whole text.
    pub tokens: Vec<u32>,
    /// Bytes at their beginning that were there before, in other tokens perhaps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_lead_bytes: usize,
    /// Why there are no more; `None` if they were never asked for.
    pub end: Option<LineEnd>,
}

impl Decoded {
    /// What a writer has written.
    pub fn of(writer: &LineWriter) -> Self {
        let tokens = writer.tokens().iter().map(|chosen| chosen.token.0).collect();
        Self { tokens, num_lead_bytes: writer.lead().len(), end: writer.end() }
    }

    /// The text after the lead; `None` if the tokenizer has no such tokens.
    pub fn bytes(&self, tokenizer: &Tokenizer) -> Option<Vec<u8>> {
        let all = self.all_bytes(tokenizer)?;
        Some(all.get(self.num_lead_bytes..).unwrap_or_default().to_vec())
    }

    fn all_bytes(&self, tokenizer: &Tokenizer) -> Option<Vec<u8>> {
        let is_known = |token: &u32| (*token as usize) < tokenizer.vocab_len();
        let bytes = |token: &u32| tokenizer.bytes(TokenId(*token)).to_vec();
        self.tokens.iter().all(is_known).then(|| self.tokens.iter().flat_map(bytes).collect())
    }

    /// The same text, where `lead` comes before it: in the same tokens, if they begin with that.
    #[must_use]
    pub fn after(self, lead: &[u8], tokenizer: &Tokenizer) -> Self {
        let bytes = self.all_bytes(tokenizer).unwrap_or_default();
        let num_common = lead.len().min(bytes.len());
        if self.num_lead_bytes == 0
            || self.num_lead_bytes == lead.len() && bytes[..num_common] == lead[..num_common]
        {
            return self;
        }
        let text = bytes.get(self.num_lead_bytes..).unwrap_or_default();
        let tokens = tokenizer.encode_continuation(&[String::from_utf8_lossy(text)]);
        let tokens = tokens.iter().map(|token| token.0).collect();
        Self { tokens, num_lead_bytes: 0, end: self.end }
    }

    /// What the model chose after the first `num_written` tokens, with the token that ended the
    /// text.
    pub fn tokens_from(&self, num_written: usize, end_tokens: &[TokenId]) -> Vec<TokenId> {
        let rest = self.tokens.get(num_written..).unwrap_or_default();
        let ended = self.end == Some(LineEnd::EndOfText);
        let end_token = end_tokens.first().copied().filter(|_| ended);
        rest.iter().copied().map(TokenId).chain(end_token).collect()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judge {
    /// The syntax tree: the insertion defines something that was undefined.
    Ast,
    /// The generation model's scores of the following lines.
    Score,
}

/// A candidate and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateReport {
    /// The line before which it is inserted.
    pub position: usize,
    /// The inserted lines, each ending in `\n`.
    pub inserted: Vec<String>,
    /// Who decided.
    pub by: Judge,
    /// For each line of the suffix that was scored: mean score after minus before; `null` where a
    /// line was skipped. Empty if the syntax tree decided.
    pub deltas: Vec<Option<f64>>,
    /// Was it accepted?
    pub accepted: bool,
    /// The sum of the deltas of the lines that improved; 0 if the syntax tree decided.
    pub gain: f64,
}

/// How a round changed the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// The next line was appended.
    Append {
        /// The line, ending in `\n`.
        line: String,
    },
    /// A candidate was inserted.
    Insert {
        /// The line before which it was inserted.
        position: usize,
        /// The inserted lines, each ending in `\n`.
        lines: Vec<String>,
        /// Lines that were dropped from the end of the program, to be written anew.
        num_dropped: usize,
        /// Who decided.
        by: Judge,
    },
    /// Nothing: the program had ended.
    None,
}

/// Tokens that were run through a model, by kind, and those that were not because their keys and
/// values were still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// The prompt, and text that had to be run again.
    pub prefill: usize,
    /// Tokens of next lines, one by one.
    pub decode: usize,
    /// Prompts of the infilling model.
    pub infill_prefill: usize,
    /// Tokens of infills, one by one.
    pub infill_decode: usize,
    /// Tokens of earlier infills that were verified.
    pub verify: usize,
    /// Candidates and the lines after them.
    pub rescore: usize,
    /// Tokens of all these prompts and candidates that a fork already held.
    pub reused: usize,
    /// Of those that were run: drafts that were wrong, lines that an insertion replaced, rounds
    /// that had to be begun again.
    pub wasted: usize,
}

impl TokenCounts {
    /// Adds the tokens of another part of the work.
    pub fn add(&mut self, other: &Self) {
        self.prefill += other.prefill;
        self.decode += other.decode;
        self.infill_prefill += other.infill_prefill;
        self.infill_decode += other.infill_decode;
        self.verify += other.verify;
        self.rescore += other.rescore;
        self.reused += other.reused;
        self.wasted += other.wasted;
    }

    /// All tokens that were run.
    pub fn num_run(&self) -> usize {
        self.prefill
            + self.decode
            + self.infill_prefill
            + self.infill_decode
            + self.verify
            + self.rescore
    }
}

/// One round of one program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Counts from 0.
    pub round: usize,
    /// Lines of the program when the round began.
    pub num_lines: usize,
    /// The positions that were chosen.
    pub positions: Vec<ChosenPosition>,
    /// What was found there.
    pub infills: Vec<Infill>,
    /// What the generation model wrote meanwhile.
    pub next_line: String,
    /// How it was decoded.
    pub decoded: Decoded,
    /// Did the generation model say that the program has ended?
    pub ended: bool,
    /// The candidates.
    pub candidates: Vec<CandidateReport>,
    /// What became of the program.
    #[serde(flatten)]
    pub change: Change,
    /// Work of this round.
    pub tokens: TokenCounts,
    /// Wall time of this round; rounds of different problems overlap.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use jump_models::Checkpoint;

    use super::*;

    #[test]
    fn a_recorded_line_follows_another_lead_in_tokens_of_its_own() {
        let tokenizer = Checkpoint::tiny().unwrap().tokenizer;
        let ids = |text: &str| tokenizer.encode(text).iter().map(|id| id.0).collect::<Vec<_>>();
        let recorded =
            Decoded { tokens: ids(":\n    x\n"), num_lead_bytes: 2, end: Some(LineEnd::Complete) };
        assert_eq!(recorded.bytes(&tokenizer).unwrap(), b"    x\n");
        assert_eq!(recorded.clone().after(b":\n", &tokenizer), recorded);
        let own = Decoded { tokens: ids("    x\n"), num_lead_bytes: 0, end: recorded.end };
        for lead in [&b""[..], b"\n", b")\n"] {
            assert_eq!(recorded.clone().after(lead, &tokenizer), own, "{lead:?}");
        }
        assert_eq!(own.clone().after(b")\n", &tokenizer), own, "it had none");
        let ended = Decoded { num_lead_bytes: 2, end: Some(LineEnd::EndOfText), ..<_>::default() };
        assert_eq!(ended.clone().after(b":\n", &tokenizer), ended);
    }
}
