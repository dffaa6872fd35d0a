// out = epilogue(x . w^T + bias), for any number of rows, on mma.sync
//
// x bf16 [R][C], w bf16 [N][C], out [R][N] or of a gate [R][N / 2]; see GemmParams. A CTA has a
// tile of outputs x rows in 4 warps; `plan` in gemm.rs chooses the size that keeps the processors
// busy. All sizes need at most 96 KiB of shared memory, what sm_89 has, so that an H100 holds two
// CTAs.
//
// Bound by memory (2 * N * C bytes) up to about 200 rows, then by 2 * R * N * C operations:
// mma.sync reaches about 60 % of an H100's wgmma rate, the whole rate of an A100. In between the
// traffic from the second cache counts: (outputs + rows) * 2 * C bytes a tile. A warp's 64 x 64 of
// the largest tile need 64 bytes of shared memory a cycle at an A100's rate, half of what there is;
// smaller parts of a warp need more. Measured by `jumpcoder bench kernels`.

#include <gemm_mma.cuh>

//          outputs, rows; of a warp; inputs of a stage, stages
GEMM_KERNEL(gemm_32x32, 32, 32, 16, 16, 128, 6)
GEMM_KERNEL(gemm_64x32, 64, 32, 16, 32, 128, 4)
GEMM_KERNEL(gemm_32x64, 32, 64, 16, 32, 128, 4)
GEMM_KERNEL(gemm_64x64, 64, 64, 32, 32, 64, 6)
GEMM_KERNEL(gemm_128x64, 128, 64, 64, 32, 64, 4)
GEMM_KERNEL(gemm_128x128, 128, 128, 64, 64, 64, 3)
