//! The tensors of a checkpoint that a description asks for: their names and shapes.

use crate::names::{HEAD, QkvNames};
use crate::{ModelConfig, Norm, Positions};

/// A matrix of a layer: its parts lie on top of each other.
pub(crate) struct MatrixTensors {
    /// The names of the parts, and their rows.
    pub parts: Vec<(String, usize)>,
    /// Columns.
    pub num_inputs: usize,
    /// Does each part have a bias?
    pub has_bias: bool,
    /// Are the parts a gate and an up?
    pub is_gated: bool,
}

/// The weights of a normalisation.
pub(crate) struct NormTensors {
    /// The name.
    pub name: String,
    /// Elements.
    pub width: usize,
    /// Is there a bias, too?
    pub has_bias: bool,
}

/// All tensors of a layer.
pub(crate) struct LayerTensors {
    pub attention_norm: NormTensors,
    pub qkv: MatrixTensors,
    /// The queries' and the keys'.
    pub head_norms: Option<[NormTensors; 2]>,
    pub attention_out: MatrixTensors,
    pub ffn_norm: NormTensors,
    /// The gate, if there is one, and the up.
    pub up: MatrixTensors,
    pub down: MatrixTensors,
}

/// A tensor's name and shape.
pub(crate) type Named = (String, Vec<usize>);

impl MatrixTensors {
    fn all(&self) -> impl Iterator<Item = Named> {
        self.parts.iter().flat_map(|(name, num_rows)| {
            let weight = (weight(name), vec![*num_rows, self.num_inputs]);
            let bias = self.has_bias.then(|| (bias(name), vec![*num_rows]));
            [weight].into_iter().chain(bias)
        })
    }
}

impl NormTensors {
    fn all(&self) -> impl Iterator<Item = Named> {
        let bias = self.has_bias.then(|| (bias(&self.name), vec![self.width]));
        [(weight(&self.name), vec![self.width])].into_iter().chain(bias)
    }
}

/// The name of the weights of `name`.
pub(crate) fn weight(name: &str) -> String {
    format!("{name}.weight")
}

/// The name of the bias of `name`.
pub(crate) fn bias(name: &str) -> String {
    format!("{name}.bias")
}

impl LayerTensors {
    /// Every one of them.
    pub fn all(&self) -> impl Iterator<Item = Named> {
        let norms = [&self.attention_norm, &self.ffn_norm];
        let norms = norms.into_iter().chain(self.head_norms.iter().flatten());
        let matrices = [&self.qkv, &self.attention_out, &self.up, &self.down];
        matrices.into_iter().flat_map(MatrixTensors::all).chain(norms.flat_map(NormTensors::all))
    }
}

impl ModelConfig {
    /// The tensors of a layer.
    pub(crate) fn layer_tensors(&self, layer_idx: usize) -> LayerTensors {
        let (names, biases, hidden) = (self.names, self.biases, self.hidden_width);
        let (q, kv, ffn) = (self.attention.q_width(), self.attention.kv_width(), self.ffn.width);
        let name = |part: &str| format!("{}.{layer_idx}.{part}", names.layers);
        let norm = |part: &str| self.norm_tensors(name(part));
        let matrix = |parts: &[(&str, usize)], num_inputs, has_bias| MatrixTensors {
            parts: parts.iter().map(|(part, num_rows)| (name(part), *num_rows)).collect(),
            num_inputs,
            has_bias,
            is_gated: false,
        };
        let qkv: &[_] = match &names.qkv {
            QkvNames::Split([query, key, value]) => &[(*query, q), (*key, kv), (*value, kv)],
            QkvNames::Stacked(name) => &[(*name, q + 2 * kv)],
        };
        let up: &[_] = if self.ffn.is_gated {
            &[(names.gate, ffn), (names.up, ffn)]
        } else {
            &[(names.up, ffn)]
        };
        let head_norm = |part: &&str| {
            let width = self.attention.head_dim;
            NormTensors { name: name(part), width, has_bias: false }
        };
        LayerTensors {
            attention_norm: norm(names.attention_norm),
            qkv: matrix(qkv, hidden, biases.qkv),
            head_norms: self.has_head_norms.then(|| names.head_norms.each_ref().map(head_norm)),
            attention_out: matrix(&[(names.attention_out, hidden)], q, biases.attention_out),
            ffn_norm: norm(names.ffn_norm),
            up: MatrixTensors { is_gated: self.ffn.is_gated, ..matrix(up, hidden, biases.ffn) },
            down: matrix(&[(names.down, hidden)], ffn, biases.ffn),
        }
    }

    /// The last normalisation.
    pub(crate) fn final_norm_tensors(&self) -> NormTensors {
        self.norm_tensors(self.names.final_norm.to_owned())
    }

    fn norm_tensors(&self, name: String) -> NormTensors {
        let has_bias = matches!(self.norm, Norm::Layer { .. });
        NormTensors { name, width: self.hidden_width, has_bias }
    }

    /// The embedding.
    pub(crate) fn embedding_tensor(&self) -> Named {
        (weight(self.names.embedding), vec![self.vocab_len, self.hidden_width])
    }

    /// The table of learned positions, if they are.
    pub(crate) fn places_tensor(&self) -> Option<Named> {
        let is_learned = self.positions == Positions::Learned;
        is_learned.then(|| (weight(self.names.places), vec![self.context_len, self.hidden_width]))
    }

    /// The tensors that are in no layer. The head is there unless the config says that it is the
    /// embedding.
    pub(crate) fn outer_tensors(&self) -> Vec<Named> {
        let head = (HEAD.to_owned(), vec![self.vocab_len, self.hidden_width]);
        let head = Some(head).filter(|_| self.tied_head != Some(true));
        let tables = [self.embedding_tensor()].into_iter().chain(self.places_tensor()).chain(head);
        tables.chain(self.final_norm_tensors().all()).collect()
    }

    /// All tensors of a checkpoint of this shape.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = Named> {
        let layers = (0..self.num_layers).flat_map(|idx| {
            let tensors: Vec<Named> = self.layer_tensors(idx).all().collect();
            tensors
        });
        self.outer_tensors().into_iter().chain(layers)
    }
}
