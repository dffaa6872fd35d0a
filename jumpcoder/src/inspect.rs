//! What the judge sees of a program, for people who wonder about a verdict and for scripts that
//! compare it with other tools.
//!
//! Lines and columns count from 1 here, and columns count characters: editors do.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::decision::combination::inserted;
use crate::language::{Entry, InfillKind, Language, Outline, Place, Reading, Undefined};
use crate::program::Line;

/// A question about an insertion.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Insertion {
    /// The line before which `text` would be inserted; one more than there are for the end.
    pub line: usize,
    /// What the model might have answered there.
    pub text: String,
}

/// All that there is to say of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// The name of its language.
    pub language: &'static str,
    /// The uses of names that nothing visible there defines, in the order of their places.
    pub undefined: Vec<NameFound>,
    /// Where the text cannot be part of any program.
    pub errors: Vec<PlaceFound>,
    /// Functions, methods, constructors.
    pub functions: Vec<EntryFound>,
    /// Imports; their names are their texts.
    pub imports: Vec<EntryFound>,
    /// The lines that are no positions, because they begin inside a comment or string, or are
    /// nothing but a comment or docstring.
    pub comment_lines: Vec<usize>,
    /// What was asked, in that order.
    pub insertions: Vec<InsertionFound>,
}

/// A place as people count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PlaceFound {
    /// The line.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

/// A use of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameFound {
    /// The name.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: PlaceFound,
}

/// Something that takes whole lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryFound {
    /// Its name.
    pub name: String,
    /// Its first line.
    pub first_line: usize,
    /// Its last line.
    pub last_line: usize,
}

/// The verdict on an insertion, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum InsertionFound {
    /// There is no such line.
    NoSuchLine {
        /// What is wrong, and what would be right.
        error: String,
    },
    /// It can be judged.
    Judged(Verdict),
}

/// What the algorithm would do with an infill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The line before which it is inserted.
    pub line: usize,
    /// What it is.
    pub kind: InfillKind,
    /// What of it would be inserted: a function's lines, otherwise the first line.
    pub inserted: String,
    /// Does the algorithm ask for infills there? Never at the end, which generation goes on from.
    pub is_position: bool,
    /// Who decides.
    pub judge: Judge,
    /// The decision, where it doesn't take a model.
    pub accepted: Option<bool>,
    /// The missing names that it would define.
    pub defines: Vec<String>,
}

/// Who decides about an insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The syntax tree: accepted iff it defines a missing name.
    Tree,
    /// The model's scores of the following lines.
    Scores,
    /// Nobody: blank lines and the heads of control statements are never inserted.
    Nobody,
}

/// Looks at a program, and at what insertions would do to it.
pub fn inspect(text: &str, language: &'static dyn Language, insertions: &[Insertion]) -> Findings {
    let ended = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let text = format!("{text}{ended}");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let reading = language.read(&lines);
    let is_comment = reading.is_comment();
    let Outline { errors, functions, imports } = reading.outline();
    let comment_lines = (1..=lines.len()).filter(|line| is_comment[line - 1]).collect();
    let program = Program { language, reading: &*reading, is_comment };
    Findings {
        language: language.name(),
        undefined: reading.undefined().iter().map(|missing| name_found(missing, &lines)).collect(),
        errors: errors.into_iter().map(|place| place_found(place, &lines)).collect(),
        functions: functions.into_iter().map(entry_found).collect(),
        imports: imports.into_iter().map(entry_found).collect(),
        comment_lines,
        insertions: insertions.iter().map(|insertion| program.judge(insertion)).collect(),
    }
}

/// A program that insertions are judged in.
struct Program<'a> {
    language: &'static dyn Language,
    reading: &'a dyn Reading,
    is_comment: Vec<bool>,
}

impl Program<'_> {
    fn judge(&self, insertion: &Insertion) -> InsertionFound {
        let &Insertion { line, ref text } = insertion;
        let lines: RangeInclusive<usize> = 1..=self.is_comment.len() + 1;
        if !lines.contains(&line) {
            let error = format!(
                "there is no line {line} to insert before: the lines go from 1 to {}, the end",
                lines.end()
            );
            return InsertionFound::NoSuchLine { error };
        }
        let kind = self.language.classify(text);
        let inserted = inserted(text, kind, self.language, false).unwrap_or_default();
        let judge = match kind {
            _ if inserted.first().is_none_or(Line::is_blank) => Judge::Nobody,
            InfillKind::Control => Judge::Nobody,
            InfillKind::Import | InfillKind::Function => Judge::Tree,
            InfillKind::Statement => Judge::Scores,
        };
        let defines = if judge == Judge::Tree { self.defines(line, &inserted) } else { Vec::new() };
        InsertionFound::Judged(Verdict {
            line,
            kind,
            inserted: inserted.iter().map(AsRef::as_ref).collect(),
            is_position: self.is_comment.get(line - 1) == Some(&false),
            judge,
            accepted: match judge {
                Judge::Tree => Some(!defines.is_empty()),
                Judge::Scores => None,
                Judge::Nobody => Some(false),
            },
            defines,
        })
    }

    fn defines(&self, line: usize, inserted: &[Line]) -> Vec<String> {
        let inserted: Vec<&str> = inserted.iter().map(AsRef::as_ref).collect();
        self.reading.defined_by(line - 1, &inserted).into_iter().collect()
    }
}

fn place_found(place: Place, lines: &[&str]) -> PlaceFound {
    let line = lines.get(place.row).copied().unwrap_or_default();
    let before = line.char_indices().take_while(|(at, _)| *at < place.column);
    PlaceFound { line: place.row + 1, column: before.count() + 1 }
}

fn name_found(missing: &Undefined, lines: &[&str]) -> NameFound {
    NameFound { name: missing.name.clone(), place: place_found(missing.place, lines) }
}

fn entry_found(entry: Entry) -> EntryFound {
    EntryFound { name: entry.name, first_line: entry.first_row + 1, last_line: entry.last_row + 1 }
}
