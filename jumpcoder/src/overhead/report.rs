//! The figures, for machines and for people.

use std::fmt::Write;

use serde::Serialize;

use super::{BenchMode, Plan, Spread, Tally};
use crate::event::TokenCounts;
use crate::generator::Generator;
use crate::mechanism::Mechanism;
use crate::scheduler::RunStats;
use crate::settings::Mode;

const INFALLIBLE: &str = "a string can be written to";

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The models and their weights.
    pub model: String,
    /// Tasks of a repeat.
    pub num_tasks: usize,
    /// Tasks in flight.
    pub concurrency: usize,
    /// Threads of the models' arithmetic.
    pub num_threads: usize,
    /// Measurements of each mode.
    pub num_repeats: usize,
    /// Bytes of a KV block in all layers.
    pub kv_block_bytes: usize,
    /// The modes, `ar` first, then `jump`.
    pub modes: Vec<ModeReport>,
}

/// What was measured of a mode.
#[derive(Debug, Serialize)]
pub struct ModeReport {
    /// Its name.
    pub name: String,
    /// The mechanisms that were off.
    pub without: Vec<Mechanism>,
    /// Of all tasks.
    pub seconds: Spread,
    /// Compared with `ar` in the same repeat.
    pub seconds_per_ar: Spread,
    /// By lines that were written beyond the prompts.
    pub seconds_per_line: f64,
    /// Those lines.
    pub num_lines: usize,
    /// Their tokens.
    pub num_committed: usize,
    /// Tokens that were run for each of them.
    pub run_per_committed: f64,
    /// Tokens by kind.
    pub tokens: TokenCounts,
    /// Rounds.
    pub num_rounds: usize,
    /// Steps, rows, blocks.
    pub stats: RunStats,
    /// Rows of a step on average.
    pub rows_per_step: f64,
    /// Insertions that were accepted.
    pub num_insertions: usize,
    /// Tasks that failed.
    pub num_failed: usize,
    /// Did all repeats write the same, and if it jumps, the same as `jump`?
    pub is_identical: bool,
}

impl Report {
    /// The report of `modes`, each with its tally; `ar` comes first, then `jump`.
    pub(super) fn new(
        generator: &Generator,
        modes: Vec<BenchMode>,
        tallies: &[Tally],
        plan: &Plan,
    ) -> Self {
        let [ar, jump, ..] = tallies else { panic!("`ar` and `jump` are always measured") };
        let reports = modes.into_iter().zip(tallies).map(|(mode, tally)| {
            let must_be_same = if mode.settings.mode == Mode::Ar { ar } else { jump };
            let is_identical = !tally.has_varied && tally.written == must_be_same.written;
            ModeReport::new(mode, tally, ar, is_identical)
        });
        Self {
            model: generator.model_identity(),
            num_tasks: jump.written.len(),
            concurrency: generator.concurrency(),
            num_threads: rayon::current_num_threads(),
            num_repeats: plan.num_repeats,
            kv_block_bytes: generator.kv_block_bytes(),
            modes: reports.collect(),
        }
    }

    /// Were all outputs what they had to be?
    pub fn is_identical(&self) -> bool {
        self.modes.iter().all(|mode| mode.is_identical)
    }

