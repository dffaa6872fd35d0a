//! The kernels' sources, which are part of the binary.

use super::kernel_files::{Entry, KERNEL_FILES};

/// A compile-time constant of a kernel file, as `("HEAD_DIM", 128)`.
pub type Constant = (&'static str, u32);

/// A file of `cuda/` with the constants that it is compiled with. The same file with other
/// constants is another module; its kernels have the same names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KernelFile {
    /// Its name, as `attention.cu`.
    pub name: &'static str,
    /// Its constants, in the order in which the file names them.
    pub constants: Vec<Constant>,
}

impl KernelFile {
    /// A file without constants.
    pub fn plain(name: &'static str) -> Self {
        Self { name, constants: Vec::new() }
    }

    /// Every file with every constant that it is compiled with.
    pub fn all() -> Vec<Self> {
        let variants = |(name, constant): &Entry| match constant {
            None => vec![Self::plain(name)],
            Some((constant, values)) => {
                let variant = |value: &u32| Self { name, constants: vec![(constant, *value)] };
                values.iter().map(variant).collect()
            }
        };
        KERNEL_FILES.iter().flat_map(variants).collect()
    }

    /// The file with its constants, as messages and the emulator's table name it:
    /// `attention.cu HEAD_DIM=128`.
    pub fn title(&self) -> String {
        self.constants.iter().fold(self.name.to_owned(), |title, (constant, value)| {
            format!("{title} {constant}={value}")
        })
    }
}

/// Every file of `cuda/`, headers too, by name: what NVRTC is given.
pub const FILES: &[(&str, &str)] = &[
    ("attention.cu", include_str!("../../cuda/attention.cu")),
    ("attention.cuh", include_str!("../../cuda/attention.cuh")),
    ("ceiling.cu", include_str!("../../cuda/ceiling.cu")),
    ("copy_blocks.cu", include_str!("../../cuda/copy_blocks.cu")),
    ("device.cuh", include_str!("../../cuda/device.cuh")),
    ("embed.cu", include_str!("../../cuda/embed.cu")),
    ("epilogue.cuh", include_str!("../../cuda/epilogue.cuh")),
    ("gather.cu", include_str!("../../cuda/gather.cu")),
    ("gemm_hopper.cu", include_str!("../../cuda/gemm_hopper.cu")),
    ("gemm_mma.cuh", include_str!("../../cuda/gemm_mma.cuh")),
    ("gemm_stream.cu", include_str!("../../cuda/gemm_stream.cu")),
    ("gemm_tile.cu", include_str!("../../cuda/gemm_tile.cu")),
    ("head.cu", include_str!("../../cuda/head.cu")),
    ("head_merge.cu", include_str!("../../cuda/head_merge.cu")),
    ("mma_tile.cuh", include_str!("../../cuda/mma_tile.cuh")),
    ("norm.cu", include_str!("../../cuda/norm.cu")),
    ("params.h", include_str!("../../cuda/params.h")),
    ("primitives.cu", include_str!("../../cuda/primitives.cu")),
    ("ptx.cuh", include_str!("../../cuda/ptx.cuh")),
    ("rank.cuh", include_str!("../../cuda/rank.cuh")),
    ("reduce.cuh", include_str!("../../cuda/reduce.cuh")),
    ("rope_store.cu", include_str!("../../cuda/rope_store.cu")),
    ("sample.cu", include_str!("../../cuda/sample.cu")),
    ("target_logits.cu", include_str!("../../cuda/target_logits.cu")),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn both_lists_name_all_that_lies_in_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda");
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: BTreeSet<String> = names.collect();
        let listed: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(listed, names);
        let is_kernel = |name: &String| Path::new(name).extension().is_some_and(|e| e == "cu");
        let kernels: BTreeSet<String> = names.into_iter().filter(is_kernel).collect();
        let compiled = KERNEL_FILES.iter().map(|(name, _)| (*name).to_owned());
        assert_eq!(compiled.collect::<BTreeSet<_>>(), kernels);
    }
}
