//! The command `models`: what there is support for, and what checkpoints are and need, before any
//! of their weights are loaded.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use jump_models::{Checkpoint, FimTemplate, ModelConfig, ModelShape};
use jumpcoder::device::Device;
use jumpcoder::generator::{Limits, ModelChoice};
use jumpcoder::memory_plan::{MemoryNeed, MemoryPlan};
use jumpcoder::settings::Settings;
use serde::Serialize;

use super::args::ModelsArgs;
use super::device;
use super::ending::{Ending, Failure};

const MIB: f64 = (1 << 20) as f64;

/// `models`.
pub fn command(args: &ModelsArgs) -> Result<Ending, Failure> {
    if args.models.is_empty() {
        let support = Support::here();
        return print(&if args.json { json(&support) } else { support.text() }, Ending::Success);
    }
    let device = device::open(&args.device, true)?;
    let found: Vec<_> =
        args.models.iter().map(|choice| Answer::new(choice, args, &device)).collect();
    let has_error = found.iter().any(|answer| matches!(answer.content, Content::Failed { .. }));
    let text = if args.json {
        json(&found)
    } else {
        found.iter().map(|answer| answer.text(args.concurrency)).collect::<Vec<_>>().join("\n")
    };
    print(&text, if has_error { Ending::SomeFailed } else { Ending::Success })
}

fn print(text: &str, ending: Ending) -> Result<Ending, Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)?;
    Ok(ending)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("names and numbers") + "\n"
}

/// What there is support for.
#[derive(Debug, Serialize)]
struct Support {
    architectures: Vec<&'static str>,
    infilling: BTreeMap<&'static str, &'static str>,
    /// What `--random-weights` takes.
    shapes: Vec<&'static str>,
}

impl Support {
    fn here() -> Self {
        Self {
            architectures: ModelConfig::architectures().collect(),
            infilling: FimTemplate::families().collect(),
            shapes: ModelShape::names().collect(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("architectures: {}\n\n", self.architectures.join(", "));
        text += "formats: a folder in Hugging Face layout with safetensors, or a GGUF file\n\n";
        text += "infilling prompts (--fim, where a model's tokens don't tell):\n";
        for (name, prompt) in &self.infilling {
            writeln!(text, "  {name:<12} {prompt}").expect("a string takes everything");
        }
        writeln!(text, "\nshapes (--random-weights): {}", self.shapes.join(", "))
            .expect("a string takes everything");
        text
    }
}

/// What is said of one checkpoint.
#[derive(Debug, Serialize)]
struct Answer {
    model: String,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content {
    Found(Box<Findings>),
    Failed { error: String },
}

impl Answer {
    fn new(choice: &ModelChoice, args: &ModelsArgs, device: &Device) -> Self {
        let content = match choice.open() {
            Ok(checkpoint) => Content::Found(Box::new(Findings::new(checkpoint, args, device))),
            Err(error) => Content::Failed { error: error.to_string() },
        };
        Self { model: choice.to_string(), content }
    }

    fn text(&self, concurrency: usize) -> String {
        let rest = match &self.content {
            Content::Found(findings) => findings.text(concurrency),
            Content::Failed { error } => format!("  {error}\n"),
        };
        format!("{}\n{rest}", self.model)
    }
}

/// What a checkpoint is.
#[derive(Debug, Serialize)]
struct Findings {
    architecture: &'static str,
    num_parameters: usize,
    /// Parameters by how they are stored.
    stored: Vec<Stored>,
    num_layers: usize,
    hidden_width: usize,
    num_heads: usize,
    num_kv_heads: usize,
    vocab_len: usize,
    context_len: usize,
    /// What its infilling prompt looks like.
    infilling: Option<String>,
    /// Has it a chat template?
    has_chat: bool,
    memory: Memory,
}

#[derive(Debug, Serialize)]
struct Stored {
    dtype: String,
    num_parameters: usize,
}

/// Bytes that a run needs, where the programs are as long as can be.
#[derive(Debug, Serialize)]
struct Memory {
    device: String,
    weights: usize,
    passes: usize,
    task: usize,
    total: usize,
}

impl Findings {
    fn new(checkpoint: Checkpoint, args: &ModelsArgs, device: &Device) -> Self {
        let stored = checkpoint.weights.num_values().into_iter();
        let stored = stored.map(|(dtype, num_parameters)| Stored { dtype, num_parameters });
        let config = checkpoint.config.clone();
        let has_chat = checkpoint.chat.is_some();
        let infilling = checkpoint.fim.as_ref().map(|fim| fim.prompt.clone());
        let limits = Limits { max_context: args.max_context, ..Limits::default() };
        let plans = MemoryPlan::new(checkpoint, None, &Settings::default(), &limits);
        let need = plans[0].need(device);
        let stored: Vec<_> = stored.collect();
        Self {
            architecture: config.architecture,
            num_parameters: stored.iter().map(|stored| stored.num_parameters).sum(),
            stored,
            num_layers: config.num_layers,
            hidden_width: config.hidden_width,
            num_heads: config.attention.num_heads,
            num_kv_heads: config.attention.num_kv_heads,
            vocab_len: config.vocab_len,
            context_len: config.context_len,
            infilling,
            has_chat,
            memory: Memory::new(need, args.concurrency, device),
        }
    }

    fn text(&self, concurrency: usize) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            writeln!(text, "  {name:<13} {value}").expect("a string takes everything");
        };
        let Self { num_layers, hidden_width, num_heads, num_kv_heads, .. } = self;
        line(
            "architecture",
            format!(
                "{}, {num_layers} layers {hidden_width} wide, {num_heads} heads on {num_kv_heads}",
                self.architecture
            ),
        );
        line("parameters", format!("{}: {}", millions(self.num_parameters), self.stored_text()));
        line("vocabulary", format!("{} tokens", self.vocab_len));
        line("context", format!("{} tokens", self.context_len));
        let none = "no: name another model with --infilling-model, or its prompt with --fim";
        line("infilling", self.infilling.as_deref().unwrap_or(none).to_owned());
        let chat = if self.has_chat { "yes, for --prompt-format chat" } else { "no template" };
        line("chat", chat.to_owned());
        line("memory", self.memory.text(concurrency));
        text
    }

    fn stored_text(&self) -> String {
        let stored = self.stored.iter();
        let stored = stored.map(|one| format!("{} in {}", millions(one.num_parameters), one.dtype));
        stored.collect::<Vec<_>>().join(", ")
    }
}

impl Memory {
    fn new(need: MemoryNeed, concurrency: usize, device: &Device) -> Self {
        let MemoryNeed { weights, passes, task } = need;
        Self { device: device.to_string(), weights, passes, task, total: need.total(concurrency) }
    }

    fn text(&self, concurrency: usize) -> String {
        let mib = |bytes: usize| format!("{:.0} MiB", bytes as f64 / MIB);
        let [weights, passes, task, total] =
            [self.weights, self.passes, self.task, self.total].map(mib);
        format!(
            "{weights} for weights, {passes} for passes, {task} for a program at its \
             longest: {total} for {concurrency}, on {}",
            self.device
        )
    }
}

fn millions(count: usize) -> String {
    format!("{:.1} million", count as f64 / 1e6)
}
