//! Bugs that are planted in kernels of `emu/planted/`, each of which the emulator must find, at its
//! line; and the same kernels without the bug, which must pass.

use std::fmt::Write as _;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use half::bf16;
use jump_kernels::runtime::{
    Args, Buffer, DeviceError, DevicePtr, Emulator, KernelFile, LaunchShape, SharedRuntime,
    TensorMapShape,
};

const BARRIERS: (&str, &str) =
    ("planted/barriers.cu", include_str!("../../emu/planted/barriers.cu"));
const COPIES: (&str, &str) = ("planted/copies.cu", include_str!("../../emu/planted/copies.cu"));
const GLOBAL: (&str, &str) = ("planted/global.cu", include_str!("../../emu/planted/global.cu"));
const SHARED: (&str, &str) = ("planted/shared.cu", include_str!("../../emu/planted/shared.cu"));

/// The parameters of every planted kernel.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct PlantedParams {
    x: DevicePtr,
    out: DevicePtr,
    num: u32,
    padding: u32,
}

/// A launch of a planted kernel.
#[derive(Clone, Copy)]
struct Launch {
    /// The file's name and text.
    file: (&'static str, &'static str),
    kernel: &'static str,
    num_ctas: u32,
    num_threads: u32,
    shared_bytes: u32,
    /// Of x, in floats: as many are written.
    num_x: usize,
    /// Of out, in floats.
    num_out: usize,
    /// Rows of tensors whose maps come first.
    tensor_rows: &'static [u32],
}

impl Launch {
    fn of(file: (&'static str, &'static str), kernel: &'static str) -> Self {
        Self {
            file,
            kernel,
            num_ctas: 1,
            num_threads: 64,
            shared_bytes: 0,
            num_x: 64,
            num_out: 64,
            tensor_rows: &[],
        }
    }

    /// With tensors of 64 columns and these rows, which one box holds.
    fn with_tensors(self, tensor_rows: &'static [u32]) -> Self {
        let shared_bytes = tensor_rows.iter().sum::<u32>() * 128;
        Self { tensor_rows, num_threads: 128, num_out: 8192, shared_bytes, ..self }
    }

    /// Runs it with this `num`, and gives `out`.
    fn run(self, runtime: &SharedRuntime, num: u32) -> Result<Vec<f32>, DeviceError> {
        let values: Vec<f32> = (0..self.num_x).map(|i| i as f32 + 1.0).collect();
        let x = Buffer::of(runtime, &values)?;
        let out = Buffer::of(runtime, &vec![0.5_f32; self.num_out])?;
        let mut args = Args::default();
        let mut tensors = Vec::new();
        for num_rows in self.tensor_rows {
            let tensor = Buffer::of(runtime, &vec![bf16::ONE; *num_rows as usize * 64])?;
            let shape = TensorMapShape {
                base: tensor.ptr(),
                num_rows: *num_rows,
                num_cols: 64,
                box_rows: *num_rows,
            };
            args.push_tensor_map(&runtime.tensor_map(&shape)?);
            tensors.push(tensor);
        }
        args.push(&PlantedParams { x: x.ptr(), out: out.ptr(), num, padding: 0 });
        let kernel = runtime.kernel(&KernelFile::plain(self.file.0), self.kernel)?;
        let shape = LaunchShape {
            grid: [self.num_ctas, 1, 1],
            num_threads: self.num_threads,
            shared_bytes: self.shared_bytes,
        };
        // SAFETY: nothing is promised: the emulator looks at every access itself, and what isn't in
        // an allocation is in the gap behind it.
        unsafe { runtime.launch(kernel, shape, &mut args)? };
        out.read(0, self.num_out)
    }

    /// Asserts that it fails as `fault` says, at the line that is marked with `mark`.
    fn finds(self, runtime: &SharedRuntime, num: u32, mark: &str, fault: &str) {
        let error = self.run(runtime, num).expect_err(self.kernel).to_string();
        let mut place = String::new();
        let begin = self.file.1.find(&format!(" {}(", self.kernel)).expect("the kernel is there");
        let (before, kernel) = self.file.1.split_at(begin);
        let line = kernel.lines().position(|line| line.contains(&format!("// planted: {mark}")));
        let line = before.lines().count() + line.expect("the line is marked");
        let file = self.file.0.trim_start_matches("planted/");
        write!(place, "{} {} at {file}:{line}, CTA", self.file.0, self.kernel).unwrap();
        assert!(error.contains(fault), "{error}\nis not\n{fault}");
        assert!(error.contains(&place), "{error}\nis not at\n{place}");
    }

    /// Asserts that it passes, and that no element of `out` is a NaN.
    fn passes(self, runtime: &SharedRuntime, num: u32) {
        let out = self.run(runtime, num).unwrap_or_else(|error| panic!("{error}"));
        assert!(out.iter().all(|x| !x.is_nan()), "{} leaves NaNs", self.kernel);
    }

