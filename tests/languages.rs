//! What the language of a program asks of the models.

use std::sync::atomic::AtomicBool;

use jumpcoder::device::Device;
use jumpcoder::event::Round;
use jumpcoder::generator::{Generator, Limits, ModelChoice};
use jumpcoder::scheduler::Submission;
use jumpcoder::settings::Settings;
use jumpcoder::task::{Observer, Solution, Task, TaskError};

/// All that was infilled.
#[derive(Default)]
struct Infills(Vec<String>);

impl Observer for Infills {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, round: &Round) {
        self.0.extend(round.infills.iter().map(|infill| infill.text.clone()));
    }

    fn finished(&mut self, _task: usize, result: &Result<Solution, TaskError>) {
        assert!(result.is_ok(), "{result:?}");
    }
}

/// What the embedded model fills into a program that it takes for Python, whatever its language is
/// said to be.
fn infills(language: &str) -> Vec<String> {
    let task = Task {
        id: "digits".to_owned(),
        sample: 0,
        prompt: "def sum_digits(number):\n    \"\"\"Sum the digits of number.\"\"\"\n    \
                 total = 0\n    while number > 0:\n        total += number % 10\n"
            .to_owned(),
        language: language.to_owned(),
        stop: vec!["\ndef".to_owned()],
    };
    let settings = Settings { max_lines: 16, ..Settings::default() };
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let generator = Generator::new(&ModelChoice::Tiny, None, &Device::Cpu, settings, limits);
    let mut infills = Infills::default();
    let run = generator.expect("the model loads").run(
        Submission::all(&[task]),
        &mut infills,
        &AtomicBool::new(false),
    );
    run.expect("no step fails");
    infills.0
}

#[test]
fn infills_open_no_comments() {
    let is_opener = |infill: &String| infill.contains("//");
    println!("{:?}", infills("python"));
    assert!(infills("python").iter().any(is_opener), "in Python it is a division");
    let java = infills("java");
    println!("{java:?}");
    assert!(!java.is_empty() && !java.iter().any(is_opener));
}
