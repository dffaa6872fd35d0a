//! What a pass of a model has to move and to compute at least: the floors that times are compared
//! with.

use jump_kernels::BLOCK_LEN;
use jump_models::ModelConfig;

/// A model's counts.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Bytes of the weights that every pass reads: all but the table of the embedding, of which
    /// only a few rows are read, unless it is the head too.
    pub pass_bytes: f64,
    /// Bytes of a token's keys and values in all layers.
    pub kv_bytes: f64,
    /// Operations that a row takes in the layers, without attention.
    pub row_flops: f64,
    /// Operations that one row takes in attention for every key, in all layers.
    pub key_flops: f64,
    /// Operations of the whole head for a row.
    pub head_flops: f64,
    /// Tokens of the vocabulary.
    pub vocab_len: usize,
}

impl Cost {
    /// Of a model with bfloat16 weights whose KV blocks have `block_bytes` in all layers.
    pub fn new(config: &ModelConfig, block_bytes: usize) -> Self {
        let table = (config.vocab_len * config.hidden_width) as f64;
        let attention = config.attention;
        let weights = [
            config.hidden_width * attention.qkv_width(),
            attention.q_width() * config.hidden_width,
            config.ffn.num_matrices() * config.hidden_width * config.ffn.width,
        ];
        let of_layers = config.num_layers as f64 * weights.iter().sum::<usize>() as f64;
        Self {
            pass_bytes: 2.0 * (of_layers + table),
            kv_bytes: block_bytes as f64 / BLOCK_LEN as f64,
            row_flops: 2.0 * of_layers,
            key_flops: 4.0 * (config.num_layers * attention.q_width()) as f64,
            head_flops: 2.0 * table,
            vocab_len: config.vocab_len,
        }
    }

    /// Operations of rows at all positions from `first` up to `end`, without the head.
    pub fn flops(&self, first: usize, end: usize) -> f64 {
        let (first, end) = (first as f64, end as f64);
        // A row at position p has p + 1 keys.
        let num_keys = (end * (end + 1.0) - first * (first + 1.0)) / 2.0;
        (end - first) * self.row_flops + num_keys * self.key_flops
    }
}

#[cfg(test)]
mod tests {
    use jump_models::ModelShape;

    use super::Cost;

    #[test]
    fn a_seven_billion_model_costs_what_is_known_of_it() {
        let shape: ModelShape = "codellama-7b".parse().unwrap();
        let cost = Cost::new(&shape.config, 16 * 2 * 32 * 4096 * 2);
        // 6.738 billion parameters; 0.131 of them are the table of the embedding.
        assert!((cost.pass_bytes / 2e9 - 6.607).abs() < 1e-3, "{cost:?}");
        assert!((cost.kv_bytes - 524_288.0).abs() < 1.0, "{cost:?}");
        let at_once = cost.flops(0, 10);
        assert!((at_once - cost.flops(0, 4) - cost.flops(4, 10)).abs() < 1.0, "{cost:?}");
        assert!((at_once - 10.0 * cost.row_flops - 55.0 * cost.key_flops).abs() < 1.0);
    }
}
