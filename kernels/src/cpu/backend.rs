//! The processor as a [`Backend`]: a pass is its layout, and every operation is done at once.

use std::cell::RefCell;
use std::slice;
use std::sync::Arc;

use super::{Cache, Cpu, Matrix, Norm, Rows, Table, threads};
use crate::backend::{
    Activation, AttentionShape, Backend, MatrixShape, MatrixView, NormView, RopeTable,
};
use crate::layout::Layout;
use crate::pass::{Given, Part, PassInput, PassLimits};
use crate::runtime::DeviceError;

/// The head as panels for whole rows of logits, and as rows for single ones.
pub struct Head {
    matrix: Matrix,
    table: Arc<Table>,
}

/// The pass that is running.
pub struct Pass<'a> {
    input: &'a PassInput<'a>,
    /// The layout of the rows that are read, if those aren't all.
    read_layout: Layout,
    given: RefCell<Given>,
    /// Other threads stay awake meanwhile.
    _threads: threads::Pass,
}

impl Pass<'_> {
    fn layout(&self, part: Part) -> &Layout {
        match part {
            Part::All => self.input.layout,
            Part::Read => &self.read_layout,
        }
    }

    fn num_rows(&self, part: Part) -> usize {
        self.layout(part).num_rows()
    }
}

impl Backend for Cpu {
    type Matrix = Matrix;
    type Table = Arc<Table>;
    type Head = Head;
    type Norm = Norm;
    type Rope = RopeTable;
    type Rows = Rows;
    type Inputs = Rows;
    /// A layer each.
    type Cache = Vec<Cache>;
    type Pass<'a> = Pass<'a>;

    fn workspace_bytes(&self, _: &PassLimits) -> usize {
        0
    }

    fn reserve(&mut self, _: &PassLimits) -> Result<(), DeviceError> {
        Ok(())
    }

    fn matrix(
        &self,
        parts: &[MatrixView<'_>],
        bias: Option<&[f32]>,
    ) -> Result<Matrix, DeviceError> {
        Ok(Self::matrix(self, parts).with_bias(bias))
    }

    fn gated_matrix(
        &self,
        gate: MatrixView<'_>,
        up: MatrixView<'_>,
        bias: Option<&[f32]>,
    ) -> Result<Matrix, DeviceError> {
        Ok(Self::gated_matrix(self, gate, up).with_bias(bias))
    }

    fn table(&self, view: MatrixView<'_>) -> Result<Arc<Table>, DeviceError> {
        Ok(Arc::new(Self::table(self, view)))
    }

    fn head(
        &self,
        view: MatrixView<'_>,
        embedding: Option<&Arc<Table>>,
    ) -> Result<Head, DeviceError> {
        let table = embedding.cloned().unwrap_or_else(|| Arc::new(Self::table(self, view)));
        Ok(Head { matrix: Self::matrix(self, slice::from_ref(&view)), table })
    }

    fn matrix_bytes(&self, parts: &[MatrixShape], is_gated: bool) -> usize {
        Matrix::bytes_of(parts, is_gated)
    }

    fn table_bytes(&self, shape: MatrixShape) -> usize {
        Table::bytes_of(shape)
    }

    /// The rows lie as panels, too.
    fn head_bytes(&self, shape: MatrixShape, is_embedding: bool) -> usize {
        let table = if is_embedding { 0 } else { Table::bytes_of(shape) };
        table + Matrix::bytes_of(&[shape], false)
    }

    fn norm(&self, view: NormView<'_>) -> Result<Norm, DeviceError> {
        Ok(Self::norm(self, view))
    }

    fn rope(&self, table: RopeTable) -> Result<RopeTable, DeviceError> {
        Ok(table)
    }

    fn rows(&self, capacity: usize, width: usize) -> Result<Rows, DeviceError> {
        Ok(Self::rows(self, capacity, width))
    }

    fn inputs(&self, capacity: usize, width: usize) -> Result<Rows, DeviceError> {
        Ok(Self::rows(self, capacity, width))
    }

    fn cache(
        &self,
        num_layers: usize,
        num_blocks: usize,
        shape: AttentionShape,
    ) -> Result<Vec<Cache>, DeviceError> {
        Ok((0..num_layers).map(|_| Self::cache(self, num_blocks, shape)).collect())
    }

    fn cache_block_bytes(&self, shape: AttentionShape) -> usize {
        Cache::block_bytes(shape)
    }

    fn pass(
        &self,
        input: &PassInput<'_>,
        cache: &mut Vec<Cache>,
        body: &mut dyn FnMut(&Pass<'_>, &mut Vec<Cache>),
    ) -> Result<Given, DeviceError> {
        let read_layout = match input.read_part() {
            Part::All => Layout::default(),
            Part::Read => input.layout.select(input.read_rows),
        };
        for layer in cache.iter_mut() {
            layer.copy(input.copies);
        }
        let threads = threads::Pass::begin();
        let pass = Pass { input, read_layout, given: RefCell::default(), _threads: threads };
        body(&pass, cache);
        Ok(pass.given.take())
    }

    fn embed(
        &self,
        pass: &Pass<'_>,
        table: &Arc<Table>,
        scale: f32,
        places: Option<&Arc<Table>>,
        out: &mut Rows,
    ) {
        Self::embed(self, table, scale, places.map(|places| &**places), pass.input.layout, out);
    }

    fn normalise(&self, pass: &Pass<'_>, part: Part, x: &Rows, norm: &Norm, out: &mut Rows) {
        Self::normalise(self, x, pass.num_rows(part), norm, out);
    }

    fn gather(&self, pass: &Pass<'_>, x: &Rows, out: &mut Rows) {
        Self::gather(self, x, pass.input.read_rows, out);
    }

    fn matmul(&self, pass: &Pass<'_>, part: Part, x: &Rows, w: &Matrix, out: &mut Rows) {
        Self::matmul(self, x, pass.num_rows(part), w, out);
    }

    fn matmul_add(&self, pass: &Pass<'_>, part: Part, x: &Rows, w: &Matrix, out: &mut Rows) {
        Self::matmul_add(self, x, pass.num_rows(part), w, out);
    }

    fn matmul_activated(
        &self,
        pass: &Pass<'_>,
        part: Part,
        x: &Rows,
        w: &Matrix,
        activation: Activation,
        out: &mut Rows,
    ) {
        Self::matmul_activated(self, x, pass.num_rows(part), w, activation, out);
    }

    fn rotate_and_store(
        &self,
        pass: &Pass<'_>,
        qkv: &mut Rows,
        head_norms: Option<&[Norm; 2]>,
        rope: &RopeTable,
        cache: &mut Vec<Cache>,
        layer_idx: usize,
    ) {
        let (layout, cache) = (pass.input.layout, &mut cache[layer_idx]);
        Self::rotate_and_store(self, qkv, head_norms, layout, rope, cache);
    }

    fn attention(
        &self,
        pass: &Pass<'_>,
        part: Part,
        qkv: &Rows,
        cache: &Vec<Cache>,
        layer_idx: usize,
        out: &mut Rows,
    ) {
        Self::attention(self, qkv, pass.layout(part), &cache[layer_idx], out);
    }

    fn read_out(&self, pass: &Pass<'_>, hidden: &Rows, head: &Head) {
        let wanted = pass.input.wanted;
        let Head { matrix, table } = head;
        *pass.given.borrow_mut() = Given {
            choices: self.choose(hidden, matrix, &wanted.choices),
            logits: self.target_logits(hidden, table, &wanted.logits),
            logprobs: self.target_logprobs(hidden, matrix, &wanted.logprobs),
        };
    }
}
