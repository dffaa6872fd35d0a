//! What `inspect` says of programs and insertions, one by one and in batches.

use serde_json::{Value, json};

use crate::folder::{Folder, json_lines};

const PROGRAM: &str = "\
# é
import os

def f(x):
    \"\"\"The root.\"\"\"
    é = 1; return math.sqrt(x)
";

fn inspected(folder: &Folder, line: &str) -> Vec<Value> {
    let run = folder.run(&format!("inspect {line}"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{line}");
    json_lines(&run.stdout)
}

#[test]
fn all_that_the_judge_sees_is_there() {
    let folder = Folder::new();
    folder.write("a.py", PROGRAM);
    let found = inspected(&folder, "a.py");
    let expected = json!({
        "name": "a.py",
        "language": "python",
        "undefined": [{ "name": "math", "line": 6, "column": 19 }],
        "errors": [],
        "functions": [{ "name": "f", "first_line": 4, "last_line": 6 }],
        "imports": [{ "name": "import os", "first_line": 2, "last_line": 2 }],
        "comment_lines": [1, 5],
        "insertions": [],
    });
    assert_eq!(found, std::slice::from_ref(&expected));
    let pretty = folder.run("inspect --pretty a.py").stdout;
    assert!(pretty.lines().count() > 10, "{pretty}");
    assert_eq!(serde_json::from_str::<Value>(&pretty).unwrap(), expected);
    folder.write("broken.py", "x = ) y\n");
    let found = inspected(&folder, "broken.py");
    assert_eq!(found[0]["errors"][0]["line"], 1, "{found:?}");
}

#[test]
fn insertions_are_judged() {
    let folder = Folder::new();
    folder.write("a.py", PROGRAM);
    let check = |at: &str, expected: Value| {
        let words = ["inspect", "a.py", "--at", at];
        let run = folder.run_words(&words);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{at}");
        let found = &json_lines(&run.stdout)[0]["insertions"][0];
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&found[field], value, "{field} of {at}: {found}");
        }
    };
    check(
        "2:import math",
        json!({ "kind": "import", "is_position": true, "judge": "tree", "accepted": true,
                "defines": ["math"], "inserted": "import math\n" }),
    );
    check("1:import math", json!({ "is_position": false, "accepted": true }));
    check("7:import math", json!({ "is_position": false, "accepted": true }));
    check("2:import re", json!({ "accepted": false, "defines": [] }));
    check(
        "3:def math():\\n\\treturn 1\\n\\nx = 2",
        json!({ "kind": "function", "inserted": "def math():\n\treturn 1\n", "accepted": true }),
    );
    check("3:x = 1", json!({ "kind": "statement", "judge": "scores", "accepted": null }));
    check("3:while x:", json!({ "kind": "control", "judge": "nobody", "accepted": false }));
    check("3:", json!({ "judge": "nobody", "accepted": false }));
    let error = "there is no line 8 to insert before: the lines go from 1 to 7, the end";
    check("8:x = 1", json!({ "error": error }));
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let folder = Folder::new();
    let request = |name: &str, language: &str| {
        let insertions = json!([{ "line": 2, "text": "import math" }]);
        json!({ "name": name, "language": language, "text": PROGRAM, "insertions": insertions })
    };
    let many: Vec<Value> = (0..100).map(|idx| request(&idx.to_string(), "python")).collect();
    let text = |requests: &[Value]| {
        let lines: Vec<String> = requests.iter().map(Value::to_string).collect();
        lines.join("\n\n") + "\n\n"
    };
    folder.write("requests", text(&many));
    let answers = inspected(&folder, "--batch requests");
    assert_eq!(answers.len(), 100);
    for (idx, answer) in answers.iter().enumerate() {
        assert_eq!(answer["name"], idx.to_string());
        assert_eq!(answer["insertions"][0]["accepted"], true);
    }
    let bad = format!("{}{{}}\n", text(&[request("a", "py"), request("b", "cobol")]));
    let run = folder.run_with_stdin("inspect --batch", &bad);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let answers = json_lines(&run.stdout);
    assert_eq!(answers[0]["undefined"][0]["name"], "math");
    assert_eq!(answers[1], json!({ "name": "b", "error": "no language \"cobol\" is known" }));
    assert_eq!(answers[2]["name"], "line 5");
    assert!(answers[2]["error"].as_str().unwrap().contains("missing field `name`"), "{answers:?}");
}

#[test]
fn a_bad_file_spoils_only_itself() {
    let folder = Folder::new();
    folder.write("a.py", PROGRAM);
    folder.write("b.py", [0xff]);
    folder.write("c.cobol", PROGRAM);
    let run = folder.run("inspect a.py b.py c.cobol none.py a.py");
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let found = json_lines(&run.stdout);
    assert_eq!(found.len(), 5);
    assert_eq!(found[0], found[4]);
    for (idx, part) in [(1, "invalid UTF-8"), (2, "--language"), (3, "can't be read")] {
        assert!(found[idx]["error"].as_str().unwrap().contains(part), "{}", found[idx]);
    }
    assert_eq!(inspected(&folder, "c.cobol --language python")[0]["undefined"][0]["line"], 6);
    let run = folder.run_with_stdin("inspect - --language python", PROGRAM);
    assert_eq!(json_lines(&run.stdout)[0]["name"], "-");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = Folder::new();
    folder.refused("inspect -", 2, &["standard input", "--language"]);
    folder.refused("inspect a --language cobol", 2, &["cobol"]);
    folder.refused("inspect --batch a b", 2, &["one file"]);
    folder.refused("inspect --batch none", 2, &["none"]);
    for line in ["inspect", "inspect a.py --at x", "inspect a.py --at 1:\\x", "inspect a --at x:y"]
    {
        let run = folder.run(line);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{line}: {}", run.stderr);
    }
}
