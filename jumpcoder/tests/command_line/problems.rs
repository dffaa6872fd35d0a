//! Bad problems and bad files of problems.

use serde_json::{Value, json};

use super::folder::{Folder, examples, programs};

/// Enough to see that a program was written.
const FAST: &str = "--quiet --mode ar --max-lines 6";

fn problem(id: &str, prompt: &str) -> String {
    format!("{}\n", json!({"id": id, "prompt": prompt}))
}

#[test]
fn useless_inputs_are_refused() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder")).unwrap();
    folder.write("empty", "");
    folder.write("blank", "\n \r\n");
    folder.write("cut.gz", [0x1f, 0x8b, 8, 0, 0, 0]);
    folder.write("array", "[{\"id\": 1, \"prompt\": \"x\"},");
    folder.write("twice", problem("a", "x") + &problem("b", "x") + &problem("a", "x"));
    folder.write("utf16", [0xff, 0xfe, 0x7b, 0]);
    let table: [(&str, &[&str]); 8] = [
        ("missing", &["can't read the problems from missing", "No such file"]),
        ("folder", &["folder", "it is a folder: name a file in it"]),
        ("empty", &["empty holds no problem", "one JSON object a line"]),
        ("blank", &["blank holds no problem"]),
        ("cut.gz", &["cut.gz is compressed with gzip, but damaged or cut off"]),
        ("array", &["array begins like a JSON array", "line 1 column 26"]),
        ("twice", &["line 1 and line 3 have the same id \"a\"", "rename or remove one"]),
        ("utf16", &["utf16 is UTF-16 text: convert it to UTF-8"]),
    ];
    for (input, parts) in table {
        folder.refused(&format!("generate --input {input} --output out"), 2, parts);
        assert!(!folder.path("out").exists(), "{input}: nothing was done");
    }
}

#[test]
fn a_malformed_line_spoils_only_itself() {
    let mut lines: Vec<String> = examples(3).lines().map(str::to_owned).collect();
    lines[16] = "{\"task_id\": \"copy2/3\", \"prompt\": \"def".to_owned();
    let folder = Folder::with_input(&(lines.join("\n") + "\n"));
    let parts = ["line 17", "in, line 17: malformed JSON at column", "EOF while parsing a string"];
    folder.refused(&format!("generate --input in --output out {FAST}"), 1, &parts);
    let written = folder.json_lines("out");
    assert_eq!(written.len(), 24);
    for (idx, line) in written.iter().enumerate() {
        let error = line.get("error").and_then(Value::as_str);
        assert_eq!(error.is_some(), idx == 16, "{line}");
        assert!(error.is_none_or(|error| error.starts_with("in, line 17: malformed JSON")));
    }
    // The line was mended: only it is written anew.
    let before = folder.read("out");
    let example: Vec<_> = examples(3).lines().map(str::to_owned).collect();
    folder.write("in", example.join("\n"));
    let run = folder.run(&format!("generate --input in --output out --resume {FAST}"));
    assert_eq!((run.code, &*run.stderr), (0, ""));
    let (before, after) = (before.lines(), folder.read("out"));
    let same = before.zip(after.lines()).filter(|(before, after)| before == after).count();
    assert_eq!((same, after.lines().count()), (23, 24));
}

#[test]
fn bad_problems_are_named_where_they_are() {
    let table: [(&[u8], &[&str]); 12] = [
        (b"{\"id\": \"x\", \"prompt\": \"\"}", &["x failed: the prompt is empty", "at least one"]),
        (b"{\"id\": \"x\", \"prompt\": \" \\n\\t\"}", &["x failed: the prompt is empty"]),
        (b"{\"id\": \"x\"}", &["x failed: in, line 2: it has no `prompt`: add that field"]),
        (b"{\"id\": \"x\", \"prompt\": 3}", &["line 2: `prompt` must be a string, not a number"]),
        (b"{\"prompt\": \"def\"}", &["line 2: it has no `id` or `task_id`"]),
        (b"{\"id\": null, \"prompt\": \"d\"}", &["`id` must be a string or a number, not null"]),
        (b"17", &["line 2: a JSON object is expected, not a number"]),
        (b"{\"id\": \"x\", \"prompt\": \"\xff\"}", &["line 2: invalid UTF-8 after byte 23"]),
        (b"{\"id\": \"x\", \"prompt\": \"\\ud800\"}", &["line 2: malformed JSON at column"]),
        (b"{\"id\": \"x\", \"prompt\": \"d\", \"stop\": 1}", &["`stop` must be a list of strings"]),
        (b"{\"id\": \"x\", \"prompt\": \"d\", \"stop\": [\"\"]}", &["would end every program"]),
        (b"{\"id\": \"x\", \"prompt\": \"d\" \"stop\": 1}", &["malformed JSON at column 27"]),
    ];
    for (line, parts) in table {
        let good = [problem("first", "def f(x):\n"), problem("last", "def g(x):\n")];
        let bytes = [good[0].as_bytes(), line, b"\n", good[1].as_bytes()].concat();
        let folder = Folder::new();
        folder.write("in", bytes);
        folder.refused(&format!("generate --input in --output out {FAST}"), 1, parts);
        let written = folder.json_lines("out");
        let failed: Vec<_> = written.iter().map(|line| line.get("error").is_some()).collect();
        assert_eq!(failed, [false, true, false], "{parts:?}");
    }
}

