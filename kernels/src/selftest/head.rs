//! `head.cu` and `head_merge.cu`: every kind of choice against the exact logits, and the same bits
//! whatever other choices there are.

use super::compare::{greater, wrong_unless};
use super::vocabulary::{Answers, NUM_ROWS, Vocabulary, ban_list};
use super::{Case, Finding};
use crate::cuda::head::{HeadChoice, NONE};
use crate::runtime::{DeviceError, SharedRuntime};

/// Choices, tokens, inputs.
const SHAPES: [[usize; 3]; 8] = [
    [1, 16, 8],
    [8, 100, 256],
    [9, 64, 72],
    [17, 1000, 64],
    [24, 65, 4096],
    [40, 100, 576],
    [64, 130, 64],
    [70, 63, 136],
];
const TIMED: [[usize; 3]; 6] = [
    [1, 32_016, 4096],
    [6, 32_016, 4096],
    [64, 32_016, 4096],
    [1, 152_064, 3584],
    [6, 152_064, 3584],
    [64, 152_064, 3584],
];

/// What a logit may be off, relative to the sum of its products' sizes.
const LOGIT_ALLOWED: f64 = 1e-6;

pub fn cases() -> Vec<Case> {
    let small = SHAPES.into_iter().map(|dims| {
        let run = move |runtime: &SharedRuntime| check(runtime, dims);
        Case::small("head", title(dims), run)
    });
    small.chain(TIMED.map(sized)).collect()
}

/// The timed case of these dimensions.
pub fn sized(dims: [usize; 3]) -> Case {
    Case::timed("head", title(dims), move |runtime: &SharedRuntime| check(runtime, dims))
}

fn title([num_choices, vocab_len, num_inputs]: [usize; 3]) -> String {
    format!("{num_choices} choices of {vocab_len} tokens, {num_inputs} inputs")
}

/// The one token that the second list leaves.
fn only_token(vocab_len: usize) -> usize {
    vocab_len * 2 / 3
}

/// The tokens of the first list: a third, among them the first ones.
fn is_in_first_list(token: usize) -> bool {
    token.is_multiple_of(3)
}

/// One of each kind, over and over.
fn choice(idx: usize, vocab_len: usize) -> HeadChoice {
    let row = (idx * 7 + 3) % NUM_ROWS;
    let greedy = HeadChoice {
        row: row as u32,
        forced: NONE,
        ban_list: NONE,
        logits_row: NONE,
        is_logprob: 0,
    };
    let forced = (idx * 31 % vocab_len) as u32;
    match idx % 8 {
        0 => HeadChoice { logits_row: (idx / 8) as u32, ..greedy },
        1 => HeadChoice { is_logprob: 1, ..greedy },
        2 => HeadChoice { ban_list: 0, ..greedy },
        3 => HeadChoice { ban_list: 1, is_logprob: 1, ..greedy },
        4 => HeadChoice { forced, ban_list: 1, ..greedy },
        5 => HeadChoice { forced, is_logprob: 1, ..greedy },
        6 => HeadChoice { row: NONE, ..greedy },
        _ => greedy,
    }
}

fn check(
    runtime: &SharedRuntime,
    [num_choices, vocab_len, num_inputs]: [usize; 3],
) -> Result<Finding, DeviceError> {
    let vocabulary = Vocabulary::new(runtime, vocab_len, num_inputs)?;
    let choices: Vec<HeadChoice> = (0..num_choices).map(|idx| choice(idx, vocab_len)).collect();
    let mut banned = ban_list(vocab_len, is_in_first_list);
    banned.extend(ban_list(vocab_len, |token| token != only_token(vocab_len)));
    let num_logits_rows = num_choices.div_ceil(8);
    let answers = vocabulary.answers(runtime, &choices, &banned, num_logits_rows)?;
    let mut error = 0.0;
    for idx in (0..num_choices).filter(|idx| choices[*idx].row != NONE) {
        error = greater(error, choice_error(&vocabulary, &choices, &answers, idx));
    }
    for num_fewer in [1, 7, 12].into_iter().filter(|num_fewer| *num_fewer < num_choices) {
        let fewer = &choices[..num_fewer];
        let again = vocabulary.answers(runtime, fewer, &banned, num_fewer.div_ceil(8))?;
        error = greater(error, wrong_unless(are_same(&again, &answers, vocab_len)));
    }
    let bytes = (vocab_len * num_inputs * 2) as f64;
    let flops = (2 * num_choices * vocab_len * num_inputs) as f64;
    Ok(Finding { error, allowed: LOGIT_ALLOWED, bytes, flops, micros: answers.micros })
}

/// Are the bits of some choices the same as among more of them?
fn are_same(some: &Answers, among_more: &Answers, vocab_len: usize) -> bool {
    let bits = |floats: &[f32]| floats.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let num = some.chosen.len();
    let num_logits = num.div_ceil(8) * vocab_len;
    let tokens_and_bits = |answers: &Answers| {
        let chosen = answers.chosen[..num].iter();
        chosen.map(|chosen| (chosen.token, chosen.score.to_bits())).collect::<Vec<_>>()
    };
    tokens_and_bits(some) == tokens_and_bits(among_more)
        && bits(&some.logsums) == bits(&among_more.logsums[..num])
        && bits(&some.logits) == bits(&among_more.logits[..num_logits])
}

/// How far an answer is off; infinity if the token is another one.
fn choice_error(
    vocabulary: &Vocabulary,
    choices: &[HeadChoice],
    answers: &Answers,
    idx: usize,
) -> f64 {
    let (choice, chosen) = (choices[idx], answers.chosen[idx]);
    let (row, token) = (choice.row as usize, chosen.token as usize);
    if token >= vocabulary.vocab_len {
        return f64::INFINITY;
    }
    let logsum = vocabulary.logsum(row);
    let mut error = (f64::from(answers.logsums[idx]) - logsum).abs() * 0.1;
    let normaliser = if choice.is_logprob == 1 { f64::from(answers.logsums[idx]) } else { 0.0 };
    let logit = (f64::from(chosen.score) + normaliser) as f32;
    // A score of a log-probability is rounded once more, when the sum is taken off it.
    let rounded = vocabulary.logit_error(row, token, logit);
    error = greater(error, if choice.is_logprob == 1 { rounded * 0.1 } else { rounded });
    if choice.logits_row != NONE {
        let start = choice.logits_row as usize * vocabulary.vocab_len;
        for (token, logit) in answers.logits[start..][..vocabulary.vocab_len].iter().enumerate() {
            error = greater(error, vocabulary.logit_error(row, token, *logit));
        }
    }
    let is_right = match choice.forced {
        NONE => is_best(vocabulary, choice, row, token),
        forced => forced as usize == token,
    };
    greater(error, wrong_unless(is_right))
}

/// Is it, but for rounding, the best token that isn't banned, and the lowest with its weights?
fn is_best(vocabulary: &Vocabulary, choice: HeadChoice, row: usize, token: usize) -> bool {
    let may_be = |token: usize| match choice.ban_list {
        0 => !is_in_first_list(token),
        1 => token == only_token(vocabulary.vocab_len),
        _ => true,
    };
    let best = (0..vocabulary.vocab_len)
        .filter(|token| may_be(*token))
        .map(|token| vocabulary.logit(row, token))
        .fold(f64::NEG_INFINITY, f64::max);
    let mut equals = (token % vocabulary.num_distinct..token).step_by(vocabulary.num_distinct);
    may_be(token)
        && vocabulary.logit(row, token) >= best - 1e-4
        && equals.all(|equal| !may_be(equal))
}
