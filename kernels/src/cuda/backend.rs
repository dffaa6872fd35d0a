//! A GPU, or its emulator, as a [`Backend`].
//!
//! Weights, keys and values, and what matrices are multiplied by are bfloat16; sums, the residual
//! and queries are f32. All memory is allocated before the first pass; a pass is one upload, its
//! launches or the replay of their graph, and one download.

use std::cell::RefCell;

use super::CudaOptions;
use super::attention::{HEAD_DIMS, MANY_ROWS, takes_spans};
use super::attention_plan::{Grouping, PlanShape};
use super::cache::Cache;
use super::gemm::Epilogue;
use super::graphs::{Graphs, Plan};
use super::memory::{Inputs, Matrix, Norm, Rope, Rows, Table};
use super::operations::Operations;
use super::pass::{HeadSource, Pass, StagedAsked, Stager};
use super::read_out::{self, Asked, Chunk};
use super::workspace::Workspace;
use crate::backend::{
    Activation, AttentionShape, Backend, FfnShape, MatrixShape, MatrixView, NormView, RopeTable,
};
use crate::pass::{Given, Part, PassInput, PassLimits};
use crate::runtime::{DeviceError, KernelFile, SharedRuntime};

/// A device and the memory of its passes.
pub struct Cuda {
    ops: Operations,
    grouping: Grouping,
    /// There since [`Backend::reserve`].
    state: Option<RefCell<State>>,
}

/// What a pass changes.
struct State {
    stager: Stager,
    graphs: Graphs,
    /// The head's source: a replayed pass doesn't name it.
    head: Option<HeadSource>,
    vocab_len: usize,
}

impl Cuda {
    /// On a device.
    pub fn new(runtime: SharedRuntime, options: CudaOptions) -> Self {
        let ops = Operations::new(runtime, options.determinism);
        Self { ops, grouping: options.grouping, state: None }
    }

    fn runtime(&self) -> &SharedRuntime {
        self.ops.runtime()
    }

    /// Launches the pass, or replays it.
    fn launch(
        &self,
        state: &mut State,
        pass: &Pass,
        cache: &mut Cache,
        body: &mut dyn FnMut(&Pass, &mut Cache),
    ) -> Result<(), DeviceError> {
        let mut run = || {
            self.ops.copy_blocks(pass, cache);
            body(pass, cache);
            pass.failure()
        };
        let State { stager, graphs, head, .. } = state;
        let Some(shape) = stager.shape() else {
            run()?;
            *head = pass.head.get().or(*head);
            return Ok(());
        };
        match graphs.plan(shape) {
            Plan::Launch => run()?,
            Plan::Record => {
                self.runtime().begin_capture()?;
                let result = run();
                let graph = self.runtime().end_capture()?;
                if let Err(failure) = result {
                    self.runtime().forget(graph);
                    return Err(failure);
                }
                graphs.keep(shape, graph);
                graphs.replay(shape)?;
            }
            Plan::Replay => graphs.replay(shape)?,
        }
        *head = pass.head.get().or(*head);
        Ok(())
    }

    /// Downloads the answers of a chunk.
    fn download(
        &self,
        given: &mut Given,
        input: &PassInput<'_>,
        chunk: &Chunk,
        asked: &StagedAsked,
    ) -> Result<(), DeviceError> {
        let (chosen, logits) = self.ops.results(asked)?;
        read_out::collect(given, input.wanted, chunk, &chosen, &logits);
        Ok(())
    }
}

impl Backend for Cuda {
    type Matrix = Matrix;
    type Table = Table;
    type Head = Table;
    type Norm = Norm;
    type Rope = Rope;
    type Rows = Rows;
    type Inputs = Inputs;
    type Cache = Cache;
    type Pass<'a> = Pass;

    fn workspace_bytes(&self, limits: &PassLimits) -> usize {
        Workspace::num_bytes(limits)
    }

