//! A run from the first task to the exit code: decides what is still to be done, lets the
//! generator do it, and passes what it tells to all who want to hear it.

use std::io::{self, Stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jumpcoder::event::Round;
use jumpcoder::generator::GeneratorError;
use jumpcoder::listener::progress::{self, Progress};
use jumpcoder::listener::trace::Trace;
use jumpcoder::listener::watch::Watch;
use jumpcoder::output::{self, Output, OutputError, Slot};
use jumpcoder::problem::{self, Problem};
use jumpcoder::task::{Observer, Solution, Task, TaskError};

use super::ending::{Ending, Failure};
use super::plan::{HiArgs, Target, View};
use super::summary::Summary;

#[cfg(test)]
mod tests;

/// What the generator says in the end.
type Outcome = Result<(), GeneratorError>;

/// Everything is open and loaded.
pub struct Session<'a> {
    pub args: &'a HiArgs,
    pub problems: &'a [Problem],
    pub output: Option<Output>,
    pub trace: Option<Trace>,
    pub stop: &'a AtomicBool,
}

/// How a run ended, and what the user should hear of it.
#[derive(Debug)]
pub struct Report {
    pub ending: Ending,
    pub messages: Vec<String>,
}

/// What is to be done, by slot: a task, or a problem that can't be read.
struct Agenda {
    slots: Vec<Slot>,
    work: Vec<Result<Task, TaskError>>,
}

enum Screen {
    Watch(Watch<Stdout>),
    Progress(Progress),
    Nothing,
}

/// All who hear of the run. It stops once nobody can keep what it writes.
struct Listeners<'a> {
    output: Option<Output>,
    failure: Option<Failure>,
    trace: Option<Trace>,
    screen: Screen,
    summary: Summary,
    /// The slot of every task.
    slot_of: Vec<usize>,
    stop: &'a AtomicBool,
}

impl<'a> Session<'a> {
    /// `generate` is [`Generator::run`](jumpcoder::generator::Generator::run).
    pub fn run(
        mut self,
        model_identity: &str,
        generate: impl FnOnce(&[Task], &mut dyn Observer, &AtomicBool) -> Outcome,
    ) -> Result<Report, Failure> {
        let begin = Instant::now();
        let agenda = self.agenda();
        let is_finished = self.begin_output(&agenda, model_identity)?;
        let num_total = is_finished.len();
        let num_before = is_finished.iter().filter(|is_finished| **is_finished).count();
        let (args, stop) = (self.args, self.stop);
        let (tasks, mut listeners) = self.listeners(agenda, &is_finished, model_identity);
        let outcome = if tasks.is_empty() || listeners.failure.is_some() {
            Ok(())
        } else {
            generate(&tasks, &mut listeners, stop)
        };
        let summary = listeners.end(outcome)?;
        let num_done = num_before + summary.num_rows();
        let mut messages = summary.failures();
        if args.has_summary {
            messages.push(summary.table(num_before, begin.elapsed()));
        }
        let ending = if num_done < num_total {
            assert!(stop.load(Ordering::SeqCst), "only a stopped run leaves tasks undone");
            messages.push(interrupted(args, num_done, num_total));
            Ending::Interrupted
        } else if summary.num_failed() > 0 {
            Ending::SomeFailed
        } else {
            Ending::Success
        };
        Ok(Report { ending, messages })
    }

    /// Which slots are finished already.
    fn begin_output(&mut self, agenda: &Agenda, identity: &str) -> Result<Vec<bool>, Failure> {
        let Some(output) = &mut self.output else { return Ok(vec![false; agenda.slots.len()]) };
        let settings = self.args.settings_digest(identity);
        let has_samples = self.args.num_samples > 1;
        output.begin(agenda.slots.clone(), settings, has_samples).map_err(Failure::Output)
    }

    fn agenda(&self) -> Agenda {
        let mut agenda = Agenda { slots: Vec::new(), work: Vec::new() };
        for problem in self.problems.iter().take(self.args.limit.unwrap_or(usize::MAX)) {
            if let Err(error) = &problem.content {
                agenda.push(slot(&problem.id, 0, "", &[]), Err(error.clone()));
            }
            let tasks = problem::tasks(std::slice::from_ref(problem), self.args.num_samples, None);
            for mut task in tasks {
                task.stop.extend_from_slice(&self.args.stop);
                let mut parts = vec![task.prompt.as_str(), &task.language];
                parts.extend(task.stop.iter().map(String::as_str));
                agenda.push(slot(&task.id, task.sample, &task.prompt, &parts), Ok(task));
            }
        }
        agenda
    }

