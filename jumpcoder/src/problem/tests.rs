//! Every layout, and every kind of bad input.

use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// A file of the benchmarks; they are not part of the repository.
fn shared(file: &str) -> Option<Source> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(file);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(Source::File(path))
}

fn parse_text(text: &str) -> Vec<Problem> {
    parse(text.as_bytes(), "in.jsonl").unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn benchmarks() {
    let multipl = "multipl-e-humaneval/humaneval-";
    let table = [
        ("humaneval/HumanEval.jsonl.gz", 164, "HumanEval/0", "python", 8),
        ("tiny-tasks.jsonl", 150, "TinyTasks/0", "python", 8),
        ("mbpp/mbpp.jsonl", 974, "Mbpp/1", "python", 10),
        ("mbpp/sanitized-mbpp.json", 427, "Mbpp/2", "python", 10),
        (&format!("{multipl}cpp.jsonl"), 161, "HumanEval_23_strlen", "cpp", 1),
        (&format!("{multipl}go.jsonl"), 154, "HumanEval_23_strlen", "go", 3),
        (&format!("{multipl}java.jsonl"), 158, "HumanEval_23_strlen", "java", 1),
    ];
    for (file, num, id, language, num_stop) in table {
        let Some(source) = shared(file) else { continue };
        let problems = read(&source).unwrap();
        assert_eq!(problems.len(), num, "{file}");
        assert_eq!(problems[0].id, id, "{file}");
        for problem in &problems {
            let text = problem.content.as_ref().unwrap();
            assert!(!text.prompt.is_empty(), "{file}: {}", problem.id);
            assert_eq!((&*text.language, text.stop.len()), (language, num_stop), "{file}");
        }
    }
}

#[test]
fn embedded_examples_are_problems() {
    let problems = read(&Source::Examples).unwrap();
    assert_eq!(problems.len(), 8);
    assert!(problems.iter().all(|problem| problem.content.is_ok()));
}

#[test]
fn mbpp_prompt_is_the_authors() {
    // Spaces in odd places, Windows' line ends, a function before the one that is tested.
    let line = r#"{"text": "Say T.", "task_id": 31, "test_list": ["assert T (1) == 2", "x"],
        "code": "import re\r\ndef Help (n): \r\n  pass\r\ndef T (l,b) : \r\n  pass\ndef last(x):"}"#
        .replace('\n', " ");
    let problems = parse_text(&line);
    let text = problems[0].content.as_ref().unwrap();
    assert_eq!(problems[0].id, "Mbpp/31");
    assert_eq!(text.prompt, "\"\"\"\nSay T.\nassert T (1) == 2\n\"\"\"\n\ndef T(l,b):\n");
    assert!(text.stop.contains(&"\nassert".to_owned()));
}

#[test]
fn plain_problems() {
    let problems = parse_text(concat!(
        "\u{feff}{\"id\": 7, \"prompt\": \"a\"}\r\n\r\n  \n",
        "{\"task_id\": \"x\", \"prompt\": \"b\\r\\n\", \"language\": \"Py\", \"stop\": [\"\\nq\"]}"
    ));
    let text = |prompt: &str, stop: &[&str]| ProblemText {
        prompt: prompt.to_owned(),
        language: "python".to_owned(),
        stop: stop.iter().map(ToString::to_string).collect(),
    };
    let expected = [("7", text("a", &[])), ("x", text("b\r\n", &["\nq"]))]
        .map(|(id, text)| Problem { id: id.to_owned(), content: Ok(text) });
    assert_eq!(problems, expected);
}

