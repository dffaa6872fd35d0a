//! What stands before a program in G's texts: nothing, or the words that ask an instruction model
//! for it and open a code fence. The program is written inside the fence and ends where it closes.
//!
//! The words belong to G's sequence alone: they are no lines of the program and have no scores.

use jump_models::{ChatTemplate, Preamble, PreamblePart, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::language;
use crate::task::{Task, TaskError};

/// Stands for the problem while a template is rendered; no template has it.
const PROBLEM: char = '\u{F8FF}';

/// A line that begins with it closes a code fence.
pub const FENCE: &str = "```";

/// How G is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptFormat {
    /// The program alone.
    #[default]
    Plain,
    /// The chat template of the model's tokenizer.
    Chat,
    /// WizardCoder's, as its authors evaluated it (WizardLM, `WizardCoder/src/humaneval_gen.py`).
    WizardCoder,
}

impl PromptFormat {
    /// Is it the default?
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }

    /// Checks that a model can be asked so; `chat` is its template.
    ///
    /// # Errors
    ///
    /// Why it can't, and what to do.
    pub fn check(self, chat: Option<&ChatTemplate>) -> Result<(), String> {
        if self != Self::Chat {
            return Ok(());
        }
        let chat = chat.ok_or(
            "it has no chat template (in tokenizer_config.json or chat_template.jinja): use \
             --prompt-format plain, or name an instruction model",
        )?;
        conversation(chat, PROBLEM.encode_utf8(&mut [0; 4])).map(drop)
    }

    /// What comes before the program of `task`.
    ///
    /// # Errors
    ///
    /// A chat template that fails.
    pub fn preamble(
        self,
        task: &Task,
        tokenizer: &Tokenizer,
        chat: Option<&ChatTemplate>,
    ) -> Result<Preamble, TaskError> {
        let problem = task.prompt.trim();
        let known = language::by_name(&task.language, false);
        let language = known.map_or("", |language| language.name());
        Ok(match self {
            Self::Plain => tokenizer.plain_preamble(""),
            Self::WizardCoder => tokenizer.plain_preamble(&wizard_coder(problem, language)),
            Self::Chat => {
                let chat = chat.expect("it was checked to be there");
                let message = format!(
                    "Complete this program. Answer with the whole program in one code block.\n\n\
                     {FENCE}{language}\n{PROBLEM}\n{FENCE}"
                );
                let markup = conversation(chat, &message).map_err(TaskError::ChatTemplate)?;
                let fence = format!("{FENCE}{language}\n");
                let mut parts = Vec::new();
                for (idx, words) in markup.split(PROBLEM).enumerate() {
                    if idx > 0 {
                        parts.push(PreamblePart::Text(problem));
                    }
                    parts.push(PreamblePart::Markup(words));
                }
                parts.push(PreamblePart::Text(&fence));
                tokenizer.preamble(&parts)
            }
        })
    }
}

/// The conversation in which `message` asks, which has the problem in it.
fn conversation(chat: &ChatTemplate, message: &str) -> Result<String, String> {
    let text = chat.render(message)?;
    if text.contains(PROBLEM) {
        return Ok(text);
    }
    Err("its chat template leaves the user's message away".to_owned())
}

