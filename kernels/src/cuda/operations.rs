//! The launches of a pass: from the backend's arrays to the kernels' parameters.

use super::Determinism;
use super::attention::{AttentionMergeParams, AttentionParams};
use super::cache::Cache;
use super::copy_blocks::CopyBlocksParams;
use super::embed::EmbedParams;
use super::gather::GatherParams;
use super::gemm::{Epilogue, GemmParams};
use super::head::{self, Chosen, HeadParams};
use super::head_merge::HeadMergeParams;
use super::memory::{Inputs, Matrix, Norm, Rope, Rows, RowsOf, Table, Vector};
use super::norm::NormParams;
use super::pass::{HeadSource, Pass, StagedAsked, StagedRows};
use super::rope_store::RopeStoreParams;
use super::sample::SampleParams;
use super::staging::Staging;
use super::target_logits::TargetLogitsParams;
use super::workspace::Workspace;
use crate::pass::{Part, PassLimits};
use crate::runtime::{DeviceError, DevicePtr, Runtime, SharedRuntime};

/// A device, and the memory that its kernels share.
pub struct Operations {
    runtime: SharedRuntime,
    determinism: Determinism,
    workspace: Option<Workspace>,
}

impl Operations {
    /// On a device.
    pub fn new(runtime: SharedRuntime, determinism: Determinism) -> Self {
        Self { runtime, determinism, workspace: None }
    }

    /// The device.
    pub fn runtime(&self) -> &SharedRuntime {
        &self.runtime
    }
}

/// Parameters whose pointers are right by construction: each is an array of this device that is as
/// large as the pass's rows, or a section that was staged for it.
macro_rules! launch {
    ($pass:expr, $launch:expr) => {
        // SAFETY: see the macro.
        $pass.run(|| unsafe { $launch })
    };
}

impl Operations {
    /// Allocates the memory that passes of up to `limits` share; gives that of their metadata.
    pub fn reserve(&mut self, limits: &PassLimits) -> Result<Staging, DeviceError> {
        let (workspace, staging) = Workspace::new(&self.runtime, limits)?;
        self.workspace = Some(workspace);
        Ok(staging)
    }

    fn device(&self) -> &dyn Runtime {
        &*self.runtime
    }

    fn workspace(&self) -> &Workspace {
        self.workspace.as_ref().expect("memory was reserved")
    }

    pub fn copy_blocks(&self, pass: &Pass, cache: &Cache) {
        let copies = pass.copies;
        if copies.num_copies == 0 {
            return;
        }
        let params = CopyBlocksParams {
            cache: cache.ptr(),
            from: copies.from,
            to: copies.to,
            plane_bytes: cache.plane_bytes() as u64,
            block_bytes: Cache::plane_block_bytes(cache.shape) as u32,
            padding: 0,
        };
        launch!(pass, params.launch(self.device(), copies.num_copies, cache.num_planes() as u32));
    }

    pub fn embed(
        &self,
        pass: &Pass,
        table: &Table,
        scale: f32,
        places: Option<&Table>,
        out: &Rows,
    ) {
        let &StagedRows { num_rows, positions, .. } = pass.rows(Part::All);
        assert_eq!(out.width, table.num_inputs as usize, "a row of the table fills a row");
        assert!(places.is_none_or(|places| places.num_inputs == table.num_inputs), "one width");
        let params = EmbedParams {
            table: table.ptr(),
            tokens: pass.tokens,
            places: places.map_or(DevicePtr::NULL, |places| places.ptr()),
            positions,
            out: out.first(num_rows),
            width: table.num_inputs,
            scale,
        };
        launch!(pass, params.launch(self.device(), num_rows));
    }

    pub fn normalise(&self, pass: &Pass, part: Part, x: &Rows, norm: &Norm, out: &Inputs) {
        let num_rows = pass.rows(part).num_rows;
        assert_eq!([x.width, out.width], [norm.weight.len; 2], "a weight for each element");
        let params = NormParams {
            x: x.first(num_rows),
            weight: norm.weight.ptr(),
            bias: norm.bias.as_ref().map_or(DevicePtr::NULL, Vector::ptr),
            out: out.first(num_rows),
            width: x.width as u32,
            eps: norm.eps,
            weight_offset: 0.0,
            padding: 0,
        };
        if norm.bias.is_some() {
            launch!(pass, params.launch_layer(self.device(), num_rows));
        } else {
            launch!(pass, params.launch_rms(self.device(), num_rows));
        }
    }

