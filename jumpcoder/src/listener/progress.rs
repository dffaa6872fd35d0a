//! How far a generation is.

use std::io::{self, Write};
use std::time::Duration;

use super::ticker::Ticker;
use crate::event::{Change, Round};
use crate::task::{Observer, Solution, TaskError};

/// Counts what is finished and shows it.
pub struct Progress {
    ticker: Ticker,
    num_failed: usize,
    num_lines: usize,
    num_insertions: usize,
}

impl Progress {
    /// A bar on standard error.
    pub fn bar(num_total: usize, num_done: usize) -> Self {
        Self::new(Ticker::bar(num_total, num_done))
    }

    /// Plain lines.
    pub fn lines(writer: Box<dyn Write + Send>, num_total: usize, num_done: usize) -> Self {
        Self::new(Ticker::lines(writer, num_total, num_done))
    }

    fn new(ticker: Ticker) -> Self {
        Self { ticker, num_failed: 0, num_lines: 0, num_insertions: 0 }
    }

    /// Leaves the terminal as if there had been no bar.
    pub fn end(self) {
        self.ticker.end();
    }

    fn state(&self, elapsed: Duration) -> String {
        let lines_per_second = self.num_lines as f64 / elapsed.as_secs_f64().max(1e-3);
        let failed = match self.num_failed {
            0 => String::new(),
            num => format!(", failed: {num}"),
        };
        format!("{lines_per_second:.1} lines/s, insertions: {}{failed}", self.num_insertions)
    }

    fn show(&mut self) {
        let state = self.state(self.ticker.elapsed());
        self.ticker.show(&state);
    }
}

impl Observer for Progress {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, round: &Round) {
        match &round.change {
            Change::Append { .. } => self.num_lines += 1,
            Change::Insert { lines, .. } => {
                self.num_lines += lines.len();
                self.num_insertions += 1;
            }
            Change::None => {}
        }
        if self.ticker.is_bar() {
            self.show();
        }
    }

    fn finished(&mut self, _task: usize, result: &Result<Solution, TaskError>) {
        self.ticker.num_done += 1;
        self.num_failed += usize::from(result.is_err());
        self.show();
    }
}

/// Standard error, for [`Progress::lines`].
pub fn stderr() -> Box<dyn Write + Send> {
    Box::new(io::stderr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_tells_speed_and_failures() {
        let mut progress = Progress::lines(Box::new(io::sink()), 2, 0);
        (progress.num_lines, progress.num_insertions) = (30, 2);
        progress.finished(0, &Err(TaskError::EmptyPrompt));
        assert_eq!(
            progress.state(Duration::from_secs(10)),
            "3.0 lines/s, insertions: 2, failed: 1"
        );
    }
}
