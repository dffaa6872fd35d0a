//! What the arguments mean together: everything a run needs, checked and decided, before any file
//! is touched.

use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use jumpcoder::generator::{Limits, ModelChoice};
use jumpcoder::mechanism::{Mechanism, Mechanisms};
use jumpcoder::output::{self, Existing};
use jumpcoder::problem::Source;
use jumpcoder::settings::{Mode, SamplingSettings, Settings};
use thiserror::Error;

use super::args::{
    AlgorithmArgs, DeviceArgs, FileArgs, GenerateArgs, MachineArgs, SamplingArgs, WayArgs,
};
use super::threads::default_num_threads;

/// Enough rows to make a step's arithmetic worth its weights, and few enough to keep their blocks.
const DEFAULT_CONCURRENCY: usize = 8;

/// Arguments that don't go together.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UsageError {
    #[error("--resume needs a file to go on with: name it with --output")]
    ResumeWithoutFile,
    #[error("--watch takes standard output: name a file with --output, or leave --output away")]
    WatchAndStdout,
    #[error("--watch shows one program at a time: leave --concurrency away, or make it 1")]
    WatchAndConcurrency,
    #[error("--samples {0} would all be the same program: add --temperature, 0.8 perhaps")]
    SamplesWithoutTemperature(usize),
    #[error("{0} means nothing where the likeliest token is taken: add --temperature")]
    WithoutTemperature(&'static str),
    #[error("--infilling-model means nothing with --mode ar, which fills in nothing")]
    InfillingModelWithoutInfilling,
    #[error("--fim means nothing with --mode ar, which fills in nothing")]
    FimWithoutInfilling,
    #[error("--without: {0}")]
    Mechanism(String),
    #[error("there is no operation {name:?}, only {known}, and `model`")]
    Operation { name: String, known: String },
    #[error("bench kernels needs a GPU: --device cuda says what is missing for one")]
    KernelsWithoutGpu,
    #[error("no language {0:?} is known")]
    Language(String),
    #[error("standard input has no extension: name the language with --language")]
    StdinWithoutLanguage,
    #[error("--batch takes one file of requests")]
    SeveralBatches,
    #[error("there is nothing to judge: name a file of programs, or give --canonical")]
    NoSamples,
    #[error("{0} is named twice: name each file of programs once")]
    SamplesTwice(String),
    #[error("--evalplus and --multipl-e write the results of one file of programs: name one")]
    ExportOfSeveral,
    #[error("pass@{k} needs {k} programs for each problem, and some have {fewest}")]
    TooFewSamples { k: usize, fewest: usize },
    #[error("{first} and {second} are the same file, {path}: name another one")]
    SameFile { first: &'static str, second: &'static str, path: String },
}

/// What the process was started in.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    pub is_stdout_terminal: bool,
    pub is_stderr_terminal: bool,
    pub wants_color: bool,
}

impl Surroundings {
    pub fn here() -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            is_stdout_terminal: io::stdout().is_terminal(),
            is_stderr_terminal: io::stderr().is_terminal(),
            wants_color: !is_set("NO_COLOR") && !is_dumb,
        }
    }
}

/// Where the programs go as JSONL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Stdout,
    File(PathBuf),
}

/// What is seen of a run while it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Watch { has_color: bool },
    Bar,
    Lines,
    Nothing,
}

/// A run, ready to begin.
#[derive(Clone, Debug)]
pub struct HiArgs {
    pub source: Source,
    /// `None`: the programs are only shown.
    pub target: Option<Target>,
    pub existing: Existing,
    pub trace: Option<PathBuf>,
    pub view: View,
    pub has_summary: bool,
    pub model: ModelChoice,
    pub infilling_model: Option<ModelChoice>,
    pub settings: Settings,
    pub limits: Limits,
    pub device: DeviceArgs,
    pub num_threads: usize,
    pub num_samples: usize,
    pub limit: Option<usize>,
    /// Added to every problem's own.
    pub stop: Vec<String>,
}

