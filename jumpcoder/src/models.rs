//! The two models of the algorithm, G that generates and I that infills; they may be one.

use jump_engine::LanguageModel;
use jump_kernels::TokenId;
use jump_models::{Checkpoint, FimTemplate, Tokenizer};

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
    /// Tokens that end a text.
    pub end_tokens: Vec<TokenId>,
}

impl ReadyModel {
    /// Keeps of `checkpoint` what is needed beside the weights, which `engine` has.
    pub fn new(engine: Box<dyn LanguageModel>, checkpoint: Checkpoint) -> Self {
        let Checkpoint { tokenizer, fim, end_tokens, .. } = checkpoint;
        Self { engine, idle: IdleSequences::default(), tokenizer, fim, end_tokens }
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
