//! Where the families keep their tensors: the names of Hugging Face's checkpoints, which GGUF files
//! are brought to.

/// The head, in every family that has one of its own.
pub(crate) const HEAD: &str = "lm_head.weight";

/// The names of a family's tensors, without `.weight` and `.bias`.
#[derive(Debug, PartialEq, Eq)]
pub struct TensorNames {
    /// `[vocab_len, hidden_width]`
    pub embedding: &'static str,
    /// `[context_len, hidden_width]`, where positions are learned.
    pub places: &'static str,
    /// After the last layer.
    pub final_norm: &'static str,
    /// What begins the names of layer `i`, followed by `.i.`.
    pub layers: &'static str,
    /// In a layer, as all that follow: before the attention.
    pub attention_norm: &'static str,
    /// Queries, keys and values.
    pub qkv: QkvNames,
    /// Norms of each query head and each key head, where there are such.
    pub head_norms: [&'static str; 2],
    /// `[hidden_width, q_width]`
    pub attention_out: &'static str,
    /// Before the feed-forward layer.
    pub ffn_norm: &'static str,
    /// `[ffn_width, hidden_width]`, where there is a gate.
    pub gate: &'static str,
    /// `[ffn_width, hidden_width]`
    pub up: &'static str,
    /// `[hidden_width, ffn_width]`
    pub down: &'static str,
}

/// How queries, keys and values are stored.
#[derive(Debug, PartialEq, Eq)]
pub enum QkvNames {
    /// Each by itself.
    Split([&'static str; 3]),
    /// On top of each other: all query heads, all key heads, all value heads.
    Stacked(&'static str),
}

impl TensorNames {
    /// Llama's, which most families took over.
    pub const LLAMA: Self = Self {
        embedding: "model.embed_tokens",
        places: "",
        final_norm: "model.norm",
        layers: "model.layers",
        attention_norm: "input_layernorm",
        qkv: QkvNames::Split(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
        head_norms: ["self_attn.q_norm", "self_attn.k_norm"],
        attention_out: "self_attn.o_proj",
        ffn_norm: "post_attention_layernorm",
        gate: "mlp.gate_proj",
        up: "mlp.up_proj",
        down: "mlp.down_proj",
    };

    /// StarCoder2's: Llama's but for the feed-forward layer.
    pub const STARCODER2: Self = Self { up: "mlp.c_fc", down: "mlp.c_proj", ..Self::LLAMA };

    /// GPT-BigCode's.
    pub const GPT_BIGCODE: Self = Self {
        embedding: "transformer.wte",
        places: "transformer.wpe",
        final_norm: "transformer.ln_f",
        layers: "transformer.h",
        attention_norm: "ln_1",
        qkv: QkvNames::Stacked("attn.c_attn"),
        head_norms: ["", ""],
        attention_out: "attn.c_proj",
        ffn_norm: "ln_2",
        gate: "",
        up: "mlp.c_fc",
        down: "mlp.c_proj",
    };
}
