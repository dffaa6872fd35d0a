//! What comes before a program in the texts of a model: nothing but a beginning token, or the words
//! that ask for the program.

use jump_kernels::TokenId;
use tokenizers::AddedToken;

use super::Tokenizer;

/// The beginning of a model's texts, up to the program. It belongs to no line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preamble {
    /// The tokens up to the last special one.
    pub(super) ids: Vec<TokenId>,
    /// The text after them, which is tokenised together with the program; it ends in a newline, if
    /// there is any.
    pub(super) text: String,
    /// Does a text begin there, with a dummy prefix if the tokenizer has one?
    pub(super) begins_text: bool,
}

/// A part of a preamble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreamblePart<'a> {
    /// Text in which the strings of special tokens are the tokens.
    Markup(&'a str),
    /// Text in which they are text.
    Text(&'a str),
}

impl Preamble {
    /// Tokens before the text.
    pub fn ids_len(&self) -> usize {
        self.ids.len()
    }

    /// Is there any text before the program?
    pub fn has_text(&self) -> bool {
        !self.text.is_empty()
    }
}

impl Tokenizer {
    /// The preamble of a program that follows `text`, which is empty or ends in a newline: it
    /// begins with a beginning token if the tokenizer adds one.
    pub fn plain_preamble(&self, text: &str) -> Preamble {
        assert!(text.is_empty() || text.ends_with('\n'), "{text:?} ends within a line");
        Preamble { ids: self.bos().into_iter().collect(), text: text.to_owned(), begins_text: true }
    }

    /// The preamble that `parts` are together; they end in a newline. Only the special tokens that
    /// stand in them are added.
    pub fn preamble(&self, parts: &[PreamblePart<'_>]) -> Preamble {
        let mut preamble = Preamble { begins_text: true, ..Preamble::default() };
        for part in parts {
            match part {
                PreamblePart::Text(text) => preamble.text.push_str(text),
                PreamblePart::Markup(markup) => self.append_markup(markup, &mut preamble),
            }
        }
        assert!(preamble.text.ends_with('\n'), "{:?} ends within a line", preamble.text);
        if !preamble.begins_text {
            preamble.text = self.dummy_prefix.before_part(&preamble.text).into_owned();
        }
        preamble
    }

    fn append_markup(&self, markup: &str, preamble: &mut Preamble) {
        let mut rest = markup;
        while let Some((start, id, token)) = self.first_special(rest) {
            let before = &rest[..start];
            preamble.text.push_str(if token.lstrip { before.trim_end() } else { before });
            let text = std::mem::take(&mut preamble.text);
            let text = if preamble.begins_text {
                self.dummy_prefix.before(&text)
            } else {
                self.dummy_prefix.before_part(&text)
            };
            preamble.ids.extend(self.encode_bare(&text));
            preamble.ids.push(id);
            preamble.begins_text = false;
            rest = &rest[start + token.content.len()..];
            if token.rstrip {
                rest = rest.trim_start();
            }
        }
        preamble.text.push_str(rest);
    }

    /// The first string of a special token in `text`, the longest of those that begin there, and
    /// where it begins.
    fn first_special(&self, text: &str) -> Option<(usize, TokenId, &AddedToken)> {
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder().iter();
        let special = added.filter(|(_, token)| token.special && !token.content.is_empty());
        let found = special.filter_map(|(id, token)| {
            text.find(&token.content).map(|start| (start, TokenId(*id), token))
        });
        found
            .min_by_key(|(start, id, token)| (*start, std::cmp::Reverse(token.content.len()), id.0))
    }
}
