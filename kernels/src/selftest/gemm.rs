//! `gemm_*.cu`: every kernel over ragged shapes and all epilogues, and the same bits from all that
//! promise them.

use half::bf16;

use super::compare::{BF16_ALLOWED, greater, wrong_unless};
use super::{Case, Finding, Input, time};
use crate::cuda::Determinism;
use crate::cuda::gemm::{Epilogue, GemmKernel, GemmParams, KERNELS, Regime};
use crate::reference;
use crate::runtime::{Buffer, DeviceError, DevicePtr, SharedRuntime};

/// Rows, outputs, inputs; every kernel is run on all of them.
const SHAPES: [[usize; 3]; 12] = [
    [1, 16, 8],
    [2, 48, 64],
    [7, 96, 72],
    [8, 16, 256],
    [9, 160, 64],
    [16, 48, 576],
    [17, 96, 704],
    [33, 48, 264],
    [64, 96, 64],
    [65, 16, 72],
    [130, 48, 256],
    [130, 144, 192],
];

/// Rows, outputs, inputs; run on the kernel that is planned, with every epilogue.
const PLANNED: [[usize; 3]; 4] = [[1, 1408, 576], [6, 576, 704], [33, 1408, 64], [130, 304, 72]];

/// Outputs and inputs of CodeLlama-7B's layers, with what becomes of them.
const LAYERS: [(usize, usize, Epilogue); 4] = [
    (12288, 4096, Epilogue::StoreF32),
    (4096, 4096, Epilogue::StoreF32),
    (22016, 4096, Epilogue::SiluGateBf16),
    (4096, 11008, Epilogue::StoreF32),
];
const TIMED_ROWS: [usize; 7] = [1, 6, 16, 64, 128, 512, 2048];

const EPILOGUES: [Epilogue; 6] = [
    Epilogue::StoreF32,
    Epilogue::AddF32,
    Epilogue::GeluBf16,
    Epilogue::GeluTanhBf16,
    Epilogue::SiluGateBf16,
    Epilogue::GeluTanhGateBf16,
];

/// What a sum in f32 may be off, relative to the sum of its terms' sizes.
const F32_ALLOWED: f64 = 4e-6;
/// A bfloat16 may be off by [`BF16_ALLOWED`] of itself, and of so much of the sums' sizes: the
/// error of the sums that it is made of.
const SUM_SHARE: f64 = F32_ALLOWED / BF16_ALLOWED;

/// Products of a case that are checked one by one; of larger ones a sample of the outputs is.
const MAX_CHECKED: usize = 1 << 25;
/// Weights are read from so many bytes in turn when they are timed, or they'd stay in a cache.
const COLD_BYTES: usize = 256 << 20;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kernel_idx, kernel) in KERNELS.iter().enumerate() {
        for (shape_idx, dims) in SHAPES.into_iter().enumerate() {
            let idx = kernel_idx + shape_idx;
            let problem = Problem::new(dims, EPILOGUES[idx % 6], idx / 6 % 2 == 0);
            let title = format!("{}, {}", kernel.name, problem.title());
            let check = move |runtime: &_| problem.check(runtime, Chosen::Kernel(kernel));
            cases.push(Case::small("gemm", title, check));
            if kernel.regime == Regime::Hopper {
                let case = cases.pop().expect("it was just pushed");
                cases.push(case.for_hopper());
            }
        }
    }
    for dims in PLANNED {
        for (idx, epilogue) in EPILOGUES.into_iter().enumerate() {
            let problem = Problem::new(dims, epilogue, idx % 2 == 0);
            let check =
                move |runtime: &_| problem.check(runtime, Chosen::Plan(Determinism::default()));
            cases.push(Case::small("gemm", problem.title(), check));
        }
    }
    for epilogue in [Epilogue::StoreF32, Epilogue::SiluGateBf16] {
        let title =
            format!("{epilogue:?}, the same bits alone, among 7, among 64, on every kernel");
        cases.push(Case::small("gemm", title, move |runtime| invariance(runtime, epilogue)));
    }
    cases.extend(timed_cases());
    cases
}

