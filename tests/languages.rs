//! What the language of a program asks of the models.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use jump_engine::{Engine, EngineError, EngineSize, LanguageModel, Outcome, SequenceId, Work};
use jump_kernels::TokenId;
use jump_kernels::cpu::Cpu;
use jump_models::{Checkpoint, Tokenizer};
use jumpcoder::event::Round;
use jumpcoder::models::{Models, ReadyModel};
use jumpcoder::scheduler::{Scheduler, Submission, Width};
use jumpcoder::settings::Settings;
use jumpcoder::task::{Observer, Solution, Task, TaskError};

/// The tokens that may not follow, as often as a token is asked for.
type Bans = Arc<Mutex<Vec<Arc<[TokenId]>>>>;

/// An engine that remembers what is banned.
struct Overheard {
    engine: Engine<Cpu>,
    bans: Bans,
}

impl LanguageModel for Overheard {
    fn size(&self) -> EngineSize {
        self.engine.size()
    }

    fn num_free_blocks(&self) -> usize {
        self.engine.num_free_blocks()
    }

    fn num_held_blocks(&self) -> usize {
        self.engine.num_held_blocks()
    }

    fn num_blocks_to_append(&self, id: SequenceId, num_tokens: usize) -> usize {
        self.engine.num_blocks_to_append(id, num_tokens)
    }

    fn new_sequence(&mut self) -> SequenceId {
        self.engine.new_sequence()
    }

    fn tokens(&self, id: SequenceId) -> &[TokenId] {
        self.engine.tokens(id)
    }

    fn fork_at(&mut self, id: SequenceId, len: usize) -> SequenceId {
        self.engine.fork_at(id, len)
    }

    fn truncate(&mut self, id: SequenceId, len: usize) {
        self.engine.truncate(id, len);
    }

    fn release(&mut self, id: SequenceId) {
        self.engine.release(id);
    }

    fn step(&mut self, work: &[Work]) -> Result<Vec<Outcome>, EngineError> {
        let asked = work.iter().filter_map(|work| work.next.as_ref());
        let mut bans = self.bans.lock().expect("nobody panicked with it");
        bans.extend(asked.map(|next| next.banned.clone()));
        self.engine.step(work)
    }
}

/// Nothing may fail.
struct Strict;

impl Observer for Strict {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, _round: &Round) {}

    fn finished(&mut self, _task: usize, result: &Result<Solution, TaskError>) {
        assert!(result.is_ok(), "{result:?}");
    }
}

fn model() -> (ReadyModel, Bans) {
    let checkpoint = Checkpoint::tiny().expect("it is embedded");
    let context_len = checkpoint.config.context_len;
    let size = EngineSize { max_rows: 256, context_len, num_blocks: 1024, max_kv_bytes: None };
    let engine = Engine::new(Cpu::new(), &checkpoint, size).expect("there is memory");
    let bans = Bans::default();
    let engine = Overheard { engine, bans: Arc::clone(&bans) };
    (ReadyModel::new(Box::new(engine), checkpoint), bans)
}

/// What is banned for G and for I while a program of `language` is written, whatever its text is.
fn bans(language: &str) -> [Vec<Arc<[TokenId]>>; 2] {
    let task = Task {
        id: "digits".to_owned(),
        sample: 0,
        prompt: "def sum_digits(number):\n    total = 0\n    while number > 0:\n".to_owned(),
        language: language.to_owned(),
        stop: Vec::new(),
    };
    let ((generation, of_generation), (infilling, of_infilling)) = (model(), model());
    let mut models = Models { generation, infilling: Some(infilling) };
    let settings = Settings { max_lines: 8, ..Settings::default() };
    let width = Width { concurrency: 1, chunk_len: 64 };
    let run = Scheduler::new(&mut models, &settings, width).run(
        Submission::all(&[task]),
        &mut Strict,
        &AtomicBool::new(false),
    );
    run.expect("no step fails");
    [of_generation, of_infilling].map(|bans| std::mem::take(&mut *bans.lock().expect("its last")))
}

#[test]
fn infills_open_no_comments() {
    let [generated, infilled] = bans("java");
    assert!(!generated.is_empty() && generated.iter().all(|banned| banned.is_empty()));
    let tokenizer: Tokenizer = Checkpoint::tiny().expect("it is embedded").tokenizer;
    let token = |text: &str| tokenizer.encode(text)[0];
    // Where an opener is several tokens, none of them opens a comment.
    let opener = token("//");
    assert_eq!(tokenizer.bytes(opener), b"//");
    let others = ["/ 2", "x // y", "int"];
    assert!(!infilled.is_empty());
    for banned in infilled {
        let banned: BTreeSet<TokenId> = banned.iter().copied().collect();
        assert!(banned.contains(&opener));
        assert!(others.iter().all(|text| !banned.contains(&token(text))));
    }
    let [_, infilled] = bans("python");
    assert!(!infilled.is_empty() && infilled.iter().all(|banned| banned.is_empty()));
}