#[test]
fn bad_lines_spoil_only_themselves() {
    let good = "{\"id\": \"good\", \"prompt\": \"p\"}";
    let table: [(&[u8], &str, &str); 14] = [
        (b"{\"id\": \"a\", ", "line 2", "malformed JSON at column 12: EOF"),
        (b"nonsense", "line 2", "malformed JSON at column 2"),
        (b"{\"id\": \"a\", \"prompt\": \"\xff\"}", "line 2", "invalid UTF-8 after byte 23"),
        (b"{\"id\": \"a\", \"prompt\": \"\\ud800\"}", "line 2", "malformed JSON at column"),
        (b"17", "line 2", "a JSON object is expected, not a number"),
        (b"{\"prompt\": \"x\"}", "line 2", "it has no `id` or `task_id`"),
        (b"{\"id\": {}, \"prompt\": \"x\"}", "line 2", "`id` must be a string or a number"),
        (b"{\"id\": \"\", \"prompt\": \"x\"}", "line 2", "`id` is empty"),
        (b"{\"id\": \"a\"}", "a", "it has no `prompt`: add that field"),
        (b"{\"id\": \"a\", \"prompt\": 3}", "a", "`prompt` must be a string, not a number"),
        (b"{\"id\": \"a\", \"prompt\": \"\", \"stop\": [1]}", "a", "`stop` must hold strings only"),
        (
            b"{\"id\": \"a\", \"prompt\": \"\", \"stop\": [\"\\n\"]}",
            "a",
            "end every program at once",
        ),
        (b"{\"id\": \"a\", \"prompt\": \"\", \"language\": 1}", "a", "`language` must be a string"),
        (
            b"{\"task_id\": 1, \"text\": \"\", \"code\": \"x = 1\", \"test_list\": [\"a\"]}",
            "Mbpp/1",
            "no line that begins with `def`",
        ),
    ];
    for (line, id, reason) in table {
        let input = [good.as_bytes(), line].join(&b'\n');
        let problems = parse(&input, "in.jsonl").unwrap();
        assert!(problems[0].content.is_ok());
        assert_eq!(problems[1].id, id);
        let text = problems[1].content.as_ref().unwrap_err().to_string();
        assert!(text.starts_with("in.jsonl, line 2: "), "{text}");
        assert!(text.contains(reason), "{text} should say {reason}");
    }
}

#[test]
fn bad_inputs_end_the_run() {
    let twice = "{\"id\": 1, \"prompt\": \"\"}\n\n{\"id\": \"1\", \"prompt\": \"x\"}";
    let table: [(&[u8], &str); 6] = [
        (b"", "in.jsonl holds no problem"),
        (b"\xef\xbb\xbf \r\n\n", "holds no problem"),
        (b"[]", "holds no problem"),
        (b"[{\"id\": 1}", "isn't a whole one: EOF while parsing a list at line 1"),
        (b"\xff\xfe{\0", "UTF-16"),
        (twice.as_bytes(), "line 1 and line 3 have the same id \"1\""),
    ];
    for (input, expected) in table {
        let error = parse(input, "in.jsonl").unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}

#[test]
fn files() {
    let folder = std::env::temp_dir().join(format!("jumpcoder-problem-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let whole = gzip(b"{\"id\": 1, \"prompt\": \"\"}\n");
    let member = gzip(b"{\"id\": 2, \"prompt\": \"\"}\n");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    // The name says nothing: the first bytes do.
    let members = write("members.jsonl", &[whole.clone(), member].concat());
    assert_eq!(read(&Source::File(members)).unwrap().len(), 2);
    let misnamed = write("plain.gz", b"{\"id\": 1, \"prompt\": \"\"}");
    assert_eq!(read(&Source::File(misnamed)).unwrap().len(), 1);
    let table = [
        (folder.join("missing"), "can't read the problems from"),
        (folder.clone(), "it is a folder: name a file in it"),
        (write("cut.gz", &whole[..whole.len() - 5]), "damaged or cut off"),
        (write("flipped.gz", &[&whole[..12], b"\xff\xff\xff", &whole[15..]].concat()), "damaged"),
    ];
    for (path, expected) in table {
        let error = read(&Source::File(path.clone())).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
        assert!(error.contains(path.to_str().unwrap()), "{error} should name the file");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn tasks_are_samples_of_readable_problems() {
    let problems =
        parse_text("{\"id\": \"a\", \"prompt\": \"\"}\n{}\n{\"id\": \"b\", \"prompt\": \"\"}");
    let names = |samples, limit| -> Vec<_> {
        tasks(&problems, samples, limit).iter().map(|task| (task.id.clone(), task.sample)).collect()
    };
    let key = |id: &str, sample| (id.to_owned(), sample);
    assert_eq!(names(2, None), [key("a", 0), key("a", 1), key("b", 0), key("b", 1)]);
    assert_eq!(names(1, Some(2)), [key("a", 0)]);
}
