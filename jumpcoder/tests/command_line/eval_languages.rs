//! Every language whose toolchain is here: a right, a wrong and a broken program, in MultiPL-E's
//! and in HumanEval-X's layout.

use serde_json::{Value, json};

use super::eval::can_judge;
use super::folder::Folder;

/// A function that gives its argument plus one: the language, a prompt, and the tests.
type Exam = (&'static str, &'static str, &'static str);

const MULTIPL_E: [Exam; 8] = [
    (
        "cpp",
        "#include<assert.h>\n#include<bits/stdc++.h>\nlong next(long n) {\n",
        "}\nint main() {\n    auto candidate = next;\n    assert(candidate((1)) == (2));\n}\n",
    ),
    (
        "cs",
        "using System;\nusing System.Diagnostics;\nclass Problem {\n\
         public static long Next(long n) {\n",
        "    }\n\
         public static void Main(string[] args) {\n\
         Debug.Assert(Next((1L)) == (2L));\n\
         }\n\n}\n",
    ),
    (
        "go_test.go",
        "package next_test\n\nimport (\n\
         \"testing\"\n\
         \"fmt\"\n)\n\nfunc next(n int) int {\n",
        "}\nfunc TestNext(t *testing.T) {\n\
         if fmt.Sprint(next(1)) != \"2\" {\n\
         t.Errorf(\"wrong\")\n\
         }\n}\n",
    ),
    (
        "java",
        "import java.util.*;\nimport org.javatuples.*;\nclass Problem {\n\
         public static long next(long n) {\n",
        "    }\n\
         public static void main(String[] args) {\n\
         assert(next((1l)) == (2l));\n\
         }\n\n}\n",
    ),
    (
        "js",
        "function next(n){\n",
        "}\nconst assert = require('node:assert');\nfunction test() {\n\
         assert.deepEqual(next(1),2);\n}\n\ntest();",
    ),
    (
        "php",
        "<?php\nfunction following($n) {\n",
        "}\nfunction test(): void {\n\
         if (following(1) !== 2) { throw new Exception(\"Test failed!\"); }\n}\n\n\
         test();",
    ),
    ("rs", "fn next(n: isize) -> isize {\n", "}\n\nfn main() {\n    assert_eq!(next(1), 2);\n}\n"),
    (
        "ts",
        "function next(n: number): number {\n",
        "}\ndeclare var require: any;\nconst assert = require('node:assert');\n\
         function test() {\n\
         assert.deepEqual(next(1),2);\n}\n\ntest();",
    ),
];

const HUMANEVAL_X: [Exam; 6] = [
    (
        "CPP",
        "#include<stdio.h>\nusing namespace std;\nint next(int n){\n",
        "}\n#undef NDEBUG\n#include<assert.h>\nint main(){\n    assert (next(1)==2);\n}\n",
    ),
    (
        "Go",
        "import (\n    \"math\"\n)\nfunc Next(n int) int {\n    _ = math.Pi\n",
        "}\nfunc TestNext(t *testing.T) {\n\
         assert := assert.New(t)\n\
         assert.Equal(2, Next(1))\n}\n",
    ),
    (
        "Java",
        "import java.util.*;\nclass Solution {\n    public int next(int n) {\n",
        "    }\n}\npublic class Main {\n\
         public static void main(String[] args) {\n\
         if (new Solution().next(1) != 2) {\n\
         throw new AssertionError();\n\
         }\n\
         }\n}\n",
    ),
    (
        "JavaScript",
        "const next = (n) => {\n",
        "}\nconst testNext = () => {\n  console.assert(next(1) === 2)\n}\n\ntestNext()\n",
    ),
    ("Python", "def next(n):\n", "\ndef check(next):\n    assert next(1) == 2\n\ncheck(next)\n"),
    (
        "Rust",
        "",
        "}\n#[cfg(test)]\nmod tests {\n\
         use super::*;\n\
         #[test]\n\
         fn test_next() {\n\
         assert_eq!(next(1), 2);\n\
         }\n}\n",
    ),
];

/// Programs that come after the prompt, with the verdicts they must get.
fn programs(language: &str) -> [(String, &'static str); 3] {
    let right = match language {
        "php" => "    return $n + 1;\n",
        "rs" | "Rust" => "    n + 1\n",
        "Python" => "    return n + 1\n",
        _ => "    return n + 1;\n",
    };
    [
        (right.to_owned(), "passed"),
        (right.replace("+ 1", "+ 2"), "assertion"),
        ("    return ((;\n".to_owned(), "syntax"),
    ]
}

/// Judges the programs of one language. Gives the verdicts, or why there are none.
fn verdicts(folder: &Folder, language: &str, exam: &Value, id: &str) -> Result<(), String> {
    folder.write("data", format!("{exam}\n"));
    let lines = programs(language)
        .map(|(program, _)| format!("{}\n", json!({"task_id": id, "completion": program})));
    folder.write("samples", lines.concat());
    let line = "eval samples --data data --output results --force --quiet --timeout 60";
    let run = folder.run(line);
    let found = folder.json_lines("results");
    let result = found[0]["result"].as_str().unwrap();
    if run.code == 1 && result.contains(" need ") {
        return Err(result.to_owned());
    }
    assert_eq!((run.code, &*run.stderr), (0, ""), "{language}");
    for ((_, expected), line) in programs(language).iter().zip(&found) {
        assert_eq!(line["verdict"], *expected, "{language}: {line}");
    }
    Ok(())
}

#[test]
fn multipl_e() {
    let folder = Folder::new();
    if !can_judge(&folder) {
        return;
    }
    for (language, prompt, tests) in MULTIPL_E {
        let id = format!("HumanEval_0_{language}");
        let exam = json!({
            "name": id, "language": language, "prompt": prompt, "tests": tests, "stop_tokens": [],
        });
        if let Err(reason) = verdicts(&folder, language, &exam, &id) {
            println!("skipped: {reason}");
        }
    }
}

#[test]
fn humaneval_x() {
    let folder = Folder::new();
    if !can_judge(&folder) {
        return;
    }
    for (language, prompt, test) in HUMANEVAL_X {
        let id = format!("{language}/0");
        let setup = "package main\n\nimport (\n    \"testing\"\n    \
                     \"github.com/stretchr/testify/assert\"\n)\n";
        let crates = "use rand::Rng;\nuse regex::Regex;\nuse md5;\nfn next(n: i32) -> i32 {\n";
        let exam = json!({
            "task_id": id, "prompt": prompt, "test": test, "test_setup": setup,
            "import": "import (\n    \"math\"\n)\n", "declaration": crates,
        });
        if let Err(reason) = verdicts(&folder, language, &exam, &id) {
            println!("skipped: {reason}");
        }
    }
}
