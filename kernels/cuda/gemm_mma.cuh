// A CTA of out = epilogue(x . w^T + bias) on mma.sync, for tiles of any size.
#pragma once

#include <epilogue.cuh>
#include <mma_tile.cuh>

// grid: (row tiles, output tiles). Row tiles come first, so that the CTAs that run at the same time
// read the same weights, and a matrix comes from memory once.
template <class T>
DEVICE void gemm(const GemmParams& p, u8* shared) {
    u32 first_row = blockIdx.x * T::ROWS, first_output = blockIdx.y * T::OUTPUTS;
    Operands<AllLines> operands = {p.w,          p.x,          {p.num_rows}, p.num_outputs,
                                   p.num_inputs, first_output, first_row};
    Sums<T> sums;
    multiply(sums, operands, shared);
    if (!T::multiplies()) return;
    finish(p, first_output + T::warp_output(), first_row + T::warp_row(), sums.d);
}

// A kernel of this tile.
#define GEMM_KERNEL(name, ...)                                             \
    KERNEL((Tile<__VA_ARGS__>::NUM_THREADS), 1) name(PARAM GemmParams p) { \
        EXTERN_SHARED(shared);                                             \
        gemm<Tile<__VA_ARGS__>>(p, shared);                                \
    }                                                                      \
    KERNEL_EXPORT(name)