impl HiArgs {
    pub fn new(args: GenerateArgs, surroundings: Surroundings) -> Result<Self, UsageError> {
        let mode = Mode::from(args.way.mode);
        if mode == Mode::Ar && args.models.infilling_model.is_some() {
            return Err(UsageError::InfillingModelWithoutInfilling);
        }
        if mode == Mode::Ar && args.models.fim.is_some() {
            return Err(UsageError::FimWithoutInfilling);
        }
        check_files(&args.files)?;
        let target = target(&args.files, surroundings)?;
        let view = view(&args.files, target.as_ref(), surroundings);
        Ok(Self {
            source: source(args.files.input),
            target,
            existing: match (args.files.resume, args.files.force) {
                (true, _) => Existing::Resume,
                (_, true) => Existing::Replace,
                _ => Existing::Refuse,
            },
            trace: args.files.trace,
            view,
            has_summary: !args.files.quiet,
            model: args.models.model,
            infilling_model: args.models.infilling_model,
            settings: Settings {
                mode,
                sampling: sampling(&args.sampling)?,
                mechanisms: mechanisms(&args.way),
                prompt_format: args.models.prompt_format.into(),
                fim: args.models.fim,
                ..settings(&args.algorithm)
            },
            limits: limits(&args.machine, view)?,
            device: args.machine.device,
            num_threads: args.machine.threads.unwrap_or_else(default_num_threads),
            num_samples: args.sampling.samples,
            limit: args.files.limit,
            stop: args.algorithm.stop,
        })
    }

    /// Names all that influences a program, apart from its problem.
    pub fn settings_digest(&self, model_identity: &str) -> String {
        // Taken apart, so that a new setting can't be forgotten here.
        let Settings {
            mode,
            num_positions,
            threshold,
            max_lines,
            max_line_tokens,
            score,
            infill_comments,
            infill_prompt,
            ast_judge,
            checker,
            prompt_format,
            fim,
            mechanisms: _, // They change the way, never the program.
            reference_quirks,
            sampling,
        } = &self.settings;
        let numbers = format!("{num_positions} {threshold} {max_lines} {max_line_tokens}");
        let switches = format!("{infill_comments} {infill_prompt} {ast_judge} {reference_quirks}");
        let context = format!("{:?}", self.limits.max_context);
        // Lines with and without `sample` don't belong into one file.
        let has_samples = (self.num_samples > 1).to_string();
        let kinds = format!("{mode:?} {score:?} {sampling:?} {checker:?}");
        let parts = [model_identity, &kinds, &numbers, &switches, &context, &has_samples];
        // The default adds nothing, so that older files can be gone on with.
        let fim = fim.as_ref().map(|fim| format!("fim {fim}"));
        let format = (!prompt_format.is_plain()).then(|| format!("format {prompt_format:?}"));
        output::digest(parts.into_iter().chain(fim.as_deref()).chain(format.as_deref()))
    }
}

/// Where the problems of `--input` are.
pub fn source(input: Option<PathBuf>) -> Source {
    match input {
        None => Source::Examples,
        Some(path) if is_dash(&path) => Source::Stdin,
        Some(path) => Source::File(path),
    }
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn target(files: &FileArgs, surroundings: Surroundings) -> Result<Option<Target>, UsageError> {
    let target = match &files.output {
        Some(path) if is_dash(path) => Some(Target::Stdout),
        Some(path) => Some(Target::File(path.clone())),
        None if files.watch || surroundings.is_stdout_terminal => None,
        None => Some(Target::Stdout),
    };
    match target {
        Some(Target::Stdout) if files.watch => Err(UsageError::WatchAndStdout),
        Some(Target::Stdout) | None if files.resume => Err(UsageError::ResumeWithoutFile),
        target => Ok(target),
    }
}

fn view(files: &FileArgs, target: Option<&Target>, surroundings: Surroundings) -> View {
    if files.watch || target.is_none() {
        View::Watch { has_color: surroundings.wants_color && surroundings.is_stdout_terminal }
    } else if files.quiet {
        View::Nothing
    } else if surroundings.is_stderr_terminal {
        View::Bar
    } else {
        View::Lines
    }
}

/// Writing over the problems while reading them would lose them.
fn check_files(files: &FileArgs) -> Result<(), UsageError> {
    let named = [
        ("--input", files.input.as_deref()),
        ("--output", files.output.as_deref()),
        ("--trace", files.trace.as_deref()),
    ];
    let named: Vec<_> = named
        .into_iter()
        .filter_map(|(name, path)| Some((name, path.filter(|path| !is_dash(path))?)))
        .collect();
    for (idx, (second, path)) in named.iter().enumerate() {
        let same = named[..idx].iter().find(|(_, other)| is_same_file(other, path));
        if let Some((first, _)) = same {
            let path = path.display().to_string();
            return Err(UsageError::SameFile { first, second, path });
        }
    }
    Ok(())
}

/// Devices may be named twice: nothing in them can be lost.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    let is_device = one.metadata().is_ok_and(|metadata| !metadata.is_file());
    !is_device && whole(one).is_some_and(|one| Some(one) == whole(other))
}

