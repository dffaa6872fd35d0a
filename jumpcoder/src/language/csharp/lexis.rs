//! C#'s literals: strings with escapes, verbatim and raw ones, and each with expressions inside.

use crate::language::braces::lexis::Literal;

/// The literal that `text` begins with.
pub(super) fn literal(text: &str, _before: &str) -> Option<Literal> {
    if text.starts_with('\'') {
        return Literal::quoted(text, "'", false);
    }
    let num_marks = text.bytes().take_while(|mark| matches!(mark, b'$' | b'@')).count();
    let (marks, string) = text.split_at(num_marks);
    let quotes = &string[..string.bytes().take_while(|&quote| quote == b'"').count()];
    let literal = match quotes.len() {
        0 => return None,
        // Two quotes are an empty string, unless the second is an escape of a verbatim one.
        2 if !marks.contains('@') => Literal { len: 2, missing: None },
        3.. if !marks.contains('@') => Literal::raw(string, quotes, quotes)?,
        _ => {
            Holed { text: string, is_verbatim: marks.contains('@'), has_holes: marks.contains('$') }
                .literal()
        }
    };
    Some(Literal { len: num_marks + literal.len, ..literal })
}

/// A string between single quotes.
struct Holed<'s> {
    text: &'s str,
    is_verbatim: bool,
    has_holes: bool,
}

impl Holed<'_> {
    fn literal(&self) -> Literal {
        let mut at = 1;
        let mut num_open = 0;
        while let Some(next) = self.text[at..].chars().next() {
            let rest = &self.text[at..];
            let is_pair = |pair: &str| num_open == 0 && rest.starts_with(pair);
            at += match next {
                '\n' if !self.is_verbatim => break,
                '"' | '\'' if num_open > 0 => literal(rest, "").map_or(1, |inner| inner.len),
                '"' if self.is_verbatim && is_pair("\"\"") => 2,
                '"' => return Literal { len: at + 1, missing: None },
                '\\' if !self.is_verbatim && num_open == 0 => {
                    1 + rest[1..].chars().next().map_or(0, char::len_utf8)
                }
                '{' if self.has_holes && is_pair("{{") => 2,
                '{' if self.has_holes => {
                    num_open += 1;
                    1
                }
                '}' if num_open > 0 => {
                    num_open -= 1;
                    1
                }
                _ => next.len_utf8(),
            };
        }
        let ends_with = |end| at >= self.text.len() && self.text.ends_with(end);
        let escaped = if ends_with('\\') { "\\" } else { "" };
        // A hole must hold something.
        let content = if num_open > 0 && ends_with('{') { "0" } else { "" };
        let missing = format!("{escaped}{content}{}\"", "}".repeat(num_open));
        Literal { len: at, missing: Some(missing) }
    }
}
