// out = epilogue(x . w^T + bias), for up to 16 rows: the weights are streamed
//
// x bf16 [R][C], w bf16 [N][C], out [R][N] or of a gate [R][N / 2]; see GemmParams. A CTA has a
// strip of 16, 32 or 64 outputs and all rows: 32, because 4,096 outputs then fill 128 of 132
// processors; fewer for small matrices, more for wide ones, whose CTAs then read x less often. A
// stage has 128 inputs, so that a line of weights is 256 contiguous bytes. 7 stages of 32 outputs
// are 56 KiB of weights under way in a CTA; a processor of an H100 needs about 25 for its share of
// the bandwidth (3.35 TB/s at 1 us). Half of the warps multiply, the others copy: an output is one
// chain of sums, 33 cycles a step of 16 inputs, and 8 KiB in 8 steps are twice what a processor
// gets from memory, if nothing else keeps these warps busy.
//
// Bound by memory: 2 * N * C bytes. At least 90 % of the copy bandwidth expected from 32 MiB up;
// below, C / 16 * 33 cycles show. Measured by `jumpcoder bench kernels`.

#include <gemm_mma.cuh>

//          outputs, rows; of a warp; inputs of a stage, stages, warps that copy
GEMM_KERNEL(gemm_16x8, 16, 8, 16, 8, 128, 8, 1)
GEMM_KERNEL(gemm_32x8, 32, 8, 16, 8, 128, 8, 2)
GEMM_KERNEL(gemm_64x8, 64, 8, 16, 8, 128, 4, 4)
GEMM_KERNEL(gemm_16x16, 16, 16, 16, 16, 128, 8, 1)
GEMM_KERNEL(gemm_32x16, 32, 16, 16, 16, 128, 8, 2)
GEMM_KERNEL(gemm_64x16, 64, 16, 16, 16, 128, 4, 4)
