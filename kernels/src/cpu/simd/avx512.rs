//! [`F32x16`] as one AVX-512 register.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use std::arch::x86_64::{
    __m512, _CMP_GE_OQ, _mm256_loadu_si256, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512,
    _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps,
    _mm512_cvtph_ps, _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_slli_epi32, _mm512_srlv_epi32, _mm512_storeu_ps, _mm512_sub_ps,
};

use half::f16;

use super::{F32x16, Lanes, NUM_LANES};

#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

// Only `Simd::run` can name the type, and it checked for AVX-512 F: that is what every SAFETY line
// below relies on. References to sixteen elements are valid for loads and stores of 64 bytes, and
// those used here need no alignment.
impl F32x16 for Avx512 {
    const NUM_REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: the processor has AVX-512 F.
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    fn load(from: &Lanes) -> Self {
        // SAFETY: AVX-512 F, and 64 readable bytes.
        Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, to: &mut Lanes) {
        // SAFETY: AVX-512 F, and 64 writable bytes.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn from_low_halves(words: &[u32; NUM_LANES]) -> Self {
        // SAFETY: AVX-512 F, and 64 readable bytes.
        unsafe {
            let words = _mm512_loadu_si512(words.as_ptr().cast());
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(words)))
        }
    }

    #[inline(always)]
    fn from_high_halves(words: &[u32; NUM_LANES]) -> Self {
        // SAFETY: AVX-512 F, and 64 readable bytes.
        unsafe {
            let words = _mm512_loadu_si512(words.as_ptr().cast());
            let mask = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
            Self(_mm512_castsi512_ps(_mm512_and_si512(words, mask)))
        }
    }

    #[inline(always)]
    fn from_bits_of(words: &[u32; NUM_LANES], shift: u32, mask: u32) -> Self {
        // SAFETY: AVX-512 F, and 64 readable bytes.
        unsafe {
            let words = _mm512_loadu_si512(words.as_ptr().cast());
            let shift = _mm512_set1_epi32(shift.cast_signed());
            let mask = _mm512_set1_epi32(mask.cast_signed());
            Self(_mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srlv_epi32(words, shift), mask)))
        }
    }

    #[inline(always)]
    fn from_halves(halves: &[f16; NUM_LANES]) -> Self {
        // SAFETY: AVX-512 F, and 32 readable bytes.
        unsafe { Self(_mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast()))) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512 F.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512 F.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512 F.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512 F.
        Self(unsafe { _mm512_div_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: the processor has AVX-512 F.
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512 F.
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512 F.
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn zero_below(self, decider: Self, limit: Self) -> Self {
        // SAFETY: the processor has AVX-512 F.
        unsafe {
            let keep = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(decider.0, limit.0);
            Self(_mm512_maskz_mov_ps(keep, self.0))
        }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: the processor has AVX-512 F.
        unsafe {
            let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(self.0));
            let one = _mm512_set1_epi32(1.0_f32.to_bits().cast_signed());
            Self(_mm512_castsi512_ps(_mm512_add_epi32(exponent, one)))
        }
    }
}
