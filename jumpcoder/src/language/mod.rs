//! What the algorithm must know of a programming language, behind one trait.
//!
//! Everything here works on incomplete programs: that is the normal case while a program is being
//! written.

use std::collections::BTreeSet;

use serde::Serialize;
use tree_sitter::Node;

pub mod braces;
#[cfg(test)]
mod checks;
pub mod compiler;
pub mod cpp;
pub mod csharp;
pub mod go;
mod insertion;
pub mod java;
pub mod javascript;
pub mod php;
pub mod python;
mod repairs;
pub mod rust;
mod tree;
pub mod typescript;

/// The languages that are known.
static LANGUAGES: [&dyn Language; 9] = [
    &python::Python,
    &java::JAVA,
    &cpp::CPP,
    &csharp::CSHARP,
    &go::GO,
    &javascript::JAVASCRIPT,
    &php::PHP,
    &rust::RUST,
    &typescript::TYPESCRIPT,
];

/// The names of the languages that are known.
pub fn names() -> Vec<&'static str> {
    LANGUAGES.iter().map(|language| language.name()).collect()
}

/// The language that goes by `name`, if it is known. With `reference_quirks`, it decides as the
/// authors' code does, so that runs can be compared with theirs.
pub fn by_name(name: &str, reference_quirks: bool) -> Option<&'static dyn Language> {
    let name = name.to_lowercase();
    let goes_by = |language: &dyn Language| {
        language.name() == name || language.aliases().contains(&name.as_str())
    };
    if reference_quirks && goes_by(&python::ReferencePython) {
        return Some(&python::ReferencePython);
    }
    LANGUAGES.into_iter().find(|&language| goes_by(language))
}

/// What an infill is: it decides who judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InfillKind {
    /// An import: accepted iff it defines a missing name.
    Import,
    /// The definition of a function: accepted iff it defines a missing name. It may take several
    /// lines.
    Function,
    /// The head of a control statement (or, for some languages, a script's first line): never
    /// inserted.
    Control,
    /// Anything else: judged by the scores of the lines that follow it.
    Statement,
}

/// A place in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line's index.
    pub row: usize,
    /// The byte within the line.
    pub column: usize,
}

fn place_of(node: Node) -> Place {
    let start = node.start_position();
    Place { row: start.row, column: start.column }
}

/// A use of a name that nothing visible there defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Undefined {
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// The name.
    pub name: String,
}

/// Something that takes whole lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name, or an import's text.
    pub name: String,
    /// The index of its first line.
    pub first_row: usize,
    /// The index of its last line.
    pub last_row: usize,
}

/// What a program consists of, for people and tools to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// Where the text cannot be part of any program.
    pub errors: Vec<Place>,
    /// Functions, methods, constructors.
    pub functions: Vec<Entry>,
    /// Imports.
    pub imports: Vec<Entry>,
}

/// A programming language. All answers are for programs that may be unfinished or wrong; none
/// panics, whatever the text.
pub trait Language: Send + Sync {
    /// The name that problems and the command line use, lower case.
    fn name(&self) -> &'static str;

    /// What else it is called, lower case; the extensions of its files among them.
    fn aliases(&self) -> &'static [&'static str];

    /// Reads a program, given as lines that each end in `\n`.
    fn read(&'static self, lines: &[&str]) -> Box<dyn Reading>;

    /// What `infill` is. It is judged by its first statement; it may be incomplete.
    fn classify(&'static self, infill: &str) -> InfillKind;

    /// May `infill` take several lines? A function does, and so does an import, where a language
    /// has brackets for it that the first line leaves open.
    fn takes_lines(&'static self, infill: &str) -> bool {
        self.classify(infill) == InfillKind::Function
    }

    /// The lines of the function, or of what else takes lines, that `text` begins with, once its
    /// end can be seen: the byte length of those lines, without blank ones at the end. `None` while
    /// it may still go on; at the end of the generation, the whole text is the function.
    fn function_len(&self, text: &str) -> Option<usize>;

    /// What no token of an infill may begin with: what opens comments.
    fn banned_infills(&self) -> &'static [&'static str];
}

/// A program as its language reads it.
pub trait Reading: Send {
    /// The uses of names that nothing visible there defines, in the order of their places.
    fn undefined(&self) -> &[Undefined];

    /// For each line: does it begin inside a comment or string, or is it nothing but a comment or
    /// docstring? No such line is a position to insert at.
    fn is_comment(&self) -> Vec<bool>;

    /// The undefined names that an insertion of `infill` (lines that each end in `\n`) before line
    /// `position` would define somewhere. `infill` is an import or a function, and `position` at
    /// most the number of lines. None, if the program would be broken by it.
    fn defined_by(&self, position: usize, infill: &[&str]) -> BTreeSet<String>;

    /// The program with everything closed that is open, as parsers and compilers like it.
    fn closed_text(&self) -> &str;

    /// What the program consists of.
    fn outline(&self) -> Outline;
}
