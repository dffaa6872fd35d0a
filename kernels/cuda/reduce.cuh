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
};

// Over the lanes of a warp: halves first, neighbours last.
template <typename T, typename Join>
DEVICE T warp_reduce(T x, Join join) {
    for (u32 distance = 16; distance > 0; distance /= 2) {
        x = join(x, __shfl_xor_sync(0xffffffffu, x, distance));
    }
    return x;
}

// Over all NUM_WARPS warps of the CTA: within each, then one after the other. `shared` has room for
// NUM_WARPS.
template <u32 NUM_WARPS, typename T, typename Join>
DEVICE T cta_reduce(T x, T* shared, Join join) {
    x = warp_reduce(x, join);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
    __syncthreads();  // orders the warps' results before all threads' reads of them
    x = shared[0];
    for (u32 warp = 1; warp < NUM_WARPS; ++warp) x = join(x, shared[warp]);
    __syncthreads();  // orders these reads before the next reduction's writes
    return x;
}
