//! Prompts and ends of all families, on small vocabularies and on their own.

use super::*;

fn tokens(ids: &[u32]) -> Vec<TokenId> {
    ids.iter().copied().map(TokenId).collect()
}

/// The tiny tokenizer with other names for its special tokens: ids 0, 1, 2, 3 and 4.
fn tokenizer(names: [&str; 5]) -> Tokenizer {
    const OWN: [&str; 5] =
        ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>"];
    let mut text = include_str!("../../tiny/tokenizer.json").to_owned();
    for (old, new) in OWN.iter().zip(names) {
        text = text.replace(old, new);
    }
    Tokenizer::parse(text.as_bytes(), "file").unwrap()
}

/// The prompt for the prefix 10 and the suffix 20, and the end tokens.
fn asked(template: &FimTemplate) -> (Vec<TokenId>, Vec<TokenId>) {
    (template.prompt(&tokens(&[10]), &tokens(&[20])), template.end_tokens.clone())
}

#[test]
fn families_are_told_by_their_tokens() {
    let end = "<|endoftext|>";
    let table: [([&str; 5], &[u32], &[u32]); 9] = [
        (
            [end, "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>"],
            &[1, 10, 2, 20, 3],
            &[0, 1, 2, 3, 4],
        ),
        (
            ["<bos>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"],
            &[1, 10, 2, 20, 3],
            &[1, 2, 3, 4],
        ),
        (
            [end, "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>"],
            &[1, 10, 2, 20, 3],
            &[0, 1, 2, 3, 4],
        ),
        (
            [end, "<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<fim-pad>"],
            &[1, 10, 2, 20, 3],
            &[0, 1, 2, 3, 4],
        ),
        (
            [
                "<｜begin▁of▁sentence｜>",
                "<｜fim▁begin｜>",
                "<｜fim▁hole｜>",
                "<｜fim▁end｜>",
                "<|EOT|>",
            ],
            &[0, 1, 10, 2, 20, 3],
            &[0, 1, 2, 3, 4],
        ),
        (
            ["<s>", "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>", "<x>"],
            &[2, 20, 1, 10, 3],
            &[1, 2, 3],
        ),
        (["<s>", "▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"], &[1, 10, 2, 20, 3], &[1, 2, 3, 4]),
        (["<s>", "[PREFIX]", "[SUFFIX]", "[MIDDLE]", "</s>"], &[2, 20, 1, 10], &[1, 2, 3, 4]),
        ([end, "<mask_1>", "<sep>", "<eom>", "<x>"], &[10, 1, 20, 0, 2, 1], &[0, 1, 2, 3]),
    ];
    for (names, prompt, ends) in table {
        let template = FimTemplate::find(&tokenizer(names)).unwrap();
        assert_eq!(asked(&template), (tokens(prompt), tokens(ends)), "{names:?}");
    }
    let mixed = [end, "<fim_prefix>", "<fim_suffix>", "<|fim_middle|>", "<fim_pad>"];
    assert_eq!(FimTemplate::find(&tokenizer(mixed)), None);
}

#[test]
fn a_template_can_be_named_or_written() {
    let starcoder =
        tokenizer(["<|endoftext|>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>"]);
    let prompt = |choice| FimTemplate::parse(choice, &starcoder).map(|template| asked(&template).0);
    let written = "<fim_prefix> <fim_suffix> {suffix} <fim_middle> {prefix}";
    assert_eq!(prompt("starcoder").unwrap(), tokens(&[1, 10, 2, 20, 3]));
    assert_eq!(prompt("mellum").unwrap(), tokens(&[2, 20, 1, 10, 3]));
    assert_eq!(prompt(written).unwrap(), tokens(&[1, 2, 20, 3, 10]));
    let table = [
        ("qwen", "<|fim_prefix|> isn't a special token of the infilling model's vocabulary"),
        ("StarCoder", "no such family: take qwen, codegemma, starcoder, "),
        ("<fim_prefix> {prefix}", "the prompt has no {suffix}"),
        ("{suffix} {prefix} {suffix}", "the prompt has {suffix} more than once"),
        ("{prefix} {suffix} def", "def isn't a special token"),
        ("", "no such family"),
    ];
    for (choice, expected) in table {
        let error = prompt(choice).unwrap_err().to_string();
        assert!(error.contains(&format!("{choice:?}")) && error.contains(expected), "{error}");
    }
}

#[test]
fn a_stem_is_what_prompts_begin_with() {
    let template = |choice| {
        let names = ["<s>", "<a>", "<b>", "<c>", "<d>"];
        FimTemplate::parse(choice, &tokenizer(names)).unwrap()
    };
    let text = tokens(&[10, 11]);
    let stem = |choice| template(choice).stem(&text);
    assert_eq!(stem("<a> {prefix} <b> {suffix} <c>"), Some(tokens(&[1, 10, 11])));
    assert_eq!(stem("<a> <d> {prefix} <b> {suffix}"), Some(tokens(&[1, 4, 10, 11])));
    assert_eq!(stem("{prefix} <b> {suffix}"), Some(text.clone()));
    assert_eq!(stem("<b> {suffix} <a> {prefix}"), None);
    assert_eq!(template("<a> {prefix} <b> {suffix}").prompt(&[], &[]), tokens(&[1, 2]));
}
