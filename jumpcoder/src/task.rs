//! One program to write, and what came of it.

use jump_kernels::mix_key;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::{Judge, Round, TokenCounts};
use crate::language::compiler::NoCompiler;

/// A program to write: a problem, and which of its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The problem's id, as the input has it.
    pub id: String,
    /// Counts from 0.
    pub sample: usize,
    /// The text to go on from.
    pub prompt: String,
    /// The programming language, lower case.
    pub language: String,
    /// A new line that begins with one of these ends the program. Leading newlines don't count.
    pub stop: Vec<String>,
}

impl Task {
    /// Tells tasks apart, the same in every run: part of the key of every draw.
    pub fn key(&self) -> u64 {
        mix_key(&[hash(&self.id), self.sample as u64])
    }

    /// The same for all tasks that go on from the same prompt.
    pub fn family(&self) -> u64 {
        hash(&self.prompt)
    }
}

/// FNV-1a: the same in every run and on every machine.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// An insertion that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Insertion {
    /// The round, counting from 0.
    pub round: usize,
    /// The line before which it was inserted, in the program of that time.
    pub position: usize,
    /// The inserted lines, each ending in `\n`.
    pub lines: Vec<String>,
    /// Who decided.
    pub by: Judge,
    /// The sum of the improvements; 0 if the syntax tree decided.
    pub gain: f64,
}

/// A finished program.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The whole program.
    pub program: String,
    /// What follows the prompt, if the prompt is unchanged.
    pub completion: Option<String>,
    /// Insertions, in the order of their acceptance.
    pub insertions: Vec<Insertion>,
    /// Rounds that it took.
    pub num_rounds: usize,
    /// Tokens that were run.
    pub tokens: TokenCounts,
    /// For [`Mode::Filtered`](crate::settings::Mode::Filtered): was the plain program kept?
    pub kept_ar: Option<bool>,
    /// Wall time from its start to its end; programs in one batch overlap.
    pub seconds: f64,
}

/// Why a program could not be written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TaskError {
    /// There is nothing to go on from.
    #[error("the prompt is empty: give at least one line of code or comment")]
    EmptyPrompt,
    /// The prompt leaves no room.
    #[error(
        "the prompt has {prompt_len} tokens, but there is room for {context_len}: shorten the \
         prompt, raise --max-context, or take a model with a longer context"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        prompt_len: usize,
        /// Tokens that fit.
        context_len: usize,
    },
    /// The prompt has as many lines as a program may have.
    #[error(
        "the prompt has {num_lines} lines, but a program may have {max_lines}, so nothing could be \
         written: raise --max-lines"
    )]
    TooManyLines {
        /// Lines of the prompt.
        num_lines: usize,
        /// The limit.
        max_lines: usize,
    },
    /// The judge does not know the language.
    #[error(
        "the language {language:?} isn't supported ({known} are): `--mode ar` generates any \
         language"
    )]
    UnknownLanguage {
        /// The language.
        language: String,
        /// Those that are, with commas.
        known: String,
    },
    /// A compiler should judge, but can't.
    #[error(transparent)]
    NoCompiler(#[from] NoCompiler),
    /// Nobody wants it any more.
    #[error("cancelled")]
    Cancelled,
    /// The words that ask for it can't be put together.
    #[error("{0}: use --prompt-format plain")]
    ChatTemplate(String),
    /// The machine is too small for it.
    #[error(
        "it needs {needed} KV blocks at once, but there are {total}: lower --k, --max-context or \
         the prompt's length, or raise --kv-memory-mib"
    )]
    OutOfBlocks {
        /// Blocks that it needed beside those it held.
        needed: usize,
        /// All blocks.
        total: usize,
    },
    /// A recorded run can't be followed.
    #[error(
        "round {round} didn't go as recorded: the trace belongs to other problems, settings, or \
         another tokenizer"
    )]
    NotAsRecorded {
        /// The round.
        round: usize,
    },
    /// The problem itself could not be read.
    #[error("{0}")]
    Unreadable(String),
}

/// Hears what a run does. `task` is the index of the task in the list that was given.
pub trait Observer {
    /// A task's program was begun; `lines` is its prompt, each line ending in `\n`.
    fn started(&mut self, task: usize, lines: &[String]);
    /// A round has ended.
    fn round(&mut self, task: usize, round: &Round);
    /// A task has ended; no more is heard of it.
    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>);
}
