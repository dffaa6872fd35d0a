//! MBPP says a problem in prose and gives no text to go on from; this builds the one that the
//! paper's authors use: prose and first test as a docstring, then the function's first line.

use serde_json::{Map, Value};

use super::layout::text;

/// `Mbpp/2`, as EvalPlus names them.
pub(super) fn evalplus_id(id: String) -> String {
    if id.starts_with("Mbpp/") { id } else { format!("Mbpp/{id}") }
}

/// The prompt of `mbpp.jsonl`'s and `sanitized-mbpp.json`'s problems.
pub(super) fn prompt(object: &Map<String, Value>) -> Result<String, String> {
    let prose = text(object, if object.contains_key("text") { "text" } else { "prompt" })?;
    let test = object["test_list"]
        .get(0)
        .and_then(Value::as_str)
        .ok_or("`test_list` must be a list of strings, and not empty")?;
    let code = text(object, "code")?;
    let head = function_head(code, test)
        .ok_or("`code` has no line that begins with `def`: its first line is needed")?;
    Ok(format!("\"\"\"\n{prose}\n{test}\n\"\"\"\n\n{head}\n"))
}

/// `def name(arguments):` of the function that `test` calls, or of the last one.
fn function_head(code: &str, test: &str) -> Option<String> {
    let heads: Vec<_> = code
        .match_indices("def ")
        .filter(|(at, _)| *at == 0 || code[..*at].ends_with('\n'))
        .filter_map(|(at, def)| Some((name(&code[at + def.len()..]), head(&code[at..])?)))
        .collect();
    let called = test
        .split(|c: char| !is_word(c))
        .find_map(|word| heads.iter().find(|(name, _)| *name == word && !word.is_empty()));
    called.or(heads.last()).map(|(_, head)| head.clone())
}

fn name(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Up to the colon after the arguments, with no blanks before `(` and `:`, as the authors have it.
fn head(text: &str) -> Option<String> {
    let open = text.find('(')?;
    let close = open + closing(&text[open..])?;
    let colon = close + text[close..].find(':')?;
    let returns = text[close + 1..colon].trim_end();
    let arguments = text[open..=close].replace("\r\n", "\n");
    Some(format!("{}{arguments}{returns}:", text[..open].trim_end()))
}

/// Where the bracket that `text` begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        (depth == 0).then_some(at)
    })
}