/// The timed case of these rows, outputs and inputs.
pub fn sized(dims: [usize; 3], epilogue: Epilogue, mode: Determinism) -> Case {
    let problem = Problem::new(dims, epilogue, false);
    let title = format!("{}, {mode:?}", problem.title());
    Case::timed("gemm", title, move |runtime| problem.time(runtime, mode))
}

fn timed_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for mode in [Determinism::Deterministic, Determinism::Fast] {
        for (num_outputs, num_inputs, epilogue) in LAYERS {
            for num_rows in TIMED_ROWS {
                cases.push(sized([num_rows, num_outputs, num_inputs], epilogue, mode));
            }
        }
    }
    cases
}

/// Who chooses the kernel.
#[derive(Clone, Copy)]
enum Chosen {
    Kernel(&'static GemmKernel),
    Plan(Determinism),
}

/// # Safety
///
/// As [`GemmParams::launch`].
unsafe fn launch(
    runtime: &SharedRuntime,
    params: &GemmParams,
    chosen: Chosen,
) -> Result<(), DeviceError> {
    match chosen {
        // SAFETY: the caller's promise.
        Chosen::Kernel(kernel) => unsafe { params.launch_with(&**runtime, kernel) },
        // SAFETY: the caller's promise.
        Chosen::Plan(mode) => unsafe { params.launch(&**runtime, mode) },
    }
}

/// One product.
#[derive(Clone, Copy)]
struct Problem {
    num_rows: usize,
    num_outputs: usize,
    num_inputs: usize,
    epilogue: Epilogue,
    has_bias: bool,
}

/// Its operands, and what lies in `out` before.
struct Operands {
    x: Vec<bf16>,
    w: Vec<bf16>,
    bias: Vec<f32>,
    old: Vec<f32>,
}

impl Problem {
    fn new(
        [num_rows, num_outputs, num_inputs]: [usize; 3],
        epilogue: Epilogue,
        has_bias: bool,
    ) -> Self {
        Self { num_rows, num_outputs, num_inputs, epilogue, has_bias }
    }

    fn title(&self) -> String {
        let Self { num_rows, num_outputs, num_inputs, epilogue, .. } = self;
        let bias = if self.has_bias { " with bias" } else { "" };
        format!("{num_rows} rows, {num_outputs} outputs, {num_inputs} inputs, {epilogue:?}{bias}")
    }

    fn is_gate(&self) -> bool {
        self.epilogue.is_gated()
    }

    fn is_f32(&self) -> bool {
        matches!(self.epilogue, Epilogue::StoreF32 | Epilogue::AddF32)
    }

    /// Elements of a row of `out`.
    fn out_width(&self) -> usize {
        if self.is_gate() { self.num_outputs / 2 } else { self.num_outputs }
    }

    fn operands(&self) -> Operands {
        let mut input = Input::new("gemm");
        Operands {
            x: repeated(&mut input, self.num_rows * self.num_inputs),
            w: repeated(&mut input, self.num_outputs * self.num_inputs),
            bias: input.floats(if self.has_bias { self.num_outputs } else { 0 }),
            // A row more than there is: it must stay.
            old: input.floats((self.num_rows + 1) * self.out_width()),
        }
    }

    fn params(&self, [x, w, out]: [&Buffer; 3], bias: Option<&Buffer>) -> GemmParams {
        GemmParams {
            x: x.ptr(),
            w: w.ptr(),
            bias: bias.map_or(DevicePtr::NULL, Buffer::ptr),
            out: out.ptr(),
            num_rows: self.num_rows as u32,
            num_outputs: self.num_outputs as u32,
            num_inputs: self.num_inputs as u32,
            epilogue: self.epilogue as u32,
        }
    }

    fn upload_old(&self, runtime: &SharedRuntime, old: &[f32]) -> Result<Buffer, DeviceError> {
        if self.is_f32() { Buffer::of(runtime, old) } else { Buffer::of(runtime, &narrow(old)) }
    }

