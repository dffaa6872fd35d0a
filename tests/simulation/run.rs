//! Runs a schedule, and each of its tasks alone, and compares.

use std::rc::Rc;
use std::sync::Arc;

use jump_engine::EngineSize;
use jump_models::Tokenizer;
use jumpcoder::event::Round;
use jumpcoder::mechanism::Mechanisms;
use jumpcoder::models::{Models, ReadyModel};
use jumpcoder::scheduler::{Scheduler, Submission, Width};
use jumpcoder::settings::Settings;
use jumpcoder::task::{Observer, Solution, Task, TaskError};

use super::coverage::Coverage;
use super::heard::{Alone, Heard};
use super::schedule::{Draw, ModelPlan, Schedule};
use super::script::Script;
use super::scripted::{Probe, Scripted};
use super::vocabulary::Vocabulary;

/// What is made once and serves many schedules: reading a tokenizer takes longer than running one.
pub struct Workshop {
    scripts: Vec<Rc<Script>>,
    tokenizers: Vec<Vec<Tokenizer>>,
}

impl Workshop {
    /// All kinds of scripts.
    pub fn new() -> Self {
        let variants = 0..Vocabulary::NUM_VARIANTS;
        Self {
            scripts: variants.clone().map(|variant| Rc::new(Script::new(variant))).collect(),
            tokenizers: variants.map(|_| Vec::new()).collect(),
        }
    }

    fn model(&mut self, plan: ModelPlan, is_strict: bool) -> (ReadyModel, Rc<Probe>) {
        let script = &self.scripts[plan.variant];
        let engine = Scripted::new(Rc::clone(script), plan.salt, plan.size, is_strict);
        let probe = engine.probe();
        let stored = self.tokenizers[plan.variant].pop();
        let ready = ReadyModel::of_parts(
            Box::new(engine),
            stored.unwrap_or_else(|| Vocabulary::new(plan.variant).tokenizer),
            Some(script.vocabulary.fim.clone()),
            vec![script.vocabulary.end],
        );
        (ready, probe)
    }
}

/// Models on loan from the workshop.
struct Loan {
    models: Models,
    plans: Vec<ModelPlan>,
    probes: Vec<Rc<Probe>>,
}

impl Loan {
    fn new(workshop: &mut Workshop, plans: Vec<ModelPlan>, is_strict: bool) -> Self {
        let models = plans.iter().map(|plan| workshop.model(*plan, is_strict));
        let (models, probes): (Vec<_>, Vec<_>) = models.unzip();
        let mut models = models.into_iter();
        let generation = models.next().expect("there is G's plan");
        Self { models: Models { generation, infilling: models.next() }, plans, probes }
    }

    fn give_back(self, workshop: &mut Workshop) {
        let Models { generation, infilling } = self.models;
        let models = [Some(generation), infilling].into_iter().flatten();
        for (model, plan) in models.zip(self.plans) {
            workshop.tokenizers[plan.variant].push(model.tokenizer);
        }
    }
}

/// Have all sequences and blocks been given back?
fn is_at_rest(probes: &[Rc<Probe>], plans: &[ModelPlan]) -> bool {
    probes.iter().zip(plans).all(|(probe, plan)| probe.is_at_rest(plan.size.num_blocks))
}

/// Says what is needed to replay a schedule that fails. It is dropped before the schedule's models,
/// in which another panic might end the process.
struct Witness(u64);

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // In one piece: threads write at the same time.
            let seed = self.0;
            let line =
                format!("to replay it: JUMP_SEED={seed} cargo test -p jump-tests simulation\n");
            eprint!("{line}");
        }
    }
}

/// The schedule of a seed.
pub fn schedule(seed: u64, workshop: &Workshop) -> Schedule {
    Schedule::draw(&mut Draw::new(seed), &workshop.scripts)
}

