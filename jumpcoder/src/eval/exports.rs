//! The same results as the usual harnesses write them, so that their own scripts can read them.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::results::Record;
use super::sample::Answer;
use super::suite::Exam;
use super::verdict::Kind;

/// EvalPlus's `eval_results.json`: one object for all, with the base tests' status.
///
/// # Errors
///
/// If the file can't be written.
pub fn write_evalplus(mut file: fs::File, exams: &[Exam], records: &[&Record]) -> io::Result<()> {
    let mut by_id: Map<String, Value> = Map::new();
    for exam in exams {
        let of_exam = records.iter().filter(|record| record.task_id == exam.id);
        let entries: Vec<Value> = of_exam
            .map(|record| {
                let status = match record.verdict {
                    Kind::Passed => "pass",
                    Kind::Timeout => "timeout",
                    _ => "fail",
                };
                json!({
                    "task_id": record.task_id,
                    "solution": whole(exam, &record.answer),
                    "base_status": status,
                    "plus_status": null,
                    "base_fail_tests": [],
                    "plus_fail_tests": [],
                })
            })
            .collect();
        if !entries.is_empty() {
            by_id.insert(exam.id.clone(), entries.into());
        }
    }
    let all = json!({"date": seconds_now().to_string(), "hash": null, "eval": by_id});
    file.write_all(&serde_json::to_vec(&all)?)
}

/// MultiPL-E's folder of `.results.json`, a file for each problem.
///
/// # Errors
///
/// If the folder can't be written.
pub fn write_multipl_e(folder: &Path, exams: &[Exam], records: &[&Record]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for exam in exams {
        let of_exam = records.iter().filter(|record| record.task_id == exam.id);
        let results: Vec<Value> = of_exam
            .map(|record| {
                let status = match record.verdict {
                    Kind::Passed => "OK",
                    Kind::Timeout => "Timeout",
                    Kind::Syntax => "SyntaxError",
                    _ => "Exception",
                };
                json!({
                    "program": whole(exam, &record.answer),
                    "timestamp": seconds_now(),
                    "stdout": "",
                    "stderr": if record.passed { "" } else { &record.result },
                    "exit_code": record.exit_code.unwrap_or(-1),
                    "status": status,
                })
            })
            .collect();
        if results.is_empty() {
            continue;
        }
        let all = json!({
            "name": exam.id, "language": exam.language, "prompt": exam.prompt, "results": results,
        });
        let name = exam.id.replace('/', "_");
        fs::write(folder.join(format!("{name}.results.json")), serde_json::to_vec(&all)?)?;
    }
    Ok(())
}

fn whole(exam: &Exam, answer: &Answer) -> String {
    match answer {
        Answer::Solution(text) => text.clone(),
        Answer::Completion(text) => exam.whole(text),
        Answer::Failure(_) => exam.prompt.clone(),
    }
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