    /// Asserts that it passes without a fault, but that what it read too early is poison.
    fn is_poisoned(self, runtime: &SharedRuntime, num: u32) {
        let out = self.run(runtime, num).unwrap_or_else(|error| panic!("{error}"));
        assert!(out.iter().any(|x| x.is_nan()), "{} leaves no NaNs", self.kernel);
    }
}

fn normal() -> SharedRuntime {
    Arc::new(Emulator::new().unwrap())
}

fn strict() -> SharedRuntime {
    Arc::new(Emulator::strict().unwrap())
}

#[test]
fn a_missing_barrier_is_a_race() {
    let reverse = Launch::of(SHARED, "reverse");
    reverse.passes(&strict(), 0);
    let race = Launch::of(SHARED, "reverse_without_barrier");
    // The half that runs first reads what isn't written.
    race.finds(&strict(), 0, "the reads", "a read of shared memory that nobody wrote");
    race.is_poisoned(&normal(), 0);
    Launch::of(SHARED, "prefix_sum").passes(&strict(), 0);
    let race = Launch::of(SHARED, "prefix_sum_without_second_barrier");
    let fault = "a race: a read of shared memory that was written by thread";
    race.finds(&strict(), 0, "reads among writes", fault);
}

#[test]
fn lanes_are_ordered_by_a_barrier_and_not_by_a_shuffle() {
    Launch::of(SHARED, "exchange").passes(&strict(), 0);
    let race = Launch::of(SHARED, "exchange_with_shuffle");
    let fault = "a race: a read of shared memory that was written by thread";
    race.finds(&strict(), 0, "unordered lanes", fault);
}

#[test]
fn unwritten_shared_memory_is_poisoned() {
    let kernel = Launch::of(SHARED, "partly_written");
    kernel.passes(&strict(), 64);
    kernel.finds(&strict(), 63, "unwritten", "a read of shared memory that nobody wrote");
    kernel.is_poisoned(&normal(), 63);
}

#[test]
fn arrays_in_shared_memory_have_ends() {
    let kernel = Launch::of(SHARED, "beyond_shared");
    kernel.passes(&strict(), 63);
    kernel.finds(&strict(), 64, "beyond the array", "outside of the arrays in shared memory");
    let dynamic = Launch { shared_bytes: 256, ..Launch::of(SHARED, "beyond_dynamic_shared") };
    dynamic.passes(&strict(), 255);
    let fault = "outside of the arrays in shared memory";
    dynamic.finds(&strict(), 256, "beyond the dynamic bytes", fault);
}

#[test]
fn barriers_are_for_all_threads() {
    for runtime in [normal(), strict()] {
        let divergent = Launch::of(BARRIERS, "divergent");
        divergent.passes(&runtime, 64);
        divergent.passes(&runtime, 0);
        let fault = "others wait at barriers.cu:";
        divergent.finds(&runtime, 32, "another line", fault);
        let early = Launch::of(BARRIERS, "early_exit");
        early.passes(&runtime, 64);
        early.finds(&runtime, 40, "a barrier without all", "a thread returned before this barrier");
        early.passes(&runtime, 0);
        let named = Launch::of(BARRIERS, "missing_warp");
        named.passes(&runtime, 64);
        let fault = "no thread can go on: 32 wait at barriers.cu:";
        named.finds(&runtime, 32, "half a named barrier", fault);
    }
}

#[test]
fn what_a_warp_does_is_for_all_lanes() {
    for runtime in [normal(), strict()] {
        let partial = Launch::of(BARRIERS, "partial_shuffle");
        partial.passes(&runtime, 32);
        let fault = "a lane returned before what its warp does together";
        partial.finds(&runtime, 20, "some lanes", fault);
        let mask = Launch::of(BARRIERS, "partial_mask");
        mask.passes(&runtime, 64);
        mask.finds(&runtime, 16, "a partial mask", "only some lanes of a warp are named");
        let divergent = Launch::of(BARRIERS, "divergent_shuffle");
        divergent.passes(&runtime, 32);
        let fault = "others wait at barriers.cu:";
        divergent.finds(&runtime, 16, "lanes at that shuffle", fault);
    }
}

#[test]
fn an_mbarrier_without_its_arrivals_is_a_deadlock() {
    for runtime in [normal(), strict()] {
        let kernel = Launch::of(BARRIERS, "few_arrivals");
        kernel.passes(&runtime, 1);
        let fault = "no thread can go on: 64 wait at barriers.cu:";
        kernel.finds(&runtime, 2, "nobody ends this phase", fault);
    }
}

#[test]
fn an_arrival_speaks_for_what_was_ordered_before_it() {
    let kernel = Launch::of(BARRIERS, "hand_over");
    kernel.passes(&strict(), 1);
    let fault = "a race: a read of shared memory that was written by thread";
    kernel.finds(&strict(), 0, "lanes that nobody spoke for", fault);
}