/// Runs the schedule of a seed; gives the number of steps that were tried.
pub fn run(seed: u64, workshop: &mut Workshop, coverage: &mut Coverage) -> usize {
    let schedule = schedule(seed, workshop);
    let (alone, peaks) = alone(seed, &schedule, workshop);
    let mut plans: Vec<ModelPlan> = schedule.plans().collect();
    if let Some(percent) = schedule.starvation {
        for (plan, peak) in plans.iter_mut().zip(peaks) {
            plan.size.num_blocks = (peak * percent).div_ceil(100);
        }
    }
    let mut loan = Loan::new(workshop, plans, schedule.is_strict);
    let script = &workshop.scripts[schedule.generation.variant];
    let mut heard = Heard::new(&alone, script, coverage);
    let num_tries = run_together(seed, &schedule, &mut loan, &mut heard);
    assert!(is_at_rest(&loan.probes, &loan.plans), "all came back, seed {seed}");
    for probe in &loan.probes {
        coverage.add("draft accepted", probe.num_accepted.get());
        coverage.add("draft rejected", probe.num_rejected.get());
        coverage.add("failed step", probe.num_failures.get());
    }
    loan.give_back(workshop);
    num_tries
}

fn run_together(seed: u64, schedule: &Schedule, loan: &mut Loan, heard: &mut Heard<'_>) -> usize {
    let mut run = Run {
        scheduler: Scheduler::new(&mut loan.models, &schedule.settings, schedule.width),
        schedule,
        probes: &loan.probes,
        // Other draws than the schedule's.
        draw: Draw::new(!seed),
        num_submitted: 0,
        num_tries: 0,
    };
    let _witness = Witness(seed);
    run.go(heard);
    if run.is_finished() {
        assert!(is_at_rest(&loan.probes, &loan.plans), "with the last task all went");
        assert!(heard.tasks.iter().all(|told| told.result.is_some()), "every task was heard of");
    }
    heard.check_ends(run.num_submitted, schedule.starvation.is_some());
    run.count(heard.coverage);
    run.num_tries
}

/// A schedule in progress.
struct Run<'a> {
    scheduler: Scheduler<'a>,
    schedule: &'a Schedule,
    probes: &'a [Rc<Probe>],
    draw: Draw,
    num_submitted: usize,
    num_tries: usize,
}

/// Far more than any schedule needs.
const MAX_TRIES: usize = 200_000;

impl Run<'_> {
    /// Runs until all tasks have ended, or the run is to be dropped.
    fn go(&mut self, heard: &mut Heard<'_>) {
        while !self.is_finished() {
            if self.schedule.stops_after == Some(self.num_tries) {
                return;
            }
            assert!(self.num_tries < MAX_TRIES, "no end after {MAX_TRIES} steps");
            self.submit(heard);
            self.cancel(heard);
            self.step(heard);
            self.num_tries += 1;
        }
    }

    fn is_finished(&self) -> bool {
        self.num_submitted == self.schedule.tasks.len() && self.scheduler.is_finished()
    }

    fn submit(&mut self, heard: &Heard<'_>) {
        let rest = self.schedule.tasks.iter().enumerate().skip(self.num_submitted);
        for (task_idx, planned) in rest.take_while(|(_, task)| task.arrival <= self.num_tries) {
            let rounds: &Arc<[Round]> = &heard.alone[task_idx].rounds;
            let recorded = planned.is_recorded.then(|| Arc::clone(rounds));
            let task = planned.task.clone();
            self.scheduler.submit(Submission { task_idx, task, recorded });
            self.num_submitted += 1;
        }
    }

    fn cancel(&mut self, heard: &mut Heard<'_>) {
        let every = self.schedule.cancels_every;
        if every > 0 && self.draw.one_in(every) {
            let task_idx = self.draw.below(self.schedule.tasks.len());
            self.cancel_task(task_idx, heard);
        }
    }

    fn cancel_task(&mut self, task_idx: usize, heard: &mut Heard<'_>) {
        let can_end = task_idx < self.num_submitted && heard.tasks[task_idx].result.is_none();
        let has_started = heard.tasks[task_idx].has_started;
        heard.tasks[task_idx].is_cancelled |= can_end;
        assert_eq!(self.scheduler.cancel(task_idx, heard), can_end, "cancel task {task_idx}");
        heard.coverage.add_if(can_end && has_started, "cancelled in flight");
        heard.coverage.add_if(can_end && !has_started, "cancelled before it began");
    }

    fn step(&mut self, heard: &mut Heard<'_>) {
        let every = self.schedule.fails_every;
        let fails = every > 0 && self.draw.one_in(every);
        let which = self.draw.below(self.probes.len());
        for (idx, probe) in self.probes.iter().enumerate() {
            probe.fails_next.set(fails && idx == which);
        }
        let num_preemptions = self.scheduler.stats().num_preemptions;
        if let Err(error) = self.scheduler.step(heard) {
            assert!(
                fails && !self.probes[which].fails_next.get(),
                "step {} failed: {error}",
                self.num_tries
            );
        }
        let is_first = num_preemptions == 0 && self.scheduler.stats().num_preemptions == 1;
        if is_first && self.schedule.cancels_suspended {
            // The first task that is put off is the youngest one in flight.
            let youngest = heard.youngest().expect("it has begun");
            self.cancel_task(youngest, heard);
            heard.coverage.add("cancelled while put off", 1);
        }
    }

    fn count(&self, coverage: &mut Coverage) {
        let stats = self.scheduler.stats();
        coverage.add("preemption", stats.num_preemptions);
        coverage.add("evicted sequence", stats.num_evictions);
        coverage.add_if(!self.is_finished(), "run that was dropped");
        let recorded = self.schedule.tasks.iter().filter(|planned| planned.is_recorded);
        coverage.add("recorded run", recorded.count());
    }
}

