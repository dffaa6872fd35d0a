//! What a run came to, in a few lines: a row for each program where there are few, and the sums.

use std::fmt::Write;
use std::time::Duration;

use jumpcoder::event::TokenCounts;
use jumpcoder::output::Slot;
use jumpcoder::task::{Solution, TaskError};

/// More rows than this nobody reads.
const NUM_ROWS_MAX: usize = 20;
const NUM_FAILURES_MAX: usize = 10;
const INFALLIBLE: &str = "a string can be written to";

struct Row {
    slot: usize,
    num_insertions: usize,
    num_rounds: usize,
    tokens: TokenCounts,
    seconds: f64,
    error: Option<String>,
}

/// Collects results.
pub struct Summary {
    slots: Vec<Slot>,
    rows: Vec<Row>,
}

impl Summary {
    pub fn new(slots: Vec<Slot>) -> Self {
        Self { slots, rows: Vec::new() }
    }

    pub fn add(&mut self, slot: usize, result: &Result<Solution, TaskError>) {
        let solution = result.as_ref().ok();
        self.rows.push(Row {
            slot,
            num_insertions: solution.map_or(0, |solution| solution.insertions.len()),
            num_rounds: solution.map_or(0, |solution| solution.num_rounds),
            tokens: solution.map_or_else(TokenCounts::default, |solution| solution.tokens),
            seconds: solution.map_or(0.0, |solution| solution.seconds),
            error: result.as_ref().err().map(ToString::to_string),
        });
    }

    pub fn num_rows(&self) -> usize {
        self.rows.len()
    }

    pub fn num_failed(&self) -> usize {
        self.rows.iter().filter(|row| row.error.is_some()).count()
    }

    /// A line for each failure, but not for hundreds.
    pub fn failures(&self) -> Vec<String> {
        let failed = self.rows.iter().filter_map(|row| Some((row.slot, row.error.as_ref()?)));
        let mut texts: Vec<_> = failed
            .take(NUM_FAILURES_MAX)
            .map(|(slot, error)| {
                let Slot { id, sample, .. } = &self.slots[slot];
                let sample =
                    if *sample > 0 { format!(" (sample {sample})") } else { String::new() };
                format!("jumpcoder: {id}{sample} failed: {error}")
            })
            .collect();
        let num_more = self.num_failed() - texts.len();
        if num_more > 0 {
            texts.push(format!("jumpcoder: and {num_more} more failed; see `error` in the output"));
        }
        texts
    }

    /// The table; `elapsed` is the wall time of them all, `num_before` tells of an earlier run.
    pub fn table(&self, num_before: usize, elapsed: Duration) -> String {
        let ids = self.rows.iter().map(|row| self.slots[row.slot].id.chars().count());
        let width = ids.chain(["164 programs".len()]).max().unwrap_or_default();
        let mut text = format!(
            "{:width$} {:>10} {:>7} {:>10} {:>10} {:>8}",
            "program", "insertions", "rounds", "tokens", "reused", "seconds"
        );
        if self.rows.len() <= NUM_ROWS_MAX {
            for row in &self.rows {
                let id = &self.slots[row.slot].id;
                push_row(&mut text, width, id, &[row], row.seconds);
            }
        }
        let rows: Vec<_> = self.rows.iter().collect();
        let title = match rows.len() {
            1 => "1 program".to_owned(),
            num => format!("{num} programs"),
        };
        push_row(&mut text, width, &title, &rows, elapsed.as_secs_f64());
        if num_before > 0 {
            write!(text, "\n{num_before} more were there already").expect(INFALLIBLE);
        }
        text
    }
}

fn push_row(text: &mut String, width: usize, title: &str, rows: &[&Row], seconds: f64) {
    let sum = |count: fn(&Row) -> usize| rows.iter().map(|row| count(row)).sum::<usize>();
    write!(
        text,
        "\n{title:width$} {:>10} {:>7} {:>10} {:>10} {seconds:>8.2}",
        sum(|row| row.num_insertions),
        sum(|row| row.num_rounds),
        sum(|row| row.tokens.num_run()),
        sum(|row| row.tokens.reused),
    )
    .expect(INFALLIBLE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_sums() {
        let slot = |id: &str| Slot {
            id: id.to_owned(),
            sample: 0,
            prompt: String::new(),
            problem: String::new(),
        };
        let mut summary = Summary::new(vec![slot("a"), slot("b")]);
        let solution = Solution {
            program: String::new(),
            completion: None,
            insertions: Vec::new(),
            num_rounds: 3,
            tokens: TokenCounts { prefill: 4, decode: 5, reused: 6, ..TokenCounts::default() },
            kept_ar: None,
            seconds: 0.5,
        };
        summary.add(1, &Ok(solution));
        summary.add(0, &Err(TaskError::EmptyPrompt));
        let expected = "\
program      insertions  rounds     tokens     reused  seconds
b                     0       3          9          6     0.50
a                     0       0          0          0     0.00
2 programs            0       3          9          6     2.00
4 more were there already";
        assert_eq!(summary.table(4, Duration::from_secs(2)), expected);
        assert_eq!((summary.num_rows(), summary.num_failed()), (2, 1));
        assert!(summary.failures()[0].starts_with("jumpcoder: a failed: the prompt is empty"));
    }
}