/// What the algorithm's own arguments say.
pub fn settings(args: &AlgorithmArgs) -> Settings {
    Settings {
        num_positions: args.k,
        threshold: args.tau,
        max_lines: args.max_lines,
        max_line_tokens: args.max_line_tokens,
        score: args.score.into(),
        infill_comments: args.infill_comments,
        infill_prompt: !args.no_infill_prompt,
        ast_judge: !args.no_ast_judge,
        checker: args.checker.into(),
        reference_quirks: args.reference_quirks,
        ..Settings::default()
    }
}

fn mechanisms(args: &WayArgs) -> Mechanisms {
    let all = Mechanisms::all();
    if args.no_speculative { all.without(Mechanism::Drafts) } else { all }
}

fn sampling(args: &SamplingArgs) -> Result<Option<SamplingSettings>, UsageError> {
    if args.temperature > 0.0 {
        let SamplingArgs { temperature, top_k, seed, .. } = *args;
        let top_p = args.top_p.unwrap_or(1.0);
        return Ok(Some(SamplingSettings { temperature, top_k, top_p, seed }));
    }
    if args.samples > 1 {
        return Err(UsageError::SamplesWithoutTemperature(args.samples));
    }
    if args.top_k.is_some() {
        return Err(UsageError::WithoutTemperature("--top-k"));
    }
    if args.top_p.is_some() {
        return Err(UsageError::WithoutTemperature("--top-p"));
    }
    Ok(None)
}

fn limits(args: &MachineArgs, view: View) -> Result<Limits, UsageError> {
    let is_watched = matches!(view, View::Watch { .. });
    let default = if is_watched { 1 } else { DEFAULT_CONCURRENCY };
    let concurrency = args.concurrency.unwrap_or(default);
    if is_watched && concurrency > 1 {
        return Err(UsageError::WatchAndConcurrency);
    }
    Ok(machine_limits(args, concurrency))
}

