//! [`F32x16`] as two AVX registers.

#![expect(clippy::inline_always, reason = "a target feature reaches only what is inlined into it")]

use std::arch::x86_64::{
    __m256, __m256i, _CMP_GE_OQ, _mm_loadu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_and_ps,
    _mm256_and_si256, _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cvtepi32_ps,
    _mm256_cvtph_ps, _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_slli_epi32, _mm256_srlv_epi32, _mm256_storeu_ps, _mm256_sub_ps,
};

use half::f16;

use super::{F32x16, Lanes, NUM_LANES};

/// Lanes 0 to 7, and lanes 8 to 15.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256, __m256);

/// The two halves of sixteen words.
///
/// # Safety
///
/// The processor has AVX2.
#[inline(always)]
unsafe fn load_words(words: &[u32; NUM_LANES]) -> (__m256i, __m256i) {
    let start = words.as_ptr();
    // SAFETY: AVX2, and 64 readable bytes.
    unsafe { (_mm256_loadu_si256(start.cast()), _mm256_loadu_si256(start.add(8).cast())) }
}

// Only `Simd::run` can name the type, and it checked for AVX2 and FMA: that is what every SAFETY
// line below relies on. References to sixteen elements are valid for loads and stores of 64 bytes,
// and those used here need no alignment.
impl F32x16 for Avx2 {
    const NUM_REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: the processor has AVX2.
        let half = unsafe { _mm256_set1_ps(value) };
        Self(half, half)
    }

    #[inline(always)]
    fn load(from: &Lanes) -> Self {
        let start = from.as_ptr();
        // SAFETY: AVX2, and 64 readable bytes.
        unsafe { Self(_mm256_loadu_ps(start), _mm256_loadu_ps(start.add(8))) }
    }

    #[inline(always)]
    fn store(self, to: &mut Lanes) {
        let start = to.as_mut_ptr();
        // SAFETY: AVX2, and 64 writable bytes.
        unsafe {
            _mm256_storeu_ps(start, self.0);
            _mm256_storeu_ps(start.add(8), self.1);
        }
    }

    #[inline(always)]
    fn from_low_halves(words: &[u32; NUM_LANES]) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe {
            let (a, b) = load_words(words);
            let (a, b) = (_mm256_slli_epi32::<16>(a), _mm256_slli_epi32::<16>(b));
            Self(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b))
        }
    }

    #[inline(always)]
    fn from_high_halves(words: &[u32; NUM_LANES]) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe {
            let (a, b) = load_words(words);
            let mask = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
            let (a, b) = (_mm256_and_si256(a, mask), _mm256_and_si256(b, mask));
            Self(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b))
        }
    }

    #[inline(always)]
    fn from_bits_of(words: &[u32; NUM_LANES], shift: u32, mask: u32) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe {
            let (a, b) = load_words(words);
            let shift = _mm256_set1_epi32(shift.cast_signed());
            let mask = _mm256_set1_epi32(mask.cast_signed());
            let a = _mm256_and_si256(_mm256_srlv_epi32(a, shift), mask);
            let b = _mm256_and_si256(_mm256_srlv_epi32(b, shift), mask);
            Self(_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b))
        }
    }

    #[inline(always)]
    fn from_halves(halves: &[f16; NUM_LANES]) -> Self {
        let start: *const f16 = halves.as_ptr();
        // SAFETY: F16C, and 32 readable bytes.
        unsafe {
            let a = _mm256_cvtph_ps(_mm_loadu_si128(start.cast()));
            let b = _mm256_cvtph_ps(_mm_loadu_si128(start.add(8).cast()));
            Self(a, b)
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe { Self(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: the processor has AVX2 and FMA.
        unsafe {
            Self(
                _mm256_fmadd_ps(self.0, factor.0, addend.0),
                _mm256_fmadd_ps(self.1, factor.1, addend.1),
            )
        }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn zero_below(self, decider: Self, limit: Self) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe {
            let a = _mm256_cmp_ps::<_CMP_GE_OQ>(decider.0, limit.0);
            let b = _mm256_cmp_ps::<_CMP_GE_OQ>(decider.1, limit.1);
            Self(_mm256_and_ps(a, self.0), _mm256_and_ps(b, self.1))
        }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe {
            let one = _mm256_set1_epi32(1.0_f32.to_bits().cast_signed());
            let a = _mm256_slli_epi32::<23>(_mm256_castps_si256(self.0));
            let b = _mm256_slli_epi32::<23>(_mm256_castps_si256(self.1));
            let (a, b) = (_mm256_add_epi32(a, one), _mm256_add_epi32(b, one));
            Self(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b))
        }
    }
}
