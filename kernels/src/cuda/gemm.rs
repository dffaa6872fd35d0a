//! Matrix products: the twin of `gemm_stream.cu`, `gemm_tile.cu` and `gemm_hopper.cu`.
//!
//! **Invariant:** [`Regime::Stream`] and [`Regime::Tile`] add up in one order, so that the choice
//! of a kernel among them changes no bit. Only [`Determinism::Fast`] takes [`Regime::Hopper`].

use bytemuck::{Pod, Zeroable};

use super::Determinism;
use crate::backend::Activation;
use crate::runtime::{
    Args, DeviceError, DeviceInfo, DevicePtr, KernelFile, LaunchShape, Runtime, TensorMapShape,
};

/// What becomes of the sums; see `params.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Epilogue {
    /// f32.
    StoreF32 = 0,
    /// Added to f32.
    AddF32 = 1,
    /// bf16 of gelu.
    GeluBf16 = 2,
    /// bf16 of gelu, tanh form.
    GeluTanhBf16 = 3,
    /// bf16 of silu(gate) * up.
    SiluGateBf16 = 4,
    /// bf16 of gelu(gate) * up, tanh form.
    GeluTanhGateBf16 = 5,
}

impl Epilogue {
    /// The one of an activation; `None` if no model that is known here needs it.
    pub fn of(activation: Activation, is_gated: bool) -> Option<Self> {
        match (activation, is_gated) {
            (Activation::Gelu, false) => Some(Self::GeluBf16),
            (Activation::GeluTanh, false) => Some(Self::GeluTanhBf16),
            (Activation::Silu, true) => Some(Self::SiluGateBf16),
            (Activation::GeluTanh, true) => Some(Self::GeluTanhGateBf16),
            (Activation::Silu, false) | (Activation::Gelu, true) => None,
        }
    }

    /// Whether an element of `out` is made of a gate and an up.
    pub fn is_gated(self) -> bool {
        matches!(self, Self::SiluGateBf16 | Self::GeluTanhGateBf16)
    }
}

/// The parameters; see `params.h`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct GemmParams {
    /// `[num_rows][num_inputs]` bf16
    pub x: DevicePtr,
    /// `[num_outputs][num_inputs]` bf16
    pub w: DevicePtr,
    /// `[num_outputs]` f32, or null
    pub bias: DevicePtr,
    /// `[num_rows][num_outputs]`, of a gate half as wide
    pub out: DevicePtr,
    /// At least 1.
    pub num_rows: u32,
    /// A multiple of 16.
    pub num_outputs: u32,
    /// A multiple of 8.
    pub num_inputs: u32,
    /// An [`Epilogue`].
    pub epilogue: u32,
}

/// Which file a kernel is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// Weights are streamed past a few rows.
    Stream,
    /// Tiles, on `mma.sync`.
    Tile,
    /// Tiles, on TMA and `wgmma`.
    Hopper,
}

/// A kernel: the size of its tiles, and what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GemmKernel {
    /// Its name in the regime's file.
    pub name: &'static str,
    /// Which file it is in.
    pub regime: Regime,
    /// Outputs of a tile.
    pub tile_outputs: u32,
    /// Rows of a tile.
    pub tile_rows: u32,
    /// Warps of a CTA.
    pub num_warps: u32,
    /// Inputs of a stage.
    pub stage_inputs: u32,
    /// Stages in shared memory.
    pub num_stages: u32,
}

const fn kernel(
    name: &'static str,
    regime: Regime,
    [tile_outputs, tile_rows]: [u32; 2],
    num_warps: u32,
    [stage_inputs, num_stages]: [u32; 2],
) -> GemmKernel {
    GemmKernel { name, regime, tile_outputs, tile_rows, num_warps, stage_inputs, num_stages }
}

