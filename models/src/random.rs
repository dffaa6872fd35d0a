//! Random tensors, to measure what a model costs at any size without a download: the same on every
//! machine, and finite all the way through the model.

use half::bf16;
use jump_kernels::mix_key;

/// The tensor that `seed` and `name` stand for.
///
/// Norms are ones, biases zeros. A matrix is uniform around zero with a variance of one over its
/// inputs, so what leaves it is about as large as what came in. No weight is zero or denormal:
/// arithmetic takes as long as with trained weights.
pub(crate) fn tensor(seed: u64, name: &str, shape: &[usize]) -> Vec<bf16> {
    let len = shape.iter().product();
    let &[_, num_inputs] = shape else {
        let is_bias = name.rsplit('.').next() == Some("bias");
        return vec![if is_bias { bf16::ZERO } else { bf16::ONE }; len];
    };
    let mut stream = Stream::new(seed, name, num_inputs);
    let mut values = vec![bf16::ZERO; len];
    let (fours, rest) = values.as_chunks_mut();
    fours.fill_with(|| stream.next());
    let last = stream.next();
    rest.copy_from_slice(&last[..rest.len()]);
    values
}

/// The values of one matrix, four by four. Gigabytes are made of them, so a step is one
/// multiplication (wyrand's) and the values need no branch.
struct Stream {
    state: u64,
    /// Between neighbouring values before they are cut to bfloat16.
    step: f32,
}

impl Stream {
    fn new(seed: u64, name: &str, num_inputs: usize) -> Self {
        let parts = [seed].into_iter().chain(name.bytes().map(u64::from));
        let state = mix_key(&parts.collect::<Vec<_>>());
        // Uniform over [-a, a] has the variance a²/3.
        let bound = (3.0 / num_inputs as f32).sqrt();
        Self { state, step: bound / 32_768.0 }
    }

