//! Text that comes token by token, up to the end of its line.

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
    tokens: Vec<Chosen>,
    bytes: Vec<u8>,
    end: Option<LineEnd>,
}

impl LineWriter {
    /// Takes one more token. `is_complete` looks at the text once it has a newline.
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
        self.tokens.push(chosen);
        self.bytes.extend_from_slice(tokenizer.bytes(chosen.token));
        if self.bytes.contains(&b'\n') && is_complete(&self.text()) {
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

    /// The text so far. Bytes that aren't UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The text so far up to its first newline.
    pub fn first_line(&self) -> String {
        let text = self.text();
        text.split('\n').next().unwrap_or_default().to_owned()
    }
}
