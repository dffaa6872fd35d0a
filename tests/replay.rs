//! A replay does the work of the run that it repeats, token for token, whatever the weights.

use std::sync::atomic::AtomicBool;

use jump_models::Checkpoint;
use jumpcoder::device::Device;
use jumpcoder::event::{Change, Decoded, Round, TokenCounts};
use jumpcoder::generator::{Generator, Limits};
use jumpcoder::listener::trace::Trace;
use jumpcoder::mechanism::Mechanisms;
use jumpcoder::output::Existing;
use jumpcoder::problem::{self, Source};
use jumpcoder::program::line_writer::LineEnd;
use jumpcoder::prompt_format::PromptFormat;
use jumpcoder::replay::Replay;
use jumpcoder::scheduler::{RunStats, Submission};
use jumpcoder::settings::{Mode, Settings};
use jumpcoder::task::{Observer, Solution, Task, TaskError};

fn limits() -> Limits {
    Limits { concurrency: 1, ..Limits::default() }
}

/// The work of each task's rounds, and its program.
#[derive(Debug, Default, PartialEq)]
struct Work {
    rounds: Vec<(usize, usize, TokenCounts)>,
    programs: Vec<String>,
}

/// Hears a run, and lets a trace hear it too.
#[derive(Default)]
struct Listener {
    work: Work,
    trace: Option<Trace>,
}

impl Observer for Listener {
    fn started(&mut self, task: usize, lines: &[String]) {
        self.trace.iter_mut().for_each(|trace| trace.started(task, lines));
    }

    fn round(&mut self, task: usize, round: &Round) {
        self.work.rounds.push((task, round.round, round.tokens));
        self.trace.iter_mut().for_each(|trace| trace.round(task, round));
    }

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        let program = result.as_ref().map(|solution| solution.program.clone());
        self.work.programs.push(program.unwrap_or_else(ToString::to_string));
        self.trace.iter_mut().for_each(|trace| trace.finished(task, result));
    }
}

fn examples() -> Vec<Task> {
    let problems = problem::read(&Source::Examples).expect("the examples are embedded");
    problem::tasks(&problems, 1, None)
}

fn generator(checkpoint: Checkpoint, settings: &Settings) -> Generator {
    Generator::from_checkpoints(checkpoint, None, &Device::Cpu, settings.clone(), limits())
        .expect("it loads")
}

fn tiny() -> Checkpoint {
    Checkpoint::tiny().expect("the embedded model is whole")
}

fn run(generator: &mut Generator, tasks: Vec<Submission>, listener: &mut Listener) -> RunStats {
    generator.run(tasks, listener, &AtomicBool::new(false)).expect("no step fails")
}

/// Runs the examples and reads the trace back.
fn record(settings: &Settings, name: &str) -> (Work, RunStats, Replay) {
    let path = std::env::temp_dir().join(format!("jump-replay-{name}-{}", std::process::id()));
    let mut trace = Trace::open(&path, Existing::Replace).expect("the folder is writable");
    trace.begin("tiny", settings, &examples());
    let mut listener = Listener { trace: Some(trace), ..Listener::default() };
    let stats = run(&mut generator(tiny(), settings), Submission::all(&examples()), &mut listener);
    listener.trace.take().expect("it was set").end().expect("the disk isn't full");
    let replay = Replay::read(&path).expect("it was just written");
    std::fs::remove_file(&path).expect("it is there");
    (listener.work, stats, replay)
}

#[test]
fn a_replay_costs_what_the_run_did() {
    for (mode, name) in [(Mode::Jump, "jump"), (Mode::Ar, "ar")] {
        let settings = Settings { mode, ..Settings::default() };
        let (recorded, stats, replay) = record(&settings, name);
        assert_eq!((&replay.settings, replay.num_left_out), (&settings, 0));
        let shape = "tiny".parse().expect("it is known");
        let other = tiny().with_random_weights(shape, 1);
        for checkpoint in [tiny(), other] {
            let name = checkpoint.name.clone();
            let mut listener = Listener::default();
            let found =
                run(&mut generator(checkpoint, &settings), replay.tasks.clone(), &mut listener);
            assert_eq!(listener.work, recorded, "{mode:?} on {name}");
            assert_eq!(found, stats, "{mode:?} on {name}");
        }
    }
}

