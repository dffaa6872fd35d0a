//! The figures of a run: pass rates with their intervals by file and language, what went wrong, who
//! won against whom, and what an oracle that chose among the files would reach.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::results::Record;
use super::statistics::{Count, Estimate, mcnemar, pass_at, wilson};
use super::suite::Exam;
use super::verdict::Kind;

const INFALLIBLE: &str = "a string can be written to";
/// More ids than this nobody reads.
const NUM_IDS_MAX: usize = 40;
/// The language of a row that has all.
const ALL: &str = "all";

/// A file's records.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The file's name.
    pub samples: String,
    /// In the order of the file.
    pub records: Vec<&'a Record>,
}

/// All figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// File by file, language by language.
    pub rows: Vec<Row>,
    /// What passes in any of the files, by language; empty for one file.
    pub oracle: Vec<OracleRow>,
    /// Each file against the first.
    pub comparisons: Vec<Comparison>,
}

/// A file's problems of one language.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The file.
    pub samples: String,
    /// The language, or "all".
    pub language: String,
    /// Problems of the data; those without a sample count as failed.
    pub num_problems: usize,
    /// Of them, those without a sample.
    pub num_missing: usize,
    /// Programs.
    pub num_samples: usize,
    /// pass@k for each k.
    pub pass_at: BTreeMap<usize, Estimate>,
    /// Programs by kind of verdict.
    pub kinds: BTreeMap<Kind, usize>,
    /// Programs with undefined names, where the language is known.
    pub num_undefined: Option<usize>,
}

/// Problems that pass in any of the files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OracleRow {
    /// The language, or "all".
    pub language: String,
    /// Problems of the data.
    pub num_problems: usize,
    /// Those of which any program passes.
    pub passed: Estimate,
}

/// A paired comparison: of each problem, in which file did more of its programs pass?
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The file that is compared with.
    pub first: String,
    /// The file that wins or loses.
    pub second: String,
    /// The problems that the second wins.
    pub won: Vec<String>,
    /// The problems that the second loses.
    pub lost: Vec<String>,
    /// Problems of which equally many programs pass in both, at least one.
    pub num_both: usize,
    /// Problems of which no program passes in either.
    pub num_neither: usize,
    /// McNemar's exact test, two-sided; with several samples a problem it is a sign test.
    pub p: f64,
}

impl Report {
    /// Of all files, for pass@k with each of `ks`.
    pub fn new(exams: &[Exam], files: &[Judged], ks: &[usize]) -> Self {
        let languages = languages(exams);
        let counts: Vec<_> = files.iter().map(|file| counts(exams, &file.records)).collect();
        let mut rows = Vec::new();
        for (file, counts) in files.iter().zip(&counts) {
            for language in &languages {
                rows.push(Row::new(exams, file, counts, language, ks));
            }
        }
        let is_several = files.len() > 1;
        let oracle = languages.iter().filter(|_| is_several);
        let oracle = oracle.map(|language| OracleRow::new(exams, &counts, language)).collect();
        let compare = |idx: usize| Comparison::new(exams, files, &counts, idx);
        Self { rows, oracle, comparisons: (1..files.len()).map(compare).collect() }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = self.table();
        for comparison in &self.comparisons {
            comparison.show(&mut text);
        }
        text
    }

    fn table(&self) -> String {
        let ks = self.rows.first().into_iter().flat_map(|row| row.pass_at.keys());
        let mut head = vec!["samples".to_owned(), "language".to_owned(), "problems".to_owned()];
        head.extend(ks.map(|k| format!("pass@{k} [95 %]")));
        let failures = &Kind::ALL[1..];
        head.extend(failures.iter().map(|kind| kind.name().to_owned()));
        head.push("undefined".to_owned());
        let mut cells = vec![head];
        cells.extend(self.rows.iter().map(Row::cells));
        cells.extend(self.oracle.iter().map(|row| {
            let num = row.num_problems.to_string();
            vec!["oracle".to_owned(), row.language.clone(), num, shown(&row.passed)]
        }));
        let mut text = aligned(&cells);
        for row in self.rows.iter().filter(|row| row.num_missing > 0 && row.language != ALL) {
            let Row { samples, language, num_missing, .. } = row;
            writeln!(
                text,
                "{samples}: no program for {num_missing} of the {language} problems, which count \
                 as failed"
            )
            .expect(INFALLIBLE);
        }
        text
    }
}

