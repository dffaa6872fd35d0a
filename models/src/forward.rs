//! The forward pass, written once over the backend's operations.

use jump_kernels::{Backend, BlockId, Choice, Chosen, Layout, MatrixView, RopeTable, Target};

use crate::{Checkpoint, ModelConfig, ModelError};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// What is wanted of a pass. Rows are rows of the pass's layout.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Next tokens.
    pub choices: Vec<Choice>,
    /// Logits of given tokens.
    pub logits: Vec<Target>,
    /// Log-probabilities of given tokens.
    pub logprobs: Vec<Target>,
}

/// What a pass gave, in the order of [`Wanted`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Next tokens.
    pub choices: Vec<Chosen>,
    /// Logits.
    pub logits: Vec<f32>,
    /// Log-probabilities.
    pub logprobs: Vec<f32>,
}

/// The keys and values of all layers.
pub struct KvCache<B: Backend> {
    layers: Vec<B::Cache>,
}

impl<B: Backend> KvCache<B> {
    /// Copies whole blocks in every layer, `(from, to)` each.
    pub fn copy_blocks(&mut self, backend: &B, copies: &[(BlockId, BlockId)]) {
        if copies.is_empty() {
            return;
        }
        for layer in &mut self.layers {
            backend.copy_blocks(layer, copies);
        }
    }
}

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
    normed: B::Rows,
    qkv: B::Rows,
    /// What `qkv` is swapped with when only some rows go on.
    kept_qkv: B::Rows,
    attended: B::Rows,
    gated: B::Rows,
}

/// A model whose weights are on a device.
pub struct Model<B: Backend> {
    backend: B,
    config: ModelConfig,
    embedding: B::Table,
    /// The rows of the head; `None` if they are the embedding's.
    head_table: Option<B::Table>,
    head: B::Matrix,
    final_norm: B::Vector,
    layers: Vec<Layer<B>>,
    rope: RopeTable,
    scratch: Scratch<B>,
    max_rows: usize,
}

