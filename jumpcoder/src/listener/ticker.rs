//! How far a run is: a bar where somebody looks at a terminal, else a line now and then, so that a
//! log stays short.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Lines come at most this often,
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// and at least this often while something is finished, even where little is done meanwhile.
const MAX_INTERVAL: Duration = Duration::from_secs(30);
/// Between the two a line waits for this part of the run.
const STEP_PERCENT: usize = 5;

/// Where it is shown.
enum Display {
    Bar(ProgressBar),
    Lines(Box<dyn Write + Send>),
}

/// Shows a count, and what else its owner has to say.
pub struct Ticker {
    display: Display,
    num_total: usize,
    /// What is finished; its owner counts.
    pub num_done: usize,
    begin: Instant,
    last_shown: Instant,
    last_done: usize,
}

impl Ticker {
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
        Self { display, num_total, num_done, begin: now, last_shown: now, last_done: num_done }
    }

    /// Is it cheap to show every change?
    pub fn is_bar(&self) -> bool {
        matches!(self.display, Display::Bar(_))
    }

    /// Since it was made.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Leaves the terminal as if there had been no bar.
    pub fn end(self) {
        if let Display::Bar(bar) = self.display {
            bar.finish_and_clear();
        }
    }

    /// Shows the count and `state`, if it is time to.
    pub fn show(&mut self, state: &str) {
        let now = Instant::now();
        let is_due = self.is_due(now - self.last_shown);
        match &mut self.display {
            Display::Bar(bar) => {
                bar.set_position(self.num_done as u64);
                bar.set_message(state.to_owned());
            }
            Display::Lines(writer) if is_due => {
                let (done, total) = (self.num_done, self.num_total);
                let percent = 100 * done / total.max(1);
                // Nobody reads a standard error that is closed; the run goes on.
                let _ = writeln!(writer, "{done}/{total} ({percent} %), {state}");
                (self.last_shown, self.last_done) = (now, done);
            }
            Display::Lines(_) => {}
        }
    }

    fn is_due(&self, since_shown: Duration) -> bool {
        let num_new = self.num_done - self.last_done;
        let is_last = self.num_done == self.num_total;
        let is_step = num_new * 100 >= self.num_total * STEP_PERCENT;
        num_new > 0 && (is_last || since_shown >= MAX_INTERVAL)
            || is_step && since_shown >= MIN_INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn lines_come_now_and_then() {
        let mut ticker = Ticker::lines(Box::new(io::sink()), 100, 20);
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
            ticker.num_done = num_done;
            assert_eq!(ticker.is_due(seconds(since)), due, "{num_done} after {since} s");
        }
    }
}
