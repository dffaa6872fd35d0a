//! What isn't PHP in a file of PHP: the text before `<?php`, and after `?>`.

use crate::language::braces::lexis::{Lexis, Literal};

/// The other text that `text` begins with, up to the code after it. At the start of a file, there
/// is such a text only if a tag follows: an infill has none.
pub(super) fn other_text(text: &str, is_first: bool) -> Option<Literal> {
    let (opener, inside) = match text.strip_prefix("?>") {
        Some(inside) => ("?>", inside),
        None if is_first && !text.starts_with("<?") => ("", text),
        None => return None,
    };
    let tags = ["<?php", "<?="];
    let found = tags.iter().filter_map(|tag| inside.find(tag).map(|at| (at, tag.len())));
    match found.min() {
        Some((at, tag_len)) => Some(Literal { len: opener.len() + at + tag_len, missing: None }),
        None if opener.is_empty() => None,
        None => Some(Literal { len: text.len(), missing: Some("<?php ".to_owned()) }),
    }
}

/// The code alone: other text becomes spaces, and its beginning the end of a statement.
pub(super) fn code_of(text: &str, lexis: &Lexis) -> String {
    let has_other_text = text.contains("?>") || text.find("<?").is_some_and(|at| at > 0);
    if !has_other_text {
        return text.to_owned();
    }
    let mut code = String::with_capacity(text.len());
    let mut before_len = 0;
    while let Some(first) = text[code.len()..].chars().next() {
        let at = code.len();
        let rest = &text[at..];
        if first.is_whitespace() {
            code.push(first);
            continue;
        }
        if let Some(comment) = lexis.comment(rest) {
            code.push_str(&rest[..comment.len]);
            continue;
        }
        if let Some(other) = other_text(rest, before_len == 0) {
            code.push(if first == '?' { ';' } else { ' ' });
            let others = &text.as_bytes()[at + 1..at + other.len];
            code.extend(others.iter().copied().map(blank));
        } else {
            let literal = (lexis.literal)(rest, &text[..before_len]);
            code.push_str(&rest[..literal.map_or(first.len_utf8(), |literal| literal.len)]);
        }
        before_len = code.len();
    }
    code
}

/// Lines stay where they are.
fn blank(byte: u8) -> char {
    if byte == b'\n' { '\n' } else { ' ' }
}
