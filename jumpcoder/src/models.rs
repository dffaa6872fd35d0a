//! The two models of the algorithm, G that generates and I that infills; they may be one.

use std::collections::HashMap;
use std::sync::Arc;

use jump_engine::LanguageModel;
use jump_kernels::TokenId;
use jump_models::{ChatTemplate, Checkpoint, FimTemplate, Tokenizer};

use crate::idle::IdleSequences;

/// A model, ready to run, with what is needed to talk to it.
pub struct ReadyModel {
    /// The engine.
    pub engine: Box<dyn LanguageModel>,
    /// Its sequences that nobody works on.
    pub idle: IdleSequences,
    /// From text to its tokens and back.
    pub tokenizer: Tokenizer,
    /// How to ask it to fill in the middle, if it can.
    pub fim: Option<FimTemplate>,
    /// How conversations with it are written down, if it knows any.
    pub chat: Option<ChatTemplate>,
    /// Tokens that end a text.
    pub end_tokens: Vec<TokenId>,
    /// Tokens that end an infill.
    pub infill_end_tokens: Vec<TokenId>,
    /// The tokens that begin with one of some texts, as they were last asked for.
    beginnings: HashMap<&'static [&'static str], Arc<[TokenId]>>,
}

impl ReadyModel {
    /// Keeps of `checkpoint` what is needed beside the weights, which `engine` has.
    pub fn new(engine: Box<dyn LanguageModel>, checkpoint: Checkpoint) -> Self {
        let Checkpoint { tokenizer, fim, chat, end_tokens, .. } = checkpoint;
        Self { chat, ..Self::of_parts(engine, tokenizer, fim, end_tokens) }
    }

    /// A model that need not be from a checkpoint.
    pub fn of_parts(
        engine: Box<dyn LanguageModel>,
        tokenizer: Tokenizer,
        fim: Option<FimTemplate>,
        end_tokens: Vec<TokenId>,
    ) -> Self {
        let (idle, beginnings) = (IdleSequences::default(), HashMap::new());
        let infill_ends = fim.iter().flat_map(|fim| &fim.end_tokens);
        let infill_end_tokens = end_tokens.iter().chain(infill_ends).copied().collect();
        Self { engine, idle, tokenizer, fim, chat: None, end_tokens, infill_end_tokens, beginnings }
    }

    /// The tokens that begin with one of `texts`, but for blanks.
    pub fn beginning_with(&mut self, texts: &'static [&'static str]) -> Arc<[TokenId]> {
        let tokenizer = &self.tokenizer;
        let find = || {
            let begins = |token: &TokenId| {
                let code = tokenizer.bytes(*token).trim_ascii_start();
                texts.iter().any(|text| code.starts_with(text.as_bytes()))
            };
            (0..tokenizer.vocab_len() as u32).map(TokenId).filter(begins).collect()
        };
        self.beginnings.entry(texts).or_insert_with(find).clone()
    }
}

/// Which model a work is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// G: writes the next line and scores.
    Generation,
    /// I: fills in.
    Infilling,
}

/// G and I.
pub struct Models {
    /// G, which is also I if there is no other.
    pub generation: ReadyModel,
    /// I, if it isn't G.
    pub infilling: Option<ReadyModel>,
}

impl Models {
    /// The model of a role.
    pub fn get(&self, role: Role) -> &ReadyModel {
        match (role, &self.infilling) {
            (Role::Infilling, Some(infilling)) => infilling,
            _ => &self.generation,
        }
    }

    /// The model of a role.
    pub fn get_mut(&mut self, role: Role) -> &mut ReadyModel {
        match (role, &mut self.infilling) {
            (Role::Infilling, Some(infilling)) => infilling,
            _ => &mut self.generation,
        }
    }
}
