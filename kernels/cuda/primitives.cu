// The functions of ptx.cuh, each by itself: do fragments, tiles and descriptors lie as their
// comments say? On a device this is looked at before anything that is built of them.
//
// mma_fragments:  out[16, 8] += x[16, 16] . y[8, 16]^T, by one warp
// matrix_lanes:   what ldmatrix gives of 32 rows of 8, and its relatives
// copy_tile:      out = x by cp.async, with zeros behind num_rows
// numbers:        what floats become: bfloat16, a pair of them, a power of two
// pair_warps:     warps hand over their lanes at named barriers, two by two
// load_tile:      out = a box of TMA as it lies in shared memory
// wgmma_tile_N:   out[64, N] = x[64, C] . y[N, C]^T, by one warpgroup
// Nothing here is bound by anything.

#include <params.h>
#include <ptx.cuh>

// x and y as pairs of elements.
// grid: (1)
KERNEL(32) mma_fragments(PARAM PrimitiveParams p) {
    u32 g = threadIdx.x / 4, t = threadIdx.x % 4;
    u32 a[4], b[2];
    float d[4];
    for (u32 i = 0; i < 4; ++i) a[i] = p.x[(g + i % 2 * 8) * 8 + t + i / 2 * 4];
    for (u32 i = 0; i < 2; ++i) b[i] = p.y[g * 8 + t + i * 4];
    for (u32 i = 0; i < 4; ++i) d[i] = p.out[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
    mma_m16n8k16(d, a, b);
    for (u32 i = 0; i < 4; ++i) p.out[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
}
KERNEL_EXPORT(mma_fragments)

// out: a lane's registers after each other: 4 of x4, 4 of x4_trans, 2 of x2, 2 of x2_trans.
// grid: (1)
KERNEL(32) matrix_lanes(PARAM PrimitiveParams p) {
    SHARED(Words, rows, 32);
    // Lane l gives the address of row l, which lies elsewhere: nothing depends on rows in sequence.
    Words* row = &rows[threadIdx.x ^ 5];
    *row = load_words(p.x + threadIdx.x * 4);
    __syncwarp();  // each lane's row is written before others read it
    u32* out = reinterpret_cast<u32*>(p.out) + threadIdx.x * 12;
    u32 four[4], two[2];
    ldmatrix_x4(four, row);
    for (u32 i = 0; i < 4; ++i) out[i] = four[i];
    ldmatrix_x4_trans(four, row);
    for (u32 i = 0; i < 4; ++i) out[4 + i] = four[i];
    ldmatrix_x2(two, row);
    for (u32 i = 0; i < 2; ++i) out[8 + i] = two[i];
    ldmatrix_x2_trans(two, row);
    for (u32 i = 0; i < 2; ++i) out[10 + i] = two[i];
}
KERNEL_EXPORT(matrix_lanes)

// Rows are 16 bytes, one a thread, in two groups; threads hand out what their neighbours copied.
// grid: (1)
KERNEL(64) copy_tile(PARAM PrimitiveParams p) {
    SHARED(Words, first, 64);
    SHARED(Words, second, 64);
    u32 row = threadIdx.x, is_inside = row < p.num_rows;
    cp_async_16(&first[row], p.x + row * 4, is_inside * 16);
    cp_async_commit();
    cp_async_16(&second[row], p.y + row * 4, is_inside * 16);
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();  // all rows of `first` have come before they are read
    store_words(p.out + row * 4, first[63 - row]);
    cp_async_wait<0>();
    __syncthreads();  // all rows of `second` have come before they are read
    store_words(p.out + (64 + row) * 4, second[63 - row]);
}
KERNEL_EXPORT(copy_tile)

// out: of each float its bfloat16, its pair with its negative, and two to its power.
// grid: (1)
KERNEL(128) numbers(PARAM PrimitiveParams p) {
    u32 i = threadIdx.x;
    if (i >= p.num_rows) return;
    float x = __uint_as_float(p.x[i]);
    u32* out = reinterpret_cast<u32*>(p.out) + i * 3;
    out[0] = to_bf16(x).bits;
    out[1] = pack_bf16(x, -x);
    out[2] = __float_as_uint(exp2_approx(x));
}
KERNEL_EXPORT(numbers)

// out: what the same lane of the other warp of its two put down.
// grid: (1)
KERNEL(128) pair_warps(PARAM PrimitiveParams p) {
    SHARED(u32, words, 128);
    words[threadIdx.x] = p.x[threadIdx.x];
    u32 pair = threadIdx.x / 64;
    named_barrier(1 + pair, 64);  // the words of both warps are written before they are read
    reinterpret_cast<u32*>(p.out)[threadIdx.x] = words[threadIdx.x ^ 32];
}
KERNEL_EXPORT(pair_warps)

#ifdef HOPPER

constexpr u32 ROW_WORDS = 8;  // of 64 bfloat16, in 16 bytes each

// grid: (1)
KERNEL(128) load_tile(PARAM TensorMap x, PARAM PrimitiveParams p) {
    EXTERN_SHARED(tile);
    SHARED(u64, barrier, 1);
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        mbarrier_init_fence();
    }
    __syncthreads();  // the mbarrier is made before anyone waits for it
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect(barrier, p.num_rows * 128);
        tma_load(tile, &x, barrier, p.first_col, p.first_row);
    }
    mbarrier_wait(barrier, 0);
    for (u32 i = threadIdx.x; i < p.num_rows * ROW_WORDS; i += 128) {
        store_words(p.out + i * 4, load_words(tile + i * 16));
    }
}
KERNEL_EXPORT(load_tile)