fn wizard_coder(problem: &str, language: &str) -> String {
    let spoken = match language {
        "cpp" => "C++",
        "cs" => "C#",
        "go" => "Go",
        "java" => "Java",
        "js" => "JavaScript",
        "php" => "PHP",
        "rust" => "Rust",
        "ts" => "TypeScript",
        _ => "Python",
    };
    format!(
        "Below is an instruction that describes a task. Write a response that appropriately \
         completes the request.\n\n\n### Instruction:\nCreate a {spoken} script for this \
         problem:\n{problem}\n\n### Response:\n{FENCE}{language}\n"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jump_models::{Checkpoint, TokenizerConfig};

    use super::*;
    use crate::program::{KnownScores, Program};

    const PROMPT: &str = "def add(a, b):\n    # <|endoftext|> \u{F8FF}\n";

    fn chat(source: &str) -> ChatTemplate {
        ChatTemplate::new(source.to_owned(), BTreeMap::new())
    }

    fn task(language: &str) -> Task {
        Task {
            id: "task".to_owned(),
            sample: 0,
            prompt: PROMPT.to_owned(),
            language: language.to_owned(),
            stop: Vec::new(),
        }
    }

    /// The whole text, special tokens as `@`, and the part that counts for the program's lines.
    fn texts(format: PromptFormat, chat: Option<&ChatTemplate>, language: &str) -> [String; 2] {
        let tokenizer = Checkpoint::tiny().unwrap().tokenizer;
        let task = task(language);
        let preamble = format.preamble(&task, &tokenizer, chat).unwrap();
        let known = KnownScores::default();
        let program = Program::from_prompt(&task.prompt, preamble, &tokenizer, &known).unwrap();
        let text = |ids: &[_]| {
            let bytes = ids.iter().map(|id| match tokenizer.bytes(*id) {
                b"" => &b"@"[..],
                bytes => bytes,
            });
            String::from_utf8(bytes.collect::<Vec<_>>().concat()).unwrap()
        };
        assert_eq!(program.lines().len(), 2, "the words are no lines");
        assert!(program.unscored(0).all(|token| token >= program.start()), "and have no scores");
        [text(program.ids()), text(&program.ids()[program.start()..])]
    }

    #[test]
    fn programs_stand_in_a_fence() {
        let program = PROMPT.to_owned();
        let problem = PROMPT.trim();
        let plain = texts(PromptFormat::Plain, None, "python");
        assert_eq!(plain, [program.clone(), program.clone()]);
        let template = chat("<|endoftext|>{{ messages[0].content }}<|fim_pad|>\nYes:\n");
        let asked = "Complete this program. Answer with the whole program in one code block.";
        let words = format!("@{asked}\n\n```python\n{problem}\n```@\nYes:\n```python\n");
        let expected = [words + PROMPT, program.clone()];
        // Jinja drops the last newline of a template, and the fence needs one before it.
        let template_newline = chat("<|endoftext|>{{ messages[0].content }}<|fim_pad|>\nYes:\n\n");
        assert_eq!(texts(PromptFormat::Chat, Some(&template_newline), "python"), expected);
        let ended = texts(PromptFormat::Chat, Some(&template), "python");
        assert!(ended[0].contains("Yes:```python\n"), "a template is taken as it is: {ended:?}");
        let [whole, own] = texts(PromptFormat::WizardCoder, None, "c++");
        let end = format!("Create a C++ script for this problem:\n{problem}\n\n### Response:\n");
        assert!(whole.starts_with("Below is an instruction that describes a task."));
        assert!(whole.ends_with(&format!("{end}```cpp\n{PROMPT}")), "{whole}");
        assert_eq!(own, program);
        let [whole, _] = texts(PromptFormat::WizardCoder, None, "<|endoftext|>");
        assert!(whole.contains("### Response:\n```\n") && !whole.contains('@'), "{whole}");
    }

    #[test]
    fn models_that_cannot_be_asked_are_refused() {
        let table = [
            (None, "it has no chat template (in tokenizer_config.json or"),
            (Some("{{ raise_exception('closed') }}"), "its chat template fails: "),
            (Some("{% if"), "its chat template fails: "),
            (Some("Hello"), "its chat template leaves the user's message away"),
        ];
        for (source, expected) in table {
            let chat = source.map(chat);
            let error = PromptFormat::Chat.check(chat.as_ref()).unwrap_err();
            assert!(error.starts_with(expected), "{source:?}: {error}");
            assert_eq!(PromptFormat::WizardCoder.check(chat.as_ref()), Ok(()));
        }
        assert_eq!(TokenizerConfig::parse(None, None, "file").unwrap().chat, None);
    }
}