/// What each task gives alone, with everything switched off, and how many blocks of each model that
/// takes at most.
fn alone(seed: u64, schedule: &Schedule, workshop: &mut Workshop) -> (Vec<Rc<Alone>>, Vec<usize>) {
    let with_room = |plan: ModelPlan| {
        let num_blocks = 2 * plan.size.num_blocks;
        ModelPlan { size: EngineSize { max_rows: 1024, num_blocks, ..plan.size }, ..plan }
    };
    let mut loan = Loan::new(workshop, schedule.plans().map(with_room).collect(), false);
    let settings = Settings { mechanisms: Mechanisms::none(), ..schedule.settings.clone() };
    let mut found: Vec<Rc<Alone>> = Vec::new();
    for (task_idx, planned) in schedule.tasks.iter().enumerate() {
        // Samples differ only if they are drawn.
        let sample = if settings.sampling.is_some() { planned.task.sample } else { 0 };
        let task = Task { sample, ..planned.task.clone() };
        let is_same = |other: &usize| {
            let other = &schedule.tasks[*other].task;
            settings.sampling.is_none() && Task { sample, ..other.clone() } == task
        };
        let same = (0..task_idx).find(is_same).map(|other| Rc::clone(&found[other]));
        found.push(same.unwrap_or_else(|| Rc::new(run_alone(seed, task, &settings, &mut loan))));
    }
    let peaks = loan.probes.iter().map(|probe| probe.peak_blocks.get()).collect();
    loan.give_back(workshop);
    (found, peaks)
}

fn run_alone(seed: u64, task: Task, settings: &Settings, loan: &mut Loan) -> Alone {
    let width = Width { concurrency: 1, chunk_len: usize::MAX };
    let mut listener = Listener::default();
    {
        let mut scheduler = Scheduler::new(&mut loan.models, settings, width);
        let _witness = Witness(seed);
        scheduler.submit(Submission { task_idx: 0, task, recorded: None });
        let mut num_steps = 0;
        while !scheduler.is_finished() {
            assert!(num_steps < MAX_TRIES, "no end of a task that is alone");
            scheduler.step(&mut listener).expect("no step of a task that is alone fails");
            num_steps += 1;
        }
        assert!(is_at_rest(&loan.probes, &loan.plans), "all came back of a task that is alone");
    }
    Alone { rounds: listener.rounds.into(), result: listener.result.expect("it has ended") }
}

/// Remembers what is heard of one task.
#[derive(Default)]
struct Listener {
    rounds: Vec<Round>,
    result: Option<Result<Solution, TaskError>>,
}

impl Observer for Listener {
    fn started(&mut self, _task: usize, _lines: &[String]) {}

    fn round(&mut self, _task: usize, round: &Round) {
        self.rounds.push(round.clone());
    }

    fn finished(&mut self, _task: usize, result: &Result<Solution, TaskError>) {
        self.result = Some(result.clone());
    }
}