    pub fn gather(&self, pass: &Pass, x: &Rows, out: &Rows) {
        let num_rows = pass.rows(Part::Read).num_rows;
        assert_eq!(x.width, out.width, "rows keep their width");
        let params = GatherParams {
            x: x.first(pass.rows(Part::All).num_rows),
            row_idx: pass.read_rows,
            out: out.first(num_rows),
            row_bytes: x.row_bytes() as u32,
            padding: 0,
        };
        launch!(pass, params.launch(self.device(), num_rows));
    }

    pub fn matmul<T>(
        &self,
        pass: &Pass,
        part: Part,
        x: &Inputs,
        w: &Matrix,
        epilogue: Epilogue,
        out: &RowsOf<T>,
    ) {
        let num_rows = pass.rows(part).num_rows;
        assert_eq!(x.width, w.num_inputs as usize, "rows of the matrix's inputs");
        assert_eq!(w.is_gated(), epilogue.is_gated(), "the matrix is of another layer");
        let num_outputs = w.num_outputs as usize / if w.is_gated() { 2 } else { 1 };
        assert_eq!(out.width, num_outputs, "rows of the matrix's outputs");
        let params = GemmParams {
            x: x.first(num_rows),
            w: w.ptr(),
            bias: w.bias(),
            out: out.first(num_rows),
            num_rows,
            num_outputs: w.num_outputs,
            num_inputs: w.num_inputs,
            epilogue: epilogue as u32,
        };
        launch!(pass, params.launch(self.device(), self.determinism));
    }

    pub fn rotate_and_store(
        &self,
        pass: &Pass,
        qkv: &Rows,
        head_norms: Option<&[Norm; 2]>,
        rope: &Rope,
        cache: &Cache,
        layer_idx: usize,
    ) {
        let rows = pass.rows(Part::All);
        let shape = cache.shape;
        assert_eq!(qkv.width, shape.qkv_width(), "a row is query, key and value");
        let [query_norm, key_norm] = head_norms.map_or([DevicePtr::NULL; 2], |norms| {
            norms.each_ref().map(|norm| {
                assert!(norm.bias.is_none(), "heads have RMS norms");
                assert_eq!(norm.weight.len, shape.head_dim, "a weight for each element of a head");
                norm.weight.ptr()
            })
        });
        let norm_eps = head_norms.map_or(0.0, |[query, key]| {
            assert!(query.eps.to_bits() == key.eps.to_bits(), "queries and keys have one epsilon");
            query.eps
        });
        let (keys, values) = cache.layer(layer_idx);
        let params = RopeStoreParams {
            qkv: qkv.first(rows.num_rows),
            query_norm,
            key_norm,
            cos: rope.cos.ptr(),
            sin: rope.sin.ptr(),
            positions: rows.positions,
            slots: pass.slots,
            keys,
            values,
            num_heads: shape.num_heads as u32,
            num_kv_heads: shape.num_kv_heads as u32,
            head_dim: shape.head_dim as u32,
            half_dim: rope.half_dim as u32,
            interleaved: 0,
            norm_eps,
        };
        launch!(pass, params.launch(self.device(), rows.num_rows));
    }

