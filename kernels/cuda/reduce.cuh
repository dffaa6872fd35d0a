// Reductions over a CTA. Their tree is fixed by the number of threads, and every thread gets the
// same bits.
#pragma once

#include <device.cuh>

struct Add {
    template <typename T>
    DEVICE T operator()(T a, T b) const {
        return a + b;
    }
};

// The greater one; a NaN loses.
struct Max {
    DEVICE float operator()(float a, float b) const { return fmaxf(a, b); }
    DEVICE u64 operator()(u64 a, u64 b) const { return a > b ? a : b; }
};

// Over each WIDTH neighbouring lanes of a warp, a power of two: halves first, neighbours last.
template <u32 WIDTH, typename T, typename Join>
DEVICE T warp_reduce(T x, Join join) {
    for (u32 distance = WIDTH / 2; distance > 0; distance /= 2) {
        x = join(x, __shfl_xor_sync(0xffffffffu, x, distance));
    }
    return x;
}

// Over all NUM_WARPS warps of the CTA, a power of two: within each, then over their results.
// `shared` has room for NUM_WARPS.
template <u32 NUM_WARPS, typename T, typename Join>
DEVICE T cta_reduce(T x, T* shared, Join join) {
    u32 lane = threadIdx.x % 32;
    x = warp_reduce<32>(x, join);
    if (lane == 0) shared[threadIdx.x / 32] = x;
    __syncthreads();  // orders the warps' results before all threads' reads of them
    x = shared[lane % NUM_WARPS];
    __syncthreads();  // orders these reads before the next reduction's writes
    return warp_reduce<NUM_WARPS>(x, join);
}
