//! Programs after words that ask for them.

use super::*;
use PreamblePart::{Markup, Text};

/// The conversation of the first test and its program, by transformers 5.24.
const CONVERSATION: [u32; 39] = [
    1, 9690, 198, 6077, 1890, 2, 198, 1, 4093, 198, 1604, 803, 24, 81, 28, 278, 727, 2, 198, 1,
    520, 9531, 198, 3725, 5367, 198, 1604, 803, 24, 81, 28, 278, 727, 472, 1003, 253, 1232, 278,
    198,
];

#[test]
fn a_conversation_has_the_reference_ids() {
    let Some(tokenizer) = shared("smollm2") else { return };
    let system = "<|im_start|>system\nBe short<|im_end|>\n<|im_start|>user\n";
    let preamble = tokenizer.preamble(&[
        Markup(system),
        Text("def add(a, b):"),
        Markup("<|im_end|>\n<|im_start|>assistant\n"),
        Text("```python\n"),
    ]);
    let lines = ["def add(a, b):\n", "    return a + b\n"];
    let Encoding { ids, lines: token_lines } = tokenizer.encode_program(&preamble, &lines);
    let ids: Vec<u32> = ids.iter().map(|id| id.0).collect();
    assert_eq!(ids, CONVERSATION);
    let numbered: Vec<u32> = token_lines.iter().flatten().copied().collect();
    assert!(numbered.is_sorted() && numbered.contains(&0) && numbered.ends_with(&[1]));
    let first = token_lines.iter().position(Option::is_some).unwrap();
    let before: Vec<TokenId> = ids[..first].iter().copied().map(TokenId).collect();
    assert!(decode(&tokenizer, &before).ends_with(b"assistant\n```python\n"));
}

#[test]
fn markup_and_text_are_told_apart() {
    let tiny = tiny();
    let special = |name| tiny.special(name).unwrap();
    let (end, pad) = (special("<|endoftext|>"), special("<|fim_pad|>"));
    let said = "a <|endoftext|> b";
    let preamble = tiny.preamble(&[Markup("x<|endoftext|>"), Text(said), Markup("<|fim_pad|>y\n")]);
    let expected = [tiny.encode("x"), vec![end], tiny.encode(said), vec![pad]].concat();
    assert_eq!(preamble.ids, expected);
    assert_eq!(preamble.text, "y\n");
    assert_eq!((preamble.ids_len(), preamble.has_text()), (expected.len(), true));
    let encoding = tiny.encode_program(&preamble, &["z\n"]);
    let num_before = expected.len() + tiny.encode("y\n").len();
    assert_eq!(encoding.ids, [expected, tiny.encode("y\nz\n")].concat());
    assert_eq!(encoding.lines[..num_before], vec![None; num_before]);
    assert_eq!(encoding.lines[num_before], Some(0));
}

/// A token that reaches from the preamble into the program counts for the program.
#[test]
fn a_preamble_is_tokenised_with_its_program() {
    for (name, _) in SHARED {
        let Some(tokenizer) = shared(name) else { continue };
        for begins in ["    x = 1\n", "\n\n\tx\n", "x\n", "é\n"] {
            let preamble = tokenizer.plain_preamble("Words:\n```\n");
            let lines: Vec<&str> = begins.split_inclusive('\n').collect();
            let encoding = tokenizer.encode_program(&preamble, &lines);
            let whole = tokenizer.encode(&format!("Words:\n```\n{begins}"));
            let num_bos = usize::from(tokenizer.bos().is_some());
            assert_eq!(encoding.ids[num_bos..], whole, "{name}: {begins:?}");
            let first = encoding.lines.iter().flatten().next().copied();
            let line = begins.len() - begins.trim_start_matches('\n').len();
            assert_eq!(first, Some(line as u32), "{name}: {begins:?}");
        }
    }
}

/// Whether a part of a text, after a special token, gets a dummy prefix is the tokenizer's matter.
#[test]
fn parts_have_their_own_dummy_prefix() {
    let table = [
        ("codellama-constructed", "<s>[INST]\n", vec![1, 518, 25580, 29962, 13]),
        ("mistral-v3-codestral", "<s>x\n", vec![1, 29512, 781]),
    ];
    for (name, markup, expected) in table {
        let Some(tokenizer) = shared(name) else { continue };
        let preamble = tokenizer.preamble(&[Markup(markup)]);
        let ids = tokenizer.encode_program::<&str>(&preamble, &[]).ids;
        assert_eq!(ids.iter().map(|id| id.0).collect::<Vec<u32>>(), expected, "{name}");
    }
}
