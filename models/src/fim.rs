//! Fill-in-the-middle prompts, as data: special tokens by id around the tokens of the text, which
//! is never tokenised again together with them.

use jump_kernels::TokenId;

use crate::Tokenizer;

/// A piece of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Token(TokenId),
    Prefix,
    Suffix,
}

/// The order in which a family was trained to see prefix and suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FimOrder {
    /// Prefix, suffix, middle.
    Psm,
    /// Suffix, prefix, middle.
    Spm,
}

/// How a family marks the parts.
struct Family {
    order: FimOrder,
    prefix: &'static str,
    suffix: &'static str,
    middle: &'static str,
}

/// Families by their tokens; the first whose three tokens a vocabulary has is taken. Sources: the
/// repositories and model cards of Qwen2.5-Coder, StarCoder, SantaCoder, DeepSeek-Coder and
/// Seed-Coder.
const FAMILIES: [Family; 5] = [
    Family {
        order: FimOrder::Psm,
        prefix: "<|fim_prefix|>",
        suffix: "<|fim_suffix|>",
        middle: "<|fim_middle|>",
    },
    Family {
        order: FimOrder::Psm,
        prefix: "<fim_prefix>",
        suffix: "<fim_suffix>",
        middle: "<fim_middle>",
    },
    Family {
        order: FimOrder::Psm,
        prefix: "<fim-prefix>",
        suffix: "<fim-suffix>",
        middle: "<fim-middle>",
    },
    Family {
        order: FimOrder::Psm,
        prefix: "<｜fim▁begin｜>",
        suffix: "<｜fim▁hole｜>",
        middle: "<｜fim▁end｜>",
    },
    Family {
        order: FimOrder::Spm,
        prefix: "<[fim-prefix]>",
        suffix: "<[fim-suffix]>",
        middle: "<[fim-middle]>",
    },
];

/// A family's prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FimTemplate {
    parts: Vec<Part>,
}

impl FimTemplate {
    /// The template of the family whose tokens `tokenizer` has, if it has any.
    pub fn find(tokenizer: &Tokenizer) -> Option<Self> {
        FAMILIES.iter().find_map(|family| {
            let prefix = tokenizer.special(family.prefix)?;
            let suffix = tokenizer.special(family.suffix)?;
            let middle = tokenizer.special(family.middle)?;
            Some(Self::new(family.order, tokenizer.bos(), prefix, suffix, middle))
        })
    }

    /// A template of these tokens.
    pub fn new(
        order: FimOrder,
        bos: Option<TokenId>,
        prefix: TokenId,
        suffix: TokenId,
        middle: TokenId,
    ) -> Self {
        let prefix_part = [Part::Token(prefix), Part::Prefix];
        let suffix_part = [Part::Token(suffix), Part::Suffix];
        let ordered = match order {
            FimOrder::Psm => [prefix_part, suffix_part],
            FimOrder::Spm => [suffix_part, prefix_part],
        };
        let mut parts: Vec<Part> = bos.map(Part::Token).into_iter().collect();
        parts.extend(ordered.concat());
        parts.push(Part::Token(middle));
        Self { parts }
    }

    /// The prompt that asks for what belongs between `prefix` and `suffix`.
    pub fn prompt(&self, prefix: &[TokenId], suffix: &[TokenId]) -> Vec<TokenId> {
        let mut prompt = Vec::with_capacity(prefix.len() + suffix.len() + self.parts.len());
        for part in &self.parts {
            match part {
                Part::Token(token) => prompt.push(*token),
                Part::Prefix => prompt.extend_from_slice(prefix),
                Part::Suffix => prompt.extend_from_slice(suffix),
            }
        }
        prompt
    }

    /// What the prompts of all positions in a text begin with, as far as their own prefix reaches:
    /// the markers, then `text`. `None` if the suffix comes first, since then they share nothing.
    pub fn stem(&self, text: &[TokenId]) -> Option<Vec<TokenId>> {
        let prefix_idx = self.parts.iter().position(|part| *part == Part::Prefix)?;
        let mut stem = Vec::with_capacity(prefix_idx + text.len());
        for part in &self.parts[..prefix_idx] {
            match part {
                Part::Token(token) => stem.push(*token),
                Part::Prefix | Part::Suffix => return None,
            }
        }
        stem.extend_from_slice(text);
        Some(stem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(ids: &[u32]) -> Vec<TokenId> {
        ids.iter().copied().map(TokenId).collect()
    }

    #[test]
    fn prompts_follow_the_order() {
        let template =
            |order, bos| FimTemplate::new(order, bos, TokenId(1), TokenId(2), TokenId(3));
        let (prefix, suffix) = (tokens(&[10, 11]), tokens(&[20]));
        let psm = template(FimOrder::Psm, None);
        assert_eq!(psm.prompt(&prefix, &suffix), tokens(&[1, 10, 11, 2, 20, 3]));
        assert_eq!(psm.stem(&prefix), Some(tokens(&[1, 10, 11])));
        let spm = template(FimOrder::Spm, Some(TokenId(0)));
        assert_eq!(spm.prompt(&prefix, &suffix), tokens(&[0, 2, 20, 1, 10, 11, 3]));
        assert_eq!(spm.stem(&prefix), None);
        assert_eq!(psm.prompt(&[], &[]), tokens(&[1, 2, 3]));
    }

    /// The tiny tokenizer with other names for its infilling tokens.
    fn tokenizer(names: [&str; 3]) -> Tokenizer {
        let mut text = include_str!("../tiny/tokenizer.json").to_owned();
        for (old, new) in ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"].iter().zip(names) {
            text = text.replace(old, new);
        }
        Tokenizer::parse(text.as_bytes(), "file").unwrap()
    }

    #[test]
    fn families_are_told_by_their_tokens() {
        let (psm, spm) = (Some([1, 10, 2, 20, 3]), Some([2, 20, 1, 10, 3]));
        let table = [
            (["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"], psm),
            (["<fim_prefix>", "<fim_suffix>", "<fim_middle>"], psm),
            (["<fim-prefix>", "<fim-suffix>", "<fim-middle>"], psm),
            (["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"], psm),
            (["<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"], spm),
            (["<fim_prefix>", "<fim_suffix>", "<|fim_middle|>"], None),
            (["<a>", "<b>", "<c>"], None),
        ];
        for (names, expected) in table {
            let template = FimTemplate::find(&tokenizer(names));
            let prompt = template.map(|template| template.prompt(&tokens(&[10]), &tokens(&[20])));
            assert_eq!(prompt, expected.map(|ids| tokens(&ids)), "{names:?}");
        }
    }
}
