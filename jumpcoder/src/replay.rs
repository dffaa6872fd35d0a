//! A trace, read back: the decisions of a run, to be made again by another one.
//!
//! A replay forces every token and takes positions and improvements from the trace, so the models
//! do the same work whatever their weights say. What follows from the text alone (tokens, the
//! syntax tree's verdicts, drafts) is computed anew; if that leads elsewhere, the replay fails.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use jump_models::Tokenizer;
use serde::Deserialize;
use thiserror::Error;

use crate::event::{Change, Decoded, Round};
use crate::program::line_writer::LineEnd;
use crate::scheduler::Submission;
use crate::settings::{Mode, Settings};
use crate::task::Task;

/// Why a trace can't be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The file can't be read.
    #[error("can't read the trace {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A line isn't of a trace.
    #[error("{path}, line {line}: {reason}; is it a file that `generate --trace` wrote?")]
    Line {
        /// The file.
        path: String,
        /// Counts from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The rounds of `filtered` are of two programs each.
    #[error("{path} was recorded with --mode {mode}: record one with --mode jump")]
    Mode {
        /// The file.
        path: String,
        /// The mode.
        mode: &'static str,
    },
    /// The tokens aren't the texts'.
    #[error(
        "the trace was recorded with another tokenizer: in round {round} of {task}, its tokens \
         aren't the text {text:?}"
    )]
    Tokenizer {
        /// The task.
        task: String,
        /// The round.
        round: usize,
        /// What they should be.
        text: String,
    },
    /// No program was finished.
    #[error("{path} has no finished program")]
    Empty {
        /// The file.
        path: String,
    },
}

/// One line of a trace.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Event {
    Run {
        settings: Settings,
    },
    Started {
        task_id: String,
        sample: usize,
        language: String,
        stop: Vec<String>,
        lines: Vec<String>,
    },
    Round {
        task_id: String,
        sample: usize,
        #[serde(flatten)]
        round: Round,
    },
    Finished {
        task_id: String,
        sample: usize,
        error: Option<String>,
    },
}

/// A recorded task: what was asked, and what was decided.
struct Recording {
    task: Task,
    rounds: Vec<Round>,
    is_finished: bool,
}

/// A recorded run.
#[derive(Debug)]
pub struct Replay {
    /// Its settings.
    pub settings: Settings,
    /// Its finished tasks with their rounds, in the order in which they were begun.
    pub tasks: Vec<Submission>,
    /// Tasks that failed or were cut off.
    pub num_left_out: usize,
}

impl Replay {
    /// Reads a trace. Of a run that was resumed, the last settings count; of a task that was begun
    /// again, the last time.
    ///
    /// # Errors
    ///
    /// A file that can't be read, isn't a trace, or holds nothing to replay.
    pub fn read(path: &Path) -> Result<Self, ReplayError> {
        let name = path.display().to_string();
        let failed = |error: std::io::Error| ReplayError::Read {
            path: name.clone(),
            reason: error.to_string(),
        };
        let file = File::open(path).map_err(failed)?;
        let mut recorder = Recorder::default();
        for (line_idx, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(failed)?;
            let event = serde_json::from_str(&line).map_err(|error| error.to_string());
            event.and_then(|event| recorder.take(event)).map_err(|reason| ReplayError::Line {
                path: name.clone(),
                line: line_idx + 1,
                reason,
            })?;
        }
        recorder.finish(&name)
    }

    /// Checks that the tokens mean to `tokenizer` what they meant to the recorded run.
    ///
    /// # Errors
    ///
    /// Tokens that aren't the text they were recorded with.
    pub fn check(&self, tokenizer: &Tokenizer) -> Result<(), ReplayError> {
        for Submission { task, recorded, .. } in &self.tasks {
            for round in recorded.iter().flat_map(|rounds| rounds.iter()) {
                let infills = round.infills.iter().map(|infill| (&infill.decoded, &infill.text));
                let wrong =
                    infills.chain([(&round.decoded, &round.next_line)]).find(|(decoded, text)| {
                        !decoded.bytes(tokenizer).is_some_and(|bytes| is_of(&bytes, text))
                    });
                if let Some((_, text)) = wrong {
                    let (task, text) = (task.id.clone(), text.clone());
                    return Err(ReplayError::Tokenizer { task, round: round.round, text });
                }
            }
        }
        Ok(())
    }