    fn next(&mut self) -> [bf16; 4] {
        self.state = self.state.wrapping_add(0xa076_1d64_78bd_642f);
        let other = self.state ^ 0xe703_7ed1_a0b4_28db;
        let product = u128::from(self.state) * u128::from(other);
        let bits = (product >> 64) as u64 ^ product as u64;
        [0, 16, 32, 48].map(|shift| {
            // The half keeps them off zero, and as often negative as positive.
            let value = (f32::from((bits >> shift) as i16) + 0.5) * self.step;
            bf16::from_bits((value.to_bits() >> 16) as u16)
        })
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;
    use jump_kernels::cpu::Cpu;
    use jump_kernels::{BlockId, Given, Layout, Target, TokenId, Wanted};

    use super::tensor;
    use crate::{Checkpoint, Model, ModelShape, Positions, Rope, RopeScaling};

    fn checkpoint(shape: &str, seed: u64) -> Checkpoint {
        Checkpoint::tiny().unwrap().with_random_weights(shape.parse().unwrap(), seed)
    }

    #[test]
    fn values_are_small_normal_and_spread_evenly() {
        let values = tensor(1, "a", &[999, 301]);
        assert_eq!(values.len(), 999 * 301);
        assert!(values.iter().all(|value| value.is_normal()));
        let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        let mean_of = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / (999. * 301.);
        let mean = mean_of(&mut values.iter().copied());
        let variance = mean_of(&mut values.iter().map(|value| value * value));
        assert!(mean.abs() < 5e-4, "{mean}");
        assert!((variance * 301.0 - 1.0).abs() < 0.02, "{variance}");
        assert_eq!(tensor(1, "norm", &[64]), [bf16::ONE; 64]);
    }

    /// On every machine, and in every version: measurements of different days are to be compared.
    #[test]
    fn the_same_seed_and_name_give_the_same_values_for_ever() {
        let bits = |seed, name, num_rows| {
            let values = tensor(seed, name, &[num_rows, 16]);
            values.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        let values = bits(1, "a", 10);
        assert_eq!(values[..4], [48781, 48771, 48728, 15960]);
        assert_eq!(values, bits(1, "a", 20)[..160], "more rows change none");
        assert_ne!(values, bits(2, "a", 10));
        assert_ne!(values, bits(1, "b", 10));
    }

    /// The log-probabilities that a model gives to its prompt.
    fn forward(checkpoint: &Checkpoint) -> Given {
        let mut model = Model::new(Cpu::new(), checkpoint, 16, 16).unwrap();
        let mut cache = model.cache(1).unwrap();
        let tokens: Vec<TokenId> = (0..16).map(|id| TokenId(id * 17)).collect();
        let mut layout = Layout::default();
        layout.push(&tokens, 0, &[BlockId(0)]);
        let targets = tokens.iter().enumerate();
        let targets = targets.map(|(row, &token)| Target { row: row as u32, token });
        let wanted = Wanted { logprobs: targets.collect(), ..Wanted::default() };
        model.forward(&layout, &[], &mut cache, &wanted).unwrap()
    }

    #[test]
    fn a_pass_is_finite_and_decided_by_the_seed() {
        let given = forward(&checkpoint("tiny", 1));
        let is_plausible = |logprob: &f32| (-20.0..0.0).contains(logprob);
        assert!(given.logprobs.len() == 16 && given.logprobs.iter().all(is_plausible), "{given:?}");
        assert_eq!(given, forward(&checkpoint("tiny", 1)));
        assert_ne!(given, forward(&checkpoint("tiny", 2)));
    }

    #[test]
    fn a_head_of_its_own_has_weights_of_its_own() {
        let mut shape: ModelShape = "tiny".parse().unwrap();
        let tied = shape.config.weight_bytes();
        for tied_head in [None, Some(false)] {
            shape.config.tied_head = tied_head;
            let untied = Checkpoint::tiny().unwrap().with_random_weights(shape.clone(), 1);
            assert_eq!(untied.config.weight_bytes(), tied + 2 * 4096 * 256);
            assert_ne!(forward(&untied), forward(&checkpoint("tiny", 1)));
        }
    }

    #[test]
    fn tokens_stay_those_of_the_tokenizer() {
        let tiny = Checkpoint::tiny().unwrap();
        let mut shape: ModelShape = "tiny".parse().unwrap();
        shape.config.vocab_len = 100;
        let random = Checkpoint::tiny().unwrap().with_random_weights(shape, 1);
        assert_eq!(random.name, "tiny (random weights)");
        assert_eq!(random.config.vocab_len, tiny.tokenizer.vocab_len());
        assert_eq!((&random.fim, &random.end_tokens), (&tiny.fim, &tiny.end_tokens));
        random.weights.check_fits(&random.config).unwrap();
        let larger = checkpoint("codellama-7b", 1);
        assert_eq!((larger.config.vocab_len, larger.config.context_len), (32_016, 16_384));
        larger.weights.check_fits(&larger.config).unwrap();
    }

    #[test]
    fn fingerprints_tell_seeds_and_shapes_apart() {
        let mut other: ModelShape = "tiny".parse().unwrap();
        let scaling = RopeScaling::Linear { factor: 1.0 };
        other.config.positions = Positions::Rotary(Rope { theta: 1e5, scaling });
        let checkpoints = [
            checkpoint("tiny", 1),
            checkpoint("tiny", 2),
            checkpoint("codellama-7b", 1),
            Checkpoint::tiny().unwrap().with_random_weights(other, 1),
            Checkpoint::tiny().unwrap(),
        ];
        let found = checkpoints.each_ref().map(Checkpoint::fingerprint);
        for (idx, fingerprint) in found.iter().enumerate() {
            assert!(!found[..idx].contains(fingerprint), "{}", checkpoints[idx].name);
        }
        assert_eq!(found[0], checkpoint("tiny", 1).fingerprint());
    }
}