    fn download(&self, out: &Buffer, num_rows: usize) -> Result<Vec<f32>, DeviceError> {
        let num = num_rows * self.out_width();
        if self.is_f32() {
            return out.read(0, num);
        }
        let found: Vec<bf16> = out.read(0, num)?;
        Ok(found.into_iter().map(bf16::to_f32).collect())
    }

    fn check(&self, runtime: &SharedRuntime, chosen: Chosen) -> Result<Finding, DeviceError> {
        let operands = self.operands();
        let x = Buffer::of(runtime, &operands.x)?;
        let w = Buffer::of(runtime, &operands.w)?;
        let bias = Buffer::of(runtime, &operands.bias)?;
        let out = self.upload_old(runtime, &operands.old)?;
        let params = self.params([&x, &w, &out], self.has_bias.then_some(&bias));
        // SAFETY: the buffers have the sizes that the parameters say.
        unsafe { launch(runtime, &params, chosen)? };
        let found = self.download(&out, self.num_rows + 1)?;
        Ok(self.finding(&operands, &found, None))
    }

    fn time(&self, runtime: &SharedRuntime, mode: Determinism) -> Result<Finding, DeviceError> {
        assert_ne!(self.epilogue, Epilogue::AddF32, "repeated, it adds again and again");
        let operands = self.operands();
        let w_bytes = operands.w.len() * 2;
        let num_copies = COLD_BYTES.div_ceil(w_bytes);
        let x = Buffer::of(runtime, &operands.x)?;
        let w = Buffer::zeroed(runtime, num_copies * w_bytes)?;
        for copy in 0..num_copies {
            w.write(copy * w_bytes, &operands.w)?;
        }
        let out = self.upload_old(runtime, &operands.old)?;
        let mut params = self.params([&x, &w, &out], None);
        let mut num_launches = 0;
        let micros = time(runtime, || {
            params.w = w.ptr().offset(num_launches % num_copies * w_bytes);
            num_launches += 1;
            // SAFETY: the buffers have the sizes that the parameters say.
            unsafe { params.launch(&**runtime, mode) }
        })?;
        let found = self.download(&out, self.num_rows + 1)?;
        Ok(self.finding(&operands, &found, micros))
    }

    fn finding(&self, operands: &Operands, found: &[f32], micros: Option<f64>) -> Finding {
        let width = self.out_width();
        let num_products = self.num_rows * self.num_outputs * self.num_inputs;
        let rows = sample(self.num_rows, if num_products > MAX_CHECKED { 9 } else { usize::MAX });
        let outs = sample(width, if num_products > MAX_CHECKED { 101 } else { usize::MAX });
        let mut error = 0.0;
        for row in rows {
            for &out in &outs {
                let found = f64::from(found[row * width + out]);
                error = greater(error, self.error_of(operands, row, out, found));
            }
        }
        let (beyond, old) =
            (&found[self.num_rows * width..], &operands.old[self.num_rows * width..]);
        let is_kept = if self.is_f32() { beyond == old } else { narrow(beyond) == narrow(old) };
        let (in_bytes, out_bytes) = (2, if self.is_f32() { 4 } else { 2 });
        let num_in = operands.x.len() + operands.w.len();
        Finding {
            error: greater(error, wrong_unless(is_kept)),
            allowed: if self.is_f32() { F32_ALLOWED } else { BF16_ALLOWED },
            bytes: (in_bytes * num_in + out_bytes * self.num_rows * width) as f64,
            flops: 2.0 * num_products as f64,
            micros,
        }
    }

