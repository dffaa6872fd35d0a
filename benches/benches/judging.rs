//! Judging candidates by the syntax tree, beside the authors' ways: a new parse, a compiler's run.
//! `cargo bench -p jump-benches -- judging`.
//!
//! Once a round the program is read, then each candidate is judged. The others' ways are the same
//! for every candidate; where `python3` or `javac` isn't installed, that is said instead.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use jumpcoder::language::by_name;

/// Below two minutes with all of them.
const MEASUREMENT: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);
const NUM_SAMPLES: usize = 20;
/// A compiler's run takes half a second.
const NUM_COMPILER_SAMPLES: usize = 10;

/// A program whose candidates are judged.
struct Judged {
    language: &'static str,
    program: &'static str,
    /// Of three kinds: the line before which each stands, and its lines.
    candidates: [(&'static str, usize, &'static [&'static str]); 3],
}

/// Lines of each of [`JUDGED`].
const NUM_JUDGED: usize = 60;

/// The programs lack `functools`, `operator` and `sort_key`; `java.util` and `sortKey`.
const JUDGED: [Judged; 2] = [
    Judged {
        language: "python",
        program: include_str!("../languages/program.py"),
        candidates: [
            ("an import that defines a name", 0, &["import functools\n"]),
            ("an import that defines none", 0, &["import itertools\n"]),
            (
                "a function that defines a name",
                27,
                &[
                    "def sort_key(name):\n",
                    "    last = name.split()[-1]\n",
                    "    return last.lower()\n",
                ],
            ),
        ],
    },
    Judged {
        language: "java",
        program: include_str!("../languages/Register.java"),
        candidates: [
            ("an import that defines a name", 0, &["import java.util.*;\n"]),
            ("an import that defines none", 0, &["import java.io.*;\n"]),
            (
                "a function that defines a name",
                20,
                &[
                    "    static String sortKey(String name) {\n",
                    "        return name.toLowerCase();\n",
                    "    }\n",
                ],
            ),
        ],
    },
];

fn main() {
    let mut criterion = Criterion::default()
        .measurement_time(MEASUREMENT)
        .warm_up_time(WARM_UP)
        .sample_size(NUM_SAMPLES)
        .configure_from_args();
    for judged in &JUDGED {
        by_the_tree(&mut criterion, judged);
    }
    by_a_new_parse(&mut criterion);
    by_a_compiler(&mut criterion);
    criterion.final_summary();
}

fn by_the_tree(criterion: &mut Criterion, judged: &Judged) {
    let Judged { language: name, program, candidates } = judged;
    let lines: Vec<&str> = program.split_inclusive('\n').collect();
    assert_eq!(lines.len(), NUM_JUDGED, "the benches' names say so");
    let mut group = criterion.benchmark_group(format!("judging {name}"));
    for (what, quirks) in [("reading", false), ("reading as the reference", true)] {
        // What the reference reads in another way is Python.
        if quirks && *name != "python" {
            continue;
        }
        let language = by_name(name, quirks).expect("it is known");
        group.bench_function(BenchmarkId::new(what, NUM_JUDGED), |bencher| {
            bencher.iter(|| language.read(black_box(&lines)));
        });
    }
    let reading = by_name(name, false).expect("it is known").read(&lines);
    for (what, position, infill) in candidates {
        let defines = what.ends_with("a name");
        assert_eq!(!reading.defined_by(*position, infill).is_empty(), defines, "{what}");
        group.bench_function(BenchmarkId::new(*what, NUM_JUDGED), |bencher| {
            bencher.iter(|| reading.defined_by(black_box(*position), black_box(infill)));
        });
    }
    group.finish();
}

/// `ast.parse` and a walk, in a Python that runs already: its own times.
fn by_a_new_parse(criterion: &mut Criterion) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("languages/parse_again.py");
    let parse_again = |num_runs: u64| {
        let mut python = Command::new("python3");
        python.arg(&script).arg("--num-runs").arg(num_runs.to_string()).output()
    };
    let Ok(Output { status, .. }) = parse_again(1) else {
        return println!("python3 isn't installed: nothing to compare with");
    };
    assert!(status.success(), "{} fails", script.display());
    let mut group = criterion.benchmark_group("judging python");
    group.bench_function(BenchmarkId::new("the authors' new parse", NUM_JUDGED), |bencher| {
        bencher.iter_custom(|num_runs| {
            let printed = parse_again(num_runs).expect("it ran before").stdout;
            let seconds = String::from_utf8(printed).ok().and_then(|text| text.trim().parse().ok());
            Duration::from_secs_f64(seconds.expect("the script prints seconds"))
        });
    });
    group.finish();
}

/// A whole run of `javac` on the program with a candidate.
fn by_a_compiler(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("jump-judging-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let source = folder.join("Register.java");
    let program = concat!("import java.util.*;\n", include_str!("../languages/Register.java"));
    std::fs::write(&source, program).expect("a temporary file can be written");
    let javac = || Command::new("javac").arg("-d").arg(&folder).arg(&source).output();
    if javac().is_err() {
        return println!("javac isn't installed: nothing to compare with");
    }
    let mut group = criterion.benchmark_group("judging java");
    group.sample_size(NUM_COMPILER_SAMPLES);
    group.bench_function(BenchmarkId::new("the authors' run of javac", NUM_JUDGED), |bencher| {
        bencher.iter_custom(|num_runs| {
            let begin = Instant::now();
            for _ in 0..num_runs {
                black_box(javac().expect("it ran before"));
            }
            begin.elapsed()
        });
    });
    group.finish();
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}
