//! The cases of a model's own dimensions, to time its kernels without the model.

use super::{Case, attention, gemm, head, norm, target_logits};
use crate::backend::AttentionShape;
use crate::cuda::Determinism;
use crate::cuda::gemm::Epilogue;

/// The dimensions of a model that its kernels see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelDims {
    /// Elements of a hidden row.
    pub hidden_width: usize,
    /// Elements of a row inside the feed-forward layer.
    pub ffn_width: usize,
    /// Whether that layer has a gate.
    pub is_gated: bool,
    /// Whether normalisations take the mean away, too.
    pub has_layer_norm: bool,
    /// The attention of a layer.
    pub attention: AttentionShape,
    /// Tokens of the vocabulary.
    pub vocab_len: usize,
}

impl ModelDims {
    /// The timed cases of its attention.
    pub fn attention_cases(&self) -> Vec<Case> {
        attention::sized(self.attention)
    }

    /// The timed cases of a step of `num_rows` rows, but for the attention, which depends on more.
    pub fn cases(&self, num_rows: usize, mode: Determinism) -> Vec<Case> {
        let (width, vocab_len) = (self.hidden_width, self.vocab_len);
        let mut cases = vec![named("norm", norm::sized(self.has_layer_norm, [num_rows, width]))];
        for (part, [num_outputs, num_inputs], epilogue) in self.products() {
            let dims = [num_rows, num_outputs, num_inputs];
            cases.push(named(part, gemm::sized(dims, epilogue, mode)));
        }
        cases.push(named("head", head::sized([num_rows, vocab_len, width])));
        cases.push(named("targets", target_logits::sized([num_rows, vocab_len, width])));
        cases
    }

    /// The products of a layer: their outputs and inputs. Those that are added to the hidden rows
    /// are timed without that, since each repetition would add again.
    fn products(&self) -> [(&'static str, [usize; 2], Epilogue); 4] {
        let (width, ffn) = (self.hidden_width, self.ffn_width);
        let up = if self.is_gated {
            ("gate_up", [2 * ffn, width], Epilogue::SiluGateBf16)
        } else {
            ("up", [ffn, width], Epilogue::GeluTanhBf16)
        };
        [
            ("qkv", [self.attention.qkv_width(), width], Epilogue::StoreF32),
            ("out", [width, self.attention.q_width()], Epilogue::StoreF32),
            up,
            ("down", [width, ffn], Epilogue::StoreF32),
        ]
    }
}

/// With the part of the model that it is.
fn named(part: &str, case: Case) -> Case {
    Case { shape: format!("{part}: {}", case.shape), ..case }
}
