//! The processor's tile unit (AMX): products of bfloat16 tiles, summed in f32.
//!
//! Rust has no stable names for these instructions, so they are written as assembly, all of it in
//! this file. A product of two tiles adds, for each of its rows and columns, sixteen pairs of
//! products to an accumulator. In which order it rounds is the unit's own affair; what counts is
//! that a row of the result depends on that row of the left tile alone.

use super::line::Bf16Line;

/// Pairs of bfloat16 in a row of a tile: inputs on the left, outputs on the right.
pub const TILE_WORDS: usize = 16;

/// Rows of the greatest tile.
pub const MAX_TILE_ROWS: usize = 16;

/// Bfloat16 that hold the 24 significant bits of an f32.
pub const NUM_SPLITS: usize = 3;

/// A left tile in memory: rows of 32 inputs, input `j` in the low half and input `j + 16` in the
/// high half of word `j`.
pub type Tile = [[u32; TILE_WORDS]; MAX_TILE_ROWS];

/// Left tiles of the same 32 inputs, which are multiplied one after the other and added up.
pub type Splits = [Tile; NUM_SPLITS];

/// The dot products of up to sixteen rows with a panel of 32 outputs.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct Products(pub [[[f32; TILE_WORDS]; 2]; MAX_TILE_ROWS]);

/// A witness that this process may use the tile unit.
#[derive(Clone, Copy, Debug)]
pub struct Tiles(());

