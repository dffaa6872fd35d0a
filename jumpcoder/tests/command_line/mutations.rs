//! Inputs and configs that were cut or changed at random: never a panic, a hang or an enormous
//! allocation, and always an exit code that the help explains.

use std::fmt::Write as _;

use jumpcoder::problem::{self, Source};
use serde_json::{Value, json};

use super::folder::{Folder, Run, json_lines};
use super::model_files::{copy_model, patch};

const INPUT: &str = concat!(
    "{\"id\": \"é\", \"prompt\": \"def f(x):\\n\\t\"}\n",
    "{\"task_id\": 2, \"prompt\": \"# a\\r\\n\", \"entry_point\": \"f\", \"stop\": [\"\\nx\"]}\n",
);
const FAST: &str = "generate --quiet --mode ar --max-lines 4 --max-line-tokens 8 --concurrency 1";

/// What holds of every run, good or bad.
fn check_run(run: &Run, what: &str) {
    assert!((0..=3).contains(&run.code), "{what}: {run:?}");
    assert_eq!(run.code == 0, run.stderr.is_empty(), "{what}: {run:?}");
    let num_failed = json_lines(&run.stdout).iter().filter(|l| l.get("error").is_some()).count();
    assert_eq!(run.code == 1, num_failed > 0, "{what}: {run:?}");
    for line in run.stderr.lines() {
        assert!(line.starts_with("jumpcoder: "), "{what}: {run:?}");
    }
}

/// A generator of numbers that differ from seed to seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % bound as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.below(256) as u8,
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"{}[]\"\\\n\r\0,:\xff"[self.below(12)]),
            }
        }
    }
}

#[test]
fn every_prefix_of_an_input() {
    let folder = Folder::new();
    for len in 0..INPUT.len() {
        let prefix = &INPUT.as_bytes()[..len];
        folder.write("in", prefix);
        let read = problem::read(&Source::File(folder.path("in")));
        // The binary says the same as the reader; starting it takes its time.
        if len % 7 == 0 {
            let run = folder.run(&format!("{FAST} --input in"));
            check_run(&run, &format!("{len} bytes"));
            assert_eq!(run.code == 2, read.is_err(), "{len} bytes: {run:?}");
        }
    }
}

#[test]
fn changed_inputs() {
    let folder = Folder::new();
    for seed in 0..2000 {
        let mut bytes = INPUT.as_bytes().to_vec();
        Random(seed).mutate(&mut bytes);
        folder.write("in", &bytes);
        let _ = problem::read(&Source::File(folder.path("in")));
        if seed % 100 == 0 {
            check_run(&folder.run(&format!("{FAST} --input in")), &format!("seed {seed}"));
        }
    }
}

#[test]
fn changed_outputs_are_resumed_or_refused() {
    let folder = Folder::with_input(INPUT);
    assert_eq!(folder.run(&format!("{FAST} --input in --output whole")).code, 0);
    let whole = folder.read("whole");
    for seed in 0..20 {
        let mut bytes = whole.clone().into_bytes();
        Random(seed).mutate(&mut bytes);
        folder.write("out", &bytes);
        let run = folder.run(&format!("{FAST} --input in --output out --resume"));
        check_run(&run, &format!("seed {seed}"));
        let is_untouched = std::fs::read(folder.path("out")).unwrap() == bytes;
        assert!(run.code == 0 || is_untouched, "seed {seed}: what was refused is left alone");
    }
}

#[test]
fn every_field_of_the_config() {
    let folder = Folder::new();
    copy_model(&folder);
    let whole = folder.read("model/config.json");
    let config: Value = serde_json::from_str(&whole).unwrap();
    let huge = [json!(4_294_967_296_u64), json!(u64::MAX), json!(1e300)];
    let values = [json!(0), json!(1), json!(-1), json!("x"), json!(null), json!([]), json!(0.5)];
    let mut accepted = String::new();
    for field in config.as_object().unwrap().keys() {
        let removed = std::iter::once(None);
        for value in removed.chain(huge.iter().chain(&values).map(Some)) {
            folder.write("model/config.json", &whole);
            patch(&folder, "config.json", |config| match value {
                Some(value) => config[field] = value.clone(),
                None => drop(config.as_object_mut().unwrap().remove(field)),
            });
            let run = folder.run(&format!("{FAST} --limit 1 --model model"));
            let what = format!("{field}: {value:?}");
            check_run(&run, &what);
            assert!(run.code == 2 || run.code < 2 && run.stderr.len() < 1000, "{what}: {run:?}");
            assert_eq!(run.code == 2, run.stdout.is_empty(), "{what}: {run:?}");
            if run.code < 2 {
                writeln!(accepted, "{what}").unwrap();
            }
        }
    }
    for field in ["hidden_size", "num_hidden_layers", "vocab_size", "intermediate_size"] {
        assert!(!accepted.contains(field), "{accepted}");
    }
}
