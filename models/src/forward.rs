//! The forward pass, written once over the backend's operations.

use jump_kernels::{
    Backend, BlockId, Choice, DeviceError, Given, Layout, MatrixView, Part, PassInput, RopeTable,
    Target, Wanted,
};

use crate::{Checkpoint, ModelConfig, ModelError};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

struct Layer<B: Backend> {
    attention_norm: B::Vector,
    qkv: B::Matrix,
    attention_out: B::Matrix,
    ffn_norm: B::Vector,
    gate_up: B::Matrix,
    down: B::Matrix,
}

/// Activations of one pass, sized once.
struct Scratch<B: Backend> {
    hidden: B::Rows,
    qkv: B::Rows,
    /// Where the rows go that are read, if those aren't all.
    read_hidden: B::Rows,
    read_qkv: B::Rows,
    normed: B::Inputs,
    attended: B::Inputs,
    gated: B::Inputs,
}

/// A model whose weights are on a device.
pub struct Model<B: Backend> {
    backend: B,
    config: ModelConfig,
    embedding: B::Table,
    head: B::Head,
    final_norm: B::Vector,
    layers: Vec<Layer<B>>,
    rope: B::Rope,
    scratch: Scratch<B>,
    max_rows: usize,
}

impl<B: Backend> Model<B> {
    /// Brings the weights of `checkpoint` to the device and sizes the activations for passes of up
    /// to `max_rows` rows and sequences of up to `context_len` tokens.
    ///
    /// # Errors
    ///
    /// A tensor that is missing, of another shape, or too many; a device that fails or is too
    /// small.
    pub fn new(
        mut backend: B,
        checkpoint: &Checkpoint,
        max_rows: usize,
        context_len: usize,
    ) -> Result<Self, ModelError> {
        let config = checkpoint.config.clone();
        let weights = &checkpoint.weights;
        let (vocab, hidden) = (config.vocab_len, config.hidden_width);
        backend.reserve(&config.pass_limits(max_rows, context_len))?;
        // A tensor that was converted or made is as large as what it becomes: none is kept.
        let embedding =
            backend.table(weights.tensor(EMBEDDING, &[vocab, hidden])?.matrix(vocab, hidden))?;
        let head = head(&backend, checkpoint, &embedding)?;
        let layers = (0..config.num_layers).map(|idx| layer(&backend, checkpoint, idx));
        let layers = layers.collect::<Result<_, _>>()?;
        let final_norm = weights.tensor("model.norm.weight", &[hidden])?;
        let final_norm = backend.vector(final_norm.values())?;
        weights.check_all_read()?;
        Ok(Self {
            embedding,
            head,
            final_norm,
            layers,
            rope: backend.rope(rope_table(&config, context_len))?,
            scratch: scratch(&backend, &config, max_rows)?,
            max_rows,
            config,
            backend,
        })
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Room for `num_blocks` blocks in every layer.
    ///
    /// # Errors
    ///
    /// The device is too small.
    pub fn cache(&self, num_blocks: usize) -> Result<B::Cache, DeviceError> {
        self.backend.cache(self.config.num_layers, num_blocks, self.config.attention)
    }

    /// Copies blocks as `copies` say, `(from, to)` each, runs the rows of `layout`, writes their
    /// keys and values, and gives what is wanted of them.
    ///
    /// The last layer is finished only for rows of which anything is wanted: of the others its keys
    /// and values are all that a later pass can see.
    ///
    /// # Errors
    ///
    /// The device failed; what the cache holds is undefined then.
    pub fn forward(
        &mut self,
        layout: &Layout,
        copies: &[(BlockId, BlockId)],
        cache: &mut B::Cache,
        wanted: &Wanted,
    ) -> Result<Given, DeviceError> {
        let num_rows = layout.num_rows();
        assert!(num_rows <= self.max_rows, "{num_rows} rows, but scratch for {}", self.max_rows);
        let (read_rows, wanted) = compact(wanted);
        let input = PassInput { layout, copies, read_rows: &read_rows, wanted: &wanted };
        let Self { backend, config, embedding, head, final_norm, layers, rope, scratch, .. } = self;
        backend.pass(&input, cache, &mut |pass, cache| {
            let run = Run { backend, config, pass };
            backend.embed(pass, embedding, &mut scratch.hidden);
            for (layer_idx, layer) in layers.iter().enumerate() {
                run.write_kv(scratch, layer, rope, cache, layer_idx);
                if layer_idx + 1 < config.num_layers {
                    run.attend(scratch, Part::All, layer, cache, layer_idx);
                } else if !read_rows.is_empty() {
                    let part = input.read_part();
                    run.attend(scratch, part, layer, cache, layer_idx);
                    run.read_out(scratch, part, final_norm, head);
                }
            }
        })
    }
}

/// The operations of one pass.
struct Run<'a, 'pass, B: Backend> {
    backend: &'a B,
    config: &'a ModelConfig,
    pass: &'a B::Pass<'pass>,
}

impl<B: Backend> Run<'_, '_, B> {
    /// Queries, keys and values of a layer; keys and values go to the cache.
    fn write_kv(
        &self,
        scratch: &mut Scratch<B>,
        layer: &Layer<B>,
        rope: &B::Rope,
        cache: &mut B::Cache,
        layer_idx: usize,
    ) {
        let Self { backend, config, pass } = self;
        let Scratch { hidden, qkv, normed, .. } = scratch;
        backend.rms_norm(pass, Part::All, hidden, &layer.attention_norm, config.norm_eps, normed);
        backend.matmul(pass, Part::All, normed, &layer.qkv, qkv);
        backend.rotate_and_store(pass, qkv, rope, cache, layer_idx);
    }

