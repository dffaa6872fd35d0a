// out = epilogue(x . w^T + bias), for many rows, on Hopper's own instructions
//
// x bf16 [R][C], w bf16 [N][C], out [R][N] or of a gate [R][N / 2]; see GemmParams. Tiles of 128
// outputs and 128 or 256 rows. A CTA holds a processor for the whole launch and takes tiles in
// turn. One warpgroup has TMA bring both operands, 64 inputs a stage, into a ring of 192 KiB; two
// multiply them, 64 outputs each, straight from shared memory. So the copies of the next tile go on
// while the sums of the last are written. 256 rows: a weight that wgmma reads from shared memory is
// used 256 times, and the sums just fit (128 registers a thread).
//
// Bound by 2 * R * N * C operations: at least 80 % of the measured matrix rate expected from 512
// rows and 4,096 outputs up. Measured by `jumpcoder bench kernels`. Its sums have wgmma's order,
// whatever that is: only mode `fast` takes it.

#include <epilogue.cuh>

#ifdef HOPPER

constexpr u32 OUTPUTS = 128;
constexpr u32 GROUP_OUTPUTS = 64;
constexpr u32 DEPTH = 64;
constexpr u32 LINE_BYTES = 2 * DEPTH;
constexpr u32 RING_BYTES = 192 * 1024;

constexpr u32 GROUP_THREADS = 128;
constexpr u32 NUM_MMA_GROUPS = OUTPUTS / GROUP_OUTPUTS;
constexpr u32 NUM_THREADS = (1 + NUM_MMA_GROUPS) * GROUP_THREADS;
// 64 K registers: 128 threads that copy and 256 that multiply.
constexpr u32 COPY_REGISTERS = 40;
constexpr u32 MMA_REGISTERS = 232;

template <u32 ROWS_>
struct HopperTile {
    static constexpr u32 ROWS = ROWS_;
    static constexpr u32 W_BYTES = OUTPUTS * LINE_BYTES;
    static constexpr u32 STAGE_BYTES = W_BYTES + ROWS * LINE_BYTES;
    static constexpr u32 STAGES = RING_BYTES / STAGE_BYTES;
    static_assert(STAGES * STAGE_BYTES == RING_BYTES, "stages fill the ring");
};

// A place in the ring, and how often it was passed.
template <u32 STAGES>
struct Cursor {
    u32 stage = 0;
    u32 parity = 0;
    DEVICE void advance() {
        if (++stage == STAGES) stage = 0, parity ^= 1;
    }
};

// What all warps of a CTA share.
template <class T>
struct Ring {
    u8* stages;   // [STAGES][STAGE_BYTES]
    u64* filled;  // [STAGES]: both operands have come
    u64* free;    // [STAGES]: all warps have read them

    DEVICE u8* stage(u32 stage) const { return stages + stage * T::STAGE_BYTES; }
    DEVICE void init() const {
        for (u32 stage = 0; stage < T::STAGES; ++stage) {
            mbarrier_init(&filled[stage], 1);
            mbarrier_init(&free[stage], NUM_MMA_GROUPS * GROUP_THREADS / 32);
        }
        mbarrier_init_fence();
    }
};

// The tiles of a launch. Row tiles come first: CTAs at work at the same time read the same weights.
struct Tiles {
    u32 num_row_tiles, num_tiles, num_steps;

    DEVICE Tiles(const GemmParams& p, u32 tile_rows) {
        num_row_tiles = (p.num_rows + tile_rows - 1) / tile_rows;
        num_tiles = num_row_tiles * ((p.num_outputs + OUTPUTS - 1) / OUTPUTS);
        num_steps = (p.num_inputs + DEPTH - 1) / DEPTH;
    }
    DEVICE u32 first_output(u32 tile) const { return tile / num_row_tiles * OUTPUTS; }
    DEVICE u32 row_tile(u32 tile) const { return tile % num_row_tiles; }
};