template <int N>
DEVICE void wgmma_tile(u8* tiles, u64* barrier, const TensorMap* x, const TensorMap* y,
                       const PrimitiveParams& p) {
    u8* a = tiles;
    u8* b = tiles + 64 * 128;
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        mbarrier_init_fence();
    }
    __syncthreads();  // the mbarrier is made before anyone waits for it
    float d[N / 2];
    for (u32 i = 0; i < N / 2; ++i) d[i] = 0;
    for (u32 step = 0; step < p.num_steps; ++step) {
        if (threadIdx.x == 0) {
            mbarrier_arrive_expect(barrier, (64 + N) * 128);
            tma_load(a, x, barrier, step * 64, 0);
            tma_load(b, y, barrier, step * 64, 0);
        }
        mbarrier_wait(barrier, step % 2);
        wgmma_fence();
        for (u32 k = 0; k < 4; ++k) {
            wgmma_m64k16<N>(d, wgmma_descriptor(a + k * 32), wgmma_descriptor(b + k * 32));
        }
        wgmma_commit();
        wgmma_wait<0>();
        __syncthreads();  // the tiles are read before the next ones overwrite them
    }
    u32 lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4;
    for (u32 i = 0; i < N / 2; ++i) {
        u32 col = i / 4 * 8 + lane % 4 * 2 + i % 2;
        p.out[(row + i / 2 % 2 * 8) * N + col] = d[i];
    }
}

// grid: (1)
KERNEL(128) wgmma_tile_128(PARAM TensorMap x, PARAM TensorMap y, PARAM PrimitiveParams p) {
    EXTERN_SHARED(tiles);
    SHARED(u64, barrier, 1);
    wgmma_tile<128>(tiles, barrier, &x, &y, p);
}
KERNEL_EXPORT(wgmma_tile_128)

// grid: (1)
KERNEL(128) wgmma_tile_256(PARAM TensorMap x, PARAM TensorMap y, PARAM PrimitiveParams p) {
    EXTERN_SHARED(tiles);
    SHARED(u64, barrier, 1);
    wgmma_tile<256>(tiles, barrier, &x, &y, p);
}
KERNEL_EXPORT(wgmma_tile_256)

#endif
