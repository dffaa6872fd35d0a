//! The same tokens by lines and as a whole, and the line of each, for the tokenizers at hand.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::*;

mod edits;
mod preambles;
mod vectors;

/// Tokenizers of other families, which only some machines have, and their seams.
const SHARED: [(&str, Seams); 14] = [
    ("smollm2", Seams::BeforeBlanks),
    ("starcoder", Seams::BeforeBlanks),
    ("gpt2", Seams::BeforeBlanks),
    ("qwen2.5-coder-constructed", Seams::AfterLastNewlines),
    ("codegemma-constructed", Seams::AfterLastNewlines),
    ("deepseek-coder", Seams::AfterNewlines),
    ("llama2", Seams::AfterNewlines),
    ("codellama-constructed", Seams::AfterNewlines),
    ("mistral-v3-codestral", Seams::AfterNewlines),
    ("refact", Seams::BeforeBlanks),
    ("kitoken-testdata", Seams::BeforeBlanks),
    ("qwen3", Seams::AfterLastNewlines),
    ("llama3", Seams::AfterLastNewlines),
    ("deepseek-v3", Seams::AfterLastNewlines),
];

/// Pieces that texts are put together from: all that tokenizers are known to treat in odd ways.
const PIECES: [&str; 48] = [
    "\n",
    "\n",
    "\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "  ",
    "    ",
    "     ",
    "\n    ",
    " \n",
    "\t\n",
    "\u{c}",
    "\u{1c}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{3000}",
    "\u{feff}",
    "\u{0}",
    "x",
    "def f(x):",
    "return",
    "1",
    "12345",
    "3.14",
    "'s",
    "'ll",
    "don't",
    "(",
    "):",
    "\"\"\"",
    "#",
    "==",
    "é",
    "e\u{301}",
    "日本語",
    "한국",
    "😀",
    "👩\u{200d}💻",
    "عربى",
    "<|endoftext|>",
    "<|fim_middle|>",
    "<fim_prefix>",
    "Ⅷ²",
];

const TEXTS: [&str; 12] = [
    "def f(x):\n    return x + 1\n",
    "def f(x):\r\n\treturn x\r\n",
    "no newline at the end",
    "\n",
    "\n\n\n",
    "   \n\t\n \n",
    "x\n\n\n    y\n",
    "# <|endoftext|><|fim_prefix|> <|fim_suffix|>\n<|fim_middle|>\n",
    "# <fim_prefix> <｜fim▁begin｜> <|im_start|>\n",
    "s = 'é日本語😀\u{3000}'\n\u{3000}\nπ\n",
    "a\u{2028}b\u{85}c\u{1c}d\n\u{c}\ne\n",
    "x = 1  # trailing   \n  \n    y = 22\n",
];

fn tiny() -> Tokenizer {
    Tokenizer::parse(include_bytes!("../../../tiny/tokenizer.json"), "tiny").unwrap()
}

/// The file `path` of the reference data, or of the folder that `JUMP_TOKENIZERS` names.
fn shared_file(path: &str) -> Option<PathBuf> {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tokenizers");
    let own = std::env::var_os("JUMP_TOKENIZERS").map(PathBuf::from);
    let files = [reference].into_iter().chain(own).map(|folder| folder.join(path));
    files.into_iter().find(|file| file.exists())
}

/// The tokenizer of another family; `None`, with a visible line, if it isn't there.
fn shared(name: &str) -> Option<Tokenizer> {
    let files = ["tokenizer.json", "tokenizer.rebuilt.json", "tokenizer.gguf"];
    let Some(file) = files.iter().find_map(|file| shared_file(&format!("{name}/{file}"))) else {
        skipped(name);
        return None;
    };
    let bytes = std::fs::read(&file).unwrap();
    Some(if file.extension().is_some_and(|extension| extension == "gguf") {
        crate::Gguf::parse_tokenizer(&bytes, name).unwrap()
    } else {
        Tokenizer::parse(&bytes, name).unwrap()
    })
}

