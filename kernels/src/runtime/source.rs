//! The kernels' sources, which are part of the binary.

use std::path::Path;

/// A compile-time constant of a kernel file, as `("HEAD_DIM", 128)`.
pub type Constant = (&'static str, u32);

/// A file of `cuda/` with the constants that it is compiled with. The same file with other constants
/// is another module; its kernels have the same names.
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

    /// Every file with every constant that it is compiled with: what the emulator has, and what the
    /// tests compile for every architecture.
    pub fn all() -> Vec<Self> {
        let is_kernel = |name: &&str| Path::new(name).extension().is_some_and(|kind| kind == "cu");
        FILES.iter().map(|(name, _)| *name).filter(is_kernel).flat_map(Self::variants).collect()
    }

    /// A file with each value of its constant.
    fn variants(name: &'static str) -> Vec<Self> {
        match CONSTANTS.iter().find(|(file, ..)| *file == name) {
            None => vec![Self::plain(name)],
            Some((_, constant, values)) => {
                let variant = |value: &u32| Self { name, constants: vec![(constant, *value)] };
                values.iter().map(variant).collect()
            }
        }
    }

    /// The file with its constants, as messages and the emulator's table name it:
    /// `attention.cu HEAD_DIM=128`.
    pub fn title(&self) -> String {
        self.constants.iter().fold(self.name.to_owned(), |title, (constant, value)| {
            format!("{title} {constant}={value}")
        })
    }
}

/// The files that are compiled with a constant, and its values.
const CONSTANTS: &[(&str, &str, &[u32])] = &[];

/// Every file of `cuda/`, headers too, by name: what NVRTC is given.
pub const FILES: &[(&str, &str)] = &[
    ("copy_blocks.cu", include_str!("../../cuda/copy_blocks.cu")),
    ("device.cuh", include_str!("../../cuda/device.cuh")),
    ("embed.cu", include_str!("../../cuda/embed.cu")),
    ("gather.cu", include_str!("../../cuda/gather.cu")),
    ("norm.cu", include_str!("../../cuda/norm.cu")),
    ("params.h", include_str!("../../cuda/params.h")),
    ("primitives.cu", include_str!("../../cuda/primitives.cu")),
    ("ptx.cuh", include_str!("../../cuda/ptx.cuh")),
    ("reduce.cuh", include_str!("../../cuda/reduce.cuh")),
    ("rope_store.cu", include_str!("../../cuda/rope_store.cu")),
];
