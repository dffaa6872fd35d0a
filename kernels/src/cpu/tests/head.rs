//! Logits, scores and draws.

use std::num::NonZeroU32;
use std::sync::Arc;

use half::bf16;

use super::{assert_close, bits, every_cpu, random, rows_of, same_everywhere};
use crate::backend::{Choice, Chosen, MatrixView, ScoreKind, Target, WeightSlice};
use crate::cpu::{Cpu, Matrix, Rows, Table};
use crate::layout::TokenId;
use crate::reference;
use crate::sampling::{Sampling, mix_key};

const WIDTH: usize = 50;
const NUM_TOKENS: usize = 203;
const NUM_ROWS: usize = 60;

/// A head both ways, and rows to go through it.
struct Model {
    matrix: Matrix,
    table: Table,
    hidden: Rows,
    logits: Vec<Vec<f64>>,
}

impl Model {
    fn new(cpu: &Cpu) -> Self {
        let weights = random(1, NUM_TOKENS * WIDTH);
        let weights: Vec<bf16> = weights.iter().map(|x| bf16::from_f32(*x)).collect();
        let values = WeightSlice::Bf16(&weights);
        let view = MatrixView { values, num_rows: NUM_TOKENS, num_cols: WIDTH };
        let x = random(2, NUM_ROWS * WIDTH);
        let exact: Vec<f32> = weights.iter().map(|x| x.to_f32()).collect();
        let row_logits =
            |x| exact.chunks(WIDTH).map(|w| reference::dot(x, w)).collect::<Vec<f64>>();
        let logits = x.chunks(WIDTH).map(row_logits).collect();
        let hidden = rows_of(cpu, WIDTH, &x);
        Self { matrix: cpu.matrix(&[view]), table: cpu.table(view), hidden, logits }
    }
}

fn greedy(row: usize, banned: &[u32], score: ScoreKind) -> Choice {
    let banned = banned.iter().map(|id| TokenId(*id)).collect();
    Choice { row: row as u32, banned, sampling: None, forced: None, score }
}

fn sampled(row: usize, temperature: f32, top_p: f32, key: u64) -> Choice {
    let sampling = Sampling { temperature, top_k: None, top_p, key };
    Choice { sampling: Some(sampling), ..greedy(row, &[], ScoreKind::Logit) }
}

fn log_softmax(logits: &[f64]) -> Vec<f64> {
    reference::softmax(logits).iter().map(|p| p.ln()).collect()
}

fn ids_and_bits(chosen: &[Chosen]) -> Vec<(u32, u32)> {
    chosen.iter().map(|chosen| (chosen.token.0, chosen.score.to_bits())).collect()
}

#[test]
fn greedy_takes_the_best_token_that_is_not_banned() {
    for cpu in every_cpu() {
        let model = Model::new(&cpu);
        for score in [ScoreKind::Logit, ScoreKind::LogProb] {
            for (row, logits) in model.logits.iter().enumerate() {
                let mut order: Vec<usize> = (0..NUM_TOKENS).collect();
                order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
                let banned: Vec<u32> = order[..row % 4].iter().map(|id| *id as u32).collect();
                let choice = greedy(row, &banned, score);
                let chosen = cpu.choose(&model.hidden, &model.matrix, &[choice])[0];
                let want = order[row % 4];
                assert_eq!(chosen.token.0 as usize, want);
                let scores = [logits[want], log_softmax(logits)[want]];
                let want = scores[usize::from(score == ScoreKind::LogProb)];
                assert_close(&[chosen.score], &[want], 1e-5, "score");
            }
        }
    }
}

#[test]
fn equal_logits_go_to_the_lowest_id() {
    let cpu = Cpu::new();
    let weights = [0.0, 1.0, 0.5, 1.0, 1.0];
    let view = MatrixView { values: WeightSlice::F32(&weights), num_rows: 5, num_cols: 1 };
    let (head, x) = (cpu.matrix(&[view]), rows_of(&cpu, 1, &[2.0]));
    let token =
        |banned: &[u32]| cpu.choose(&x, &head, &[greedy(0, banned, ScoreKind::Logit)])[0].token.0;
    assert_eq!([token(&[]), token(&[1]), token(&[1, 3, 4])], [1, 3, 2]);
    let nan = rows_of(&cpu, 1, &[f32::NAN]);
    assert_eq!(cpu.choose(&nan, &head, &[greedy(0, &[0], ScoreKind::Logit)])[0].token.0, 1);
}

#[test]
fn target_logits_are_the_logits_that_choose_sees() {
    for cpu in every_cpu() {
        let model = Model::new(&cpu);
        let row = 7;
        let targets: Vec<Target> =
            (0..NUM_TOKENS as u32).map(|id| Target { row, token: TokenId(id) }).collect();
        let logits = cpu.target_logits(&model.hidden, &model.table, &targets);
        let choices: Vec<Choice> = (0..NUM_TOKENS as u32)
            .map(|id| {
                let others: Vec<u32> =
                    (0..NUM_TOKENS as u32).filter(|other| *other != id).collect();
                greedy(row as usize, &others, ScoreKind::Logit)
            })
            .collect();
        let chosen = cpu.choose(&model.hidden, &model.matrix, &choices);
        for (id, (chosen, logit)) in chosen.iter().zip(&logits).enumerate() {
            assert_eq!((chosen.token.0, chosen.score.to_bits()), (id as u32, logit.to_bits()));
        }
    }
}