    /// How far off one element of `out` is.
    fn error_of(&self, operands: &Operands, row: usize, out: usize, found: f64) -> f64 {
        let old = f64::from(operands.old[row * self.out_width() + out]);
        let sum_of = |output| self.sum(operands, row, output);
        let (gate, up) = if self.is_gate() {
            let gate = out / 8 * 16 + out % 8;
            (sum_of(gate), sum_of(gate + 8))
        } else {
            (sum_of(out), Sum { value: 1.0, magnitude: 0.0 })
        };
        let activated = match self.epilogue {
            Epilogue::StoreF32 => return (found - gate.value).abs() / gate.magnitude,
            Epilogue::AddF32 => {
                return (found - (old + gate.value)).abs() / (old.abs() + gate.magnitude);
            }
            Epilogue::SiluGateBf16 => reference::silu(gate.value),
            Epilogue::GeluBf16 => reference::gelu(gate.value),
            Epilogue::GeluTanhBf16 | Epilogue::GeluTanhGateBf16 => reference::gelu_tanh(gate.value),
        };
        let expected = activated * up.value;
        // No slope of either function is above 1.2.
        let sums = 1.2 * gate.magnitude * up.value.abs() + activated.abs() * up.magnitude;
        (found - expected).abs() / (expected.abs() + SUM_SHARE * sums)
    }

    fn sum(&self, operands: &Operands, row: usize, output: usize) -> Sum {
        let line = |matrix: &[bf16], line: usize| -> Vec<f32> {
            let line = &matrix[line * self.num_inputs..][..self.num_inputs];
            line.iter().map(|x| x.to_f32()).collect()
        };
        let (x, w) = (line(&operands.x, row), line(&operands.w, output));
        let bias = operands.bias.get(output).map_or(0.0, |bias| f64::from(*bias));
        Sum {
            value: reference::dot(&x, &w) + bias,
            magnitude: reference::dot_magnitude(&x, &w) + bias.abs(),
        }
    }
}

/// An output before its epilogue, and the size of its terms.
struct Sum {
    value: f64,
    magnitude: f64,
}

/// Random numbers that repeat after a while, for what is large.
fn repeated(input: &mut Input, num: usize) -> Vec<bf16> {
    const PERIOD: usize = (1 << 20) - 3;
    let numbers = input.bf16s(num.min(PERIOD));
    numbers.iter().copied().cycle().take(num).collect()
}

fn narrow(x: &[f32]) -> Vec<bf16> {
    x.iter().map(|x| bf16::from_f32(*x)).collect()
}

/// At most `max` of the indices below `num`, the first and the last among them.
fn sample(num: usize, max: usize) -> Vec<usize> {
    let count = num.min(max);
    (0..count).map(|idx| idx * (num - 1) / (count - 1).max(1)).collect()
}

/// A row's bits on every kernel that promises them, alone and among others.
fn invariance(runtime: &SharedRuntime, epilogue: Epilogue) -> Result<Finding, DeviceError> {
    const NUM_ROWS: usize = 70;
    const FIRST_AND_NUM: [[usize; 2]; 4] = [[0, NUM_ROWS], [5, 1], [3, 7], [2, 64]];
    let whole = Problem::new([NUM_ROWS, 80, 328], epilogue, true);
    let operands = whole.operands();
    let x = Buffer::of(runtime, &operands.x)?;
    let w = Buffer::of(runtime, &operands.w)?;
    let bias = Buffer::of(runtime, &operands.bias)?;
    let out = whole.upload_old(runtime, &operands.old)?;
    let mut is_same = true;
    let mut expected = Vec::new();
    for kernel in KERNELS.iter().filter(|kernel| kernel.regime != Regime::Hopper) {
        for [first, num_rows] in FIRST_AND_NUM {
            let mut params = whole.params([&x, &w, &out], Some(&bias));
            params.x = params.x.offset(first * whole.num_inputs * 2);
            params.num_rows = num_rows as u32;
            // SAFETY: the rows are some of the buffers'.
            unsafe { params.launch_with(&**runtime, kernel)? };
            let found = whole.download(&out, num_rows)?;
            if expected.is_empty() {
                expected.clone_from(&found);
            }
            let width = whole.out_width();
            is_same &= found == expected[first * width..][..num_rows * width];
        }
    }
    Ok(Finding { error: wrong_unless(is_same), ..Finding::default() })
}