/// What the machine's arguments allow.
pub fn machine_limits(args: &MachineArgs, concurrency: usize) -> Limits {
    Limits {
        concurrency,
        prefill_chunk: args.prefill_chunk,
        max_batched_tokens: args.max_batched_tokens,
        kv_bytes: args.kv_memory_mib,
        memory_fraction: Some(args.device.memory_fraction),
        max_context: args.max_context,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::args::{Command, LowArgs};
    use super::*;

    const PIPES: Surroundings =
        Surroundings { is_stdout_terminal: false, is_stderr_terminal: false, wants_color: true };
    const TERMINAL: Surroundings =
        Surroundings { is_stdout_terminal: true, is_stderr_terminal: true, wants_color: true };

    fn plan(line: &str, surroundings: Surroundings) -> Result<HiArgs, String> {
        let words = ["jumpcoder", "generate"].into_iter().chain(line.split_whitespace());
        let args = LowArgs::try_parse_from(words).map_err(|error| error.to_string())?;
        let Command::Generate(args) = args.command else { panic!("not generate") };
        HiArgs::new(*args, surroundings).map_err(|error| error.to_string())
    }

    #[test]
    fn definitions_are_sound() {
        LowArgs::command().debug_assert();
    }

    #[test]
    fn bad_arguments() {
        let table = [
            ("--k 0", "'0' for '--k <K>': it must be at least 1"),
            ("--k many", "it must be a whole number"),
            ("--tau nan", "it must be a finite number"),
            ("--tau inf", "it must be a finite number"),
            ("--threads 0", "it must be at least 1"),
            ("--threads 1025", "it must be at most 1024"),
            ("--samples 100001", "it must be at most 100000"),
            ("--samples 0", "it must be at least 1"),
            ("--limit 0", "it must be at least 1"),
            ("--max-lines -1", "unexpected argument '-1'"),
            ("--temperature -1", "or 0 for the likeliest tokens"),
            ("--temperature nan", "or 0 for the likeliest tokens"),
            ("--temperature 1 --top-k 0", "it must be a whole number, at least 1"),
            ("--temperature 1 --top-p 0", "above 0, and at most 1"),
            ("--temperature 1 --top-p 1.5", "above 0, and at most 1"),
            ("--kv-memory-mib 99999999999999999", "no machine has so much"),
            ("--seed -1", "'-1'"),
            ("--mode best", "[possible values: jump, filtered, ar]"),
            ("--stop \\n", "end every program at once"),
            ("--stop \\x", "after `\\` one of"),
            ("--resume --force --output x", "cannot be used with '--force'"),
            ("--resume", "--resume needs a file"),
            ("--resume --output -", "--resume needs a file"),
            ("--watch --output -", "--watch takes standard output"),
            ("--watch --concurrency 2", "--watch shows one program at a time"),
            ("--samples 2", "--samples 2 would all be the same program"),
            ("--samples 2 --temperature 0", "would all be the same program"),
            ("--top-k 40", "--top-k means nothing where"),
            ("--top-p 0.9", "add --temperature"),
            ("--mode ar --infilling-model x", "--infilling-model means nothing"),
            ("--prompt-format x", "[possible values: plain, chat, wizardcoder]"),
            ("--mode ar --fim qwen", "--fim means nothing with --mode ar"),
            ("--input Cargo.toml --output ./Cargo.toml", "--input and --output are the same file"),
            ("--output new --trace ./new", "--output and --trace are the same file"),
            ("--unknown", "unexpected argument '--unknown'"),
        ];
        for (line, expected) in table {
            let error = plan(line, PIPES).unwrap_err();
            assert!(error.contains(expected), "{line}: {error} should say {expected}");
        }
    }

    #[test]
    fn where_programs_go() {
        let (watch, plain) = (View::Watch { has_color: true }, View::Watch { has_color: false });
        let file = || Some(Target::File("x".into()));
        let table = [
            ("", PIPES, Some(Target::Stdout), View::Lines, 8),
            ("", TERMINAL, None, watch, 1),
            ("--input y", TERMINAL, None, watch, 1),
            ("--watch", PIPES, None, plain, 1),
            ("--output -", TERMINAL, Some(Target::Stdout), View::Bar, 8),
            ("--output x", TERMINAL, file(), View::Bar, 8),
            ("--output x --concurrency 3", PIPES, file(), View::Lines, 3),
            ("--output x --watch", TERMINAL, file(), watch, 1),
            ("--output x --quiet", TERMINAL, file(), View::Nothing, 8),
        ];
        for (line, surroundings, target, view, concurrency) in table {
            let args = plan(line, surroundings).unwrap();
            let found = (args.target, args.view, args.limits.concurrency);
            assert_eq!(found, (target, view, concurrency), "{line}");
        }
    }

    #[test]
    fn defaults_are_the_papers() {
        let args = plan("", PIPES).unwrap();
        assert_eq!(args.settings, Settings::default());
        assert_eq!((args.source, args.model), (Source::Examples, ModelChoice::Tiny));
        let args =
            plan("--input - --stop \\nif --stop --x --tau -1 --no-ast-judge", PIPES).unwrap();
        assert_eq!(args.source, Source::Stdin);
        assert_eq!(args.stop, ["\nif", "--x"]);
        assert!((args.settings.threshold + 1.0).abs() < f64::EPSILON);
        assert!(!args.settings.ast_judge);
    }

    #[test]
    fn digest_tells_what_matters() {
        let digest = |line| plan(line, PIPES).unwrap().settings_digest("model");
        let base = digest("");
        for same in ["--threads 2", "--concurrency 3", "--no-speculative", "--limit 3", "--seed 4"]
        {
            assert_eq!(digest(same), base, "{same}");
        }
        let sampled = digest("--temperature 1");
        let others = [
            digest("--k 4"),
            digest("--tau 0.4"),
            digest("--mode ar"),
            digest("--fim mellum"),
            digest("--prompt-format chat"),
            digest("--no-infill-prompt"),
            digest("--infill-comments"),
            digest("--max-context 100"),
            digest("--temperature 1 --seed 4"),
            digest("--temperature 1 --top-k 4"),
            digest("--temperature 1 --samples 2"),
            plan("", PIPES).unwrap().settings_digest("other"),
        ];
        assert!(!others.contains(&base) && !others.contains(&sampled) && base != sampled);
    }
}
