//! What a run may choose: every number and switch of the algorithm.

use std::num::NonZeroU32;

use jump_kernels::ScoreKind;
use serde::{Deserialize, Serialize};

use crate::mechanism::{Mechanism, Mechanisms};
use crate::prompt_format::PromptFormat;

/// Which programs are generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Plain autoregressive generation.
    Ar,
    /// JumpCoder, the paper's variant V.
    Jump,
    /// The paper's variant F: [`Mode::Jump`] and [`Mode::Ar`], and where scoring accepted an
    /// insertion, the one of lower perplexity.
    Filtered,
}

/// Who judges imports and functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checker {
    /// The syntax tree and its scopes.
    #[default]
    Tree,
    /// The language's compiler, as in the paper.
    Compiler,
}

/// Sampling of the generation model's lines; infills are always greedy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplingSettings {
    /// Divides the logits; greater than 0.
    pub temperature: f32,
    /// At most so many of the most probable tokens are drawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<NonZeroU32>,
    /// Of these, the smallest set of most probable ones that reaches this probability is drawn
    /// from.
    pub top_p: f32,
    /// With the problem, the sample and the position it makes the key of a draw.
    pub seed: u64,
}

/// The settings of a run. [`Settings::default`] is the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Which programs are generated.
    pub mode: Mode,
    /// Positions that are infilled in a round (k).
    pub num_positions: usize,
    /// The improvement of a line's mean score that counts (τ).
    pub threshold: f64,
    /// Bounds the lines of a program, and the rounds.
    pub max_lines: usize,
    /// A line is cut after so many tokens.
    pub max_line_tokens: usize,
    /// What a score is.
    #[serde(with = "ScoreName")]
    pub score: ScoreKind,
    /// May positions lie inside comments and docstrings?
    pub infill_comments: bool,
    /// May positions lie inside the prompt?
    pub infill_prompt: bool,
    /// Are imports and functions judged by the syntax tree? Otherwise by scoring, like the rest.
    pub ast_judge: bool,
    /// Who judges them then.
    #[serde(default)]
    pub checker: Checker,
    /// How the generation model is asked.
    #[serde(default, skip_serializing_if = "PromptFormat::is_plain")]
    pub prompt_format: PromptFormat,
    /// How the infilling model is asked: a family's name, or a prompt (see
    /// [`FimTemplate::parse`](jump_models::FimTemplate::parse)). By default its tokens tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fim: Option<String>,
    /// Do what the authors' code does where it differs from the paper's intent.
    pub reference_quirks: bool,
    /// `None` is greedy.
    pub sampling: Option<SamplingSettings>,
    /// How work is saved. No part of what a trace records: it changes no program.
    #[serde(skip, default = "Mechanisms::all")]
    pub mechanisms: Mechanisms,
}

/// A score's name in a trace.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ScoreKind", rename_all = "lowercase")]
enum ScoreName {
    Logit,
    LogProb,
}

/// Tokens of a text that the reference goes on from, whatever its model's context is.
pub const REFERENCE_CONTEXT_LEN: usize = 2048;

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Jump,
            num_positions: 5,
            threshold: 0.3,
            max_lines: 64,
            max_line_tokens: 256,
            score: ScoreKind::Logit,
            infill_comments: false,
            infill_prompt: true,
            ast_judge: true,
            checker: Checker::Tree,
            prompt_format: PromptFormat::Plain,
            fim: None,
            reference_quirks: false,
            sampling: None,
            mechanisms: Mechanisms::all(),
        }
    }
}

impl Settings {
    /// Is this mechanism on?
    pub fn uses(&self, mechanism: Mechanism) -> bool {
        self.mechanisms.has(mechanism)
    }
}

#[cfg(test)]
mod tests {
    use super::SamplingSettings;

    #[test]
    fn traces_from_before_top_k_can_be_read() {
        let old = r#"{"temperature":0.5,"top_p":0.75,"seed":3}"#;
        let settings: SamplingSettings = serde_json::from_str(old).unwrap();
        assert_eq!(settings.top_k, None);
        assert_eq!(serde_json::to_string(&settings).unwrap(), old);
    }
}
