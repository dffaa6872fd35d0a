//! The layouts of the usual benchmarks, told apart by their fields, line by line.
//!
//! A layout decides three things: which field is the id, how the prompt comes about, and which
//! language and stop strings hold where the line doesn't say. Everything else is common.

use serde_json::{Map, Value};

use super::{ProblemText, mbpp};

/// The paper's stop strings for HumanEval.
const PYTHON_STOP: [&str; 8] =
    ["<EOT>", "\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n\"\"\""];
/// What the paper adds to them for MBPP.
const MBPP_STOP: [&str; 2] = ["\nassert", "\n<|/"];

type Object = Map<String, Value>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    HumanEval,
    Mbpp,
    MultiPlE,
    Plain,
}

impl Layout {
    /// The first that fits; HumanEval's fields are the least telling, so it comes late.
    fn of(object: &Object) -> Self {
        let has = |name: &str| object.contains_key(name);
        if has("name") && has("language") && (has("tests") || has("stop_tokens")) {
            Self::MultiPlE
        } else if has("code") && has("test_list") {
            Self::Mbpp
        } else if has("entry_point") && has("task_id") {
            Self::HumanEval
        } else {
            Self::Plain
        }
    }

    fn id(self, object: &Object) -> Result<String, String> {
        match self {
            Self::MultiPlE => id(object, &["name"]),
            Self::Mbpp => id(object, &["task_id"]).map(mbpp::evalplus_id),
            Self::HumanEval => id(object, &["task_id"]),
            Self::Plain => id(object, &["id", "task_id"]),
        }
    }

    fn prompt(self, object: &Object) -> Result<String, String> {
        if self == Self::Mbpp {
            return mbpp::prompt(object);
        }
        text(object, "prompt").map(str::to_owned)
    }

    fn default_stop(self) -> Vec<String> {
        let stop: &[&[&str]] = match self {
            Self::HumanEval => &[&PYTHON_STOP],
            Self::Mbpp => &[&PYTHON_STOP, &MBPP_STOP],
            Self::MultiPlE | Self::Plain => &[],
        };
        stop.iter().copied().flatten().map(ToString::to_string).collect()
    }
}

/// The id, if there is one, and the problem, or what is wrong with it.
pub(crate) fn read(value: &Value) -> (Option<String>, Result<ProblemText, String>) {
    let Value::Object(object) = value else {
        return (None, Err(format!("a JSON object is expected, not {}", kind(value))));
    };
    let layout = Layout::of(object);
    match layout.id(object) {
        Ok(id) => (Some(id), content(layout, object)),
        Err(reason) => (None, Err(reason)),
    }
}

fn content(layout: Layout, object: &Object) -> Result<ProblemText, String> {
    Ok(ProblemText {
        prompt: layout.prompt(object)?,
        language: language(object)?,
        stop: stop(object)?.unwrap_or_else(|| layout.default_stop()),
    })
}

/// A field that must be there and be text.
pub(crate) fn text<'a>(object: &'a Object, name: &str) -> Result<&'a str, String> {
    match object.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("`{name}` must be a string, not {}", kind(other))),
        None => Err(format!("it has no `{name}`: add that field")),
    }
}

/// The first of `names` that is there; numbers are fine as ids.
fn id(object: &Object, names: &[&str]) -> Result<String, String> {
    let Some((name, value)) = names.iter().find_map(|name| Some((name, object.get(*name)?))) else {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        return Err(format!("it has no {}: add that field", names.join(" or ")));
    };
    match value {
        Value::String(text) if text.is_empty() => Err(format!("`{name}` is empty")),
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(format!("`{name}` must be a string or a number, not {}", kind(other))),
    }
}

/// One name a language, whatever the benchmark calls it.
fn language(object: &Object) -> Result<String, String> {
    if object.get("language").is_none_or(Value::is_null) {
        return Ok("python".to_owned());
    }
    let name = text(object, "language")?.to_lowercase();
    Ok(match name.as_str() {
        "py" | "python3" => "python".to_owned(),
        "c++" => "cpp".to_owned(),
        "go_test.go" => "go".to_owned(),
        _ => name,
    })
}

fn stop(object: &Object) -> Result<Option<Vec<String>>, String> {
    let present = |name: &&str| object.get(*name).is_some_and(|value| !value.is_null());
    let Some(name) = ["stop", "stop_tokens"].into_iter().find(present) else {
        return Ok(None);
    };
    let texts = match &object[name] {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| format!("`{name}` must hold strings only"))?,
        other => return Err(format!("`{name}` must be a list of strings, not {}", kind(other))),
    };
    match texts.iter().find(|text| text.trim_start_matches('\n').is_empty()) {
        Some(text) => Err(format!(
            "the text {text:?} in `{name}` would end every program at once: a stop string is what \
             the line after the program begins with"
        )),
        None => Ok(Some(texts)),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