#[test]
fn a_copy_is_there_after_its_wait() {
    let kernel = Launch { num_x: 256, num_out: 256, ..Launch::of(COPIES, "copy") };
    kernel.passes(&strict(), 0);
    kernel.passes(&normal(), 0);
    let fault = "a read of shared memory before the copy to it was waited for";
    kernel.finds(&strict(), 1, "a copy that may be under way", fault);
    kernel.is_poisoned(&normal(), 1);
    let late = Launch { kernel: "copy_late_wait", ..kernel };
    late.passes(&strict(), 0);
    late.finds(&strict(), 1, "another's copy", fault);
}

#[test]
fn a_tile_is_there_after_its_wait() {
    let kernel = Launch::of(COPIES, "load").with_tensors(&[8]);
    kernel.passes(&strict(), 0);
    let fault = "a read of shared memory before the copy to it was waited for";
    kernel.finds(&strict(), 1, "TMA may be under way", fault);
    kernel.is_poisoned(&normal(), 1);
    let unfenced = Launch::of(COPIES, "load_without_fence").with_tensors(&[8]);
    unfenced.passes(&strict(), 0);
    let fault = "TMA counts for an mbarrier without an mbarrier_init_fence";
    unfenced.finds(&normal(), 1, "TMA doesn't see the mbarrier", fault);
}

#[test]
fn a_product_is_there_after_its_wait() {
    let kernel = Launch::of(COPIES, "multiply").with_tensors(&[64, 128]);
    for runtime in [normal(), strict()] {
        kernel.passes(&runtime, 0);
        let out = kernel.run(&runtime, 0).unwrap();
        assert!(out.iter().all(|x| x.to_bits() == 64.0_f32.to_bits()), "a product of ones");
        kernel.is_poisoned(&runtime, 1);
        let fault = "registers of d were written, and no wgmma_fence followed";
        kernel.finds(&runtime, 2, "the product", fault);
        let fault = "a wgmma_wait for products without a wgmma_commit";
        kernel.finds(&runtime, 3, "the wait", fault);
        let fault = "registers of d were written while a wgmma adds to them";
        kernel.finds(&runtime, 5, "the product", fault);
    }
    let fault = "a wgmma reads what was stored without TMA, and no proxy fence followed";
    kernel.finds(&strict(), 4, "the product", fault);
}

#[test]
fn a_tile_stays_until_it_was_multiplied() {
    let kernel = Launch::of(COPIES, "reload").with_tensors(&[64, 128]);
    kernel.passes(&strict(), 0);
    let fault = "a race: a write to shared memory that was read by a wgmma";
    kernel.finds(&strict(), 1, "over what is read", fault);
}

#[test]
fn allocations_have_ends() {
    let read = Launch::of(GLOBAL, "shifted_read");
    read.passes(&strict(), 0);
    read.finds(&strict(), 1, "the read", "outside of what is allocated");
    let write = Launch::of(GLOBAL, "shifted_write");
    write.passes(&strict(), 0);
    write.finds(&strict(), 1, "the write", "outside of what is allocated");
    let words = Launch::of(GLOBAL, "shifted_words");
    words.passes(&strict(), 0);
    words.finds(&strict(), 1, "the words", "outside of what is allocated");
    let copy = Launch::of(GLOBAL, "shifted_copy");
    copy.passes(&strict(), 0);
    copy.finds(&strict(), 1, "the copy", "outside of what is allocated");
    let unaligned = Launch::of(GLOBAL, "unaligned_words");
    unaligned.passes(&normal(), 4);
    unaligned.finds(&normal(), 1, "unaligned words", "an address isn't aligned to 16");
}

#[test]
fn ctas_of_a_launch_are_in_no_order() {
    let write = Launch { num_ctas: 2, num_threads: 32, ..Launch::of(GLOBAL, "two_ctas") };
    write.passes(&strict(), 0);
    let fault = "a race: a write to memory that another CTA of the launch writes";
    write.finds(&strict(), 1, "the same element", fault);
    let count = Launch { kernel: "two_ctas_count", ..write };
    let out = count.run(&strict(), 0).unwrap();
    assert!((out[0] - 64.5).abs() < 1e-6, "{} counted", out[0]);
    let read = Launch { kernel: "read_of_other", ..write };
    read.passes(&strict(), 0);
    let error = read.run(&strict(), 1).unwrap_err().to_string();
    assert!(error.contains("a race: a "), "{error}");
    assert!(error.contains("that another CTA of the launch "), "{error}");
}

#[test]
fn a_fault_leaves_the_emulator_usable() {
    let runtime = strict();
    for _ in 0..3 {
        let bad = Launch::of(BARRIERS, "early_exit");
        assert!(bad.run(&runtime, 40).is_err());
        Launch::of(SHARED, "prefix_sum").passes(&runtime, 0);
    }
}