/// The tile unit of the current thread, ready for left tiles of a number of rows until it is
/// dropped.
pub struct Unit {
    /// Stays on its thread.
    _thread: std::marker::PhantomData<*const ()>,
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod unit {
    #![expect(clippy::unused_self, reason = "a witness is proof enough")]

    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;
    use std::marker::PhantomData;

    use super::{Bf16Line, MAX_TILE_ROWS, Products, Splits, TILE_WORDS, Tile, Tiles, Unit};

    /// Bytes of a tile's row.
    const ROW_BYTES: usize = 4 * TILE_WORDS;

    /// What the processor is told about its tiles: the layout of `ldtilecfg`.
    #[repr(C, align(64))]
    struct TileConfig {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        num_rows: [u8; 16],
    }

    const _: () = assert!(size_of::<TileConfig>() == 64);
    const _: () = assert!(size_of::<Tile>() == 1024 && size_of::<Bf16Line>() == ROW_BYTES);

    /// Calls the 2 KB of weights that are two steps ahead: streams of tiles escape the processor's
    /// own prefetching (without it one row takes a fifth longer; `examples/gemm.rs`). Beyond the
    /// last panel it calls for nothing that is used, and does no harm.
    macro_rules! prefetch {
        () => {
            ".irp kilobyte, 4096, 5120
            .irp line, 0, 64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960
            prefetcht0 [{panel} + \\kilobyte + \\line]
            .endr
            .endr"
        };
    }

    impl Tiles {
        /// Asks processor and kernel.
        pub fn detect() -> Option<Self> {
            const TILES_AND_BF16: u32 = 1 << 24 | 1 << 22;
            // Leaf 0 tells how many there are; the seventh lists what came late.
            let is_known = __cpuid_count(0, 0).eax >= 7;
            let has = is_known && __cpuid_count(7, 0).edx & TILES_AND_BF16 == TILES_AND_BF16;
            (has && may_use_tiles()).then_some(Self(()))
        }

        /// Readies this thread's unit for left tiles of `num_rows` rows. Until the result is
        /// dropped, nothing else on the thread may do so: no other thread's work, either.
        pub fn ready(self, num_rows: usize) -> Unit {
            assert!((1..=MAX_TILE_ROWS).contains(&num_rows), "a tile of {num_rows} rows");
            let mut config = TileConfig {
                palette: 1,
                start_row: 0,
                reserved: [0; 14],
                row_bytes: [0; 16],
                num_rows: [0; 16],
            };
            config.row_bytes[..8].fill(ROW_BYTES as u16);
            config.num_rows[..6].fill(num_rows as u8);
            config.num_rows[6..8].fill(TILE_WORDS as u8);
            // SAFETY: `self` says that the process may; the configuration is one of palette 1.
            unsafe {
                asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly));
            }
            Unit { _thread: PhantomData }
        }
    }

    /// Asks Linux for the memory that the tiles take in every saved state of a thread. It grants it
    /// to the whole process, once and for all.
    fn may_use_tiles() -> bool {
        const ARCH_PRCTL: i64 = 158;
        const REQUEST_STATE: i64 = 0x1023;
        const TILE_DATA: i64 = 18;
        let result: i64;
        // SAFETY: the call reads and writes no memory of ours; it changes rax, rcx and r11.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL => result,
                in("rdi") REQUEST_STATE,
                in("rsi") TILE_DATA,
                out("rcx") _,
                out("r11") _,
                options(nostack),
            );
        }
        result == 0
    }

    impl Unit {
        /// The products of one left row of tiles, or of two, with the panel; only as many rows as
        /// the unit was readied for are written.
        pub fn multiply<const N: usize>(
            &self,
            left: [&[Splits]; N],
            panel: &[Bf16Line],
            products: &mut [Products; N],
        ) {
            const { assert!(N == 1 || N == 2, "eight tiles hold two left ones") };
            let num_tiles = left[0].len();
            assert!(num_tiles > 0, "a row has inputs");
            assert_eq!(left[N - 1].len(), num_tiles, "left rows of the same length");
            assert_eq!(panel.len(), num_tiles * 2 * TILE_WORDS, "the panel of the same inputs");
            // SAFETY: a `Unit` is ready. The slices hold `num_tiles` tiles each, and `products` all
            // rows that a tile can have.
            unsafe {
                if N == 1 {
                    multiply_one(left[0].as_ptr(), panel.as_ptr(), num_tiles, &raw mut products[0]);
                } else {
                    let left = [left[0].as_ptr(), left[1].as_ptr()];
                    multiply_two(left, panel.as_ptr(), num_tiles, products.as_mut_ptr());
                }
            }
        }
    }

    impl Drop for Unit {
        fn drop(&mut self) {
            // SAFETY: the unit was readied by this thread; it stays on it. Tiles that are released
            // need not be saved when the thread is interrupted.
            unsafe { asm!("tilerelease", options(nostack, nomem)) };
        }
    }

    /// # Safety
    ///
    /// The thread's unit is ready; `left` and `panel` point to `num_tiles` tiles and pairs of
    /// tiles, `products` to one.
    unsafe fn multiply_one(
        left: *const Splits,
        panel: *const Bf16Line,
        num_tiles: usize,
        products: *mut Products,
    ) {
        // SAFETY: as promised to this function; the tiles are used within this block only.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "2:",
                "tileloadd tmm6, [{panel} + {panel_stride}]",
                "tileloadd tmm4, [{left} + {left_stride}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{panel} + {panel_stride} + 64]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{left} + {left_stride} + 1024]",
                "tdpbf16ps tmm0, tmm5, tmm6",
                "tdpbf16ps tmm1, tmm5, tmm7",
                "tileloadd tmm4, [{left} + {left_stride} + 2048]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "add {left}, 3072",
                prefetch!(),
                "add {panel}, 2048",
                "dec {num_tiles}",
                "jnz 2b",
                "tilestored [{products} + {panel_stride}], tmm0",
                "tilestored [{products} + {panel_stride} + 64], tmm1",
                left = inout(reg) left => _,
                panel = inout(reg) panel => _,
                num_tiles = inout(reg) num_tiles => _,
                products = in(reg) products,
                left_stride = in(reg) ROW_BYTES,
                panel_stride = in(reg) 2 * ROW_BYTES,
                out("tmm0") _, out("tmm1") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }

    /// # Safety
    ///
    /// As for [`multiply_one`], with two of `left` and of `products`.
    unsafe fn multiply_two(
        left: [*const Splits; 2],
        panel: *const Bf16Line,
        num_tiles: usize,
        products: *mut Products,
    ) {
        // SAFETY: as promised to this function; the tiles are used within this block only.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm6, [{panel} + {panel_stride}]",
                "tileloadd tmm4, [{left_0} + {left_stride}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{panel} + {panel_stride} + 64]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{left_1} + {left_stride}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "tileloadd tmm4, [{left_0} + {left_stride} + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{left_1} + {left_stride} + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "tileloadd tmm4, [{left_0} + {left_stride} + 2048]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{left_1} + {left_stride} + 2048]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {left_0}, 3072",
                "add {left_1}, 3072",
                prefetch!(),
                "add {panel}, 2048",
                "dec {num_tiles}",
                "jnz 2b",
                "tilestored [{products} + {panel_stride}], tmm0",
                "tilestored [{products} + {panel_stride} + 64], tmm1",
                "tilestored [{products} + {panel_stride} + 2048], tmm2",
                "tilestored [{products} + {panel_stride} + 2112], tmm3",
                left_0 = inout(reg) left[0] => _,
                left_1 = inout(reg) left[1] => _,
                panel = inout(reg) panel => _,
                num_tiles = inout(reg) num_tiles => _,
                products = in(reg) products,
                left_stride = in(reg) ROW_BYTES,
                panel_stride = in(reg) 2 * ROW_BYTES,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

/// Where there is no such unit, or none that this file knows to ask for.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod unit {
    #![expect(clippy::unused_self, reason = "a witness is proof enough")]

    use super::{Bf16Line, Products, Splits, Tiles, Unit};

    impl Tiles {
        /// Nothing.
        pub fn detect() -> Option<Self> {
            None
        }

        /// Never called.
        pub fn ready(self, _num_rows: usize) -> Unit {
            unreachable!("no tile unit was detected")
        }
    }

    impl Unit {
        /// Never called.
        pub fn multiply<const N: usize>(
            &self,
            _left: [&[Splits]; N],
            _panel: &[Bf16Line],
            _products: &mut [Products; N],
        ) {
            unreachable!("no tile unit was detected")
        }
    }
}
