// Stands in for cuda/ptx.cuh: the same functions, described there, on a host.
#pragma once

#include <device.cuh>

// --- numbers ---------------------------------------------------------------------------------

DEVICE float to_f32(bf16 x) { return __uint_as_float(static_cast<u32>(x.bits) << 16); }

DEVICE bf16 to_bf16(float x) {
    u32 bits = __float_as_uint(x);
    if (x != x) return bf16{0x7fff};
    return bf16{static_cast<u16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

DEVICE u32 pack_bf16(float low, float high) {
    return static_cast<u32>(to_bf16(high).bits) << 16 | to_bf16(low).bits;
}

DEVICE float low_f32(u32 pair) { return __uint_as_float(pair << 16); }
DEVICE float high_f32(u32 pair) { return __uint_as_float(pair & 0xffff0000u); }

DEVICE float exp2_approx(float x) { return exp2f(x); }

DEVICE float negative_infinity() { return __uint_as_float(0xff800000u); }

// --- memory ----------------------------------------------------------------------------------

struct __align__(16) Words {
    u32 word[4];
};

DEVICE Words load_words(const void* global, Place place = Place::here()) {
    ::emu::check_aligned(global, 16, place);
    return *static_cast<const Words*>(global);
}
DEVICE Words load_words_once(const void* global, Place place = Place::here()) {
    return load_words(global, place);
}
DEVICE void store_words(void* to, Words w, Place place = Place::here()) {
    ::emu::check_aligned(to, 16, place);
    *static_cast<Words*>(to) = w;
}

DEVICE u32 shared_address(const void* shared) { return ::emu::shared_address(shared); }

DEVICE void cp_async_16(void* shared, const void* global, u32 num_bytes,
                        Place place = Place::here()) {
    ::emu::start_copy(shared, global, num_bytes, place);
}
DEVICE void cp_async_commit() { ::emu::commit_copies(); }
template <int NUM_PENDING>
DEVICE void cp_async_wait() {
    ::emu::wait_for_copies(NUM_PENDING);
}

// --- warp-wide matrix products -----------------------------------------------------------------

DEVICE void ldmatrix_x4(u32 (&r)[4], const void* shared_row, Place place = Place::here()) {
    ::emu::ldmatrix(r, shared_row, place);
}
DEVICE void ldmatrix_x2(u32 (&r)[2], const void* shared_row, Place place = Place::here()) {
    ::emu::ldmatrix(r, shared_row, place);
}
DEVICE void ldmatrix_x4_trans(u32 (&r)[4], const void* shared_row, Place place = Place::here()) {
    ::emu::ldmatrix_trans(r, shared_row, place);
}
DEVICE void ldmatrix_x2_trans(u32 (&r)[2], const void* shared_row, Place place = Place::here()) {
    ::emu::ldmatrix_trans(r, shared_row, place);
}

DEVICE void mma_m16n8k16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2],
                         Place place = Place::here()) {
    ::emu::mma_m16n8k16(d, a, b, place);
}

// --- barriers of some of a CTA's threads --------------------------------------------------------

DEVICE void named_barrier(u32 id, u32 num_threads, Place place = Place::here()) {
    ::emu::barrier(id, num_threads, place);
}
