//! A real device, where there is one: memory, graphs, events, and every operation's self-test.
//! Elsewhere the tests say so and pass.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use jump_kernels::cuda::gather::GatherParams;
use jump_kernels::runtime::{
    Buffer, DeviceError, Driver, DriverOptions, KernelFile, SharedRuntime,
};
use jump_kernels::selftest;

/// The first device, for one test after the other: what one records, no other may disturb. `None`,
/// with a visible line, if this machine has none.
fn device() -> Option<(SharedRuntime, MutexGuard<'static, ()>)> {
    static TURN: Mutex<()> = Mutex::new(());
    static DEVICE: LazyLock<Result<Arc<Driver>, DeviceError>> =
        LazyLock::new(|| Driver::open(0, &DriverOptions::default()).map(Arc::new));
    match &*DEVICE {
        Ok(device) => Some((device.clone(), TURN.lock().unwrap_or_else(PoisonError::into_inner))),
        Err(error @ (DeviceError::NoDriver { .. } | DeviceError::Missing { .. })) => {
            // Past the test harness, which keeps the output of tests that pass to itself.
            let line = format!("skipped: {error}\n");
            std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_is_uploaded_comes_back() {
    let Some((device, _turn)) = device() else { return };
    // Around the sizes of the staging buffers, which copies are cut by.
    for num_words in [1, 1000, 1 << 20, (4 << 20) + 1, (9 << 20) + 7] {
        let words: Vec<u32> = (0..num_words).map(|i: u32| i.wrapping_mul(0x9e37_79b9)).collect();
        let buffer = Buffer::of(&device, &words).unwrap();
        assert!(buffer.read::<u32>(0, words.len()).unwrap() == words, "{num_words} words");
        // Many that don't wait, and each stays what it was.
        for at in 0..words.len().min(500) {
            buffer.write(at * 4, &[at as u32]).unwrap();
        }
        let begun: Vec<u32> = buffer.read(0, words.len().min(500)).unwrap();
        assert!(begun.iter().copied().eq(0..begun.len() as u32), "{num_words} words");
    }
}

#[test]
fn memory_that_is_cleared_is_zero_and_what_is_freed_is_free() {
    let Some((device, _turn)) = device() else { return };
    let buffer = Buffer::zeroed(&device, 1 << 20).unwrap();
    assert!(buffer.read::<u8>(0, 1 << 20).unwrap().iter().all(|byte| *byte == 0));
    assert_eq!(buffer.ptr().0 % 256, 0);
    let (free, total) = device.memory().unwrap();
    assert!(free <= total);
    let Err(error) = Buffer::zeroed(&device, total + 1) else { panic!("more than there is") };
    assert!(matches!(error, DeviceError::OutOfMemory { .. }), "{error}");
}

#[test]
fn a_graph_runs_its_launches_again() {
    let Some((device, _turn)) = device() else { return };
    let x = Buffer::of(&device, &[1_u32, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let row_idx = Buffer::of(&device, &[1_u32]).unwrap();
    let out = Buffer::zeroed(&device, 16).unwrap();
    let params = GatherParams {
        x: x.ptr(),
        row_idx: row_idx.ptr(),
        out: out.ptr(),
        row_bytes: 16,
        padding: 0,
    };
    device.prepare(&[KernelFile::plain("gather.cu")]).unwrap();
    device.begin_capture().unwrap();
    // SAFETY: the buffers have the sizes that the parameters say, and outlive the graph.
    unsafe { params.launch(&*device, 1).unwrap() };
    let graph = device.end_capture().unwrap();
    assert_eq!(out.read::<u32>(0, 4).unwrap(), [0; 4], "it was recorded, not run");
    let from = device.record().unwrap();
    // SAFETY: all buffers are still there.
    unsafe { device.replay(&graph).unwrap() };
    let to = device.record().unwrap();
    assert_eq!(out.read::<u32>(0, 4).unwrap(), [5, 6, 7, 8]);
    assert!(device.elapsed_us(from, to).unwrap() > 0.0);
    row_idx.write(0, &[0_u32]).unwrap();
    // SAFETY: as above.
    unsafe { device.replay(&graph).unwrap() };
    assert_eq!(out.read::<u32>(0, 4).unwrap(), [1, 2, 3, 4], "what it reads may change");
    device.forget(graph);
}

#[test]
fn every_operation_is_right() {
    let Some((device, _turn)) = device() else { return };
    device.prepare(&KernelFile::all()).unwrap();
    let mut complaints = Vec::new();
    for case in selftest::cases().iter().filter(|case| !case.is_timed) {
        let finding = case.run(&device).unwrap();
        if !finding.is_right() {
            complaints.push(format!("{} {}: {finding:?}", case.op, case.shape));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
