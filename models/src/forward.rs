//! The forward pass, written once over the backend's operations.

use jump_kernels::{
    Backend, BlockId, Choice, DeviceError, Given, Layout, Part, PassInput, Target, Wanted,
};

use crate::loading::{Layer, Loader, rope_table};
use crate::{Checkpoint, ModelConfig, ModelError, Positions};

/// Activations of one pass, sized once.
struct Scratch<B: Backend> {
    hidden: B::Rows,
    qkv: B::Rows,
    /// Where the rows go that are read, if those aren't all.
    read_hidden: B::Rows,
    read_qkv: B::Rows,
    normed: B::Inputs,
    attended: B::Inputs,
    activated: B::Inputs,
}

/// A model whose weights are on a device.
pub struct Model<B: Backend> {
    backend: B,
    config: ModelConfig,
    embedding: B::Table,
    /// The rows of learned positions.
    places: Option<B::Table>,
    head: B::Head,
    final_norm: B::Norm,
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
    /// A tensor that is missing, of another shape, or too many; more positions than the model has
    /// learned; a device that fails, is too small, or can't do what the model needs.
    pub fn new(
        mut backend: B,
        checkpoint: &Checkpoint,
        max_rows: usize,
        context_len: usize,
    ) -> Result<Self, ModelError> {
        let config = checkpoint.config.clone();
        if config.positions == Positions::Learned && context_len > config.context_len {
            let name = checkpoint.name.clone();
            return Err(ModelError::Context { name, known: config.context_len, context_len });
        }
        backend.reserve(&config.pass_limits(max_rows, context_len))?;
        let loader = Loader::new(&backend, checkpoint);
        let embedding = loader.embedding()?;
        let places = loader.places()?;
        let head = loader.head(&embedding)?;
        let layers = (0..config.num_layers).map(|idx| loader.layer(idx));
        let layers = layers.collect::<Result<_, _>>()?;
        let final_norm = loader.norm(&config.final_norm_tensors())?;
        checkpoint.weights.check_all_read()?;
        Ok(Self {
            embedding,
            places,
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

    /// Bytes that the weights of `checkpoint` take on the device; none are read for it. Loading
    /// takes those of one matrix more.
    pub fn weight_bytes(backend: &B, checkpoint: &Checkpoint) -> usize {
        Loader::new(backend, checkpoint).num_bytes()
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
        let Self { backend, config, embedding, places, layers, rope, scratch, .. } = self;
        let (final_norm, head) = (&self.final_norm, &self.head);
        backend.pass(&input, cache, &mut |pass, cache| {
            let run = Run { backend, config, pass };
            let (scale, places) = (config.embedding_scale, places.as_ref());
            backend.embed(pass, embedding, scale, places, &mut scratch.hidden);
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
        let Self { backend, pass, .. } = self;
        let Scratch { hidden, qkv, normed, .. } = scratch;
        backend.normalise(pass, Part::All, hidden, &layer.attention_norm, normed);
        backend.matmul(pass, Part::All, normed, &layer.qkv, qkv);
        backend.rotate_and_store(pass, qkv, layer.head_norms.as_ref(), rope, cache, layer_idx);
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
        let Scratch { hidden, qkv, read_hidden, read_qkv, normed, attended, activated } = scratch;
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
        backend.normalise(pass, part, hidden, &layer.ffn_norm, normed);
        let activation = config.ffn.activation;
        backend.matmul_activated(pass, part, normed, &layer.up, activation, activated);
        backend.matmul_add(pass, part, activated, &layer.down, hidden);
    }

    /// Normalises the rows that are read and reads what is wanted.
    fn read_out(&self, scratch: &mut Scratch<B>, part: Part, norm: &B::Norm, head: &B::Head) {
        let Self { backend, pass, .. } = self;
        let Scratch { hidden, read_hidden, normed, .. } = scratch;
        let hidden = if part == Part::All { hidden } else { read_hidden };
        backend.normalise(pass, part, hidden, norm, normed);
        backend.read_out(pass, normed, head);
    }
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
        activated: backend.inputs(max_rows, config.ffn.width)?,
    })
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