/// Says that a file isn't there, past the test harness, which keeps the output of tests that pass
/// to itself.
fn skipped(path: &str) {
    let line = format!("skipped: this test needs ../shared/tokenizers/{path}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Texts of random pieces, as many from each seed as the machine is patient.
fn texts() -> Vec<String> {
    let random = (0..400_u64).map(|seed| {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x94d0_49bb_1331_11eb;
        let mut text = String::new();
        for _ in 0..seed % 23 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(PIECES[(state >> 33) as usize % PIECES.len()]);
        }
        text
    });
    TEXTS.iter().map(ToString::to_string).chain(random).collect()
}

fn decode(tokenizer: &Tokenizer, ids: &[TokenId]) -> Vec<u8> {
    ids.iter().flat_map(|id| tokenizer.bytes(*id)).copied().collect()
}

/// Checks a text as the lines of a program. The tokens of a tokenizer that doesn't normalise are
/// the text's bytes, one after the other, which tells independently where each of them lies.
fn check(tokenizer: &Tokenizer, name: &str, text: &str) {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let whole = tokenizer.encode(text);
    assert_eq!(tokenizer.encode_lines(&lines), whole, "{name}: {text:?} by lines");
    let bos = tokenizer.bos();
    let preamble = tokenizer.plain_preamble("");
    let Encoding { ids, lines: token_lines } = tokenizer.encode_program(&preamble, &lines);
    assert_eq!(ids[usize::from(bos.is_some())..], whole, "{name}: {text:?} as a program");
    assert_eq!(bos, ids.first().copied().filter(|_| bos.is_some()), "{name}: {text:?}");
    assert_eq!(token_lines.len(), ids.len());
    let mut with_prefix = tokenizer.dummy_prefix.before(text).into_owned();
    if Spelling::of(&tokenizer.inner) == Ok(Spelling::Pieces) {
        // Its own sign for a blank comes back as one.
        with_prefix = with_prefix.replace('▁', " ");
    }
    if decode(tokenizer, &whole) != with_prefix.as_bytes() {
        // Only NFC.
        let is_nfc = name.starts_with("qwen") || name == "kitoken-testdata";
        assert!(is_nfc && text.contains('\u{301}'), "{name} changes {text:?}");
        let numbered: Vec<u32> = token_lines.into_iter().flatten().collect();
        assert!(numbered.is_sorted() && numbered.iter().all(|line| *line < lines.len() as u32));
        return;
    }
    let mut start = 0;
    for (id, found) in ids.iter().zip(&token_lines).skip(usize::from(bos.is_some())) {
        let bytes = tokenizer.bytes(*id);
        let blank = String::from_utf8_lossy(bytes).chars().all(is_python_space);
        let expected = (!blank).then(|| start + bytes.len() - trimmed(bytes).len());
        let before = |at: usize| &with_prefix.as_bytes()[..at];
        let line = expected.map(|at| before(at).split(|byte| *byte == b'\n').count() - 1);
        assert_eq!(found.map(|line| line as usize), line, "{name}: {text:?} at byte {start}");
        start += bytes.len();
    }
}

fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// What comes after the white space at the beginning; a piece of a character is none.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    &bytes[valid.len() - valid.trim_start_matches(is_python_space).len()..]
}

#[test]
fn lines_are_the_texts_lines() {
    let texts = texts();
    let tiny = tiny();
    assert_eq!(tiny.seams, Seams::AfterNewlines);
    for text in &texts {
        check(&tiny, "tiny", text);
    }
    for (name, seams) in SHARED {
        let Some(tokenizer) = shared(name) else { continue };
        assert_eq!(tokenizer.seams, seams, "{name}");
        for text in &texts {
            check(&tokenizer, name, text);
        }
    }
}

/// A tokenizer whose stages nobody knows takes every text as a whole.
#[test]
fn unknown_stages_have_no_seams() {
    let mut file: serde_json::Value =
        serde_json::from_slice(include_bytes!("../../../tiny/tokenizer.json")).unwrap();
    let pattern = file.pointer_mut("/pre_tokenizer/pretokenizers/0/pattern/Regex").unwrap();
    *pattern = r"\n+|[^\n]+".into();
    let tokenizer = Tokenizer::parse(file.to_string().as_bytes(), "file").unwrap();
    assert_eq!(tokenizer.seams, Seams::Nowhere);
    for text in texts() {
        check(&tokenizer, "changed", &text);
    }
    assert_eq!(tokenizer.memory.lock().unwrap().num_bytes, 0, "nothing is worth remembering");
}

/// What goes on from something else than text has no dummy prefix.
#[test]
fn continuations_are_as_they_are() {
    let table = [
        ("codellama-constructed", "x", vec![921], vec![29916]),
        ("mistral-v3-codestral", "x", vec![2086], vec![29512]),
        ("codellama-constructed", " x", vec![29871, 921], vec![921]),
        ("mistral-v3-codestral", " x", vec![2086], vec![2086]),
        ("codellama-constructed", "", vec![], vec![]),
        ("smollm2", "x", vec![104], vec![104]),
    ];
    for (name, text, whole, continuation) in table {
        let Some(tokenizer) = shared(name) else { continue };
        let ids = |ids: Vec<TokenId>| ids.iter().map(|id| id.0).collect::<Vec<u32>>();
        assert_eq!(ids(tokenizer.encode(text)), whole, "{name}: {text:?}");
        assert_eq!(ids(tokenizer.encode_continuation(&[text])), continuation, "{name}: {text:?}");
    }
}

