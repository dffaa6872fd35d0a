//! The emulator as a [`Runtime`](jump_kernels::runtime::Runtime): memory, graphs, events, and
//! misuse.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jump_kernels::cuda::gather::GatherParams;
use jump_kernels::runtime::{
    Args, Buffer, DeviceError, DevicePtr, Emulator, KernelFile, LaunchShape, Runtime, SharedRuntime,
};

fn emulator() -> SharedRuntime {
    Arc::new(Emulator::strict().unwrap())
}

#[test]
fn fresh_memory_holds_nothing_that_may_be_read() {
    let runtime = emulator();
    let x = runtime.allocate(64).unwrap();
    let (row_idx, out) =
        (Buffer::of(&runtime, &[0_u32]).unwrap(), Buffer::of(&runtime, &[0_u32; 16]));
    let out = out.unwrap();
    let params =
        GatherParams { x, row_idx: row_idx.ptr(), out: out.ptr(), row_bytes: 64, padding: 0 };
    // SAFETY: the buffers hold a row each.
    let error = unsafe { params.launch(&*runtime, 1) }.unwrap_err().to_string();
    assert!(error.contains("gather.cu gather at gather.cu:"), "{error}");
    assert!(error.contains("a read of memory that nobody wrote"), "{error}");
    // SAFETY: the allocation has 64 bytes.
    unsafe { runtime.upload(x, &[7; 64]) }.unwrap();
    // SAFETY: the buffers hold a row each.
    unsafe { params.launch(&*runtime, 1) }.unwrap();
    assert_eq!(out.read::<u8>(0, 64).unwrap(), [7; 64]);
    runtime.free(x);
    // SAFETY: none of it is read: what was freed is known.
    let error = unsafe { params.launch(&*runtime, 1) }.unwrap_err().to_string();
    assert!(error.contains("outside of what is allocated"), "{error}");
}

#[test]
fn a_graph_repeats_launches_with_their_arguments() {
    let runtime = emulator();
    let x = Buffer::of(&runtime, &[1_u32, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let row_idx = Buffer::of(&runtime, &[1_u32]).unwrap();
    let out = Buffer::of(&runtime, &[0_u32; 4]).unwrap();
    let params = GatherParams {
        x: x.ptr(),
        row_idx: row_idx.ptr(),
        out: out.ptr(),
        row_bytes: 16,
        padding: 0,
    };
    runtime.begin_capture().unwrap();
    // SAFETY: the buffers hold rows of 16 bytes.
    unsafe { params.launch(&*runtime, 1) }.unwrap();
    let graph = runtime.end_capture().unwrap();
    assert_eq!(out.read::<u32>(0, 4).unwrap(), [0; 4], "nothing ran in the capture");
    for (idx, row) in [(1_u32, [5, 6, 7, 8]), (0, [1, 2, 3, 4])] {
        row_idx.write(0, &[idx]).unwrap();
        // SAFETY: the buffers are still there.
        unsafe { runtime.replay(&graph) }.unwrap();
        assert_eq!(out.read::<u32>(0, 4).unwrap(), row);
    }
    runtime.forget(graph);
}

#[test]
fn memory_is_counted_and_ends() {
    let runtime = emulator();
    let (free, total) = runtime.memory().unwrap();
    assert_eq!(free, total);
    let buffer = Buffer::zeroed(&runtime, 3 << 20).unwrap();
    assert_eq!(runtime.memory().unwrap().0, total - (3 << 20));
    assert_eq!(buffer.read::<u8>(0, 3 << 20).unwrap(), vec![0; 3 << 20]);
    let refused = Buffer::zeroed(&runtime, total);
    assert!(matches!(refused, Err(DeviceError::OutOfMemory { .. })));
    drop(buffer);
    assert_eq!(runtime.memory().unwrap().0, total);
}

#[test]
fn time_passes_between_events() {
    let runtime = emulator();
    let from = runtime.record().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let to = runtime.record().unwrap();
    assert!(runtime.elapsed_us(from, to).unwrap() >= 2000.0);
}

#[test]
fn unknown_kernels_are_errors_and_misuse_panics() {
    let runtime = emulator();
    let unknown = runtime.kernel(&KernelFile::plain("gather.cu"), "scatter");
    assert!(matches!(unknown, Err(DeviceError::Compile { .. })));

    let file = KernelFile::plain("planted/global.cu");
    let kernel = runtime.kernel(&file, "three_params").unwrap();
    let shape = LaunchShape { grid: [1, 1, 1], num_threads: 32, shared_bytes: 0 };
    let launch = |args: &mut Args| {
        // SAFETY: it is refused before it reads its arguments.
        catch_unwind(AssertUnwindSafe(|| unsafe { runtime.launch(kernel, shape, args) }))
    };
    assert_panics(launch(&mut Args::default()), "the arguments of a kernel");
    let mut args = Args::one(&[0_u64; 3]);
    args.push(&1_u32);
    args.push(&1_u32);
    assert_panics(launch(&mut args), "[24, 4, 8]");

    assert_panics(catch_unwind(AssertUnwindSafe(|| runtime.free(DevicePtr(64)))), "was allocated");
    // SAFETY: it is refused.
    let upload = || unsafe { runtime.upload(DevicePtr(64), &[0]) };
    assert_panics(catch_unwind(AssertUnwindSafe(upload)), "aren't in an allocation");
}

fn assert_panics<T>(result: std::thread::Result<T>, expected: &str) {
    let panic = result.err().expect("a panic");
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains(expected), "{text}");
}

#[test]
fn what_is_never_freed_is_noticed() {
    let emulator = Emulator::new().unwrap();
    emulator.allocate(16).unwrap();
    assert_panics(catch_unwind(AssertUnwindSafe(|| drop(emulator))), "never freed");
}