    pub fn attention(
        &self,
        pass: &Pass,
        part: Part,
        qkv: &Rows,
        cache: &Cache,
        layer_idx: usize,
        out: &Inputs,
    ) {
        let rows = pass.rows(part);
        let (shape, staged, workspace) = (cache.shape, rows.attention, self.workspace());
        assert_eq!([qkv.width, out.width], [shape.qkv_width(), shape.q_width()], "all heads");
        let (keys, values) = cache.layer(layer_idx);
        let params = AttentionParams {
            qkv: qkv.first(rows.num_rows),
            positions: rows.positions,
            items: staged.few,
            queries: staged.queries,
            blocks: staged.blocks,
            keys,
            values,
            partial_sums: workspace.partial_sums.ptr(),
            partial_states: workspace.partial_states.ptr(),
            out: out.first(rows.num_rows),
            num_heads: shape.num_heads as u32,
            num_kv_heads: shape.num_kv_heads as u32,
            window: shape.window.map_or(u32::MAX, |window| window.get() as u32),
            scale: std::f32::consts::LOG2_E / (shape.head_dim as f32).sqrt(),
        };
        let merge = AttentionMergeParams {
            merges: staged.merges,
            partial_sums: params.partial_sums,
            partial_states: params.partial_states,
            out: params.out,
            num_heads: params.num_heads,
            padding: 0,
        };
        let head_dim = shape.head_dim as u32;
        launch!(pass, params.launch_few(self.device(), head_dim, staged.num_few));
        let params = AttentionParams { items: staged.many, ..params };
        launch!(pass, params.launch_many(self.device(), head_dim, staged.num_many));
        launch!(pass, merge.launch(self.device(), head_dim, staged.num_merges));
    }

    /// Reads a chunk of what is wanted into the results.
    pub fn read_out(&self, source: HeadSource, asked: &StagedAsked) -> Result<(), DeviceError> {
        let workspace = self.workspace();
        let results = workspace.results.ptr();
        if asked.num_choices > 0 {
            self.choose(source, asked, results)?;
        }
        if asked.num_targets == 0 {
            return Ok(());
        }
        let params = TargetLogitsParams {
            x: source.hidden,
            w: source.weights,
            rows: asked.target_rows,
            tokens: asked.target_tokens,
            out: results.offset(asked.num_choices as usize * size_of::<Chosen>()),
            num_targets: asked.num_targets,
            num_inputs: source.num_inputs,
        };
        // SAFETY: the sections were staged for these launches, and the workspace holds a chunk.
        unsafe { params.launch(self.device()) }
    }

    fn choose(
        &self,
        source: HeadSource,
        asked: &StagedAsked,
        chosen: DevicePtr,
    ) -> Result<(), DeviceError> {
        let workspace = self.workspace();
        let head = HeadParams {
            x: source.hidden,
            w: source.weights,
            choices: asked.choices,
            banned: asked.banned,
            partials: workspace.head_partials.ptr(),
            forced_logits: workspace.forced_logits.ptr(),
            logits: workspace.logits.ptr(),
            num_choices: asked.num_choices,
            vocab_len: source.vocab_len,
            num_inputs: source.num_inputs,
            padding: 0,
        };
        let merge = HeadMergeParams {
            choices: asked.choices,
            partials: head.partials,
            forced_logits: head.forced_logits,
            chosen,
            logsums: workspace.logsums.ptr(),
            num_tiles: head::num_tiles(source.vocab_len),
            padding: 0,
        };
        let sample = SampleParams {
            draws: asked.draws,
            choices: asked.choices,
            banned: asked.banned,
            logits: head.logits,
            logsums: merge.logsums,
            chosen,
            vocab_len: source.vocab_len,
            padding: 0,
        };
        // SAFETY: the sections were staged for these launches, and the workspace holds a chunk.
        unsafe {
            head.launch(self.device())?;
            merge.launch(self.device(), asked.num_choices)?;
            if asked.num_draws > 0 {
                sample.launch(self.device(), asked.num_draws)?;
            }
        }
        Ok(())
    }

    /// The answers and the single logits of the chunk that was read last; waits for them.
    pub fn results(&self, asked: &StagedAsked) -> Result<(Vec<Chosen>, Vec<f32>), DeviceError> {
        let num_words = 2 * asked.num_choices + asked.num_targets;
        let words: Vec<u32> = self.workspace().results.read(0, num_words as usize)?;
        let (chosen, logits) = words.split_at(2 * asked.num_choices as usize);
        let (chosen, logits) = (bytemuck::cast_slice(chosen), bytemuck::cast_slice(logits));
        Ok((chosen.to_vec(), logits.to_vec()))
    }
}
