//! The way of a checkpoint's tensors to a device.

use jump_kernels::{Backend, MatrixShape, NormKind, NormView, RopeTable};

use crate::names::HEAD;
use crate::tensors::{LayerTensors, MatrixTensors, Named, NormTensors, bias, weight};
use crate::weights::Tensor;
use crate::{Checkpoint, ModelConfig, ModelError, Norm, Positions, Weights};

/// A layer on a device.
pub(crate) struct Layer<B: Backend> {
    pub attention_norm: B::Norm,
    pub qkv: B::Matrix,
    pub head_norms: Option<[B::Norm; 2]>,
    pub attention_out: B::Matrix,
    pub ffn_norm: B::Norm,
    /// The gate and the up, or the up alone.
    pub up: B::Matrix,
    pub down: B::Matrix,
}

/// Reads tensors for a backend.
pub(crate) struct Loader<'a, B: Backend> {
    backend: &'a B,
    config: &'a ModelConfig,
    weights: &'a Weights,
}

impl<'a, B: Backend> Loader<'a, B> {
    /// Of a checkpoint.
    pub fn new(backend: &'a B, checkpoint: &'a Checkpoint) -> Self {
        Self { backend, config: &checkpoint.config, weights: &checkpoint.weights }
    }

    /// The embedding.
    pub fn embedding(&self) -> Result<B::Table, ModelError> {
        self.table(&self.config.embedding_tensor())
    }

    /// The rows of learned positions, if they are.
    pub fn places(&self) -> Result<Option<B::Table>, ModelError> {
        self.config.places_tensor().map(|tensor| self.table(&tensor)).transpose()
    }

    fn table(&self, (name, shape): &Named) -> Result<B::Table, ModelError> {
        // A tensor that was converted or made is as large as what it becomes: none is kept.
        let tensor = self.weights.tensor(name, shape)?;
        Ok(self.backend.table(tensor.matrix(shape[0], shape[1]))?)
    }

    /// The head, whose rows may be the embedding's: if the config says so and there are no others.
    pub fn head(&self, embedding: &B::Table) -> Result<B::Head, ModelError> {
        let (name, shape) = self.config.embedding_tensor();
        let is_tied = self.is_head_tied();
        let tensor = self.weights.tensor(if is_tied { &name } else { HEAD }, &shape)?;
        let head = tensor.matrix(shape[0], shape[1]);
        Ok(self.backend.head(head, is_tied.then_some(embedding))?)
    }

    fn is_head_tied(&self) -> bool {
        let has_own = self.weights.contains(HEAD);
        match self.config.tied_head {
            Some(true) => {
                let (embedding, _) = self.config.embedding_tensor();
                !has_own || self.weights.are_equal(&embedding, HEAD)
            }
            Some(false) => false,
            None => !has_own,
        }
    }

    /// A layer.
    pub fn layer(&self, layer_idx: usize) -> Result<Layer<B>, ModelError> {
        let tensors: LayerTensors = self.config.layer_tensors(layer_idx);
        let head_norms = match &tensors.head_norms {
            Some([query, key]) => Some([self.norm(query)?, self.norm(key)?]),
            None => None,
        };
        Ok(Layer {
            attention_norm: self.norm(&tensors.attention_norm)?,
            qkv: self.matrix(&tensors.qkv)?,
            head_norms,
            attention_out: self.matrix(&tensors.attention_out)?,
            ffn_norm: self.norm(&tensors.ffn_norm)?,
            up: self.matrix(&tensors.up)?,
            down: self.matrix(&tensors.down)?,
        })
    }

    /// A normalisation.
    pub fn norm(&self, tensors: &NormTensors) -> Result<B::Norm, ModelError> {
        let vector = |name: &str| -> Result<Vec<f32>, ModelError> {
            Ok(self.weights.tensor(name, &[tensors.width])?.values().to_f32().into_owned())
        };
        let mut values = vector(&weight(&tensors.name))?;
        if let Norm::Rms { weight_offset, .. } = self.config.norm {
            for value in &mut values {
                *value += weight_offset;
            }
        }
        let bias = if tensors.has_bias { vector(&bias(&tensors.name))? } else { Vec::new() };
        let kind = if tensors.has_bias { NormKind::Layer { bias: &bias } } else { NormKind::Rms };
        let view = NormView { kind, eps: self.config.norm.eps(), weight: &values };
        Ok(self.backend.norm(view)?)
    }