    /// The rest of a layer, from its queries on. Where only some rows are read, they are brought
    /// to the front first.
    fn attend(
        &self,
        scratch: &mut Scratch<B>,
        part: Part,
        layer: &Layer<B>,
        cache: &B::Cache,
        layer_idx: usize,
    ) {
        let Self { backend, config, pass } = self;
        let Scratch { hidden, qkv, read_hidden, read_qkv, normed, attended, gated } = scratch;
        let (hidden, qkv) = match part {
            Part::All => (hidden, qkv),
            Part::Read => {
                backend.gather(pass, hidden, read_hidden);
                backend.gather(pass, qkv, read_qkv);
                (read_hidden, read_qkv)
            }
        };
        backend.attention(pass, part, qkv, cache, layer_idx, attended);
        backend.matmul_add(pass, part, attended, &layer.attention_out, hidden);
        backend.rms_norm(pass, part, hidden, &layer.ffn_norm, config.norm_eps, normed);
        backend.matmul_gated(pass, part, normed, &layer.gate_up, gated);
        backend.matmul_add(pass, part, gated, &layer.down, hidden);
    }

    /// Normalises the rows that are read and reads what is wanted.
    fn read_out(&self, scratch: &mut Scratch<B>, part: Part, norm: &B::Vector, head: &B::Head) {
        let Self { backend, config, pass } = self;
        let Scratch { hidden, read_hidden, normed, .. } = scratch;
        let hidden = if part == Part::All { hidden } else { read_hidden };
        backend.rms_norm(pass, part, hidden, norm, config.norm_eps, normed);
        backend.read_out(pass, normed, head);
    }
}

/// The head, whose rows may be the embedding's.
fn head<B: Backend>(
    backend: &B,
    checkpoint: &Checkpoint,
    embedding: &B::Table,
) -> Result<B::Head, ModelError> {
    let Checkpoint { config, weights, .. } = checkpoint;
    let is_tied = config.tied_head.unwrap_or(!weights.contains(HEAD));
    let (vocab, hidden) = (config.vocab_len, config.hidden_width);
    let tensor = weights.tensor(if is_tied { EMBEDDING } else { HEAD }, &[vocab, hidden])?;
    Ok(backend.head(tensor.matrix(vocab, hidden), is_tied.then_some(embedding))?)
}

fn layer<B: Backend>(
    backend: &B,
    checkpoint: &Checkpoint,
    layer_idx: usize,
) -> Result<Layer<B>, ModelError> {
    let config = &checkpoint.config;
    let (hidden, ffn) = (config.hidden_width, config.ffn_width);
    let (q, kv) = (config.attention.q_width(), config.attention.kv_width());
    let name = |part: &str| format!("model.layers.{layer_idx}.{part}.weight");
    let tensor = |part: &str, shape: &[usize]| checkpoint.weights.tensor(&name(part), shape);
    let matrix = |part, num_rows, num_cols| tensor(part, &[num_rows, num_cols]);
    let norm = |part| Ok::<_, ModelError>(backend.vector(tensor(part, &[hidden])?.values())?);
    let single = |part, num_rows, num_cols| {
        let tensor = matrix(part, num_rows, num_cols)?;
        Ok::<_, ModelError>(backend.matrix(&[tensor.matrix(num_rows, num_cols)])?)
    };
    let query = matrix("self_attn.q_proj", q, hidden)?;
    let key = matrix("self_attn.k_proj", kv, hidden)?;
    let value = matrix("self_attn.v_proj", kv, hidden)?;
    let qkv: [MatrixView<'_>; 3] =
        [query.matrix(q, hidden), key.matrix(kv, hidden), value.matrix(kv, hidden)];
    let gate = matrix("mlp.gate_proj", ffn, hidden)?;
    let up = matrix("mlp.up_proj", ffn, hidden)?;
    Ok(Layer {
        attention_norm: norm("input_layernorm")?,
        qkv: backend.matrix(&qkv)?,
        attention_out: single("self_attn.o_proj", hidden, q)?,
        ffn_norm: norm("post_attention_layernorm")?,
        gate_up: backend.gated_matrix(gate.matrix(ffn, hidden), up.matrix(ffn, hidden))?,
        down: single("mlp.down_proj", hidden, ffn)?,
    })
}

fn scratch<B: Backend>(
    backend: &B,
    config: &ModelConfig,
    max_rows: usize,
) -> Result<Scratch<B>, DeviceError> {
    let (hidden, qkv) = (config.hidden_width, config.attention.qkv_width());
    Ok(Scratch {
        hidden: backend.rows(max_rows, hidden)?,
        qkv: backend.rows(max_rows, qkv)?,
        read_hidden: backend.rows(max_rows, hidden)?,
        read_qkv: backend.rows(max_rows, qkv)?,
        normed: backend.inputs(max_rows, hidden)?,
        attended: backend.inputs(max_rows, config.attention.q_width())?,
        gated: backend.inputs(max_rows, config.ffn_width)?,
    })
}

/// Cosines and sines in f64, rounded once. Frequencies are f32 first, as in transformers.
fn rope_table(config: &ModelConfig, num_positions: usize) -> RopeTable {
    let half_dim = config.attention.head_dim / 2;
    let exponent = |pair: usize| 2.0 * pair as f64 / config.attention.head_dim as f64;
    let frequency = |pair| 1.0 / config.rope_theta.powf(exponent(pair)) / config.rope_factor;
    let frequencies: Vec<f32> = (0..half_dim).map(|pair| frequency(pair) as f32).collect();
    let angle = |position: usize, frequency: f32| f64::from(position as f32 * frequency);
    let angles = (0..num_positions)
        .flat_map(|position| frequencies.iter().map(move |frequency| angle(position, *frequency)));
    let (sin, cos) = angles.map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
    RopeTable { half_dim, cos, sin }
}

/// The distinct rows that anything is wanted of, ascending, and the same wishes with rows that are
/// indices into them.
fn compact(wanted: &Wanted) -> (Vec<u32>, Wanted) {
    let targets = wanted.logits.iter().chain(&wanted.logprobs).map(|target| target.row);
    let mut rows: Vec<u32> =
        wanted.choices.iter().map(|choice| choice.row).chain(targets).collect();
    rows.sort_unstable();
    rows.dedup();
    let place = |row: u32| rows.binary_search(&row).expect("collected above") as u32;
    let moved = |targets: &[Target]| {
        targets.iter().map(|target| Target { row: place(target.row), ..*target }).collect()
    };
    let choices = wanted.choices.iter();
    let wanted = Wanted {
        choices: choices
            .map(|choice| Choice { row: place(choice.row), ..choice.clone() })
            .collect(),
        logits: moved(&wanted.logits),
        logprobs: moved(&wanted.logprobs),
    };
    (rows, wanted)
}
