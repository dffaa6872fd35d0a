//! The same tokens by lines and as a whole, and the line of each, for the tokenizers at hand.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::*;

/// Tokenizers of other families, which only some machines have.
const SHARED: [&str; 5] =
    ["smollm2", "qwen2.5-coder-constructed", "starcoder", "deepseek-coder", "gpt2"];

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
    Tokenizer::parse(include_bytes!("../../tiny/tokenizer.json"), "tiny").unwrap()
}

/// The tokenizer of another family; `None`, with a visible line, if it isn't there.
fn shared(name: &str) -> Option<Tokenizer> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tokenizers").join(name);
    let files = ["tokenizer.json", "tokenizer.rebuilt.json"].map(|file| folder.join(file));
    let Some(file) = files.iter().find(|file| file.exists()) else {
        // Past the test harness, which keeps the output of tests that pass to itself.
        let line = format!("skipped: this test needs ../shared/tokenizers/{name}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    };
    Some(Tokenizer::parse(&std::fs::read(file).unwrap(), name).unwrap())
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
    let Encoding { ids, lines: token_lines } = tokenizer.encode_program(&lines);
    assert_eq!(ids[usize::from(bos.is_some())..], whole, "{name}: {text:?} as a program");
    assert_eq!(bos, ids.first().copied().filter(|_| bos.is_some()), "{name}: {text:?}");
    assert_eq!(token_lines.len(), ids.len());
    if decode(tokenizer, &whole) != text.as_bytes() {
        assert!(name.starts_with("qwen") && text.contains('\u{301}'), "{name} changes {text:?}");
        let numbered: Vec<u32> = token_lines.into_iter().flatten().collect();
        assert!(numbered.is_sorted() && numbered.iter().all(|line| *line < lines.len() as u32));
        return;
    }
    let mut start = 0;
    for (id, found) in ids.iter().zip(&token_lines).skip(usize::from(bos.is_some())) {
        let bytes = tokenizer.bytes(*id);
        let expected = (!is_blank(bytes)).then(|| start + num_blank_bytes(bytes));
        let line =
            expected.map(|at| text.as_bytes()[..at].split(|byte| *byte == b'\n').count() - 1);
        assert_eq!(found.map(|line| line as usize), line, "{name}: {text:?} at byte {start}");
        start += bytes.len();
    }
}

/// The white space that a token begins with. A piece of a character is none.
fn num_blank_bytes(bytes: &[u8]) -> usize {
    let is_space = |c: &char| c.is_whitespace() || matches!(c, '\x1c'..='\x1f');
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    valid.chars().take_while(is_space).map(char::len_utf8).sum()
}

#[test]
fn lines_are_the_texts_lines() {
    let texts = texts();
    let tiny = tiny();
    assert!(tiny.by_line, "a newline is a token of its own");
    for text in &texts {
        check(&tiny, "tiny", text);
    }
    let mut by_line = String::new();
    for name in SHARED {
        let Some(tokenizer) = shared(name) else { continue };
        write!(by_line, "{name} {}, ", tokenizer.by_line).unwrap();
        for text in &texts {
            check(&tokenizer, name, text);
        }
    }
    assert!(!by_line.contains("qwen2.5-coder-constructed true"), "it fuses newlines: {by_line}");
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

#[test]
fn long_texts_are_no_trouble() {
    for tokenizer in [Some(tiny()), shared("qwen2.5-coder-constructed")].into_iter().flatten() {
        for piece in [" ", "\n", "a", "é", "\t \n", "'"] {
            let text = piece.repeat(50_000);
            let ids = tokenizer.encode(&text);
            assert_eq!(decode(&tokenizer, &ids), text.as_bytes());
        }
    }
}

#[test]
fn files_that_are_refused() {
    let whole: serde_json::Value =
        serde_json::from_slice(include_bytes!("../../tiny/tokenizer.json")).unwrap();
    let table = [
        ("/decoder", "null", "the decoder is \"null\"; only byte-level BPE"),
        ("/decoder", "{\"type\": \"Metaspace\"}", "the decoder is \"Metaspace\""),
        ("/decoder", "7", "invalid type: integer `7`"),
        ("/model", "{\"type\": \"WordLevel\", \"vocab\": {}, \"unk_token\": \"x\"}", "isn't BPE"),
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
