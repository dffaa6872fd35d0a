//! The parts of a run, alone: passes of the model beside their roof, the similarity of lines,
//! tokenising. `cargo bench -p jump-benches`.
//!
//! The pass has what decoding and rescoring have: `rows` of at most [`MAX_FORKS`] are forks of one
//! context that each want their next token, more are one chunk that wants the scores of all its
//! rows. Its roof is measured first (see `jump_benches::machine`).

use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use jump_benches::machine::Machine;
use jump_benches::passes::ModelCost;
use jump_engine::{Engine, EngineSize, LanguageModel, NextToken, ScoreTarget, SequenceId, Work};
use jump_kernels::cpu::Cpu;
use jump_kernels::{BLOCK_LEN, ScoreKind, TokenId};
use jump_models::Checkpoint;
use jumpcoder::decision::similarity::similarity;
use jumpcoder::overhead::Spread;

/// As many as `RESULTS.md` says.
const NUM_THREADS: usize = 2;
const NUM_ROWS: [usize; 8] = [1, 2, 4, 8, 16, 24, 48, 96];
const CONTEXT_LENS: [usize; 2] = [160, 1200];
/// Branches of a round, rounded up.
const MAX_FORKS: usize = 8;
/// With 22 benches, some slower than planned, this stays below two minutes.
const MEASUREMENT: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);
const NUM_SAMPLES: usize = 20;
/// Lines of [`PROGRAM`].
const NUM_LINES: usize = 60;

const PROGRAM: &str = include_str!("../languages/program.py");

fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(NUM_THREADS).build();
    pool.expect("threads can be started").install(|| {
        let mut criterion = Criterion::default()
            .measurement_time(MEASUREMENT)
            .warm_up_time(WARM_UP)
            .sample_size(NUM_SAMPLES)
            .configure_from_args();
        passes(&mut criterion);
        texts(&mut criterion);
        criterion.final_summary();
    });
}

fn passes(criterion: &mut Criterion) {
    let checkpoint = Checkpoint::tiny().expect("the embedded model loads");
    let cost = ModelCost::of(&checkpoint.config);
    let machine = Machine::measure(cost.weight_bytes as usize);
    machine.print();
    let mut group = criterion.benchmark_group("pass");
    for num_rows in NUM_ROWS {
        for context_len in CONTEXT_LENS {
            let mut pass = Pass::new(&checkpoint, num_rows, context_len);
            let seconds = RefCell::new(Vec::new());
            let id = BenchmarkId::new(format!("{num_rows} rows"), context_len);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|num_runs| {
                    let taken: Duration = (0..num_runs).map(|_| pass.run()).sum();
                    seconds.borrow_mut().push(taken.as_secs_f64() / num_runs as f64);
                    taken
                });
            });
            let seconds = seconds.into_inner();
            if !seconds.is_empty() {
                print_beside_roof(&cost, &machine, &pass.work, &seconds);
            }
        }
    }
    group.finish();
}

fn print_beside_roof(cost: &ModelCost, machine: &Machine, work: &[Work], seconds: &[f64]) {
    let flops = cost.pass_flops(work);
    let floor = machine.floor_seconds(flops, cost.weight_bytes);
    let Spread { median, min, .. } = Spread::of(seconds.iter().copied());
    println!(
        "    best {:.1} us, median {:.1} us; floor {:.1} us: {:.0} % of the roof; {:.0} GFLOP/s, \
         {:.1} GB/s of weights\n",
        min * 1e6,
        median * 1e6,
        floor * 1e6,
        100.0 * floor / min,
        flops / min / 1e9,
        cost.weight_bytes / min / 1e9,
    );
}

/// A pass that can be run again and again.
struct Pass {
    engine: Engine<Cpu>,
    work: Vec<Work>,
    context_len: usize,
}

impl Pass {
    fn new(checkpoint: &Checkpoint, num_rows: usize, context_len: usize) -> Self {
        let num_sequences = 1 + MAX_FORKS;
        let longest = context_len + num_rows;
        let size = EngineSize {
            max_rows: longest,
            context_len: longest,
            num_blocks: num_sequences * longest.div_ceil(BLOCK_LEN),
            max_kv_bytes: None,
        };
        let mut engine = Engine::new(Cpu::new(), checkpoint, size).expect("a small cache");
        let text = checkpoint.tokenizer.encode(PROGRAM);
        let mut tokens = text.into_iter().cycle();
        let context: Vec<TokenId> = tokens.by_ref().take(context_len).collect();
        let stem = engine.new_sequence();
        engine.step(&[prefill(stem, context)]).expect("it fits");
        let work = if num_rows <= MAX_FORKS {
            let fork = |token| Work {
                next: Some(NextToken::greedy()),
                ..prefill(engine.fork_at(stem, context_len), vec![token])
            };
            tokens.take(num_rows).map(fork).collect()
        } else {
            let tokens: Vec<TokenId> = tokens.take(num_rows).collect();
            let target = |(after, token): (usize, &TokenId)| ScoreTarget { after, token: *token };
            let targets = tokens.iter().enumerate().map(target).collect();
            vec![Work { targets, ..prefill(stem, tokens) }]
        };
        Self { engine, work, context_len }
    }

    /// The time of a pass; the sequences are as before then.
    fn run(&mut self) -> Duration {
        let start = Instant::now();
        black_box(self.engine.step(&self.work).expect("it fits"));
        let taken = start.elapsed();
        for work in &self.work {
            self.engine.truncate(work.sequence, self.context_len);
        }
        taken
    }
}

fn prefill(sequence: SequenceId, tokens: Vec<TokenId>) -> Work {
    let score = ScoreKind::Logit;
    Work { sequence, tokens, targets: Vec::new(), next: None, score, full_head: false }
}

fn texts(criterion: &mut Criterion) {
    let lines: Vec<&str> = PROGRAM.split_inclusive('\n').collect();
    assert_eq!(lines.len(), NUM_LINES, "the benches' names say so");
    let mut group = criterion.benchmark_group("text");
    let (a, b) = (lines[18], lines[39]);
    group.bench_function("similarity of two lines", |bencher| {
        bencher.iter(|| similarity(black_box(a), black_box(b), true));
    });
    let tokenizer = Checkpoint::tiny().expect("the embedded model loads").tokenizer;
    group.bench_function(BenchmarkId::new("tokenising anew", NUM_LINES), |bencher| {
        bencher.iter(|| tokenizer.encode(black_box(PROGRAM)));
    });
    group.bench_function(BenchmarkId::new("tokenising remembered lines", NUM_LINES), |bencher| {
        let preamble = tokenizer.plain_preamble("");
        bencher.iter(|| tokenizer.encode_program(&preamble, black_box(&lines)));
    });
    group.finish();
}