    /// Bytes that all of it takes.
    pub fn num_bytes(&self) -> usize {
        let Self { backend, config, .. } = self;
        let (name, shape) = config.embedding_tensor();
        let is_tied = self.is_head_tied();
        let head = self.shape(if is_tied { &name } else { HEAD }, &shape);
        let tables = [(name, shape)].into_iter().chain(config.places_tensor());
        let tables = tables.map(|(name, shape)| backend.table_bytes(self.shape(&name, &shape)));
        let outer = tables.sum::<usize>()
            + backend.head_bytes(head, is_tied)
            + norm_bytes(&config.final_norm_tensors());
        let layers = (0..config.num_layers).map(|idx| self.layer_bytes(&config.layer_tensors(idx)));
        layers.fold(outer, usize::saturating_add)
    }

    fn layer_bytes(&self, tensors: &LayerTensors) -> usize {
        let norms = [&tensors.attention_norm, &tensors.ffn_norm];
        let norms = norms.into_iter().chain(tensors.head_norms.iter().flatten());
        let matrices = [&tensors.qkv, &tensors.attention_out, &tensors.up, &tensors.down];
        let matrices = matrices.into_iter().map(|matrix| self.matrix_bytes(matrix));
        norms.map(norm_bytes).sum::<usize>() + matrices.sum::<usize>()
    }

    fn matrix_bytes(&self, tensors: &MatrixTensors) -> usize {
        let parts = tensors.parts.iter();
        let parts = parts
            .map(|(name, num_rows)| self.shape(&weight(name), &[*num_rows, tensors.num_inputs]));
        let parts: Vec<_> = parts.collect();
        let num_rows: usize = parts.iter().map(|part| part.num_rows).sum();
        let biases = if tensors.has_bias { num_rows * size_of::<f32>() } else { 0 };
        biases + self.backend.matrix_bytes(&parts, tensors.is_gated)
    }

    fn shape(&self, name: &str, shape: &[usize]) -> MatrixShape {
        MatrixShape { kind: self.weights.kind(name), num_rows: shape[0], num_cols: shape[1] }
    }

    fn matrix(&self, tensors: &MatrixTensors) -> Result<B::Matrix, ModelError> {
        let parts = self.parts(tensors)?;
        let views = parts.iter().zip(&tensors.parts);
        let views = views.map(|(part, (_, num_rows))| part.matrix(*num_rows, tensors.num_inputs));
        let views: Vec<_> = views.collect();
        let bias = self.bias(tensors)?;
        Ok(match *views {
            [gate, up] if tensors.is_gated => {
                self.backend.gated_matrix(gate, up, bias.as_deref())?
            }
            _ => self.backend.matrix(&views, bias.as_deref())?,
        })
    }

    fn parts(&self, tensors: &MatrixTensors) -> Result<Vec<Tensor<'a>>, ModelError> {
        let parts = tensors.parts.iter().map(|(name, num_rows)| {
            self.weights.tensor(&weight(name), &[*num_rows, tensors.num_inputs])
        });
        parts.collect()
    }

    /// The biases of all parts, one after the other.
    fn bias(&self, tensors: &MatrixTensors) -> Result<Option<Vec<f32>>, ModelError> {
        if !tensors.has_bias {
            return Ok(None);
        }
        let mut values = Vec::new();
        for (name, num_rows) in &tensors.parts {
            let tensor = self.weights.tensor(&bias(name), &[*num_rows])?;
            values.extend_from_slice(&tensor.values().to_f32());
        }
        Ok(Some(values))
    }
}

fn norm_bytes(tensors: &NormTensors) -> usize {
    let num_vectors = if tensors.has_bias { 2 } else { 1 };
    num_vectors * tensors.width * size_of::<f32>()
}

/// Cosines and sines in f64, rounded once. Frequencies are f32 first, as in transformers. Where
/// positions are learned, nothing is rotated.
pub(crate) fn rope_table(config: &ModelConfig, num_positions: usize) -> RopeTable {
    let Positions::Rotary(rope) = config.positions else {
        return RopeTable { half_dim: 0, cos: Vec::new(), sin: Vec::new() };
    };
    let frequencies = rope.frequencies(config.attention.head_dim);
    let frequencies: Vec<f32> = frequencies.map(|frequency| frequency as f32).collect();
    let angle = |position: usize, frequency: f32| f64::from(position as f32 * frequency);
    let angles = (0..num_positions)
        .flat_map(|position| frequencies.iter().map(move |frequency| angle(position, *frequency)));
    let (sin, cos) = angles.map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
    RopeTable { half_dim: frequencies.len(), cos, sin }
}
