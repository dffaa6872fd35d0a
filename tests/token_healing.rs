//! Line by line, a model whose vocabulary has tokens of a newline and an indentation writes what it
//! writes without looking at lines.

use std::sync::atomic::AtomicBool;

use jump_engine::{Engine, EngineSize};
use jump_kernels::cpu::Cpu;
use jump_models::Checkpoint;
use jumpcoder::device::Device;
use jumpcoder::event::{Round, TokenCounts};
use jumpcoder::generator::{Generator, Limits, ModelChoice};
use jumpcoder::problem::{self, Source};
use jumpcoder::scheduler::Submission;
use jumpcoder::settings::{Mode, Settings};
use jumpcoder::task::{Observer, Solution, TaskError};

use crate::gguf::smollm2_path;
use crate::greedy::greedy;
use crate::shared::shared_file;

const NUM_PROBLEMS: usize = 20;
const NUM_TOKENS: usize = 48;

/// The text that greedy decoding appends to `prompt`.
fn decoded(engine: &mut Engine<Cpu>, checkpoint: &Checkpoint, prompt: &str) -> String {
    let Checkpoint { tokenizer, end_tokens, .. } = checkpoint;
    let found = greedy(engine, tokenizer.encode(prompt), NUM_TOKENS, end_tokens);
    // End tokens have no bytes.
    let bytes: Vec<u8> = found.iter().flat_map(|token| tokenizer.bytes(*token)).copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The programs by task, and what all rounds after the first ran.
#[derive(Default)]
struct Programs {
    texts: Vec<String>,
    tokens: TokenCounts,
}

impl Observer for Programs {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, round: &Round) {
        if round.round > 0 {
            self.tokens.add(&round.tokens);
        }
    }

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        self.texts.resize(self.texts.len().max(task + 1), String::new());
        self.texts[task].clone_from(&result.as_ref().expect("every prompt is sound").program);
    }
}

#[test]
fn smollm2_writes_the_same_line_by_line() {
    let Some(path) = smollm2_path() else { return };
    let Some(problems) = shared_file("data/humaneval/HumanEval.jsonl.gz") else { return };
    let problems = problem::read(&Source::File(problems)).expect("the problems are sound");
    let mut tasks = problem::tasks(&problems[..NUM_PROBLEMS], 1, None);
    for task in &mut tasks {
        task.stop.clear();
    }

    let checkpoint = Checkpoint::open(&path).unwrap_or_else(|error| panic!("{error}"));
    let size = EngineSize { max_rows: 1024, context_len: 1024, num_blocks: 80, max_kv_bytes: None };
    let mut engine = Engine::new(Cpu::new(), &checkpoint, size).expect("it fits");
    let choice = ModelChoice::Path(path);
    let settings = Settings { mode: Mode::Ar, ..Settings::default() };
    let limits = Limits { concurrency: NUM_PROBLEMS, ..Limits::default() };
    let generator = Generator::new(&choice, None, &Device::Cpu, settings, limits);
    let mut programs = Programs::default();
    let tasks = Submission::all(&tasks);
    let mut generator = generator.expect("it fits");
    generator.run(tasks.clone(), &mut programs, &AtomicBool::new(false)).expect("no step fails");

    // Most lines are decoded in the tokenizer's own tokens; only the others are run again.
    let TokenCounts { prefill, decode, .. } = programs.tokens;
    assert!(prefill * 4 < decode, "{prefill} tokens were run again, {decode} decoded");

    let mut num_compared = 0;
    for (Submission { task, .. }, program) in tasks.iter().zip(&programs.texts) {
        let prompt = task.prompt.trim_end();
        let text = decoded(&mut engine, &checkpoint, prompt);
        // Another end of the prompt's last line isn't asked for, and the limit of lines is ours.
        if !text.starts_with('\n') {
            continue;
        }
        let written = program.strip_prefix(prompt).expect("it begins with its prompt");
        let len = text.trim_end().len().min(written.len());
        assert_eq!(written[..len], text[..len], "{}", task.id);
        num_compared += 1;
    }
    assert!(num_compared > NUM_PROBLEMS / 2, "{num_compared} programs begin a line");
}