/// All kernels, the best of equals first.
pub const KERNELS: [GemmKernel; 14] = [
    kernel("gemm_hopper_128x256", Regime::Hopper, [128, 256], 12, [64, 4]),
    kernel("gemm_hopper_128x128", Regime::Hopper, [128, 128], 12, [64, 6]),
    kernel("gemm_128x128", Regime::Tile, [128, 128], 4, [64, 3]),
    kernel("gemm_128x64", Regime::Tile, [128, 64], 4, [64, 4]),
    kernel("gemm_64x64", Regime::Tile, [64, 64], 4, [64, 6]),
    kernel("gemm_32x64", Regime::Tile, [32, 64], 4, [128, 4]),
    kernel("gemm_64x32", Regime::Tile, [64, 32], 4, [128, 4]),
    kernel("gemm_32x32", Regime::Tile, [32, 32], 4, [128, 6]),
    kernel("gemm_64x16", Regime::Stream, [64, 16], 8, [128, 4]),
    kernel("gemm_32x16", Regime::Stream, [32, 16], 4, [128, 8]),
    kernel("gemm_16x16", Regime::Stream, [16, 16], 2, [128, 8]),
    kernel("gemm_64x8", Regime::Stream, [64, 8], 8, [128, 4]),
    kernel("gemm_32x8", Regime::Stream, [32, 8], 4, [128, 8]),
    kernel("gemm_16x8", Regime::Stream, [16, 8], 2, [128, 8]),
];

/// A processor receives a byte from the second cache in the time of so many multiplications of
/// `mma.sync`; about the same on an A100 and an H100. `jumpcoder bench kernels` measures both.
const PRODUCTS_PER_BYTE: u64 = 32;

/// `wgmma` takes so many tenths of the time of `mma.sync`.
const HOPPER_TENTHS: u64 = 6;

impl GemmKernel {
    /// Can the device run it in this mode?
    fn fits(&self, device: &DeviceInfo, mode: Determinism) -> bool {
        let is_allowed = match self.regime {
            Regime::Stream | Regime::Tile => true,
            Regime::Hopper => device.is_hopper && mode == Determinism::Fast,
        };
        is_allowed && self.shared_bytes() <= device.max_shared_bytes
    }

    fn shared_bytes(&self) -> u32 {
        (self.tile_outputs + self.tile_rows) * self.stage_inputs * 2 * self.num_stages
    }

    fn num_tiles(&self, num_rows: u32, num_outputs: u32) -> u32 {
        num_rows.div_ceil(self.tile_rows) * num_outputs.div_ceil(self.tile_outputs)
    }

    /// The time for one input, in multiplications of one processor: of as many tiles as the busiest
    /// has, each of which is bound by the bytes that it receives or by its products.
    fn cost(&self, num_rows: u32, num_outputs: u32, num_processors: u32) -> u64 {
        let turns = self.num_tiles(num_rows, num_outputs).div_ceil(num_processors);
        let (outputs, rows) = (u64::from(self.tile_outputs), u64::from(self.tile_rows));
        let bytes = 2 * (outputs + rows);
        let products = match self.regime {
            Regime::Stream | Regime::Tile => outputs * rows,
            Regime::Hopper => outputs * rows * HOPPER_TENTHS / 10,
        };
        u64::from(turns) * products.max(bytes * PRODUCTS_PER_BYTE)
    }

    /// How it is launched.
    pub fn shape(&self, num_rows: u32, num_outputs: u32, device: &DeviceInfo) -> LaunchShape {
        let grid = match self.regime {
            Regime::Stream | Regime::Tile => {
                [num_rows.div_ceil(self.tile_rows), num_outputs.div_ceil(self.tile_outputs), 1]
            }
            Regime::Hopper => {
                [self.num_tiles(num_rows, num_outputs).min(device.num_processors), 1, 1]
            }
        };
        LaunchShape { grid, num_threads: 32 * self.num_warps, shared_bytes: self.shared_bytes() }
    }

    fn file(&self) -> KernelFile {
        KernelFile::plain(match self.regime {
            Regime::Stream => "gemm_stream.cu",
            Regime::Tile => "gemm_tile.cu",
            Regime::Hopper => "gemm_hopper.cu",
        })
    }
}

/// The kernel for a product of these sizes: the one of the least cost.
pub fn plan(
    num_rows: u32,
    num_outputs: u32,
    device: &DeviceInfo,
    mode: Determinism,
) -> &'static GemmKernel {
    let fitting = KERNELS.iter().filter(|kernel| kernel.fits(device, mode));
    fitting
        .min_by_key(|kernel| kernel.cost(num_rows, num_outputs, device.num_processors))
        .expect("every device has the shared memory for the small tiles")
}

impl GemmParams {
    /// `out = epilogue(x . w^T + bias)`.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// The pointers point to as much memory of the runtime's device as their docs say.
    pub unsafe fn launch(
        &self,
        runtime: &dyn Runtime,
        mode: Determinism,
    ) -> Result<(), DeviceError> {
        let kernel = plan(self.num_rows, self.num_outputs, runtime.info(), mode);
        // SAFETY: the caller's promise.
        unsafe { self.launch_with(runtime, kernel) }
    }