    /// The tables.
    pub fn table(&self) -> String {
        let Self { model, num_tasks, concurrency, num_threads, num_repeats, .. } = self;
        let kv_block_bytes = self.kv_block_bytes;
        let mut text = format!(
            "{model}\n{num_tasks} tasks, {concurrency} at a time on {num_threads} threads, \
             {num_repeats} repeats; seconds are the median [min..max] of a repeat\n\n\
             {:<20} {:>24} {:>20} {:>8} {:>7} {:>9} {:>10} {:>9}  outputs\n",
            "mode", "seconds", "times ar", "ms/line", "steps", "rows/step", "insertions", "failed",
        );
        for mode in &self.modes {
            mode.push_row(&mut text);
        }
        write!(
            text,
            "\nTokens run for each token of the finished programs ({} in jump)\n\n\
             {:<20} {:>7} {:>8} {:>7} {:>8} {:>8} {:>7} {:>8} {:>8} {:>7}\n",
            self.modes[1].num_committed,
            "mode",
            "all",
            "prefill",
            "decode",
            "infill",
            "decoded",
            "verify",
            "rescore",
            "reused",
            "wasted",
        )
        .expect(INFALLIBLE);
        for mode in &self.modes {
            mode.push_tokens(&mut text);
        }
        write!(
            text,
            "\nKV blocks of {} KiB in use at most\n\n\
             {:<20} {:>8} {:>9} {:>10} {:>12} {:>9} {:>9}\n",
            kv_block_bytes / 1024,
            "mode",
            "blocks",
            "MiB",
            "unshared",
            "MiB unshared",
            "evicted",
            "put off",
        )
        .expect(INFALLIBLE);
        for mode in &self.modes {
            mode.push_blocks(&mut text, kv_block_bytes);
        }
        text
    }
}

impl ModeReport {
    fn new(mode: BenchMode, tally: &Tally, ar: &Tally, is_identical: bool) -> Self {
        let ratios = tally.seconds.iter().zip(&ar.seconds).map(|(mode, ar)| mode / ar);
        let seconds = Spread::of(tally.seconds.iter().copied());
        let is_off = |mechanism: &Mechanism| !mode.settings.uses(*mechanism);
        let per = |amount: f64, count: usize| amount / count.max(1) as f64;
        Self {
            without: Mechanism::ALL.into_iter().filter(is_off).collect(),
            name: mode.name,
            seconds,
            seconds_per_ar: Spread::of(ratios),
            seconds_per_line: per(seconds.median, tally.num_lines),
            num_lines: tally.num_lines,
            num_committed: tally.num_committed,
            run_per_committed: per(tally.tokens.num_run() as f64, tally.num_committed),
            tokens: tally.tokens,
            num_rounds: tally.num_rounds,
            stats: tally.stats,
            rows_per_step: per(tally.stats.num_rows as f64, tally.stats.num_steps),
            num_insertions: tally.num_insertions(),
            num_failed: tally.num_failed(),
            is_identical,
        }
    }

    fn push_row(&self, text: &mut String) {
        writeln!(
            text,
            "{:<20} {:>24} {:>20} {:>8.3} {:>7} {:>9.1} {:>10} {:>9}  {}",
            self.name,
            format!("{:.3}", self.seconds),
            format!("{:.2}", self.seconds_per_ar),
            self.seconds_per_line * 1e3,
            self.stats.num_steps,
            self.rows_per_step,
            self.num_insertions,
            self.num_failed,
            if self.is_identical { "identical" } else { "DIFFERENT" },
        )
        .expect(INFALLIBLE);
    }

    fn push_tokens(&self, text: &mut String) {
        let tokens = &self.tokens;
        let per = |count: usize| count as f64 / self.num_committed.max(1) as f64;
        writeln!(
            text,
            "{:<20} {:>7.2} {:>8.2} {:>7.2} {:>8.2} {:>8.2} {:>7.2} {:>8.2} {:>8.2} {:>7.2}",
            self.name,
            self.run_per_committed,
            per(tokens.prefill),
            per(tokens.decode),
            per(tokens.infill_prefill),
            per(tokens.infill_decode),
            per(tokens.verify),
            per(tokens.rescore),
            per(tokens.reused),
            per(tokens.wasted),
        )
        .expect(INFALLIBLE);
    }

    fn push_blocks(&self, text: &mut String, block_bytes: usize) {
        let RunStats { peak_blocks, peak_unshared_blocks, num_evictions, num_preemptions, .. } =
            self.stats;
        let mib = |num_blocks: usize| (num_blocks * block_bytes) as f64 / f64::from(1 << 20);
        writeln!(
            text,
            "{:<20} {peak_blocks:>8} {:>9.1} {peak_unshared_blocks:>10} {:>12.1} \
             {num_evictions:>9} {num_preemptions:>9}",
            self.name,
            mib(peak_blocks),
            mib(peak_unshared_blocks),
        )
        .expect(INFALLIBLE);
    }
}
