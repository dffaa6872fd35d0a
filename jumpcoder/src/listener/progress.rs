//! How far a run is: a bar where somebody looks at a terminal, else a line now and then, so that a
//! log stays short.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::event::{Change, Round};
use crate::task::{Observer, Solution, TaskError};

/// Lines come at most this often,
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// and at least this often while programs are finished, even where little is done meanwhile.
const MAX_INTERVAL: Duration = Duration::from_secs(30);
/// Between the two a line waits for this part of the run.
const STEP_PERCENT: usize = 5;

/// Where progress is shown.
enum Display {
    Bar(ProgressBar),
    Lines(Box<dyn Write + Send>),
}

/// Counts what is finished and shows it.
pub struct Progress {
    display: Display,
    num_total: usize,
    num_done: usize,
    num_failed: usize,
    num_lines: usize,
    num_insertions: usize,
    begin: Instant,
    last_shown: Instant,
    last_done: usize,
}

impl Progress {
    /// A bar on standard error.
    pub fn bar(num_total: usize, num_done: usize) -> Self {
        let bar = ProgressBar::new(num_total as u64).with_position(num_done as u64);
        let template = "{bar:32} {pos}/{len}  {msg}  {elapsed}";
        let style = ProgressStyle::with_template(template).expect("the template is fixed");
        bar.set_style(style);
        // What an earlier run has done must not make this one look fast.
        bar.reset_eta();
        Self::new(Display::Bar(bar), num_total, num_done)
    }

    /// Plain lines.
    pub fn lines(writer: Box<dyn Write + Send>, num_total: usize, num_done: usize) -> Self {
        Self::new(Display::Lines(writer), num_total, num_done)
    }

    fn new(display: Display, num_total: usize, num_done: usize) -> Self {
        let now = Instant::now();
        Self {
            display,
            num_total,
            num_done,
            num_failed: 0,
            num_lines: 0,
            num_insertions: 0,
            begin: now,
            last_shown: now,
            last_done: num_done,
        }
    }

    /// Leaves the terminal as if there had been no bar.
    pub fn end(self) {
        if let Display::Bar(bar) = self.display {
            bar.finish_and_clear();
        }
    }

    fn state(&self, elapsed: Duration) -> String {
        let lines_per_second = self.num_lines as f64 / elapsed.as_secs_f64().max(1e-3);
        let failed = match self.num_failed {
            0 => String::new(),
            num => format!(", failed: {num}"),
        };
        format!("{lines_per_second:.1} lines/s, insertions: {}{failed}", self.num_insertions)
    }

    fn is_due(&self, since_shown: Duration) -> bool {
        let num_new = self.num_done - self.last_done;
        let is_last = self.num_done == self.num_total;
        let is_step = num_new * 100 >= self.num_total * STEP_PERCENT;
        num_new > 0 && (is_last || since_shown >= MAX_INTERVAL)
            || is_step && since_shown >= MIN_INTERVAL
    }

    fn show(&mut self) {
        let now = Instant::now();
        let state = self.state(now - self.begin);
        let is_due = self.is_due(now - self.last_shown);
        match &mut self.display {
            Display::Bar(bar) => {
                bar.set_position(self.num_done as u64);
                bar.set_message(state);
            }
            Display::Lines(writer) if is_due => {
                let (done, total) = (self.num_done, self.num_total);
                let percent = 100 * done / total.max(1);
                // Nobody reads a standard error that is closed; the programs go on.
                let _ = writeln!(writer, "{done}/{total} ({percent} %), {state}");
                (self.last_shown, self.last_done) = (now, done);
            }
            Display::Lines(_) => {}
        }
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
        if matches!(self.display, Display::Bar(_)) {
            self.show();
        }
    }

    fn finished(&mut self, _task: usize, result: &Result<Solution, TaskError>) {
        self.num_done += 1;
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
    fn lines_come_now_and_then() {
        let mut progress = Progress::lines(Box::new(io::sink()), 100, 20);
        let seconds = Duration::from_secs;
        // (done, seconds since the last line, due)
        let table = [
            (20, 99, false),
            (21, 5, false),
            (21, 30, true),
            (24, 29, false),
            (25, 0, false),
            (25, 1, true),
            (100, 0, true),
        ];
        for (num_done, since, due) in table {
            progress.num_done = num_done;
            assert_eq!(progress.is_due(seconds(since)), due, "{num_done} after {since} s");
        }
    }

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
