//! `sample.cu`: each draw is the token that going through all of them in order gives, in double
//! precision; where the running sum comes within rounding of a boundary, a neighbour will do.

use super::compare::wrong_unless;
use super::vocabulary::ban_list;
use super::{Case, Finding, Input, time};
use crate::cuda::head::{Chosen, HeadChoice, NONE};
use crate::cuda::sample::{Draw, SampleParams};
use crate::runtime::{Buffer, DeviceError, SharedRuntime};

/// Draws, tokens.
const SHAPES: [[usize; 2]; 5] = [[3, 16], [40, 100], [17, 1000], [8, 4096], [1, 33]];
const TIMED: [[usize; 2]; 4] = [[1, 32_016], [64, 32_016], [1, 152_064], [64, 152_064]];

/// Shares of the mass that rounding may move a boundary by.
const SLACK: f64 = 4e-6;

pub fn cases() -> Vec<Case> {
    let title =
        |[num_draws, vocab_len]: [usize; 2]| format!("{num_draws} draws of {vocab_len} tokens");
    let small = SHAPES.into_iter().map(|dims| {
        let run = move |runtime: &SharedRuntime| check(runtime, &Sampled::new(dims));
        Case::small("sample", title(dims), run)
    });
    let timed = TIMED.into_iter().map(|dims| {
        let run = move |runtime: &SharedRuntime| check(runtime, &Sampled::new(dims));
        Case::timed("sample", title(dims), run)
    });
    let unlikely = Case::small("sample", "logits that don't compare".to_owned(), |runtime| {
        check(runtime, &Sampled::without_weights())
    });
    small.chain(timed).chain([unlikely]).collect()
}

/// Draws and what they are made from. They are of the choices in reverse order, whose logits are in
/// reverse order too.
struct Sampled {
    vocab_len: usize,
    draws: Vec<Draw>,
    choices: Vec<HeadChoice>,
    /// `[num_draws][vocab_len]`
    logits: Vec<f32>,
    /// What the merge left.
    greedy: Vec<Chosen>,
    logsums: Vec<f32>,
}

impl Sampled {
    fn new([num_draws, vocab_len]: [usize; 2]) -> Self {
        let mut input = Input::new("sample");
        let mut draws = Self {
            vocab_len,
            draws: Vec::new(),
            choices: Vec::new(),
            logits: Vec::new(),
            greedy: vec![Chosen { token: 3, score: 5.0 }; num_draws],
            logsums: input.floats(num_draws),
        };
        for i in 0..num_draws {
            let logits = input.floats(vocab_len).into_iter().map(|x| match i % 4 {
                // Many equal ones, zeros of both signs among them.
                0 => (x * 8.0).round() / 2.0,
                // One that has nearly all the weight.
                1 if x > 0.95 => x * 30.0,
                2 => x * 1e-3 - 100.0,
                _ => x * 6.0,
            });
            draws.logits.extend(logits);
            draws.draws.push(Draw {
                choice: (num_draws - 1 - i) as u32,
                top_k: [u32::MAX, 1, 5, 40, 2000, vocab_len as u32][i % 6],
                temperature: [1.0, 0.2, 0.8, 1.5, 10.0][i % 5],
                top_p: [1.0, 0.95, 0.5, 1e-6, 0.999, 1.0, 0.9][i % 7],
                uniform: match i % 11 {
                    7 => 0.0,
                    9 => 1.0 - f64::EPSILON / 2.0,
                    _ => input.uniform(),
                },
            });
            draws.choices.push(HeadChoice {
                row: 0,
                forced: NONE,
                ban_list: [NONE, 0, 1][(num_draws - 1 - i) % 3],
                logits_row: (num_draws - 1 - i) as u32,
                is_logprob: (i % 2) as u32,
            });
        }
        draws.draws.push(Draw { choice: NONE, ..draws.draws[0] });
        draws
    }

    /// One draw of logits that aren't numbers, one of infinite ones, and one with a single number.
    fn without_weights() -> Self {
        let mut draws = Self::new([3, 100]);
        draws.logits.fill(f32::NAN);
        draws.logits[100..200].fill(f32::NEG_INFINITY);
        draws.logits[200 + 77] = -3.0;
        draws.draws.iter_mut().for_each(|draw| draw.top_p = 0.9);
        draws
    }

