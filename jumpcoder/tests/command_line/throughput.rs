//! The benchmarks of a model by itself: their figures agree with each other. How fast it is, no
//! test asks.

use serde_json::Value;

use crate::folder::Folder;

/// The figures of a benchmark of the embedded model, or of its shape.
fn measure(line: &str) -> Value {
    let folder = Folder::new();
    let run = folder.run(&format!("bench {line} --device cpu --repeat 2 --json figures"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{line}");
    let figures: Value = serde_json::from_str(&folder.read("figures")).unwrap();
    assert_eq!(figures["num_repeats"], 2);
    let num_points = figures["points"].as_array().unwrap().len();
    assert_eq!(run.stdout.lines().count(), 4 + num_points, "a row for each: {}", run.stdout);
    figures
}

fn number(point: &Value, path: &str) -> f64 {
    let found = path.split('/').fold(point, |value, name| &value[name]).as_f64();
    found.unwrap_or_else(|| panic!("{path} of {point}"))
}

/// Is `rate` what `amount` is to the seconds, at the ends of their spread?
fn assert_rate(point: &Value, rate: &str, amount: f64) {
    for (fastest, slowest) in [("min", "max"), ("max", "min")] {
        let seconds = number(point, &format!("seconds/{slowest}"));
        assert!(seconds > 0.0, "{point}");
        let product = number(point, &format!("{rate}/{fastest}")) * seconds;
        assert!((product / amount - 1.0).abs() < 1e-9, "{rate} of {point}");
    }
}

#[test]
fn decoding() {
    let figures = measure("decode --sequences 1,3 --context 20,40");
    let points = figures["points"].as_array().unwrap();
    let kinds: Vec<_> = points
        .iter()
        .map(|point| {
            let is_shared = point["is_shared"].as_bool().unwrap();
            (number(point, "context_len"), number(point, "num_sequences"), is_shared)
        })
        .collect();
    let of = |context| [(context, 1., false), (context, 3., false), (context, 6., false)];
    let shared = |context| [(context, 6., true)];
    assert_eq!(kinds, [&of(20.)[..], &shared(20.), &of(40.), &shared(40.)].concat());
    for point in points {
        assert_rate(point, "tokens_per_second", number(point, "num_sequences"));
        assert_rate(point, "bytes_per_second", number(point, "bytes"));
        let is_shared = point["is_shared"].as_bool().unwrap();
        assert_eq!(point["seconds_per_separate"].is_object(), is_shared, "{point}");
    }
    let bytes: Vec<f64> = points.iter().map(|point| number(point, "bytes")).collect();
    assert!(bytes[0] < bytes[1] && bytes[1] < bytes[2] && bytes[3] < bytes[2], "{bytes:?}");
    // Five prompts of 20 tokens less, in f32: a key and a value of 128 elements in 5 layers.
    let saved = 5.0 * 20.0 * 2.0 * 128.0 * 5.0 * 4.0;
    assert!((bytes[2] - bytes[3] - saved).abs() < 1.0, "{bytes:?}");
}

#[test]
fn prompts() {
    let figures = measure("prefill --lengths 7,33 --random-weights tiny");
    assert!(figures["model"].as_str().unwrap().contains("random weights"), "{figures}");
    let points = figures["points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    for (point, num_tokens) in points.iter().zip([7.0, 33.0]) {
        assert_rate(point, "tokens_per_second", num_tokens);
        assert_rate(point, "flops_per_second", number(point, "flops"));
    }
    let layers = 2.0 * 5.0 * 256.0 * (512.0 + 256.0 + 3.0 * 704.0);
    let attention = 5.0 * 4.0 * 256.0 * (7.0 * 8.0 / 2.0);
    let expected = 7.0 * layers + attention + 2.0 * 4096.0 * 256.0;
    assert!((number(&points[0], "flops") - expected).abs() < 1.0, "{expected}: {figures}");
}

#[test]
fn scoring() {
    let figures = measure("score --program 40 --candidates 3 --insertion 4");
    let points = figures["points"].as_array().unwrap();
    // Insertions after 10, 20 and 30 tokens, and what follows them.
    let forked = 3.0 * 4.0 + 30.0 + 20.0 + 10.0;
    let num_rows = [forked, forked, 3.0 * 43.0];
    assert_eq!(points.len(), 2 * num_rows.len());
    for (idx, point) in points.iter().enumerate() {
        assert!(number(point, "num_rows").total_cmp(&num_rows[idx % 3]).is_eq(), "{point}");
        assert!(number(point, "num_scores").total_cmp(&forked).is_eq(), "{point}");
        assert!(number(point, "seconds/min") > 0.0, "{point}");
        assert!(number(point, "difference") <= 0.0, "sharing is invisible: {point}");
        assert_eq!(point["is_logprob"], idx >= 3);
    }
}

#[test]
fn what_cannot_be_measured_is_refused_at_once() {
    let folder = Folder::new();
    let table = [
        ("decode --json missing/figures", "can't write the figures"),
        ("decode --sequences 1024 --context 131072", "only"),
        ("decode --random-weights codellama-13b --sequences 1024", "codellama-13b"),
    ];
    for (line, part) in table {
        folder.refused(&format!("bench {line} --device cpu"), 2, &[part]);
    }
    for line in ["decode --sequences 0", "prefill --lengths 200000", "score --random-weights gpt"] {
        let run = folder.run(&format!("bench {line}"));
        assert!(run.code == 2 && run.stdout.is_empty(), "{line}: {run:?}");
    }
}
