//! Text that comes token by token, up to the end of its line.
//!
//! It may have to begin with text that is there already, its *lead*, in whatever tokens.

use jump_kernels::{Chosen, TokenId};
use jump_models::Tokenizer;
use serde::{Deserialize, Serialize};

/// Why no more tokens are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// The text is complete.
    Complete,
    /// The model ended the whole text.
    EndOfText,
    /// The limit of tokens was reached.
    TooLong,
    /// The model's context is full.
    NoRoom,
}

/// Gathers chosen tokens.
#[derive(Clone, Debug, Default)]
pub struct LineWriter {
    lead: Vec<u8>,
    tokens: Vec<Chosen>,
    /// Of the tokens, with the lead.
    bytes: Vec<u8>,
    end: Option<LineEnd>,
}

impl LineWriter {
    /// Writes `lead` again, and then a line.
    pub fn after(lead: Vec<u8>) -> Self {
        Self { lead, ..Self::default() }
    }

    /// The text that comes before the line.
    pub fn lead(&self) -> &[u8] {
        &self.lead
    }

    /// Bytes of the lead that are still to come.
    pub fn lead_left(&self) -> usize {
        self.lead.len().saturating_sub(self.bytes.len())
    }

    /// May a token of these bytes come next?
    pub fn fits(&self, token: &[u8]) -> bool {
        let left = &self.lead[self.lead.len() - self.lead_left()..];
        let num_common = left.len().min(token.len());
        left[..num_common] == token[..num_common] && (left.is_empty() || !token.is_empty())
    }

    /// Takes one more token, which fits the lead. `is_complete` looks at the text once it has a
    /// newline.
    pub fn push(
        &mut self,
        chosen: Chosen,
        tokenizer: &Tokenizer,
        end_tokens: &[TokenId],
        max_tokens: usize,
        is_complete: impl FnOnce(&str) -> bool,
    ) {
        assert!(self.end.is_none(), "the text had ended");
        if end_tokens.contains(&chosen.token) {
            self.end = Some(LineEnd::EndOfText);
            return;
        }
        let bytes = tokenizer.bytes(chosen.token);
        assert!(self.fits(bytes), "the lead comes first");
        self.tokens.push(chosen);
        self.bytes.extend_from_slice(bytes);
        if self.line_bytes().contains(&b'\n') && is_complete(&self.text()) {
            self.end = Some(LineEnd::Complete);
        } else if self.tokens.len() >= max_tokens {
            self.end = Some(LineEnd::TooLong);
        }
    }

    /// Ends the text because the model's context is full.
    pub fn cut(&mut self) {
        self.end.get_or_insert(LineEnd::NoRoom);
    }

    /// Why no more tokens are wanted; `None` while they are.
    pub fn end(&self) -> Option<LineEnd> {
        self.end
    }

    /// The tokens so far, without the one that ended the text.
    pub fn tokens(&self) -> &[Chosen] {
        &self.tokens
    }

    /// The text so far, after the lead. Bytes that aren't UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.line_bytes()).into_owned()
    }

    fn line_bytes(&self) -> &[u8] {
        self.bytes.get(self.lead.len()..).unwrap_or_default()
    }

    /// The text so far up to its first newline.
    pub fn first_line(&self) -> String {
        let text = self.text();
        text.split('\n').next().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use jump_models::Checkpoint;

    use super::*;

    const MAX_TOKENS: usize = 100;

    fn push(writer: &mut LineWriter, text: &str, tokenizer: &Tokenizer) {
        for token in tokenizer.encode(text) {
            assert!(writer.fits(tokenizer.bytes(token)), "{text:?}");
            writer.push(Chosen { token, score: 0.0 }, tokenizer, &[], MAX_TOKENS, |_| true);
        }
    }

    #[test]
    fn a_lead_is_no_part_of_the_line() {
        let tokenizer = Checkpoint::tiny().unwrap().tokenizer;
        let mut writer = LineWriter::after(b"):\n".to_vec());
        for text in ["x", "\n", ")\n", "", "):x", "):\r"] {
            assert!(!writer.fits(text.as_bytes()), "{text:?}");
        }
        for text in [")", "):", "):\n", "):\n\n    "] {
            assert!(writer.fits(text.as_bytes()), "{text:?}");
        }
        push(&mut writer, "):", &tokenizer);
        assert_eq!((writer.lead_left(), writer.text().as_str()), (1, ""));
        push(&mut writer, "\n", &tokenizer);
        assert_eq!((writer.lead_left(), writer.end()), (0, None), "its newline ends no line");
        push(&mut writer, "    x = 1", &tokenizer);
        assert_eq!((writer.text().as_str(), writer.end()), ("    x = 1", None));
        push(&mut writer, "\n", &tokenizer);
        assert_eq!(writer.end(), Some(LineEnd::Complete));
        assert_eq!((writer.first_line().as_str(), writer.lead()), ("    x = 1", &b"):\n"[..]));
    }
}
