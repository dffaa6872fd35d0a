//! What the algorithm must know of a programming language, behind one trait.
//!
//! Everything here works on incomplete programs: that is the normal case while a program is being
//! written.

use std::collections::BTreeSet;

pub mod python;

/// What an infill is, by its syntax tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InfillKind {
    /// An import.
    Import,
    /// The definition of a function.
    Function,
    /// The head of a control statement (or, for some languages, a script's first line): never
    /// inserted.
    Control,
    /// Anything else.
    Statement,
}

/// What one look at a program tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// Names that are used somewhere and that nothing visible there defines.
    pub undefined: BTreeSet<String>,
    /// For each line: does it begin inside a comment or docstring, or is it nothing but one?
    pub is_comment: Vec<bool>,
}

/// A programming language.
pub trait Language: Send + Sync {
    /// The name that problems and the command line use, lower case.
    fn name(&self) -> &'static str;

    /// Looks at a program, given as lines that each end in `\n`.
    fn analyze(&self, lines: &[&str]) -> Analysis;

    /// What `infill` is. It is judged by its first statement; it may be incomplete.
    fn classify(&self, infill: &str) -> InfillKind;

    /// Does inserting `infill` (lines that each end in `\n`) before line `position` of `lines`
    /// define a name that was undefined in `lines`? `infill` is an import or a function.
    fn defines_missing(&self, lines: &[&str], position: usize, infill: &[&str]) -> bool;

    /// The lines of the function that `text` begins with, once its end can be seen: the byte length
    /// of those lines. `None` while the function may still go on.
    fn function_len(&self, text: &str) -> Option<usize>;

    /// Texts whose first token may not be produced while infilling.
    fn banned_infills(&self) -> &'static [&'static str];
}

/// The language of a name.
pub fn by_name(_name: &str, _quirks: bool) -> Option<&'static dyn Language> {
    None
}
