//! `eval`: verdicts, figures, results that can be resumed, and refusals.

use serde_json::{Value, json};

use super::folder::Folder;

/// Where programs can't be contained, or there is no Python, tests say so and skip.
pub fn can_judge(folder: &Folder) -> bool {
    folder.write("probe.jsonl", data(&[("probe", "return 1\n")]));
    let run = folder.run("eval --canonical --quiet --data probe.jsonl");
    if run.code == 0 {
        return true;
    }
    let reasons = ["programs can't be contained on this machine", "python programs need"];
    assert!(reasons.iter().any(|reason| run.stderr.contains(reason)), "{run:?}");
    println!("skipped: {}", run.stderr.trim());
    false
}

/// Problems in HumanEval's layout, whose function `f` must return 1, with a solution each.
pub fn data(problems: &[(&str, &str)]) -> String {
    let line = |(id, solution): &(&str, &str)| {
        let (prompt, test) = ("def f():\n", "def check(candidate):\n    assert candidate() == 1\n");
        let lines: Vec<_> = solution.lines().map(|line| format!("    {line}\n")).collect();
        let problem = json!({
            "task_id": id, "prompt": prompt, "entry_point": "f", "test": test,
            "canonical_solution": lines.concat(),
        });
        format!("{problem}\n")
    };
    problems.iter().map(line).collect()
}

/// A folder with five problems, and three files of samples for the first four.
fn benchmark() -> Folder {
    let folder = Folder::new();
    let ids = ["a", "b", "c", "d", "e"];
    folder.write("data", data(&ids.map(|id| (id, "return 1\n"))));
    let line = |id: &str, body: &str| format!("{}\n", json!({"task_id": id, "completion": body}));
    let (good, wrong) = ("    return 1\n", "    return 2\n");
    let first = line("a", good) + &line("b", wrong) + &line("c", "    return missing\n");
    folder.write("first", first + &line("d", "    return (\n"));
    let second = line("a", good) + &line("b", good) + &line("c", good);
    folder.write("second", second + &line("d", "    import sys; sys.exit(0)\n"));
    let many = ["a", "b", "c", "d", "e"].map(|id| line(id, good) + &line(id, wrong));
    folder.write("many", many.concat());
    folder
}

#[test]
fn verdicts_have_kinds() {
    let folder = benchmark();
    if !can_judge(&folder) {
        return;
    }
    let run = folder.run("eval first second --data data --output results --json figures");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let found: Vec<_> = folder
        .json_lines("results")
        .iter()
        .map(|line| {
            assert_eq!(line["passed"], line["result"] == "passed", "{line}");
            let [samples, id, kind] = ["samples", "task_id", "verdict"].map(|name| &line[name]);
            format!("{} {} {}", samples.as_str().unwrap(), id.as_str().unwrap(), kind)
        })
        .collect();
    let expected = [
        "first a \"passed\"",
        "first b \"assertion\"",
        "first c \"exception\"",
        "first d \"syntax\"",
        "second a \"passed\"",
        "second b \"passed\"",
        "second c \"passed\"",
        // It left with exit code 0, but before its tests.
        "second d \"exception\"",
    ];
    assert_eq!(found, expected);
    let figures: Value = serde_json::from_str(&folder.read("figures")).unwrap();
    let row = &figures["rows"][0];
    assert_eq!((&row["num_problems"], &row["num_missing"]), (&json!(5), &json!(1)), "{row}");
    assert_eq!((&row["pass_at"]["1"]["value"], &row["num_undefined"]), (&json!(0.2), &json!(1)));
    let comparison = &figures["comparisons"][0];
    assert_eq!((&comparison["won"], &comparison["lost"]), (&json!(["b", "c"]), &json!([])));
    assert_eq!((&comparison["p"], &comparison["num_neither"]), (&json!(0.5), &json!(2)));
    assert_eq!(figures["oracle"][0]["passed"]["value"], 0.6);
    for part in ["oracle", "won: b c", "first: no program for 1 of the python problems"] {
        assert!(run.stdout.contains(part), "{}", run.stdout);
    }
}

#[test]
fn several_samples_give_pass_at_k() {
    let folder = benchmark();
    if !can_judge(&folder) {
        return;
    }
    let run = folder.run("eval many --data data --k 1,2 --json figures --quiet");
    assert_eq!((run.code, &*run.stderr, &*run.stdout), (0, "", ""));
    let figures: Value = serde_json::from_str(&folder.read("figures")).unwrap();
    let pass_at = &figures["rows"][0]["pass_at"];
    assert_eq!((&pass_at["1"]["value"], &pass_at["2"]["value"]), (&json!(0.5), &json!(1.0)));
    assert_eq!(pass_at["1"]["method"], "bootstrap");
    folder.refused("eval many --data data --k 3", 2, &["pass@3 needs 3 programs", "some have 2"]);
}