    /// What plain generation would have done to write the same lines: those that were appended,
    /// without the insertions.
    #[must_use]
    pub fn plain(&self) -> Vec<Submission> {
        self.tasks.iter().map(plain).collect()
    }
}

#[derive(Default)]
struct Recorder {
    settings: Option<Settings>,
    recordings: Vec<Recording>,
    /// The recording of a task and sample.
    places: HashMap<(String, usize), usize>,
}

impl Recorder {
    fn take(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Run { settings } => self.settings = Some(settings),
            Event::Started { task_id, sample, language, stop, lines } => {
                self.places.insert((task_id.clone(), sample), self.recordings.len());
                let task = Task { id: task_id, sample, prompt: lines.concat(), language, stop };
                self.recordings.push(Recording { task, rounds: Vec::new(), is_finished: false });
            }
            Event::Round { task_id, sample, round } => {
                self.find(task_id, sample)?.rounds.push(round);
            }
            // A task may fail before it was begun.
            Event::Finished { error: Some(_), .. } => {}
            Event::Finished { task_id, sample, error: None } => {
                self.find(task_id, sample)?.is_finished = true;
            }
        }
        Ok(())
    }

    fn find(&mut self, task_id: String, sample: usize) -> Result<&mut Recording, String> {
        let key = (task_id, sample);
        let place = self.places.get(&key).copied();
        let place = place.ok_or_else(|| format!("{} (sample {sample}) was not begun", key.0))?;
        Ok(&mut self.recordings[place])
    }

    fn finish(self, name: &str) -> Result<Replay, ReplayError> {
        let path = name.to_owned();
        let Some(settings) = self.settings else { return Err(ReplayError::Empty { path }) };
        if settings.mode == Mode::Filtered {
            return Err(ReplayError::Mode { path, mode: "filtered" });
        }
        let num_recordings = self.recordings.len();
        let finished = self.recordings.into_iter().filter(|recording| recording.is_finished);
        let submit = |(task_idx, Recording { task, rounds, .. })| Submission {
            task_idx,
            task,
            recorded: Some(rounds.into()),
        };
        let tasks: Vec<Submission> = finished.enumerate().map(submit).collect();
        if tasks.is_empty() {
            return Err(ReplayError::Empty { path });
        }
        Ok(Replay { settings, num_left_out: num_recordings - tasks.len(), tasks })
    }
}

/// Is `text` what was taken from these bytes: a line of them, or more?
fn is_of(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes)
        .trim_start_matches('\n')
        .starts_with(text.trim_start_matches('\n'))
}

fn plain(submission: &Submission) -> Submission {
    let Submission { task_idx, task, recorded } = submission.clone();
    let rounds = recorded.expect("it was recorded");
    let is_insertion = |round: &&Round| matches!(round.change, Change::Insert { .. });
    let kept = rounds.iter().filter(|round| !is_insertion(round));
    let mut kept: Vec<Round> = kept.cloned().collect();
    kept.extend(rounds.last().filter(|last| !last.ended).map(end_after));
    for (place, round) in kept.iter_mut().enumerate() {
        round.round = place;
    }
    Submission { task_idx, task, recorded: Some(kept.into()) }
}

/// A round in which the model says that the program has ended: for one that was cut at the limit of
/// lines, which plain generation reaches later.
fn end_after(last: &Round) -> Round {
    let decoded = Decoded { end: Some(LineEnd::EndOfText), ..Decoded::default() };
    let (next_line, ended, change) = (String::new(), true, Change::None);
    Round { next_line, decoded, ended, change, ..last.clone() }
}
