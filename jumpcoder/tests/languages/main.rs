//! What every language promises, whatever the text: it answers, it does not panic, it does not take
//! long; and its verdict on an insertion is what reading the program with the insertion shows.
//!
//! The texts are made from a number, so a failure names the text that it came from. The gate runs a
//! few hundred for each language. `JUMP_NUM_TEXTS=1000000 JUMP_LANGUAGE=python` before `cargo test
//! -p jumpcoder --test languages -- --nocapture` takes more of one, and says which took longest.

mod texts;
mod verdicts;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use jumpcoder::language::{self, Language};
use rayon::prelude::*;

use crate::texts::Texts;

const DEFAULT_NUM_TEXTS: u64 = 200;
/// Texts have a few hundred lines at most: whatever takes so long would never end with longer ones.
/// The machine may be busy with other tests.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The languages that are known, or the one that is asked for.
fn languages() -> Vec<&'static dyn Language> {
    let wanted = std::env::var("JUMP_LANGUAGE").ok();
    let is_wanted = |name: &&str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    let by_name = |name| language::by_name(name, false).expect("it is known");
    let languages: Vec<_> = language::names().into_iter().filter(is_wanted).map(by_name).collect();
    assert!(!languages.is_empty(), "JUMP_LANGUAGE is one of {:?}", language::names());
    languages
}

fn seeds() -> Range<u64> {
    let wanted = std::env::var("JUMP_NUM_TEXTS").ok();
    let wanted = wanted.map(|number| number.parse().expect("JUMP_NUM_TEXTS is a number"));
    0..wanted.unwrap_or(DEFAULT_NUM_TEXTS)
}

#[test]
fn every_text_gets_its_answers() {
    for language in languages() {
        // What a language makes once isn't a text's time.
        ask_everything(language, 0);
        let timed = |seed| {
            let begin = Instant::now();
            let asked = catch_unwind(AssertUnwindSafe(|| ask_everything(language, seed)));
            let text_bytes =
                asked.unwrap_or_else(|_| panic!("{} fails on text {seed}", language.name()));
            (begin.elapsed(), seed, text_bytes)
        };
        let slowest = seeds().into_par_iter().map(timed).max();
        let (taken, seed, text_bytes) = slowest.expect("there are texts");
        println!("{}: {taken:?} for text {seed}, {text_bytes} bytes", language.name());
        assert!(taken < TIME_LIMIT, "{}: text {seed} takes {taken:?}", language.name());
    }
}

/// Asks everything of one text and some insertions; gives the text's length.
fn ask_everything(language: &'static dyn Language, seed: u64) -> usize {
    let mut texts = Texts::new(seed);
    let text = texts.text(language.name());
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let reading = language.read(&lines);
    assert_eq!(reading.is_comment().len(), lines.len());
    for entry in reading.outline().functions {
        assert!(entry.first_row <= entry.last_row);
    }
    language.classify(&text);
    let function_len = language.function_len(&text);
    assert!(function_len.is_none_or(|function_len| text.is_char_boundary(function_len)));
    for _ in 0..3 {
        let (position, infill) = (texts.below(lines.len() + 1), texts.infill(language.name()));
        let infill: Vec<&str> = infill.split_inclusive('\n').collect();
        for name in reading.defined_by(position, &infill) {
            let is_missing = reading.undefined().iter().any(|missing| missing.name == name);
            assert!(is_missing, "text {seed}: {infill:?} defines {name}, which is not missing");
        }
    }
    text.len()
}
