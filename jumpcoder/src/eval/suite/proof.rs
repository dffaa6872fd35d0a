//! How it is known that all tests were run: the last of them is followed by a statement that prints
//! a number which nobody can guess. A program that leaves early with exit code 0 has not passed.
//!
//! That is meant for mistakes. A program that wants to cheat can read the number in its own text.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::Harness;

/// What the tests print in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof(String);

impl Proof {
    /// A new one, drawn from the system's randomness.
    pub fn draw() -> Self {
        let draw = || RandomState::new().build_hasher().finish();
        Self(format!("passed-{:016x}{:016x}", draw(), draw()))
    }

    #[cfg(test)]
    pub(super) fn fixed(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Does what a program printed end with it?
    pub fn is_given(&self, stdout: &str) -> bool {
        stdout.trim_end().ends_with(&self.0)
    }

    /// The tests with the statement. Where languages' own tools count the tests, none is needed.
    pub(super) fn put_into(&self, text: &str, language: &str, harness: Harness) -> String {
        let Self(number) = self;
        match language {
            "python" => format!("{text}\nprint('{number}')\n"),
            "js" | "javascript" | "ts" | "typescript" => {
                format!("{text}\nconsole.log('{number}');\n")
            }
            "php" => format!("{text}\necho '{number}';\n"),
            // The last block is `main`'s; this needs no header.
            "cpp" => before_brace(text, 1, &format!("__builtin_puts(\"{number}\");")),
            "rs" | "rust" if harness == Harness::MultiPlE => {
                before_brace(text, 1, &format!("println!(\"{number}\");"))
            }
            // The last block is the class.
            "java" => before_brace(text, 2, &format!("System.out.println(\"{number}\");")),
            "cs" => before_brace(text, 2, &format!("System.Console.WriteLine(\"{number}\");")),
            _ => text.to_owned(),
        }
    }
}

/// Puts a statement before the last closing brace but `idx - 1`.
fn before_brace(text: &str, idx: usize, statement: &str) -> String {
    let Some((at, _)) = text.rmatch_indices('}').nth(idx - 1) else { return text.to_owned() };
    format!("{}{statement}{}", &text[..at], &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let (one, other) = (Proof::draw(), Proof::draw());
        assert_ne!(one, other);
        assert!(one.is_given(&format!("1\n2\n{}\n", one.0)) && !one.is_given(&other.0));
    }

    #[test]
    fn it_is_the_last_statement_of_main() {
        let java = "class A {\n  static void main() {\n    f();\n  }\n}\n";
        let found = Proof::fixed("x").put_into(java, "java", Harness::MultiPlE);
        let expected = "class A {\n  static void main() {\n    f();\n  \
                        System.out.println(\"x\");}\n}\n";
        assert_eq!(found, expected);
    }
}
