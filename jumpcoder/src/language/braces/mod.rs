//! Languages with braces: what they have in common.
//!
//! Such a language is a folder beside this one: a grammar, two queries (`names.scm`,
//! `outline.scm`), data tables, and the few rules that these can't say ([`Rules`]). Everything else
//! is here: a program's layout is found by its text, what is open in it is closed, the tree of that
//! is asked by the queries, and the scopes that this gives say which names are undefined.
//!
//! # Adding a language
//!
//! 1. A folder `language/NAME` whose `mod.rs` has a `static` [`BraceLanguage`], as
//!    [`java`](super::java) has. The grammar is a crate `tree-sitter-NAME`.
//! 2. `names.scm`: first what is a name at all, then what kinds of nodes bind one, then exceptions,
//!    because the last pattern that finds a node decides. The captures stand at the head of
//!    `braces/names.rs`.
//! 3. `outline.scm`: functions, imports, and what the grammar takes but the language doesn't.
//! 4. Tables of what is there without being defined, with the script that writes them.
//! 5. A line in `LANGUAGES` in `language/mod.rs`.
//! 6. Tests that are tables of programs, as in `java/tests.rs`, and the comparison with a compiler:
//!    a module in `benches/languages/compilers`, then `benches/languages/agreement.py`.

mod layout;
pub mod lexis;
mod names;
mod outline;
mod reading;
pub mod rules;
mod scopes;
pub mod spaces;

use std::sync::OnceLock;

use super::tree::Grammar;
use super::{InfillKind, Language, Reading};
use layout::Layout;
use lexis::Lexis;
use names::NameQuery;
use outline::OutlineQuery;
use reading::{BraceReading, Text};
use rules::Rules;
use tree_sitter_language::LanguageFn;

/// A language with braces.
pub struct BraceLanguage {
    /// See [`Language::name`].
    pub name: &'static str,
    /// See [`Language::aliases`].
    pub aliases: &'static [&'static str],
    /// The grammar.
    pub grammar: LanguageFn,
    /// The text of `names.scm`.
    pub names: &'static str,
    /// The text of `outline.scm`.
    pub outline: &'static str,
    /// Are names of the outermost scope seen only after their binding?
    pub is_ordered: bool,
    /// Comments and literals.
    pub lexis: Lexis,
    /// The words that begin control statements.
    pub control: &'static [&'static str],
    /// Tables and what they mean.
    pub rules: &'static dyn Rules,
    /// The queries, compiled at their first use: begin with a new one.
    pub queries: OnceLock<Queries>,
}

/// The compiled queries of a language.
pub struct Queries {
    names: NameQuery,
    outline: OutlineQuery,
}

impl BraceLanguage {
    fn grammar(&self) -> Grammar {
        Grammar(self.grammar)
    }

    fn queries(&self) -> &Queries {
        self.queries.get_or_init(|| Queries {
            names: NameQuery::new(self.grammar(), self.names, self.is_ordered),
            outline: OutlineQuery::new(self.grammar(), self.outline),
        })
    }

    fn kind_of(&'static self, infill: &str) -> InfillKind {
        let text = Text::of(self, infill);
        let Some(start) = text.layout.code_start else { return InfillKind::Statement };
        self.queries().outline.kind_at(&text.repaired, text.tree.root_node(), start)
    }
}

impl Language for BraceLanguage {
    fn name(&self) -> &'static str {
        self.name
    }

    fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    fn read(&'static self, lines: &[&str]) -> Box<dyn Reading> {
        Box::new(BraceReading::of(self, lines.iter().map(|&line| line.to_owned()).collect()))
    }

    fn classify(&'static self, infill: &str) -> InfillKind {
        let code = infill.trim_start();
        let word_len = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
        let is_odd = code.starts_with('}') || code.starts_with("<?");
        if self.control.contains(&&code[..word_len]) || is_odd {
            return InfillKind::Control;
        }
        let kind = self.kind_of(infill);
        // The head of a function whose body begins on the next line.
        if kind == InfillKind::Statement && !code.trim_end().ends_with([';', '{', '}']) {
            return self.kind_of(&format!("{} {{}}", infill.trim_end()));
        }
        kind
    }

    fn takes_lines(&'static self, infill: &str) -> bool {
        let is_open = || {
            let layout = Layout::of(infill, &self.lexis);
            layout.lines.first().is_some_and(|line| line.depth > 0)
        };
        match self.classify(infill) {
            InfillKind::Function => true,
            InfillKind::Import => is_open(),
            InfillKind::Control | InfillKind::Statement => false,
        }
    }

    fn function_len(&self, text: &str) -> Option<usize> {
        let layout = Layout::of(text, &self.lexis);
        let end = layout.statement_end(self.lexis.optional_semicolons)?;
        text[..end].ends_with('\n').then_some(end)
    }

    fn banned_infills(&self) -> &'static [&'static str] {
        &["//", "/*"]
    }
}
