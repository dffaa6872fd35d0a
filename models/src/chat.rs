//! Chat templates: how an instruction model writes down a conversation, as the Jinja that comes
//! with its tokenizer.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Instructions that a template may take: none needs many, and a loop must end.
const MAX_STEPS: u64 = 100_000;

/// What templates add to a message is far less.
const MAX_CONVERSATION_BYTES: usize = 1 << 20;

/// A template and the strings of the special tokens that it may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatTemplate {
    source: String,
    /// By what templates call them: `bos_token`, `eos_token`.
    special_tokens: BTreeMap<String, String>,
}

impl ChatTemplate {
    /// The template `source`; `special_tokens` are strings by what templates call them.
    pub fn new(source: String, special_tokens: BTreeMap<String, String>) -> Self {
        Self { source, special_tokens }
    }

    /// A conversation in which the user has said `message` and the assistant is about to speak, as
    /// transformers' `apply_chat_template` writes it.
    ///
    /// # Errors
    ///
    /// A template that is malformed, refuses, or goes on for too long.
    pub fn render(&self, message: &str) -> Result<String, String> {
        let failed = |error: Error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("its chat template fails: {error}{cause}")
        };
        let environment = environment().map_err(failed)?;
        let template = environment.template_from_str(&self.source).map_err(failed)?;
        let said = Value::from_pairs([("role", "user"), ("content", message)]);
        let mut words = vec![
            ("messages", Value::from(vec![said])),
            ("add_generation_prompt", Value::from(true)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ];
        let tokens = self.special_tokens.iter();
        words.extend(tokens.map(|(name, token)| (name.as_str(), Value::from(token))));
        let mut text = Bounded(Vec::new());
        template.render_captured_to(Value::from_pairs(words), &mut text).map_err(failed)?;
        String::from_utf8(text.0).map_err(|error| format!("its chat template fails: {error}"))
    }
}

/// The settings and functions of transformers' environment.
fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    environment.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.set_fuel(Some(MAX_STEPS));
    Ok(environment)
}

/// Text that can't become too long.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_CONVERSATION_BYTES {
            return Err(io::Error::other("it writes more than a mebibyte"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
