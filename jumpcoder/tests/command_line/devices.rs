//! `--device`: the same command on the GPU's emulator, and what is said where there is no GPU.

use super::folder::{Folder, examples};
use super::programs::example_programs;

#[test]
fn the_emulator_writes_the_same_programs() {
    let folder = Folder::with_input(&examples(1));
    let few = "--input in --limit 2";
    let expected = example_programs(&folder, &format!("{few} --device cpu"));
    assert_eq!(example_programs(&folder, &format!("{few} --device emulator")), expected);
}

#[test]
fn a_run_is_not_resumed_on_a_device_with_other_arithmetic() {
    let folder = Folder::with_input(&examples(1));
    let line = "generate --quiet --input in --limit 1 --max-lines 8 --output out";
    let run = folder.run(&format!("{line} --device cpu"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let resumed = format!("{line} --resume --device");
    folder.refused(&format!("{resumed} emulator"), 2, &["another model"]);
    assert_eq!(folder.run(&format!("{resumed} cpu")).code, 0);
}

#[test]
fn a_gpu_that_is_not_there_is_refused() {
    let folder = Folder::with_input(&examples(1));
    let line = "generate --input in --limit 1 --output out --device";
    // No machine has so many.
    folder.refused(&format!("{line} cuda:4096"), 2, &["can't use the device"]);
    assert!(!folder.path("out").exists(), "nothing was begun");
    let run = folder.run(&format!("{line} gpu"));
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("auto, cpu, cuda, cuda:N or emulator"), "{}", run.stderr);
}

#[test]
fn auto_says_that_it_is_the_cpu() {
    if std::path::Path::new("/proc/driver/nvidia/version").exists() {
        return;
    }
    let folder = Folder::with_input(&examples(1));
    let line = "generate --input in --limit 1 --max-lines 4 --mode ar";
    let run = folder.run(&format!("{line} --device auto"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("using the CPU: NVIDIA's driver"), "{}", run.stderr);
    let run = folder.run(line);
    assert!(!run.stderr.contains("CPU"), "nobody asked: {}", run.stderr);
}

#[test]
fn memory_that_does_not_suffice_is_refused_with_the_numbers() {
    let folder = Folder::with_input(&examples(1));
    let line = "generate --input in --limit 1 --device emulator --memory-fraction 0.0001";
    folder.refused(line, 2, &["KV blocks of", "more than the", "MiB allowed"]);
}