    /// The same with a kernel of the caller's choice.
    ///
    /// # Errors
    ///
    /// The device failed.
    ///
    /// # Safety
    ///
    /// As [`GemmParams::launch`].
    pub unsafe fn launch_with(
        &self,
        runtime: &dyn Runtime,
        kernel: &GemmKernel,
    ) -> Result<(), DeviceError> {
        self.check();
        let shape = kernel.shape(self.num_rows, self.num_outputs, runtime.info());
        let mut args = Args::default();
        if kernel.regime == Regime::Hopper {
            let box_rows = [kernel.tile_outputs, kernel.tile_rows];
            for map in self.tensors(box_rows) {
                args.push_tensor_map(&runtime.tensor_map(&map)?);
            }
        }
        args.push(self);
        let kernel = runtime.kernel(&kernel.file(), kernel.name)?;
        // SAFETY: the caller's promise; these are the parameters of the regime's kernels.
        unsafe { runtime.launch(kernel, shape, &mut args) }
    }

    /// `w` and `x`, read in boxes of so many rows each.
    fn tensors(&self, box_rows: [u32; 2]) -> [TensorMapShape; 2] {
        let num_cols = self.num_inputs;
        let tensor =
            |base, num_rows, box_rows| TensorMapShape { base, num_rows, num_cols, box_rows };
        [tensor(self.w, self.num_outputs, box_rows[0]), tensor(self.x, self.num_rows, box_rows[1])]
    }

    fn check(&self) {
        assert!(self.num_rows >= 1, "a product of no rows");
        assert!(self.num_outputs.is_multiple_of(16), "{} outputs", self.num_outputs);
        assert!(self.num_inputs.is_multiple_of(8), "{} inputs", self.num_inputs);
        // Kernels count the elements of an operand in 32 bits.
        let num_lines = u64::from(self.num_rows.max(self.num_outputs));
        assert!(num_lines * u64::from(self.num_inputs) < 1 << 32, "an operand of 2^32 elements");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(arch: &str, num_processors: u32, max_shared_kib: u32) -> DeviceInfo {
        DeviceInfo {
            name: String::new(),
            arch: arch.to_owned(),
            num_processors,
            max_shared_bytes: max_shared_kib * 1024,
            is_hopper: arch == "sm_90a",
        }
    }

    #[test]
    fn processors_are_kept_busy() {
        let h100 = device("sm_90a", 132, 227);
        // Rows, outputs, kernel: of CodeLlama-7B.
        let expected = [
            (1, 4096, "gemm_32x8"),
            (8, 12288, "gemm_32x8"),
            (6, 22016, "gemm_64x8"),
            (16, 4096, "gemm_32x16"),
            (17, 4096, "gemm_32x32"),
            (64, 4096, "gemm_32x64"),
            (64, 22016, "gemm_128x64"),
            (128, 4096, "gemm_64x64"),
            (512, 4096, "gemm_128x128"),
            (2048, 22016, "gemm_128x128"),
        ];
        for (num_rows, num_outputs, name) in expected {
            let kernel = plan(num_rows, num_outputs, &h100, Determinism::Deterministic);
            assert_eq!(kernel.name, name, "{num_rows} rows, {num_outputs} outputs");
        }
    }

    #[test]
    fn only_fast_hopper_takes_wgmma() {
        let h100 = device("sm_90a", 132, 227);
        let a100 = device("sm_80", 108, 163);
        let regime = |device, mode| plan(2048, 4096, device, mode).regime;
        assert_eq!(regime(&h100, Determinism::Fast), Regime::Hopper);
        assert_eq!(regime(&h100, Determinism::Deterministic), Regime::Tile);
        assert_eq!(regime(&a100, Determinism::Fast), Regime::Tile);
        assert_eq!(plan(1, 4096, &h100, Determinism::Fast).regime, Regime::Stream);
    }

    #[test]
    fn every_mma_kernel_fits_the_smallest_device() {
        let l40s = device("sm_89", 142, 99);
        let fits = |kernel: &&GemmKernel| kernel.fits(&l40s, Determinism::Deterministic);
        assert_eq!(KERNELS.iter().filter(fits).count(), KERNELS.len() - 2);
    }

    #[test]
    fn names_say_the_tile() {
        for kernel in KERNELS {
            let size = format!("_{}x{}", kernel.tile_outputs, kernel.tile_rows);
            assert!(kernel.name.ends_with(&size), "{}", kernel.name);
        }
    }
}
