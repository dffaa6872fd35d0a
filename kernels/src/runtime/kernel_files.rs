//! Every kernel file with the constant that it is compiled with: one module for each value. The
//! build script reads this list for the emulator, and the tests compile all of it for devices.

/// A file of `cuda/`; the name of its constant, and the values, if it has one.
pub type Entry = (&'static str, Option<(&'static str, &'static [u32])>);

/// The files.
pub const KERNEL_FILES: &[Entry] = &[
    ("attention.cu", Some(("HEAD_DIM", &[64, 80, 96, 128, 160, 256]))),
    ("ceiling.cu", None),
    ("copy_blocks.cu", None),
    ("embed.cu", None),
    ("gather.cu", None),
    ("gemm_hopper.cu", None),
    ("gemm_stream.cu", None),
    ("gemm_tile.cu", None),
    ("head.cu", None),
    ("head_merge.cu", None),
    ("norm.cu", None),
    ("primitives.cu", None),
    ("rope_store.cu", None),
    ("sample.cu", None),
    ("target_logits.cu", None),
];