impl<B: Backend> Model<B> {
    /// Brings the weights of `checkpoint` to the device and sizes the activations for passes of up
    /// to `max_rows` rows and sequences of up to `context_len` tokens.
    ///
    /// # Errors
    ///
    /// A tensor that is missing, of another shape, or too many.
    pub fn new(
        backend: B,
        checkpoint: &Checkpoint,
        max_rows: usize,
        context_len: usize,
    ) -> Result<Self, ModelError> {
        let config = checkpoint.config.clone();
        let weights = &checkpoint.weights;
        let (vocab, hidden) = (config.vocab_len, config.hidden_width);
        // A tensor that was converted or made is as large as what it becomes: none is kept.
        let embedding =
            backend.table(weights.tensor(EMBEDDING, &[vocab, hidden])?.matrix(vocab, hidden));
        let (head, head_table) = head(&backend, checkpoint)?;
        let layers = (0..config.num_layers).map(|idx| layer(&backend, checkpoint, idx));
        let layers = layers.collect::<Result<_, _>>()?;
        let final_norm = weights.tensor("model.norm.weight", &[hidden])?;
        let final_norm = backend.vector(final_norm.values());
        weights.check_all_read()?;
        Ok(Self {
            embedding,
            head_table,
            head,
            final_norm,
            layers,
            rope: rope_table(&config, context_len),
            scratch: scratch(&backend, &config, max_rows),
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
    pub fn cache(&self, num_blocks: usize) -> KvCache<B> {
        let layer = |_| self.backend.cache(num_blocks, self.config.attention);
        KvCache { layers: (0..self.config.num_layers).map(layer).collect() }
    }

    /// Runs the rows of `layout`: writes their keys and values and gives what is wanted of them.
    ///
    /// The last layer is finished only for rows of which anything is wanted: of the others its keys
    /// and values are all that a later pass can see.
    pub fn forward(&mut self, layout: &Layout, cache: &mut KvCache<B>, wanted: &Wanted) -> Given {
        let num_rows = layout.num_rows();
        assert!(num_rows <= self.max_rows, "{num_rows} rows, but scratch for {}", self.max_rows);
        let _pass = self.backend.begin_pass();
        let Self { backend, config, embedding, layers, rope, scratch, .. } = self;
        backend.embed(embedding, &layout.tokens, &mut scratch.hidden);
        let (last_layer, layers) = layers.split_last().expect("a model has at least one layer");
        let (last_cache, caches) = cache.layers.split_last_mut().expect("as many caches");
        for (layer, cache) in layers.iter().zip(caches) {
            scratch.write_kv(backend, config, rope, layer, layout, cache);
            scratch.attend(backend, config, layer, layout, cache);
        }
        scratch.write_kv(backend, config, rope, last_layer, layout, last_cache);
        let (rows, wanted) = compact(wanted);
        if rows.is_empty() {
            return Given::default();
        }
        if rows.len() == num_rows {
            scratch.attend(backend, config, last_layer, layout, last_cache);
        } else {
            scratch.keep(backend, &rows);
            scratch.attend(backend, config, last_layer, &layout.select(&rows), last_cache);
        }
        self.read_out(rows.len(), &wanted)
    }

    /// Normalises the first `num_rows` rows and gives what is wanted of them.
    fn read_out(&mut self, num_rows: usize, wanted: &Wanted) -> Given {
        let Self { backend, config, scratch, final_norm, head, embedding, .. } = self;
        let head_table = self.head_table.as_ref().unwrap_or(embedding);
        let Scratch { hidden, normed, .. } = scratch;
        backend.rms_norm(hidden, num_rows, final_norm, config.norm_eps, normed);
        Given {
            choices: backend.choose(normed, head, &wanted.choices),
            logits: backend.target_logits(normed, head_table, &wanted.logits),
            logprobs: backend.target_logprobs(normed, head, &wanted.logprobs),
        }
    }
}

impl<B: Backend> Scratch<B> {
    /// Queries, keys and values of a layer; keys and values go to the cache.
    fn write_kv(
        &mut self,
        backend: &B,
        config: &ModelConfig,
        rope: &RopeTable,
        layer: &Layer<B>,
        layout: &Layout,
        cache: &mut B::Cache,
    ) {
        let (num_rows, eps) = (layout.num_rows(), config.norm_eps);
        backend.rms_norm(&self.hidden, num_rows, &layer.attention_norm, eps, &mut self.normed);
        backend.matmul(&self.normed, num_rows, &layer.qkv, &mut self.qkv);
        backend.rotate_and_store(&mut self.qkv, layout, config.attention, rope, cache);
    }

    /// Keeps only some rows, in front.
    fn keep(&mut self, backend: &B, rows: &[u32]) {
        backend.gather(&self.hidden, rows, &mut self.normed);
        std::mem::swap(&mut self.hidden, &mut self.normed);
        backend.gather(&self.qkv, rows, &mut self.kept_qkv);
        std::mem::swap(&mut self.qkv, &mut self.kept_qkv);
    }

    /// The rest of a layer, from its queries on.
    fn attend(
        &mut self,
        backend: &B,
        config: &ModelConfig,
        layer: &Layer<B>,
        layout: &Layout,
        cache: &B::Cache,
    ) {
        let (num_rows, eps) = (layout.num_rows(), config.norm_eps);
        backend.attention(&self.qkv, layout, config.attention, cache, &mut self.attended);
        backend.matmul_add(&self.attended, num_rows, &layer.attention_out, &mut self.hidden);
        backend.rms_norm(&self.hidden, num_rows, &layer.ffn_norm, eps, &mut self.normed);
        backend.matmul_gated(&self.normed, num_rows, &layer.gate_up, &mut self.gated);
        backend.matmul_add(&self.gated, num_rows, &layer.down, &mut self.hidden);
    }
}

/// The head, and its rows if they aren't the embedding's.
fn head<B: Backend>(
    backend: &B,
    checkpoint: &Checkpoint,
) -> Result<(B::Matrix, Option<B::Table>), ModelError> {
    let Checkpoint { config, weights, .. } = checkpoint;
    let is_tied = config.tied_head.unwrap_or(!weights.contains(HEAD));
    let (vocab, hidden) = (config.vocab_len, config.hidden_width);
    let tensor = weights.tensor(if is_tied { EMBEDDING } else { HEAD }, &[vocab, hidden])?;
    let rows = tensor.matrix(vocab, hidden);
    Ok((backend.matrix(&[rows]), (!is_tied).then(|| backend.table(rows))))
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
    let norm = |part| Ok(backend.vector(tensor(part, &[hidden])?.values()));
    let single = |part, num_rows, num_cols| {
        Ok(backend.matrix(&[matrix(part, num_rows, num_cols)?.matrix(num_rows, num_cols)]))
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
        qkv: backend.matrix(&qkv),
        attention_out: single("self_attn.o_proj", hidden, q)?,
        ffn_norm: norm("post_attention_layernorm")?,
        gate_up: backend.gated_matrix(gate.matrix(ffn, hidden), up.matrix(ffn, hidden)),
        down: single("mlp.down_proj", hidden, ffn)?,
    })
}

fn scratch<B: Backend>(backend: &B, config: &ModelConfig, max_rows: usize) -> Scratch<B> {
    let rows = |width| backend.rows(max_rows, width);
    Scratch {
        hidden: rows(config.hidden_width),
        normed: rows(config.hidden_width),
        qkv: rows(config.attention.qkv_width()),
        kept_qkv: rows(config.attention.qkv_width()),
        attended: rows(config.attention.q_width()),
        gated: rows(config.ffn_width),
    }
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