#[test]
fn what_is_too_long_or_foreign_says_so() {
    let folder = Folder::new();
    let long = "x = 1\n".repeat(500);
    folder.write("long", problem("long", &long));
    let parts = ["long failed: the prompt has", "there is room for 1024", "shorten the prompt"];
    folder.refused("generate --quiet --input long --output out", 1, &parts);
    assert_eq!(folder.json_lines("out")[0]["solution"], long);
    folder.write("spaces", problem("spaces", &format!("x{}y", " ".repeat(300_000))));
    folder.refused("generate --quiet --input spaces --output out2", 1, &["spaces failed"]);
    folder.write("lines", problem("lines", &"x = 1\n".repeat(64)));
    let parts = ["lines failed: the prompt has 64 lines", "raise --max-lines"];
    folder.refused("generate --quiet --input lines --output out5", 1, &parts);
    folder.write("cobol", json!({"id": 1, "prompt": "f x", "language": "COBOL"}).to_string());
    let parts = ["1 failed: the language \"cobol\" isn't supported (python, ", "--mode ar"];
    folder.refused("generate --quiet --input cobol --output out3", 1, &parts);
    let run = folder.run("generate --quiet --input cobol --output out4 --mode ar --max-lines 2");
    assert_eq!((run.code, &*run.stderr), (0, ""));
}

#[test]
fn many_failures_are_summed_up() {
    let lines: String = (0..30).map(|idx| problem(&format!("p{idx}"), "")).collect();
    let folder = Folder::with_input(&lines);
    let run = folder.run("generate --quiet --input in --output out");
    assert_eq!(run.code, 1);
    assert_eq!(run.stderr.lines().count(), 11, "{}", run.stderr);
    assert!(run.stderr.ends_with("jumpcoder: and 20 more failed; see `error` in the output\n"));
}

#[test]
fn odd_prompts_are_kept_byte_for_byte() {
    let table = [
        ("crlf", "def f(x):\r\n    \"\"\"Add one.\"\"\"\r\n"),
        ("tabs", "def f(x):\n\t\"\"\"Add one.\"\"\"\n"),
        ("no newline", "def f(x):"),
        ("unicode", "# é日本😀 \u{a0}\u{2028}\ndef f(x):\n"),
        ("special", "# <|endoftext|><|fim_prefix|><|fim_middle|>\ndef f(x):\n"),
        ("control", "# \u{0}\u{1b}[2J\u{7f}\u{1c}\u{85}\ndef f(x):\n"),
        ("form feed", "x = 1\n\u{c}\ndef f(x):\n"),
        ("carriage returns", "x = 1\r\r\ry = 2\r"),
        ("blank lines", "\n\n\ndef f(x):\n\n\n"),
    ];
    let lines: String = table.iter().map(|(id, prompt)| problem(id, prompt)).collect();
    let folder = Folder::with_input(&lines);
    let line = "generate --quiet --input in --max-lines 10 --max-line-tokens 40";
    for mode in ["ar", "jump", "filtered"] {
        let run = folder.run(&format!("{line} --output {mode} --mode {mode}"));
        assert_eq!((run.code, &*run.stderr), (0, ""));
        let written = folder.json_lines(mode);
        for ((line, program), (id, prompt)) in written.iter().zip(programs(&written)).zip(&table) {
            let Some(completion) = line.get("completion") else { continue };
            let whole = format!("{prompt}{}", completion.as_str().unwrap());
            assert_eq!(program.trim_end(), whole.trim_end(), "{mode}, {id}");
        }
        assert!(written.iter().any(|line| line.get("completion").is_some()), "{mode}");
    }
    let run = folder.run("generate --watch --input in --max-lines 10 --max-line-tokens 40");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stdout.contains('\x1b'), "what steers a terminal is shown, not sent");
}
