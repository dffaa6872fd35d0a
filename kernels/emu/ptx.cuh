// Stands in for cuda/ptx.cuh: the same functions, described there, on a host.
#pragma once

#include <device.cuh>

// --- numbers ---------------------------------------------------------------------------------

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

#define HOPPER

// --- Hopper: mbarriers, TMA, wgmma ---------------------------------------------------------------

struct __align__(64) TensorMap {
    u64 opaque[16];
};

DEVICE void mbarrier_init(u64* barrier, u32 num_arrivals, Place place = Place::here()) {
    ::emu::mbarrier_init(barrier, num_arrivals, place);
}
DEVICE void mbarrier_init_fence() { ::emu::mbarrier_init_fence(); }
DEVICE void mbarrier_arrive(u64* barrier, Place place = Place::here()) {
    ::emu::mbarrier_arrive(barrier, 0, place);
}
DEVICE void mbarrier_arrive_expect(u64* barrier, u32 num_bytes, Place place = Place::here()) {
    ::emu::mbarrier_arrive(barrier, num_bytes, place);
}
DEVICE void mbarrier_wait(u64* barrier, u32 parity, Place place = Place::here()) {
    ::emu::mbarrier_wait(barrier, parity, place);
}

DEVICE void tma_load(void* shared, const TensorMap* map, u64* barrier, u32 x, u32 y,
                     Place place = Place::here()) {
    ::emu::tma_load(shared, map, barrier, x, y, place);
}
DEVICE void tma_prefetch(const TensorMap*) {}

DEVICE u64 wgmma_descriptor(const void* tile) {
    constexpr u64 STRIDE_BYTES = 1024;
    constexpr u64 SWIZZLE_128 = 1;
    u64 address = shared_address(tile);
    return (address & 0x3ffff) >> 4 | 1ull << 16 | (STRIDE_BYTES >> 4) << 32 | SWIZZLE_128 << 62;
}
DEVICE void wgmma_fence(Place place = Place::here()) { ::emu::wgmma_fence(place); }
DEVICE void wgmma_commit(Place place = Place::here()) { ::emu::wgmma_commit(place); }
template <int NUM_PENDING>
DEVICE void wgmma_wait(Place place = Place::here()) {
    ::emu::wgmma_wait(NUM_PENDING, place);
}

template <int N>
DEVICE void wgmma_m64k16(float (&d)[N / 2], u64 a, u64 b, Place place = Place::here()) {
    static_assert(N == 128 || N == 256, "ptx.cuh has these");
    ::emu::wgmma(d, N, a, b, place);
}

template <int NUM_REGISTERS>
DEVICE void take_registers() {
    static_assert(NUM_REGISTERS % 8 == 0 && NUM_REGISTERS >= 24 && NUM_REGISTERS <= 256, "");
}
template <int NUM_REGISTERS>
DEVICE void give_registers() {
    static_assert(NUM_REGISTERS % 8 == 0 && NUM_REGISTERS >= 24 && NUM_REGISTERS <= 256, "");
}