#[test]
fn a_replay_without_sharing_writes_the_same() {
    let settings = Settings::default();
    let (recorded, _, replay) = record(&settings, "unshared");
    let alone = Settings { mechanisms: Mechanisms::none(), ..settings.clone() };
    let mut listener = Listener::default();
    run(&mut generator(tiny(), &alone), replay.tasks.clone(), &mut listener);
    assert_eq!(listener.work.programs, recorded.programs);
    let plain = Settings { mode: Mode::Ar, ..settings };
    let mut listener = Listener::default();
    run(&mut generator(tiny(), &plain), replay.plain(), &mut listener);
    assert_eq!(listener.work.programs.len(), recorded.programs.len());
    let failed = |program: &&String| program.contains("didn't go as recorded");
    assert_eq!(listener.work.programs.iter().find(failed), None);
}

/// A closing fence ends a program that was asked for in words, and is no part of it.
#[test]
fn a_program_ends_where_its_fence_closes() {
    let fence = tiny().tokenizer.encode("```\n").iter().map(|id| id.0).collect();
    let fence = Decoded { tokens: fence, end: Some(LineEnd::Complete), ..Decoded::default() };
    let end = Decoded { end: Some(LineEnd::EndOfText), ..Decoded::default() };
    let appended = Change::Append { line: "```\n".to_owned() };
    let table = [
        (PromptFormat::Plain, vec![(fence.clone(), appended), (end, Change::None)], "\n```\n"),
        (PromptFormat::WizardCoder, vec![(fence, Change::None)], "\n"),
    ];
    for (prompt_format, lines, after_prompt) in table {
        let settings = Settings { mode: Mode::Ar, prompt_format, ..Settings::default() };
        let (_, _, mut replay) = record(&settings, "fence");
        let Submission { task, recorded, .. } = &mut replay.tasks[0];
        let first = recorded.as_deref().expect("it was recorded")[0].clone();
        let rounds = lines.into_iter().enumerate();
        let rounds = rounds.map(|(round, (decoded, change))| Round {
            round,
            decoded,
            change,
            ..first.clone()
        });
        *recorded = Some(rounds.collect());
        let expected = format!("{}{after_prompt}", task.prompt.trim_end());
        let mut listener = Listener::default();
        run(&mut generator(tiny(), &settings), replay.tasks, &mut listener);
        assert_eq!(listener.work.programs[0], expected, "{prompt_format:?}");
    }
}

#[test]
fn a_replay_that_leads_elsewhere_fails() {
    let settings = Settings::default();
    let (_, _, mut replay) = record(&settings, "elsewhere");
    let rounds = replay.tasks[0].recorded.as_deref().expect("it was recorded");
    let mut rounds = rounds.to_vec();
    rounds[0].positions[0].position += 1000;
    replay.tasks[0].recorded = Some(rounds.into());
    let rounds = replay.tasks[1].recorded.as_deref().expect("it was recorded");
    replay.tasks[1].recorded = Some(rounds[..1].into());
    let mut listener = Listener::default();
    run(&mut generator(tiny(), &settings), replay.tasks.clone(), &mut listener);
    assert!(listener.work.programs[0].contains("round 0 didn't go as recorded"));
    assert!(listener.work.programs[1].contains("round 1 didn't go as recorded"));
    assert!(listener.work.programs[2..].iter().all(|text| !text.contains("as recorded")));
    assert!(replay.check(&tiny().tokenizer).is_ok());
}

#[test]
fn a_trace_of_another_tokenizer_is_refused() {
    let (_, _, mut replay) = record(&Settings::default(), "tokenizer");
    for wrong in [u32::MAX, 17] {
        let rounds = replay.tasks[0].recorded.as_deref().expect("it was recorded");
        let mut rounds = rounds.to_vec();
        rounds[0].decoded.tokens[0] = wrong;
        replay.tasks[0].recorded = Some(rounds.into());
        let error = replay.check(&tiny().tokenizer).expect_err("the token is wrong").to_string();
        assert!(error.contains("another tokenizer"), "{error}");
    }
}