#[test]
fn results_are_resumed() {
    let folder = benchmark();
    if !can_judge(&folder) {
        return;
    }
    let line = "eval first --data data --output results --quiet";
    assert_eq!(folder.run(line).code, 0);
    let whole = folder.read("results");
    folder.refused(line, 2, &["results exists: continue it with --resume"]);
    // As a run leaves them that was killed while it wrote the third line.
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let cut = lines[1].to_owned() + lines[0] + &lines[2][..20];
    folder.write("results", cut);
    let run = folder.run(&format!("{line} --resume"));
    assert_eq!((run.code, &*run.stderr), (0, ""));
    let resumed = folder.read("results");
    let first_lines = |text: &str| text.lines().take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(first_lines(&resumed), first_lines(&whole), "what was judged stays");
    assert_eq!(resumed.lines().count(), 4);
    let parts = ["can't resume", "line 1 judged another program, or other tests or limits: a"];
    folder.refused(&format!("{line} --resume --timeout 3"), 2, &parts);
    folder.write("results", "{\"id\": 1}\n");
    let parts = ["line 1 was not written by jumpcoder eval"];
    folder.refused(&format!("{line} --resume"), 2, &parts);
}

#[test]
fn other_harnesses_find_their_own_layouts() {
    let folder = benchmark();
    if !can_judge(&folder) {
        return;
    }
    let line = "eval first --data data --evalplus plus.json --multipl-e folder --quiet";
    let run = folder.run(line);
    assert_eq!((run.code, &*run.stderr), (0, ""));
    let plus: Value = serde_json::from_str(&folder.read("plus.json")).unwrap();
    let entry = &plus["eval"]["b"][0];
    assert_eq!(
        (&entry["task_id"], &entry["base_status"], &entry["solution"]),
        (&json!("b"), &json!("fail"), &json!("def f():\n    return 2\n"))
    );
    let statuses = ["a", "b", "c", "d"].map(|id| {
        let text = folder.read(&format!("folder/{id}.results.json"));
        let results: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&results["name"], &results["language"]), (&json!(id), &json!("python")));
        results["results"][0]["status"].as_str().unwrap().to_owned()
    });
    assert_eq!(statuses, ["OK", "Exception", "Exception", "SyntaxError"]);
    folder.refused(line, 2, &["plus.json exists"]);
}

#[test]
fn samples_of_other_tools_are_read() {
    let folder = benchmark();
    if !can_judge(&folder) {
        return;
    }
    let whole = "def f():\n    return 1\n";
    let lines = [
        json!({"task_id": "a", "solution": whole, "completion": "    return 2\n"}),
        json!({"name": "b", "completions": ["    return 1\n", "    return 2\n"]}),
        json!({"task_id": "c", "generation": "    return 1\n"}),
        json!({"task_id": "d", "solution": "def f():\n", "error": "the prompt is empty"}),
    ];
    folder.write("samples", lines.map(|line| format!("{line}\n")).concat());
    let run = folder.run("eval samples --data data --output results --quiet");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("1 programs were not judged"), "{}", run.stderr);
    let kinds: Vec<_> =
        folder.json_lines("results").iter().map(|line| line["verdict"].clone()).collect();
    assert_eq!(kinds, ["passed", "passed", "assertion", "passed", "unjudged"]);
}

#[test]
fn gaps_are_filled_and_judged() {
    let folder = benchmark();
    if !can_judge(&folder) {
        return;
    }
    let gap = |idx: usize| {
        json!({
            "task_id": format!("SingleLineInfilling/{idx}/L0"), "entry_point": "f",
            "prompt": "def f():\n    total = 0\n    for number in [1]:\n",
            "suffix": "    return total\n", "canonical_solution": "        total += number\n",
            "test": "def check(candidate):\n    assert candidate() == 1\n",
        })
    };
    folder
        .write("gaps", (0..5).map(gap).map(|gap| format!("{gap}\n")).collect::<Vec<_>>().concat());
    for concurrency in [1, 3] {
        let line = "eval infilling --data gaps --device cpu --output results --force";
        let run = folder.run(&format!("{line} --concurrency {concurrency}"));
        assert_eq!(run.code, 0, "{}", run.stderr);
        let lines = folder.json_lines("results");
        assert_eq!(lines.len(), 5);
        let infill = lines[0]["completion"].as_str().unwrap();
        assert!(infill.ends_with('\n') && infill.lines().count() == 1, "{infill:?}");
        let is_exact = infill == "        total += number\n";
        let expected = if is_exact { "exact match: 100.0 %" } else { "exact match: 0.0 %" };
        assert!(run.stdout.starts_with(expected), "{infill:?}: {}", run.stdout);
        for line in &lines {
            assert_eq!(line["completion"], infill, "the same, whatever is filled beside it");
            assert!(!is_exact || line["passed"] == true, "{line}");
        }
    }
}

#[test]
fn useless_arguments_are_refused() {
    let folder = benchmark();
    folder.write("foreign", "{\"task_id\": \"x\", \"solution\": \"\"}\n");
    folder.write("bare", "{\"task_id\": \"a\"}\n");
    folder.write("untested", "{\"task_id\": \"a\", \"prompt\": \"def f():\\n\"}\n");
    let table: [(&str, &[&str]); 8] = [
        ("--data data", &["there is nothing to judge"]),
        ("first first --data data", &["first is named twice"]),
        ("first second --data data --evalplus x", &["one file of programs"]),
        ("first --data missing", &["can't read the problems from missing"]),
        ("first --data untested", &["untested, line 1: it has no `test`"]),
        ("foreign --data data", &["foreign, line 1: the data has no problem \"x\""]),
        ("bare --data data", &["bare, line 1: it has none of `solution`"]),
        ("first --data data --data data", &["the id \"a\" occurs twice"]),
    ];
    for (line, parts) in table {
        folder.refused(&format!("eval {line}"), 2, parts);
    }
    assert_eq!(folder.run("eval first").code, 2, "--data is needed");
}
