//! Programs that grow, shrink and change in the middle: their tokens are those of the whole text,
//! and only the neighbourhood of an edit is tokenised.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// Edits of each program.
const NUM_EDITS: usize = 30;

/// Bytes of a program, about: a whole tokenizer run over it is the price of a comparison.
const PROGRAM_BYTES: usize = 3000;

/// Lines of source files: this project's, and Python's standard library where there is one.
fn programs() -> Vec<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let own = [
        "models/src/tokenizer.rs",
        "kernels/emu/cta.cpp",
        "kernels/cuda/attention.cu",
        "jumpcoder/src/language/java/Tables.java",
        "benches/languages/Javac.java",
        "jumpcoder/src/language/go/Tables.go",
        "jumpcoder/src/language/php/tables.php",
        "benches/gpu/compare.py",
        "benches/languages/agreement.py",
    ];
    let mut files: Vec<PathBuf> = own.iter().map(|file| root.join(file)).collect();
    let library = Command::new("python3").args(["-c", "import os; print(os.__file__)"]).output();
    if let Ok(output) = library {
        let os = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let names = ["argparse", "ast", "difflib", "json/decoder", "re/_parser", "tarfile"];
        files.extend(names.map(|name| os.with_file_name(format!("{name}.py"))));
    } else {
        skipped("(the standard library of python3)");
    }
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let programs = texts.map(|text| lines(&text[..text.floor_char_boundary(PROGRAM_BYTES)]));
    let programs: Vec<_> = programs.chain([lines(&ODD_TEXTS.concat())]).collect();
    assert!(programs.len() > 5, "the project has source files");
    programs
}

/// What programs are made of that tokenizers find hard.
const ODD_TEXTS: [&str; 6] = [
    "if x:\r\n\ty = 1\r\n\r\n\r\n\tz\r\n",
    "\n\n\n    \n  \t\n\n    # é日本語😀\n\u{3000}\n\u{3000}x\n\u{c}\nπ = 'e\u{301}'\n",
    "def f():\n    '''\n\n    Doc.\n    '''\n\n\n    return {\n        1: (2),\n    }\n\n",
    "x = 1   \n   \n   y;\n\r\n\u{85}\u{a0}\n \n",
    "<|endoftext|>\n<fim_prefix>\n▁x\n▁\n<0x0A>\n</s>\n",
    "\u{301}\n\u{301}\u{323}a\n",
];

fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(|line| format!("{}\n", line.trim_end_matches('\n'))).collect()
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// Drops some lines at a place and puts others there, which nobody has seen; gives where these are.
fn edit(program: &mut Vec<String>, random: &mut Random) -> (usize, usize) {
    let at = match random.below(3) {
        0 => program.len(),
        _ => random.below(program.len() + 1),
    };
    let end = (at + random.below(4).saturating_sub(1)).min(program.len());
    let source = random.below(program.len());
    let num_new = random.below(4).min(program.len() - source);
    let mut new = program[source..source + num_new].to_vec();
    if random.below(3) == 0 {
        let odd = lines(ODD_TEXTS[random.below(ODD_TEXTS.len())]);
        new.push(odd[random.below(odd.len())].clone());
    }
    let mark = format!("{}\n", random.below(usize::MAX));
    for line in new.iter_mut().filter(|line| !line.trim().is_empty()) {
        *line = line.replace('\n', &mark);
    }
    let num_new = new.len();
    program.splice(at..end, new);
    (at, at + num_new)
}

/// The bytes of the lines in `start..end`, with those around them up to the next that isn't blank.
fn neighbourhood_bytes(program: &[String], start: usize, end: usize) -> usize {
    let is_text = |line: &String| !line.trim().is_empty();
    let first = program[..start].iter().rposition(is_text).unwrap_or(0);
    let last = program[end..].iter().position(is_text).map_or(program.len(), |idx| end + idx + 1);
    program[first..last].iter().map(String::len).sum()
}

/// Edits every program, and checks the tokens after each edit. Gives the bytes of all texts and
/// those that were tokenised for their edits.
fn edit_all(name: &str, tokenizer: &Tokenizer, programs: &[Vec<String>]) -> (usize, usize) {
    let (mut num_bytes, mut num_tokenised) = (0, 0);
    let preamble = tokenizer.plain_preamble("");
    for (seed, program) in programs.iter().enumerate() {
        let mut random = Random(seed as u64);
        let mut program = program.clone();
        tokenizer.encode_program(&preamble, &program);
        for edit_idx in 0..NUM_EDITS {
            let known = tokenizer.memory.lock().unwrap().num_bytes;
            let (start, end) = edit(&mut program, &mut random);
            let found = tokenizer.encode_program(&preamble, &program);
            let tokenised = tokenizer.memory.lock().unwrap().num_bytes - known;
            let text = program.concat();
            let whole = tokenizer.encode(&text);
            let num_bos = usize::from(tokenizer.bos().is_some());
            assert_eq!(found.ids[num_bos..], whole, "{name}, program {seed}, edit {edit_idx}");
            let neighbourhood = neighbourhood_bytes(&program, start, end) + " ".len();
            assert!(
                tokenised <= neighbourhood,
                "{name}, program {seed}, edit {edit_idx}: {tokenised} > {neighbourhood} bytes"
            );
            num_bytes += text.len();
            num_tokenised += tokenised;
        }
    }
    (num_bytes, num_tokenised)
}

#[test]
fn an_edit_concerns_its_neighbourhood() {
    let programs = programs();
    let shared = SHARED.iter().filter_map(|(name, _)| Some((*name, shared(name)?)));
    for (name, tokenizer) in [("tiny", tiny())].into_iter().chain(shared) {
        let (num_bytes, num_tokenised) = edit_all(name, &tokenizer, &programs);
        println!("{name}: {num_tokenised} of {num_bytes} bytes were tokenised");
        assert!(num_tokenised * 20 < num_bytes, "{name}: {num_tokenised} of {num_bytes} bytes");
    }
}
