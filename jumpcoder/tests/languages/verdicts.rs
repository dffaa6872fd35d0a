//! The verdict on an insertion comes from what the reading keeps of the program. Here it is
//! compared with what a reading of the program with the insertion shows.

use std::collections::BTreeSet;

use jumpcoder::language::{Entry, Language, Undefined};

use crate::languages;
use crate::texts::{Texts, program};

/// What an insertion defines: the missing names of which a use is no longer undefined.
fn defined_afresh(
    language: &'static dyn Language,
    lines: &[&str],
    position: usize,
    infill: &[&str],
) -> BTreeSet<String> {
    let (above, below) = lines.split_at(position);
    let combined = [above, infill, below].concat();
    let moved = |missing: &Undefined| {
        let mut missing = missing.clone();
        if missing.place.row >= position {
            missing.place.row += infill.len();
        }
        missing
    };
    let reading = language.read(&combined);
    let still: BTreeSet<&Undefined> = reading.undefined().iter().collect();
    let before = language.read(lines);
    let defined = before.undefined().iter().filter(|missing| !still.contains(&moved(missing)));
    defined.map(|missing| missing.name.clone()).collect()
}

#[test]
fn what_is_put_back_defines_what_it_did() {
    let mut num_defining = 0;
    for language in languages() {
        let program = program(language.name());
        let whole: Vec<&str> = program.split_inclusive('\n').collect();
        let outline = language.read(&whole).outline();
        assert_eq!(outline.errors, [], "{} in {}", program, language.name());
        for Entry { name, first_row, last_row } in outline.imports.iter().chain(&outline.functions)
        {
            let (entry, mut rest) = (&whole[*first_row..=*last_row], whole.clone());
            rest.drain(*first_row..=*last_row);
            let found = language.read(&rest).defined_by(*first_row, entry);
            let afresh = defined_afresh(language, &rest, *first_row, entry);
            assert_eq!(found, afresh, "{name} of the program of {}", language.name());
            num_defining += usize::from(!found.is_empty());
        }
    }
    assert!(num_defining > 0, "some entries define something");
}

#[test]
fn what_is_accepted_anywhere_defines_what_it_says() {
    const NUM_TRIES: u64 = 800;
    for language in languages() {
        let program = program(language.name());
        let whole: Vec<&str> = program.split_inclusive('\n').collect();
        let outline = language.read(&whole).outline();
        let entries = [outline.imports, outline.functions].concat();
        let mut num_accepted = 0;
        for seed in 0..NUM_TRIES {
            let mut texts = Texts::new(seed);
            let mut any = || &entries[texts.below(entries.len())];
            let (removed, other) = (any(), any());
            let (mut lines, infill) = (whole.clone(), &whole[other.first_row..=other.last_row]);
            lines.drain(removed.first_row..=removed.last_row);
            let position = texts.below(lines.len() + 1);
            let found = language.read(&lines).defined_by(position, infill);
            if !found.is_empty() {
                num_accepted += 1;
                let afresh = defined_afresh(language, &lines, position, infill);
                let what = format!("{infill:?} at {position}, {seed}, {}", language.name());
                assert_eq!(found, afresh, "{what}");
            }
        }
        assert!(num_accepted >= 3, "{}: only {num_accepted} were accepted", language.name());
    }
}
