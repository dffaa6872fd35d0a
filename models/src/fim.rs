//! Fill-in-the-middle prompts, as data: special tokens by id around the tokens of the text, which
//! is never tokenised again together with them.

use jump_kernels::TokenId;

use crate::{ModelError, Tokenizer};

#[cfg(test)]
mod tests;

/// A piece of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Token(TokenId),
    Prefix,
    Suffix,
}

/// How models of some names were trained to be asked.
struct Family {
    names: &'static [&'static str],
    /// Special tokens and the places of the texts, with blanks between. If the tokenizer begins
    /// texts with a token, that comes first in any case.
    prompt: &'static str,
    /// Tokens that end an infill, of which a vocabulary may have some. So do the prompt's own.
    ends: &'static str,
    /// Do its tokens tell it from other families?
    is_told_by_tokens: bool,
}

/// Of those that are told by their tokens, the first whose prompt a vocabulary has is taken.
///
/// Sources: the repositories, model cards and code of Qwen2.5-Coder, CodeGemma, StarCoder,
/// SantaCoder, DeepSeek-Coder, Seed-Coder's paper, Code Llama (`generation.py`), mistral-common
/// (`encode_fim`), Mellum's paper (arXiv 2510.05788), aiXcoder-7B (`hf_mini/utils.py`), CodeGen2.
const FAMILIES: [Family; 10] = [
    Family {
        names: &["qwen", "codegemma"],
        prompt: "<|fim_prefix|> {prefix} <|fim_suffix|> {suffix} <|fim_middle|>",
        ends: "<|endoftext|> <|fim_pad|> <|repo_name|> <|file_sep|> <|file_separator|>",
        is_told_by_tokens: true,
    },
    Family {
        names: &["starcoder", "starcoder2", "granite", "stable-code", "refact"],
        prompt: "<fim_prefix> {prefix} <fim_suffix> {suffix} <fim_middle>",
        ends: "<|endoftext|> <fim_pad> <file_sep> <fim_eot>",
        is_told_by_tokens: true,
    },
    Family {
        names: &["santacoder"],
        prompt: "<fim-prefix> {prefix} <fim-suffix> {suffix} <fim-middle>",
        ends: "<|endoftext|> <fim-pad>",
        is_told_by_tokens: true,
    },
    Family {
        names: &["deepseek"],
        prompt: "<｜begin▁of▁sentence｜> <｜fim▁begin｜> {prefix} <｜fim▁hole｜> {suffix} <｜fim▁end｜>",
        ends: "<｜end▁of▁sentence｜> <|EOT|>",
        is_told_by_tokens: true,
    },
    Family {
        names: &["seed-coder"],
        prompt: "<[fim-suffix]> {suffix} <[fim-prefix]> {prefix} <[fim-middle]>",
        ends: "",
        is_told_by_tokens: true,
    },
    Family {
        names: &["codellama"],
        prompt: "▁<PRE> {prefix} ▁<SUF> {suffix} ▁<MID>",
        ends: "▁<EOT> </s>",
        is_told_by_tokens: true,
    },
    Family {
        names: &["codestral"],
        prompt: "[SUFFIX] {suffix} [PREFIX] {prefix}",
        ends: "[MIDDLE] </s>",
        is_told_by_tokens: true,
    },
    Family {
        names: &["aixcoder"],
        prompt: "▁<AIX-SPAN-PRE> ▁<AIX-SPAN-POST> {suffix} ▁<AIX-SPAN-MIDDLE> {prefix}",
        ends: "</s>",
        is_told_by_tokens: true,
    },
    Family {
        names: &["codegen2.5", "codegen2"],
        prompt: "{prefix} <mask_1> {suffix} <|endoftext|> <sep> <mask_1>",
        ends: "<eom>",
        is_told_by_tokens: true,
    },
    // The tokens are StarCoder's, the order isn't.
    Family {
        names: &["mellum"],
        prompt: "<fim_suffix> {suffix} <fim_prefix> {prefix} <fim_middle>",
        ends: "<|endoftext|> <fim_pad> <filename>",
        is_told_by_tokens: false,
    },
];

/// A family's prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FimTemplate {
    /// What it looks like: special tokens, and the places of the texts, with blanks between.
    pub prompt: String,
    parts: Vec<Part>,
    /// Tokens that end an infill, beside those that end every text of the model.
    pub end_tokens: Vec<TokenId>,
}

impl FimTemplate {
    /// The families that are known, and their prompts.
    pub fn families() -> impl Iterator<Item = (&'static str, &'static str)> {
        FAMILIES.iter().flat_map(|family| family.names.iter().map(|name| (*name, family.prompt)))
    }

    /// The template of the family whose tokens `tokenizer` has, if it has any.
    pub fn find(tokenizer: &Tokenizer) -> Option<Self> {
        let told = FAMILIES.iter().filter(|family| family.is_told_by_tokens);
        told.into_iter().find_map(|family| family.template(tokenizer).ok())
    }

    /// The template that a user names: a family, or what its prompt looks like, in special tokens
    /// and `{prefix}` and `{suffix}`, with blanks between.
    ///
    /// # Errors
    ///
    /// No such family, a prompt without one of the texts, or a token that `tokenizer` doesn't have.
    pub fn parse(choice: &str, tokenizer: &Tokenizer) -> Result<Self, ModelError> {
        let problem = |problem| ModelError::Fim { choice: choice.to_owned(), problem };
        if let Some(family) = FAMILIES.iter().find(|family| family.names.contains(&choice)) {
            return family.template(tokenizer).map_err(problem);
        }
        if !choice.contains('{') {
            let known: Vec<&str> =
                FAMILIES.iter().flat_map(|family| family.names).copied().collect();
            return Err(problem(format!(
                "no such family: take {}, or a prompt like \"<PRE> {{prefix}} <SUF> {{suffix}} \
                 <MID>\", whose special tokens stand between blanks",
                known.join(", ")
            )));
        }
        Self::new(choice, "", tokenizer).map_err(problem)
    }

    fn new(prompt: &str, ends: &str, tokenizer: &Tokenizer) -> Result<Self, String> {
        let mut parts = Vec::new();
        for word in prompt.split_whitespace() {
            parts.push(match word {
                "{prefix}" => Part::Prefix,
                "{suffix}" => Part::Suffix,
                token => Part::Token(tokenizer.special(token).ok_or_else(|| {
                    format!("{token} isn't a special token of the infilling model's vocabulary")
                })?),
            });
        }
        for (name, text) in [("{prefix}", Part::Prefix), ("{suffix}", Part::Suffix)] {
            match parts.iter().filter(|part| **part == text).count() {
                1 => {}
                0 => return Err(format!("the prompt has no {name}")),
                _ => return Err(format!("the prompt has {name} more than once")),
            }
        }
        let bos = tokenizer.bos().map(Part::Token);
        if let Some(bos) = bos.filter(|bos| parts[0] != *bos) {
            parts.insert(0, bos);
        }
        let own = parts.iter().filter_map(|part| match part {
            Part::Token(token) => Some(*token),
            Part::Prefix | Part::Suffix => None,
        });
        let ends = ends.split_whitespace().filter_map(|token| tokenizer.special(token));
        let mut end_tokens: Vec<TokenId> = ends.chain(own).collect();
        end_tokens.sort_unstable();
        end_tokens.dedup();
        Ok(Self { prompt: prompt.to_owned(), parts, end_tokens })
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

impl Family {
    fn template(&self, tokenizer: &Tokenizer) -> Result<FimTemplate, String> {
        FimTemplate::new(self.prompt, self.ends, tokenizer)
    }
}
