//! The architectures that GGUF files name, and what their tensors are called at Hugging Face.
//! Sources: llama.cpp's `gguf-py/gguf/tensor_mapping.py` and its scripts in `conversion/`.

use crate::names::{HEAD, QkvNames, TensorNames};
use crate::stored::Change;

/// An architecture.
pub struct Architecture {
    /// `general.architecture`.
    pub name: &'static str,
    /// `architectures` in a config.json.
    pub hugging_face: &'static str,
    /// The function in its feed-forward layers, as a config.json has it; files don't say.
    pub activation: &'static str,
    /// How far a token sees, where files don't say it although it isn't everything.
    pub window: Option<u64>,
    names: &'static TensorNames,
    /// Are the rows of queries and keys stored in pairs?
    has_paired_rows: bool,
    /// Are the norms' weights stored as they are used, and one less at Hugging Face?
    has_whole_norms: bool,
}

const LLAMA: Architecture = Architecture {
    name: "llama",
    hugging_face: "LlamaForCausalLM",
    activation: "silu",
    window: None,
    names: &TensorNames::LLAMA,
    has_paired_rows: true,
    has_whole_norms: false,
};

/// Those that can be read.
pub const ARCHITECTURES: [Architecture; 6] = [
    LLAMA,
    Architecture {
        name: "qwen2",
        hugging_face: "Qwen2ForCausalLM",
        has_paired_rows: false,
        ..LLAMA
    },
    Architecture {
        name: "qwen3",
        hugging_face: "Qwen3ForCausalLM",
        has_paired_rows: false,
        ..LLAMA
    },
    Architecture {
        name: "gemma",
        hugging_face: "GemmaForCausalLM",
        activation: "gelu_pytorch_tanh",
        has_paired_rows: false,
        has_whole_norms: true,
        ..LLAMA
    },
    Architecture {
        name: "starcoder2",
        hugging_face: "Starcoder2ForCausalLM",
        activation: "gelu_pytorch_tanh",
        // Of all three sizes that BigCode published.
        window: Some(4096),
        names: &TensorNames::STARCODER2,
        has_paired_rows: false,
        ..LLAMA
    },
    Architecture {
        name: "starcoder",
        hugging_face: "GPTBigCodeForCausalLM",
        activation: "gelu_pytorch_tanh",
        names: &TensorNames::GPT_BIGCODE,
        has_paired_rows: false,
        ..LLAMA
    },
];

impl Architecture {
    /// Hugging Face's name of the tensor `name`; the same name if there is none, so that whoever
    /// looks for tensors that nobody reads can tell it.
    pub fn tensor_name(&self, name: &str) -> String {
        let translated = || {
            let (name, kind) = name.rsplit_once('.')?;
            let Some(in_layers) = name.strip_prefix("blk.") else {
                return Some(format!("{}.{kind}", self.outer(name)?));
            };
            let (layer_idx, name) = in_layers.split_once('.')?;
            Some(format!("{}.{layer_idx}.{}.{kind}", self.names.layers, self.inner(name)?))
        };
        translated().unwrap_or_else(|| name.to_owned())
    }

    /// The name of a tensor outside of layers.
    fn outer(&self, name: &str) -> Option<&'static str> {
        let found = match name {
            "token_embd" => self.names.embedding,
            "position_embd" => self.names.places,
            "output_norm" => self.names.final_norm,
            "output" => HEAD.trim_end_matches(".weight"),
            _ => "",
        };
        (!found.is_empty()).then_some(found)
    }

    /// The name of a tensor in a layer.
    fn inner(&self, name: &str) -> Option<&'static str> {
        let names = self.names;
        let found = match (name, &names.qkv) {
            ("attn_q", QkvNames::Split([query, ..])) => query,
            ("attn_k", QkvNames::Split([_, key, _])) => key,
            ("attn_v", QkvNames::Split([.., value])) => value,
            ("attn_qkv", QkvNames::Stacked(stacked)) => stacked,
            ("attn_norm", _) => names.attention_norm,
            ("attn_q_norm", _) => names.head_norms[0],
            ("attn_k_norm", _) => names.head_norms[1],
            ("attn_output", _) => names.attention_out,
            ("ffn_norm", _) => names.ffn_norm,
            ("ffn_gate", _) => names.gate,
            ("ffn_up", _) => names.up,
            ("ffn_down", _) => names.down,
            _ => "",
        };
        (!found.is_empty()).then_some(found)
    }

    /// What makes the tensor `name` of the file what it is at Hugging Face.
    pub fn change(&self, name: &str, head_dim: usize) -> Change {
        let part = name.rsplit('.').nth(1).unwrap_or_default();
        match part {
            "attn_q" | "attn_k" if self.has_paired_rows => Change::Pairs { head_dim },
            _ if self.has_whole_norms && part.ends_with("_norm") => Change::MinusOne,
            _ => Change::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated() {
        let pairs = Change::Pairs { head_dim: 64 };
        let table = [
            (0, "token_embd.weight", "model.embed_tokens.weight", Change::None),
            (0, "output.weight", "lm_head.weight", Change::None),
            (0, "blk.12.attn_q.weight", "model.layers.12.self_attn.q_proj.weight", pairs),
            (0, "blk.0.attn_k.bias", "model.layers.0.self_attn.k_proj.bias", pairs),
            (0, "blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", Change::None),
            (0, "rope_freqs.weight", "rope_freqs.weight", Change::None),
            (0, "blk.0.ffn_gate_exps.weight", "blk.0.ffn_gate_exps.weight", Change::None),
            (0, "position_embd.weight", "position_embd.weight", Change::None),
            (0, "blk.weight", "blk.weight", Change::None),
            (0, "", "", Change::None),
            (1, "blk.1.attn_q.bias", "model.layers.1.self_attn.q_proj.bias", Change::None),
            (3, "output_norm.weight", "model.norm.weight", Change::MinusOne),
            (4, "blk.1.ffn_up.bias", "model.layers.1.mlp.c_fc.bias", Change::None),
            (5, "blk.1.attn_qkv.bias", "transformer.h.1.attn.c_attn.bias", Change::None),
            (5, "blk.1.ffn_gate.weight", "blk.1.ffn_gate.weight", Change::None),
        ];
        for (idx, name, expected, change) in table {
            let architecture = &ARCHITECTURES[idx];
            assert_eq!(architecture.tensor_name(name), expected);
            assert_eq!(architecture.change(name, 64), change, "{name}");
        }
    }
}