    fn reserve(&mut self, limits: &PassLimits) -> Result<(), DeviceError> {
        check(limits)?;
        self.runtime().prepare(&files(limits.attention.head_dim as u32))?;
        let staging = self.ops.reserve(limits)?;
        let info = self.runtime().info();
        let plan_shape = PlanShape {
            num_heads: limits.attention.num_heads as u32,
            num_kv_heads: limits.attention.num_kv_heads as u32,
            window: limits.attention.window.map(|window| window.get() as u32),
            num_processors: info.num_processors,
            takes_spans: takes_spans(limits.attention.head_dim as u32, info.max_shared_bytes),
            grouping: self.grouping,
        };
        let state = State {
            stager: Stager::new(staging, plan_shape),
            graphs: Graphs::new(self.runtime().clone()),
            head: None,
            vocab_len: limits.vocab_len,
        };
        self.state = Some(RefCell::new(state));
        Ok(())
    }

    fn matrix(
        &self,
        parts: &[MatrixView<'_>],
        bias: Option<&[f32]>,
    ) -> Result<Matrix, DeviceError> {
        Matrix::stacked(self.runtime(), parts)?.with_bias(self.runtime(), bias)
    }

    fn gated_matrix(
        &self,
        gate: MatrixView<'_>,
        up: MatrixView<'_>,
        bias: Option<&[f32]>,
    ) -> Result<Matrix, DeviceError> {
        Matrix::gated(self.runtime(), gate, up)?.with_bias(self.runtime(), bias)
    }

    fn table(&self, view: MatrixView<'_>) -> Result<Table, DeviceError> {
        Ok(Table::new(Matrix::stacked(self.runtime(), &[view])?))
    }

    fn head(&self, view: MatrixView<'_>, embedding: Option<&Table>) -> Result<Table, DeviceError> {
        embedding.map_or_else(|| self.table(view), |embedding| Ok(embedding.clone()))
    }

    fn matrix_bytes(&self, parts: &[MatrixShape], _: bool) -> usize {
        Matrix::bytes_of(parts)
    }

    fn table_bytes(&self, shape: MatrixShape) -> usize {
        Matrix::bytes_of(&[shape])
    }

    fn head_bytes(&self, shape: MatrixShape, is_embedding: bool) -> usize {
        if is_embedding { 0 } else { Matrix::bytes_of(&[shape]) }
    }

    fn norm(&self, view: NormView<'_>) -> Result<Norm, DeviceError> {
        Norm::new(self.runtime(), view)
    }

    fn rope(&self, table: RopeTable) -> Result<Rope, DeviceError> {
        Rope::new(self.runtime(), &table)
    }

    fn rows(&self, capacity: usize, width: usize) -> Result<Rows, DeviceError> {
        Rows::new(self.runtime(), capacity, width)
    }

    fn inputs(&self, capacity: usize, width: usize) -> Result<Inputs, DeviceError> {
        Inputs::new(self.runtime(), capacity, width)
    }

    fn cache(
        &self,
        num_layers: usize,
        num_blocks: usize,
        shape: AttentionShape,
    ) -> Result<Cache, DeviceError> {
        Cache::new(self.runtime(), num_layers, num_blocks, shape)
    }

    fn cache_block_bytes(&self, shape: AttentionShape) -> usize {
        Cache::block_bytes(shape)
    }

    fn pass(
        &self,
        input: &PassInput<'_>,
        cache: &mut Cache,
        body: &mut dyn FnMut(&Pass, &mut Cache),
    ) -> Result<Given, DeviceError> {
        let state = self.state.as_ref().expect("memory was reserved");
        let mut state = state.borrow_mut();
        let chunks = read_out::chunks(input.wanted, Workspace::READ_OUT);
        let asked = Asked::new(input.wanted, &chunks[0], state.vocab_len);
        let pass = state.stager.stage(input, &asked)?;
        self.launch(&mut state, &pass, cache, body)?;
        let mut given = Given::default();
        self.download(&mut given, input, &chunks[0], &pass.asked)?;
        for chunk in &chunks[1..] {
            let asked = Asked::new(input.wanted, chunk, state.vocab_len);
            let asked = state.stager.restage(&asked)?;
            self.ops.read_out(state.head.expect("a pass was read before"), &asked)?;
            self.download(&mut given, input, chunk, &asked)?;
        }
        Ok(given)
    }

    fn embed(
        &self,
        pass: &Pass,
        table: &Table,
        scale: f32,
        places: Option<&Table>,
        out: &mut Rows,
    ) {
        self.ops.embed(pass, table, scale, places, out);
    }

    fn normalise(&self, pass: &Pass, part: Part, x: &Rows, norm: &Norm, out: &mut Inputs) {
        self.ops.normalise(pass, part, x, norm, out);
    }

    fn gather(&self, pass: &Pass, x: &Rows, out: &mut Rows) {
        self.ops.gather(pass, x, out);
    }

    fn matmul(&self, pass: &Pass, part: Part, x: &Inputs, w: &Matrix, out: &mut Rows) {
        self.ops.matmul(pass, part, x, w, Epilogue::StoreF32, out);
    }

    fn matmul_add(&self, pass: &Pass, part: Part, x: &Inputs, w: &Matrix, out: &mut Rows) {
        self.ops.matmul(pass, part, x, w, Epilogue::AddF32, out);
    }

    fn matmul_activated(
        &self,
        pass: &Pass,
        part: Part,
        x: &Inputs,
        w: &Matrix,
        activation: Activation,
        out: &mut Inputs,
    ) {
        let epilogue = Epilogue::of(activation, w.is_gated()).expect("checked with the limits");
        self.ops.matmul(pass, part, x, w, epilogue, out);
    }

    fn rotate_and_store(
        &self,
        pass: &Pass,
        qkv: &mut Rows,
        head_norms: Option<&[Norm; 2]>,
        rope: &Rope,
        cache: &mut Cache,
        layer_idx: usize,
    ) {
        self.ops.rotate_and_store(pass, qkv, head_norms, rope, cache, layer_idx);
    }

    fn attention(
        &self,
        pass: &Pass,
        part: Part,
        qkv: &Rows,
        cache: &Cache,
        layer_idx: usize,
        out: &mut Inputs,
    ) {
        self.ops.attention(pass, part, qkv, cache, layer_idx, out);
    }

    fn read_out(&self, pass: &Pass, hidden: &Inputs, head: &Table) {
        let source = HeadSource::new(hidden, head);
        pass.head.set(Some(source));
        pass.run(|| self.ops.read_out(source, &pass.asked));
    }
}

/// The kernel files that a model's passes use: compiled together, they take the time of the
/// longest.
fn files(head_dim: u32) -> Vec<KernelFile> {
    let used = KernelFile::all().into_iter();
    used.filter(|file| file.constants.is_empty() || file.constants == [("HEAD_DIM", head_dim)])
        .filter(|file| file.name != "primitives.cu")
        .collect()
}

/// Whether there are kernels for a model.
fn check(limits: &PassLimits) -> Result<(), DeviceError> {
    let shape = limits.attention;
    let unsupported = |what: String, supported: &str| {
        Err(DeviceError::Unsupported { what, supported: supported.to_owned() })
    };
    if !HEAD_DIMS.contains(&(shape.head_dim as u32)) {
        return unsupported(
            format!("heads of {} elements", shape.head_dim),
            &format!("{HEAD_DIMS:?}"),
        );
    }
    if !shape.num_heads.is_multiple_of(shape.num_kv_heads)
        || shape.num_heads / shape.num_kv_heads > MANY_ROWS as usize
    {
        let what = format!("{} heads for {} of keys", shape.num_heads, shape.num_kv_heads);
        return unsupported(what, "up to 64 for each of keys");
    }
    for width in [limits.hidden_width, limits.ffn.width] {
        if !width.is_multiple_of(16) {
            return unsupported(format!("rows of {width} elements"), "multiples of 16");
        }
    }
    let FfnShape { activation, is_gated, .. } = limits.ffn;
    if Epilogue::of(activation, is_gated).is_none() {
        let what = format!("{activation:?} {} a gate", if is_gated { "as" } else { "without" });
        return unsupported(what, "SiLU as a gate, GELU without, its tanh form both ways");
    }
    Ok(())
}