/// What the next line may change of the last one's tokens isn't settled.
#[test]
fn lines_are_continued_after_settled_tokens() {
    let indented = "def f(x):\n    return x\n";
    let table = [
        ("smollm2", indented, "\n"),
        ("smollm2", "x\n\n    \n", "\n\n    \n"),
        ("starcoder", indented, "\n"),
        ("qwen2.5-coder-constructed", indented, "\n"),
        ("qwen2.5-coder-constructed", "x = [1, (y)]\n", ")]\n"),
        ("llama3", "def f(x):\n", "):\n"),
        ("codegemma-constructed", "x\n\n", "\n\n"),
        ("codellama-constructed", indented, ""),
        ("deepseek-coder", "x\n\n", ""),
    ];
    for (name, text, lead) in table {
        let Some(tokenizer) = shared(name) else { continue };
        let ids = tokenizer.encode(text);
        let found = decode(&tokenizer, &ids[tokenizer.num_settled(&ids)..]);
        assert_eq!(String::from_utf8_lossy(&found), lead, "{name}: {text:?}");
    }
    let tiny = tiny();
    let ids = tiny.encode(indented);
    assert_eq!(tiny.num_settled(&ids), ids.len(), "a newline is always a token of its own");
}

#[test]
fn text_stays_text() {
    let tiny = tiny();
    let text = "<|endoftext|><|fim_prefix|>a<|fim_suffix|>\n<|fim_middle|><|fim_pad|>\n";
    let ids = tiny.encode(text);
    assert_eq!(decode(&tiny, &ids), text.as_bytes());
    for special in ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"] {
        let id = tiny.special(special).unwrap();
        assert!(!ids.contains(&id), "{special} in a text is text");
        assert_eq!(tiny.bytes(id), b"", "and as a token it has none");
    }
    assert_eq!(tiny.special("def"), None, "a token that isn't special");
    assert_eq!((tiny.vocab_len(), tiny.bos()), (4096, None));
}

/// Every special token of every vocabulary, in all texts that have its string.
#[test]
fn the_strings_of_special_tokens_are_text() {
    for (name, _) in SHARED {
        let Some(tokenizer) = shared(name) else { continue };
        let added = tokenizer.inner.get_added_tokens_decoder();
        let special: Vec<_> = added.into_iter().filter(|(_, token)| token.special).collect();
        assert!(!special.is_empty(), "{name} has some");
        for (id, token) in special {
            for text in [token.content.clone(), format!("a{0}b {0}\n{0}", token.content)] {
                let ids = tokenizer.encode(&text);
                assert!(!ids.contains(&TokenId(id)), "{name}: {text:?}");
                let text = tokenizer.dummy_prefix.before(&text).replace('▁', " ");
                let found = String::from_utf8(decode(&tokenizer, &ids)).unwrap();
                assert_eq!(found.replace('▁', " "), text, "{name}");
            }
        }
    }
    let marked = shared("deepseek-coder").is_none_or(|t| t.special("<｜fim▁hole｜>").is_some());
    assert!(marked, "its file doesn't call it special");
}

#[test]
fn long_texts_are_no_trouble() {
    let names = ["qwen2.5-coder-constructed", "codegemma-constructed", "codellama-constructed"];
    for tokenizer in [Some(tiny())].into_iter().chain(names.map(shared)).flatten() {
        for piece in [" ", "\n", "a", "é", "\t \n", "'"] {
            let text = piece.repeat(50_000);
            let ids = tokenizer.encode(&text);
            let with_prefix = tokenizer.dummy_prefix.before(&text);
            assert_eq!(decode(&tokenizer, &ids), with_prefix.as_bytes());
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            assert_eq!(tokenizer.encode_lines(&lines), ids);
        }
    }
}

#[test]
fn files_that_are_refused() {
    let whole: serde_json::Value =
        serde_json::from_slice(include_bytes!("../../../tiny/tokenizer.json")).unwrap();
    let table = [
        ("/decoder", "null", "the decoder is []; only byte-level BPE"),
        ("/decoder", "{\"type\": \"Fuse\"}", "the decoder is [\"Fuse\"]"),
        ("/decoder", "7", "not a tokenizer.json of Hugging Face tokenizers"),
        (
            "/model",
            "{\"type\": \"WordLevel\", \"vocab\": {}, \"unk_token\": \"x\"}",
            "is WordLevel",
        ),
        ("/model", "{\"type\": \"Unigram\", \"vocab\": []}", "the model is Unigram; only BPE"),
        ("/model/dropout", "0.5", "its model draws tokens at random: set \"dropout\" to null"),
        ("/model/unk_token", "\"<q>\"", "the unknown token \"<q>\" isn't in the vocabulary"),
        ("/model/merges", "[\"q\"]", "not a tokenizer.json of Hugging Face tokenizers"),
        ("/model/vocab/a", "4000000000", "an id is 4000000000, but there are only 4096 tokens"),
        ("/normalizer", "{\"type\": \"Lowercase\"}", "it changes text: \"def Fibonacci"),
        ("/pre_tokenizer", "null", "it changes text"),
    ];
    for (place, value, expected) in table {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).unwrap() = serde_json::from_str(value).unwrap();
        let error = Tokenizer::parse(changed.to_string().as_bytes(), "file").err().unwrap();
        let error = error.to_string();
        assert!(error.starts_with("file: ") && error.contains(expected), "{place}: {error}");
    }
    assert!(Tokenizer::parse(b"\xff", "file").is_err());
}
