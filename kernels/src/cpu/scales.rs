//! What makes weights of quants: a scale and an offset for each output, of 32 inputs at a time.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use half::f16;

use super::matrix::{Matrix, TILE_INPUTS};
use super::simd::{F32x16, Lanes, NUM_LANES};
use crate::quantised::{Quantisation, RUN_LEN, Run};

/// The outputs of a half.
type Halves = [f16; NUM_LANES];

/// For each half of each tile, as panels have them.
pub enum Scales {
    /// The lines hold weights.
    None,
    /// The offset is so many steps below zero.
    Centred {
        /// The quant of the weight zero.
        zero: f32,
        /// The scales.
        scales: Vec<Halves>,
    },
    /// A scale and an offset.
    Affine(Vec<[Halves; 2]>),
    /// The same, where half precision can't hold them.
    Full(Vec<[Lanes; 2]>),
}

impl Scales {
    /// Bytes of those of half a tile.
    pub fn tile_bytes(kind: Quantisation) -> usize {
        match kind {
            Quantisation::Q4_0 | Quantisation::Q5_0 | Quantisation::Q8_0 => size_of::<Halves>(),
            Quantisation::Q4_1 | Quantisation::Q5_1 => 2 * size_of::<Halves>(),
            Quantisation::Q4K | Quantisation::Q5K => 2 * size_of::<Lanes>(),
            Quantisation::Q6K => unreachable!("its tiles have two scales"),
        }
    }

    /// Those of `rows`, which are packets of `kind`, for the panels of `matrix`.
    pub fn pack(matrix: &Matrix, kind: Quantisation, rows: &[&[u8]]) -> Self {
        let num_tiles = matrix.num_tiles();
        let mut tiles = vec![[[0.0; NUM_LANES]; 2]; matrix.num_panels() * num_tiles * 2];
        for (panel_idx, panel) in tiles.chunks_exact_mut(2 * num_tiles).enumerate() {
            for (half, lane) in (0..2).flat_map(|half| (0..NUM_LANES).map(move |lane| (half, lane)))
            {
                let Some(row) = matrix.source_row(panel_idx, half, lane) else { continue };
                let runs = kind.runs(rows[row]).step_by(TILE_INPUTS / RUN_LEN);
                for (tile_idx, Run { scale, offset, .. }) in runs.enumerate() {
                    let tile = &mut panel[2 * tile_idx + half];
                    (tile[0][lane], tile[1][lane]) = (scale, offset);
                }
            }
        }
        let to_half = |lanes: Lanes| lanes.map(f16::from_f32);
        let centred = |zero| {
            let scales = tiles.iter().map(|[scales, _]| to_half(*scales)).collect();
            Self::Centred { zero, scales }
        };
        match kind {
            Quantisation::Q4_0 => centred(8.0),
            Quantisation::Q5_0 => centred(16.0),
            Quantisation::Q8_0 => centred(128.0),
            Quantisation::Q4_1 | Quantisation::Q5_1 => {
                Self::Affine(tiles.into_iter().map(|tile| tile.map(to_half)).collect())
            }
            Quantisation::Q4K | Quantisation::Q5K => Self::Full(tiles),
            Quantisation::Q6K => unreachable!("its tiles have two scales"),
        }
    }

    /// Scale and offset of the half `idx`, counted over all panels.
    #[inline(always)]
    pub fn load<V: F32x16>(&self, idx: usize) -> [V; 2] {
        match self {
            Self::None => [V::splat(0.0); 2],
            Self::Centred { zero, scales } => {
                let scale = V::from_halves(&scales[idx]);
                [scale, scale.mul(V::splat(-*zero))]
            }
            Self::Affine(scales) => scales[idx].each_ref().map(V::from_halves),
            Self::Full(scales) => scales[idx].each_ref().map(V::load),
        }
    }
}
