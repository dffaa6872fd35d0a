//! The architectures that GGUF files name, and what their tensors are called at Hugging Face.
//! Source: llama.cpp's `gguf-py/gguf/tensor_mapping.py`.

/// An architecture.
pub struct Architecture {
    /// `general.architecture`.
    pub name: &'static str,
    /// `architectures` in a config.json.
    pub hugging_face: &'static str,
    /// Names outside of layers, as ggml and as Hugging Face has them.
    outer: &'static [(&'static str, &'static str)],
    /// What stands before a layer's number.
    layers: &'static str,
    /// Names inside of layers.
    inner: &'static [(&'static str, &'static str)],
    /// Are the rows of queries and keys stored in pairs?
    has_paired_rows: bool,
}

const OUTER: [(&str, &str); 3] =
    [("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")];

const INNER: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", QUERY),
    ("attn_k", KEY),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// Those that can be read.
pub const ARCHITECTURES: [Architecture; 1] = [Architecture {
    name: "llama",
    hugging_face: "LlamaForCausalLM",
    outer: &OUTER,
    layers: "model.layers",
    inner: &INNER,
    has_paired_rows: true,
}];

const QUERY: &str = "self_attn.q_proj";
const KEY: &str = "self_attn.k_proj";

impl Architecture {
    /// Hugging Face's name of the tensor `name`; the same name if there is none, so that whoever
    /// looks for tensors that nobody reads can tell it.
    pub fn tensor_name(&self, name: &str) -> String {
        let translated = || {
            let (name, kind) = name.rsplit_once('.')?;
            let Some(in_layers) = name.strip_prefix("blk.") else {
                let (_, outer) = self.outer.iter().find(|(ggml, _)| *ggml == name)?;
                return Some(format!("{outer}.{kind}"));
            };
            let (layer_idx, name) = in_layers.split_once('.')?;
            let (_, inner) = self.inner.iter().find(|(ggml, _)| *ggml == name)?;
            Some(format!("{}.{layer_idx}.{inner}.{kind}", self.layers))
        };
        translated().unwrap_or_else(|| name.to_owned())
    }

    /// Whether the rows of the tensor of this (Hugging Face's) name are stored in pairs.
    pub fn pairs_rows_of(&self, name: &str) -> bool {
        let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
        self.has_paired_rows && [QUERY, KEY].iter().any(|part| name.ends_with(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated() {
        let llama = &ARCHITECTURES[0];
        let table = [
            ("token_embd.weight", "model.embed_tokens.weight", false),
            ("output.weight", "lm_head.weight", false),
            ("blk.12.attn_q.weight", "model.layers.12.self_attn.q_proj.weight", true),
            ("blk.0.attn_k.bias", "model.layers.0.self_attn.k_proj.bias", true),
            ("blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", false),
            ("rope_freqs.weight", "rope_freqs.weight", false),
            ("blk.0.ffn_gate_exps.weight", "blk.0.ffn_gate_exps.weight", false),
            ("blk.weight", "blk.weight", false),
            ("", "", false),
        ];
        for (name, expected, is_paired) in table {
            let found = llama.tensor_name(name);
            assert_eq!(found, expected);
            assert_eq!(llama.pairs_rows_of(&found), is_paired, "{name}");
        }
    }
}
