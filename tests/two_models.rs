//! A generation model and another one that fills in, whose vocabularies have nothing in common.

use std::sync::atomic::AtomicBool;

use jumpcoder::device::Device;
use jumpcoder::event::Round;
use jumpcoder::generator::{Generator, Limits, ModelChoice};
use jumpcoder::problem::{self, Source};
use jumpcoder::scheduler::Submission;
use jumpcoder::settings::Settings;
use jumpcoder::task::{Observer, Solution, TaskError};

use crate::gguf::smollm2_path;
use crate::shared::shared_file;

const NUM_PROBLEMS: usize = 20;

/// By task: the program, or why there is none.
#[derive(Default)]
struct Programs {
    found: Vec<(usize, Result<String, String>)>,
    num_infills: usize,
}

impl Observer for Programs {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, round: &Round) {
        self.num_infills += round.infills.len();
    }

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        let program = result.as_ref().map(|solution| solution.program.clone());
        self.found.push((task, program.map_err(ToString::to_string)));
    }
}

#[test]
fn smollm2_generates_and_the_embedded_model_fills_in() {
    let Some(generation) = smollm2_path() else { return };
    let Some(problems) = shared_file("data/humaneval/HumanEval.jsonl.gz") else { return };
    let problems = problem::read(&Source::File(problems)).expect("the problems are sound");
    let tasks = problem::tasks(&problems[..NUM_PROBLEMS], 1, None);
    let generation = ModelChoice::Path(generation);
    let run = |concurrency: usize| {
        let limits = Limits { concurrency, max_context: Some(512), ..Limits::default() };
        // Two or three lines more than most of these prompts have.
        let settings = Settings { max_lines: 24, max_line_tokens: 32, ..Settings::default() };
        let infilling = Some(&ModelChoice::Tiny);
        let generator = Generator::new(&generation, infilling, &Device::Cpu, settings, limits);
        let mut programs = Programs::default();
        let stop = AtomicBool::new(false);
        let mut generator = generator.expect("both fit");
        generator.run(Submission::all(&tasks), &mut programs, &stop).expect("no step fails");
        assert_eq!(generator.num_live_blocks(), 0);
        programs.found.sort();
        programs
    };
    let alone = run(1);
    let num_written = alone.found.iter().filter(|(_, program)| program.is_ok()).count();
    assert!(num_written > NUM_PROBLEMS / 2 && alone.num_infills > 100, "{num_written} programs");
    assert_eq!(run(8).found, alone.found);
}
