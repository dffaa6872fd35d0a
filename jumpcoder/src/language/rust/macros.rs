//! Shows the parser expressions where a macro takes some.
//!
//! `vec![x; n]` becomes `   ![x; n]`, the negation of an array, and `println!("{}", x)` that of a
//! tuple: nothing moves, and whatever may stand after the one may stand after the other.

/// The library's macros whose arguments are expressions, but for names as in `x = 1`.
const OF_EXPRESSIONS: [&str; 19] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

/// The text, with the names of these macros blank.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (at, _) in text.match_indices('!') {
        let before = &text[..at];
        let start = before
            .rfind(|c: char| c != '_' && !c.is_alphanumeric())
            .map_or(0, |last| last + before[last..].chars().next().map_or(0, char::len_utf8));
        let is_called = text[at + 1..].trim_start().starts_with(['(', '[']);
        let is_in_path = before[..start].ends_with(':');
        if is_called && !is_in_path && OF_EXPRESSIONS.contains(&&before[start..]) {
            shown.push_str(&text[shown.len()..start]);
            shown.extend(std::iter::repeat_n(' ', at - start));
        }
    }
    shown.push_str(&text[shown.len()..]);
    shown
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn blanks_names_of_macros() {
        assert_eq!(shown("vec![x] + é!(y)"), "   ![x] + é!(y)");
        assert_eq!(
            shown("my_vec![x]; std::vec![x]; vec!= [x]"),
            "my_vec![x]; std::vec![x]; vec!= [x]"
        );
        assert_eq!(shown("println! (\"!\", format!(\"{}\"))"), "       ! (\"!\",       !(\"{}\"))");
        assert_eq!(shown("!!print!()!"), "!!     !()!");
        assert_eq!(shown(""), "");
    }
}