impl Row {
    fn new(exams: &[Exam], file: &Judged, counts: &[Count], language: &str, ks: &[usize]) -> Self {
        let is_asked = |of: &str| language == ALL || language == of;
        let counts: Vec<Count> = exams
            .iter()
            .zip(counts)
            .filter_map(|(exam, count)| is_asked(&exam.language).then_some(*count))
            .collect();
        let records = file.records.iter().filter(|record| is_asked(&record.language));
        let mut kinds = BTreeMap::from(Kind::ALL.map(|kind| (kind, 0)));
        let mut num_undefined = None;
        let mut num_samples = 0;
        for record in records {
            num_samples += 1;
            *kinds.entry(record.verdict).or_default() += 1;
            if let Some(names) = &record.undefined {
                *num_undefined.get_or_insert(0) += usize::from(!names.is_empty());
            }
        }
        Self {
            samples: file.samples.clone(),
            language: language.to_owned(),
            num_problems: counts.len(),
            num_missing: counts.iter().filter(|count| count.num_samples == 0).count(),
            num_samples,
            pass_at: ks.iter().map(|k| (*k, pass_at(&counts, *k))).collect(),
            kinds,
            num_undefined,
        }
    }

    fn cells(&self) -> Vec<String> {
        let share = |num: usize| format!("{:.1} %", percent(num, self.num_samples));
        let mut cells =
            vec![self.samples.clone(), self.language.clone(), self.num_problems.to_string()];
        cells.extend(self.pass_at.values().map(shown));
        cells.extend(Kind::ALL[1..].iter().map(|kind| share(self.kinds[kind])));
        cells.push(self.num_undefined.map_or("-".to_owned(), share));
        cells
    }
}

impl OracleRow {
    fn new(exams: &[Exam], counts: &[Vec<Count>], language: &str) -> Self {
        let asked: Vec<usize> = (0..exams.len())
            .filter(|idx| language == ALL || exams[*idx].language == language)
            .collect();
        let passes = |idx: &&usize| counts.iter().any(|counts| counts[**idx].num_passed > 0);
        let num_passed = asked.iter().filter(passes).count();
        Self {
            language: language.to_owned(),
            num_problems: asked.len(),
            passed: wilson(num_passed, asked.len()),
        }
    }
}

impl Comparison {
    fn new(exams: &[Exam], files: &[Judged], counts: &[Vec<Count>], second: usize) -> Self {
        let (mut won, mut lost, mut num_both, mut num_neither) = (Vec::new(), Vec::new(), 0, 0);
        for (idx, exam) in exams.iter().enumerate() {
            let [before, after] = [counts[0][idx], counts[second][idx]];
            // Shares, compared without dividing.
            let left = before.num_passed * after.num_samples.max(1);
            let right = after.num_passed * before.num_samples.max(1);
            if left < right {
                won.push(exam.id.clone());
            } else if left > right {
                lost.push(exam.id.clone());
            } else if left > 0 {
                num_both += 1;
            } else {
                num_neither += 1;
            }
        }
        Self {
            first: files[0].samples.clone(),
            second: files[second].samples.clone(),
            p: mcnemar(won.len(), lost.len()),
            won,
            lost,
            num_both,
            num_neither,
        }
    }

    fn show(&self, text: &mut String) {
        let Self { first, second, won, lost, num_both, num_neither, p } = self;
        let (num_won, num_lost) = (won.len(), lost.len());
        writeln!(
            text,
            "\n{second} against {first}: won {num_won}, lost {num_lost}, both {num_both}, neither \
             {num_neither}; p = {p:.2e} (McNemar's exact test, two-sided)"
        )
        .expect(INFALLIBLE);
        for (name, ids) in [("won", won), ("lost", lost)] {
            if ids.is_empty() {
                continue;
            }
            let shown = ids.iter().take(NUM_IDS_MAX).map(String::as_str).collect::<Vec<_>>();
            let more = ids.len() - shown.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(text, "{name}: {}{more}", shown.join(" ")).expect(INFALLIBLE);
        }
    }
}

/// In the order of the data, then all of them if there are several.
fn languages(exams: &[Exam]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for exam in exams {
        if !found.contains(&exam.language) {
            found.push(exam.language.clone());
        }
    }
    if found.len() > 1 {
        found.push(ALL.to_owned());
    }
    found
}

/// How many samples each exam has, and how many passed.
fn counts(exams: &[Exam], records: &[&Record]) -> Vec<Count> {
    let mut by_id: BTreeMap<&str, Count> = BTreeMap::new();
    for record in records {
        let count = by_id.entry(&record.task_id).or_default();
        count.num_samples += 1;
        count.num_passed += usize::from(record.passed);
    }
    exams.iter().map(|exam| by_id.get(&*exam.id).copied().unwrap_or_default()).collect()
}

fn percent(num: usize, of: usize) -> f64 {
    100.0 * num as f64 / of.max(1) as f64
}

fn shown(estimate: &Estimate) -> String {
    let [value, low, high] =
        [estimate.value, estimate.low, estimate.high].map(|share| 100.0 * share);
    format!("{value:.1} % [{low:.1}, {high:.1}]")
}

/// Columns of equal width; rows may be short.
fn aligned(cells: &[Vec<String>]) -> String {
    let num_columns = cells.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let found = cells.iter().filter_map(|row| row.get(column));
        found.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..num_columns).map(width).collect();
    let mut text = String::new();
    for row in cells {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", line.trim_end()).expect(INFALLIBLE);
    }
    text
}