// One thread starts all copies.
template <class T>
DEVICE void copy_tiles(const Ring<T>& ring, const Tiles& tiles, const TensorMap* w,
                       const TensorMap* x) {
    Cursor<T::STAGES> at;
    for (u32 tile = blockIdx.x; tile < tiles.num_tiles; tile += gridDim.x) {
        u32 first_output = tiles.first_output(tile), first_row = tiles.row_tile(tile) * T::ROWS;
        for (u32 step = 0; step < tiles.num_steps; ++step, at.advance()) {
            // In the first round the phase "before the first" has ended: all stages are free.
            mbarrier_wait(&ring.free[at.stage], at.parity ^ 1);
            u64* filled = &ring.filled[at.stage];
            u8* stage = ring.stage(at.stage);
            mbarrier_arrive_expect(filled, T::STAGE_BYTES);
            tma_load(stage, w, filled, step * DEPTH, first_output);
            tma_load(stage + T::W_BYTES, x, filled, step * DEPTH, first_row);
        }
    }
}

// Starts the products of a stage.
template <class T>
DEVICE void multiply_stage(float (&d)[T::ROWS / 2], const u8* w, const u8* x) {
    wgmma_fence();
#pragma unroll
    for (u32 k = 0; k < DEPTH; k += 16) {
        wgmma_m64k16<T::ROWS>(d, wgmma_descriptor(w + 2 * k), wgmma_descriptor(x + 2 * k));
    }
    wgmma_commit();
}

// A warpgroup's part of all tiles.
template <class T>
DEVICE void multiply_tiles(const Ring<T>& ring, const Tiles& tiles, const GemmParams& p) {
    u32 group = threadIdx.x / GROUP_THREADS - 1, warp = threadIdx.x % GROUP_THREADS / 32;
    bool speaks = threadIdx.x % 32 == 0;
    Cursor<T::STAGES> at;
    for (u32 tile = blockIdx.x; tile < tiles.num_tiles; tile += gridDim.x) {
        float d[1][T::ROWS / 8][4];
        auto& sums = reinterpret_cast<float (&)[T::ROWS / 2]>(d);
        for (float& sum : sums) sum = 0;
        u32 last_stage = 0;
        for (u32 step = 0; step < tiles.num_steps; ++step, at.advance()) {
            mbarrier_wait(&ring.filled[at.stage], at.parity);
            const u8* stage = ring.stage(at.stage);
            const u8* w = stage + group * GROUP_OUTPUTS * LINE_BYTES;
            multiply_stage<T>(sums, w, stage + T::W_BYTES);
            // While this stage is multiplied, the one before is done with.
            wgmma_wait<1>();
            if (step > 0 && speaks) mbarrier_arrive(&ring.free[last_stage]);
            last_stage = at.stage;
        }
        wgmma_wait<0>();
        if (speaks) mbarrier_arrive(&ring.free[last_stage]);
        u32 first_output = tiles.first_output(tile) + group * GROUP_OUTPUTS + warp * 16;
        finish(p, first_output, tiles.row_tile(tile) * T::ROWS, d);
    }
}

template <class T>
DEVICE void gemm(const Ring<T>& ring, const TensorMap* w, const TensorMap* x, const GemmParams& p) {
    Tiles tiles(p, T::ROWS);
    if (threadIdx.x == 0) ring.init();
    __syncthreads();  // the mbarriers are made before anyone waits for them
    if (threadIdx.x < GROUP_THREADS) {
        give_registers<COPY_REGISTERS>();
        if (threadIdx.x == 0) {
            tma_prefetch(w);
            tma_prefetch(x);
            copy_tiles(ring, tiles, w, x);
        }
    } else {
        take_registers<MMA_REGISTERS>();
        multiply_tiles(ring, tiles, p);
    }
}

// A kernel for tiles of so many rows; grid: (CTAs), at most one a processor.
#define HOPPER_KERNEL(name, rows)                                      \
    KERNEL(NUM_THREADS, 1)                                             \
    name(PARAM TensorMap w, PARAM TensorMap x, PARAM GemmParams p) {   \
        EXTERN_SHARED(stages);                                         \
        SHARED(u64, filled, HopperTile<rows>::STAGES);                 \
        SHARED(u64, free, HopperTile<rows>::STAGES);                   \
        gemm(Ring<HopperTile<rows>>{stages, filled, free}, &w, &x, p); \
    }                                                                  \
    KERNEL_EXPORT(name)

HOPPER_KERNEL(gemm_hopper_128x128, 128)
HOPPER_KERNEL(gemm_hopper_128x256, 256)

#endif