    fn banned(&self) -> Vec<u32> {
        let mut banned = ban_list(self.vocab_len, |token| token % 3 == 1);
        // All but one.
        banned.extend(ban_list(self.vocab_len, |token| token != self.vocab_len / 2));
        banned
    }

    fn is_banned(&self, choice: usize, token: usize) -> bool {
        match self.choices[choice].ban_list {
            0 => token % 3 == 1,
            1 => token != self.vocab_len / 2,
            _ => false,
        }
    }

    /// Could the draw have given this answer?
    fn is_right(&self, draw: &Draw, found: Chosen) -> bool {
        let idx = draw.choice as usize;
        let choice = self.choices[idx];
        let logits = &self.logits[choice.logits_row as usize * self.vocab_len..][..self.vocab_len];
        let is_drawable =
            |token: &usize| logits[*token] > f32::NEG_INFINITY && !self.is_banned(idx, *token);
        let mut order: Vec<usize> = (0..self.vocab_len).filter(is_drawable).collect();
        if order.is_empty() {
            return found == self.greedy[idx];
        }
        order.sort_by(|a, b| logits[*b].partial_cmp(&logits[*a]).expect("numbers").then(a.cmp(b)));
        let greatest = f64::from(logits[order[0]]);
        let weights: Vec<f64> = order
            .iter()
            .map(|token| {
                ((f64::from(logits[*token]) - greatest) / f64::from(draw.temperature)).exp()
            })
            .take(draw.top_k as usize)
            .collect();
        let logsum = if choice.is_logprob == 1 { self.logsums[idx] } else { 0.0 };
        let Some(place) = order.iter().position(|token| *token == found.token as usize) else {
            return false;
        };
        let (first, last) = places(&weights, draw);
        (first..=last).contains(&place)
            && found.score.to_bits() == (logits[found.token as usize] - logsum).to_bits()
    }
}

/// The first and the last place that a draw may give, of tokens in order.
fn places(weights: &[f64], draw: &Draw) -> (usize, usize) {
    // The first place up to which the weights pass `wanted`, and their sum up to there.
    let pass = |wanted: f64| {
        let mut sum = 0.0;
        let place = weights.iter().position(|weight| {
            sum += weight;
            sum > wanted
        });
        (place.unwrap_or(weights.len() - 1), sum)
    };
    let total: f64 = weights.iter().sum();
    let ends = [-SLACK, SLACK].map(|slack| {
        let top_p = f64::from(draw.top_p);
        let (_, mass) = if top_p < 1.0 { pass((top_p + slack) * total) } else { (0, total) };
        pass((draw.uniform + slack) * mass).0
    });
    (ends[0], ends[1])
}

fn check(runtime: &SharedRuntime, input: &Sampled) -> Result<Finding, DeviceError> {
    let num_choices = input.choices.len();
    let draws = Buffer::of(runtime, &input.draws)?;
    let choices = Buffer::of(runtime, &input.choices)?;
    let banned = Buffer::of(runtime, &input.banned())?;
    let logits = Buffer::of(runtime, &input.logits)?;
    let logsums = Buffer::of(runtime, &input.logsums)?;
    let chosen = Buffer::of(runtime, &input.greedy)?;
    let params = SampleParams {
        draws: draws.ptr(),
        choices: choices.ptr(),
        banned: banned.ptr(),
        logits: logits.ptr(),
        logsums: logsums.ptr(),
        chosen: chosen.ptr(),
        vocab_len: input.vocab_len as u32,
        padding: 0,
    };
    let num_draws = input.draws.len() as u32;
    // SAFETY: the buffers have the sizes that the parameters say.
    let micros = time(runtime, || unsafe { params.launch(&**runtime, num_draws) })?;
    let found: Vec<Chosen> = chosen.read(0, num_choices)?;
    let mut drawn = input.draws.iter().filter(|draw| draw.choice != NONE);
    let is_right = drawn.all(|draw| input.is_right(draw, found[draw.choice as usize]));
    let bytes = (num_choices * input.vocab_len * 4) as f64;
    Ok(Finding { error: wrong_unless(is_right), allowed: 0.0, bytes, flops: 0.0, micros })
}