#[test]
fn target_logprobs_agree_with_the_reference_and_with_choose() {
    let targets: Vec<Target> = (0..NUM_ROWS as u32)
        .map(|row| Target { row, token: TokenId(row * 37 % NUM_TOKENS as u32) })
        .collect();
    for cpu in every_cpu() {
        let model = Model::new(&cpu);
        let logprobs = cpu.target_logprobs(&model.hidden, &model.matrix, &targets);
        let want = targets
            .iter()
            .map(|target| log_softmax(&model.logits[target.row as usize])[target.token.0 as usize]);
        assert_close(&logprobs, &want.collect::<Vec<_>>(), 1e-5, "log-probabilities");

        let choices: Vec<Choice> =
            (0..NUM_ROWS).map(|row| greedy(row, &[], ScoreKind::LogProb)).collect();
        let chosen = cpu.choose(&model.hidden, &model.matrix, &choices);
        let as_targets: Vec<Target> = (0..)
            .zip(&chosen)
            .map(|(row, chosen): (u32, _)| Target { row, token: chosen.token })
            .collect();
        let scores: Vec<f32> = chosen.iter().map(|chosen| chosen.score).collect();
        let again = cpu.target_logprobs(&model.hidden, &model.matrix, &as_targets);
        assert_eq!(bits(&scores), bits(&again));
    }
}

#[test]
fn heads_have_the_same_bits_everywhere() {
    let choices: Vec<Choice> = (0..NUM_ROWS)
        .map(|row| match row % 3 {
            0 => greedy(row, &[1, 2], ScoreKind::Logit),
            1 => greedy(row, &[], ScoreKind::LogProb),
            _ => sampled(row, 1.5, 0.9, row as u64),
        })
        .collect();
    let targets: Vec<Target> =
        (0..700).map(|i| Target { row: i % 60, token: TokenId(i * 11 % 203) }).collect();
    let (all, _) = same_everywhere(|cpu| {
        let model = Model::new(cpu);
        let logits = cpu.target_logits(&model.hidden, &model.table, &targets);
        let logprobs = cpu.target_logprobs(&model.hidden, &model.matrix, &targets);
        let chosen = cpu.choose(&model.hidden, &model.matrix, &choices);
        (ids_and_bits(&chosen), [bits(&logits), bits(&logprobs)])
    });
    let cpu = Cpu::new();
    let model = Model::new(&cpu);
    for (choice, want) in choices.iter().zip(&all) {
        let alone = cpu.choose(&model.hidden, &model.matrix, std::slice::from_ref(choice));
        assert_eq!(ids_and_bits(&alone), [*want]);
    }
}

#[test]
fn draws_have_the_probabilities_of_the_nucleus() {
    let cpu = Cpu::new();
    let logits = [0.0_f32, 1.0, 2.0, 0.5, 3.0];
    let view = MatrixView { values: WeightSlice::F32(&logits), num_rows: 5, num_cols: 1 };
    let (head, x) = (cpu.matrix(&[view]), rows_of(&cpu, 1, &[1.0]));
    // With token 4 banned, temperature 2: e^0, e^.5, e^1, e^.25 of a sum of 6.65; the three best
    // reach 0.84, the two best 0.65. Of the three best the two best have 0.77, of the two best the
    // best has 0.62.
    for (top_k, top_p, nucleus) in [
        (None, 1.0, &[2, 1, 3, 0][..]),
        (None, 0.7, &[2, 1, 3]),
        (None, 0.6, &[2, 1]),
        (None, 1e-6, &[2]),
        (Some(100), 1.0, &[2, 1, 3, 0]),
        (Some(3), 1.0, &[2, 1, 3]),
        (Some(1), 1.0, &[2]),
        (Some(3), 0.7, &[2, 1]),
        (Some(2), 0.6, &[2]),
    ] {
        let num_draws = 20_000;
        let banned: Arc<[TokenId]> = [TokenId(4)].into();
        let top_k = top_k.and_then(NonZeroU32::new);
        let draw = |i| {
            let sampling = Some(Sampling { temperature: 2.0, top_k, top_p, key: mix_key(&[i]) });
            Choice { sampling, banned: banned.clone(), ..greedy(0, &[], ScoreKind::Logit) }
        };
        let choices: Vec<Choice> = (0..num_draws).map(draw).collect();
        let mut counts = [0.0; 5];
        for chosen in cpu.choose(&x, &head, &choices) {
            counts[chosen.token.0 as usize] += 1.0 / num_draws as f64;
            assert_eq!(chosen.score.to_bits(), logits[chosen.token.0 as usize].to_bits());
        }
        let powers = logits.map(|logit| f64::from(logit / 2.0).exp());
        let sum: f64 = nucleus.iter().map(|id| powers[*id]).sum();
        for (id, count) in counts.iter().enumerate() {
            let want = if nucleus.contains(&id) { powers[id] / sum } else { 0.0 };
            assert!((count - want).abs() < 0.015, "{id} in {count} of draws, not {want}");
            assert!(want > 0.0 || *count == 0.0, "{id} is not of the nucleus");
        }
    }
}