    /// The tasks that are missing, and who hears of them. Problems that can't be read are dealt
    /// with at once.
    fn listeners(
        self,
        agenda: Agenda,
        is_finished: &[bool],
        model_identity: &str,
    ) -> (Vec<Task>, Listeners<'a>) {
        let num_total = agenda.slots.len();
        let (mut tasks, mut slot_of, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for (slot, work) in agenda.work.into_iter().enumerate() {
            match work {
                _ if is_finished[slot] => {}
                Ok(task) => {
                    tasks.push(task);
                    slot_of.push(slot);
                }
                Err(error) => unreadable.push((slot, error)),
            }
        }
        let mut trace = self.trace;
        if let Some(trace) = &mut trace {
            trace.begin(model_identity, &self.args.settings, &tasks);
        }
        let mut listeners = Listeners {
            output: self.output,
            failure: None,
            trace,
            screen: screen(self.args.view, &tasks, num_total),
            summary: Summary::new(agenda.slots),
            slot_of,
            stop: self.stop,
        };
        for (slot, error) in unreadable {
            listeners.keep(slot, &Err(error));
        }
        (tasks, listeners)
    }
}

impl Agenda {
    fn push(&mut self, slot: Slot, work: Result<Task, TaskError>) {
        self.slots.push(slot);
        self.work.push(work);
    }
}

fn slot(id: &str, sample: usize, prompt: &str, parts: &[&str]) -> Slot {
    let problem = output::digest(parts.iter().copied());
    Slot { id: id.to_owned(), sample, prompt: prompt.to_owned(), problem }
}

fn screen(view: View, tasks: &[Task], num_total: usize) -> Screen {
    let num_done = num_total - tasks.len();
    match view {
        View::Watch { has_color } => {
            let mut watch = Watch::new(io::stdout(), has_color);
            watch.begin(tasks);
            Screen::Watch(watch)
        }
        View::Bar => Screen::Progress(Progress::bar(num_total, num_done)),
        View::Lines => Screen::Progress(Progress::lines(progress::stderr(), num_total, num_done)),
        View::Nothing => Screen::Nothing,
    }
}

fn interrupted(args: &HiArgs, num_done: usize, num_total: usize) -> String {
    let advice = match &args.target {
        Some(Target::File(path)) => {
            format!("they are in {}: go on with --resume", path.display())
        }
        _ => "with --output FILE a run can be resumed".to_owned(),
    };
    format!("jumpcoder: interrupted after {num_done} of {num_total} programs; {advice}")
}

impl Listeners<'_> {
    /// After a failure nothing more is written: it would follow half a line.
    fn keep(&mut self, slot: usize, result: &Result<Solution, TaskError>) {
        if self.failure.is_some() {
            return;
        }
        let written = self.output.as_mut().map_or(Ok(()), |output| output.write(slot, result));
        match written {
            Ok(()) => self.summary.add(slot, result),
            Err(error) => self.fail(Failure::output(error)),
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Those who only look may go, as long as the programs are kept.
    fn check_screen(&mut self) {
        let Screen::Watch(watch) = &mut self.screen else { return };
        if let (Some(error), None) = (watch.failure(), &self.output) {
            self.fail(Failure::stdout(error));
        }
    }

    fn on_screen(&mut self, tell: impl FnOnce(&mut dyn Observer)) {
        match &mut self.screen {
            Screen::Watch(watch) => tell(watch),
            Screen::Progress(progress) => tell(progress),
            Screen::Nothing => {}
        }
        self.check_screen();
    }

    /// Whatever went wrong, what was finished is safe when this returns.
    fn end(self, outcome: Outcome) -> Result<Summary, Failure> {
        if let Screen::Progress(progress) = self.screen {
            progress.end();
        }
        let output: Result<(), OutputError> = self.output.map_or(Ok(()), Output::end);
        let trace = self.trace.map_or(Ok(()), Trace::end);
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        outcome.map_err(|error| Failure::Broken(error.into()))?;
        output.map_err(Failure::output)?;
        trace.map_err(|error| Failure::Broken(error.into()))?;
        Ok(self.summary)
    }
}

impl Observer for Listeners<'_> {
    fn started(&mut self, task: usize, lines: &[String]) {
        if let Some(trace) = &mut self.trace {
            trace.started(task, lines);
        }
        self.on_screen(|screen| screen.started(task, lines));
    }

    fn round(&mut self, task: usize, round: &Round) {
        if let Some(trace) = &mut self.trace {
            trace.round(task, round);
        }
        self.on_screen(|screen| screen.round(task, round));
    }

    fn finished(&mut self, task: usize, result: &Result<Solution, TaskError>) {
        self.keep(self.slot_of[task], result);
        if let Some(trace) = &mut self.trace {
            trace.finished(task, result);
        }
        self.on_screen(|screen| screen.finished(task, result));
    }
}
