//! What the algorithm must know of a programming language, behind one trait.
//!
//! Everything here works on incomplete programs: that is the normal case while a program is being
//! written.

use std::collections::BTreeSet;

pub mod python;

/// The language that goes by `name`, if it is known. With `reference_quirks`, it decides as the
/// authors' code does, so that runs can be compared with theirs.
pub fn by_name(name: &str, reference_quirks: bool) -> Option<&'static dyn Language> {
    match (name.to_lowercase().as_str(), reference_quirks) {
        ("python" | "py", false) => Some(&python::Python),
        ("python" | "py", true) => Some(&python::ReferencePython),
        _ => None,
    }
}

/// What an infill is: it decides who judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfillKind {
    /// An import: accepted iff it defines a missing name.
    Import,
    /// The definition of a function: accepted iff it defines a missing name. The only kind that may
    /// take several lines.
    Function,
    /// The head of a control statement (or, for some languages, a script's first line): never
    /// inserted.
    Control,
    /// Anything else: judged by the scores of the lines that follow it.
    Statement,
}

/// What one look at a program tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// Names that are used somewhere and that nothing visible there defines.
    pub undefined: BTreeSet<String>,
    /// For each line: does it begin inside a comment or string, or is it nothing but a comment or
    /// docstring? No such line is a position to insert at.
    pub is_comment: Vec<bool>,
}

/// A programming language. All answers are for programs that may be unfinished or wrong; none
/// panics, whatever the text.
pub trait Language: Send + Sync {
    /// The name that problems and the command line use, lower case.
    fn name(&self) -> &'static str;

    /// Looks at a program, given as lines that each end in `\n`.
    fn analyze(&self, lines: &[&str]) -> Analysis;

    /// What `infill` is. It is judged by its first statement; it may be incomplete.
    fn classify(&self, infill: &str) -> InfillKind;

    /// Does inserting `infill` (lines that each end in `\n`) before line `position` of `lines`
    /// define a name that was undefined in `lines`? `infill` is an import or a function, and
    /// `position` at most the number of lines.
    fn defines_missing(&self, lines: &[&str], position: usize, infill: &[&str]) -> bool;

    /// The lines of the function that `text` begins with, once its end can be seen: the byte length
    /// of those lines, without blank ones at the end. `None` while the function may still go on; at
    /// the end of the generation, the whole text is the function.
    fn function_len(&self, text: &str) -> Option<usize>;

    /// Texts whose first token may not be produced while infilling.
    fn banned_infills(&self) -> &'static [&'static str];
}
