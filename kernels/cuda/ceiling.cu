// What a device can do at best: the ceilings that all other times are compared with.
//
// copy:           out = x in words of 16 bytes, four under way in each thread
// multiply:       a warp adds x[16, 16] . y[8, 16]^T to NUM_SUMS sums again and again, in registers
// multiply_group: likewise a warpgroup with wgmma; x[128, 64] and y[256, 64] are in shared memory,
//                 where those of a large product would be, too
// copy is bound by memory: 2 * num_words * 16 bytes. The others touch none in their loops and are
// bound by the tensor cores: 4,096 operations an mma, 2 * 64 * 256 * 16 a wgmma.

#include <params.h>
#include <ptx.cuh>

constexpr u32 COPY_THREADS = 256;
constexpr u32 COPY_WORDS = 4;  // under way in a thread
constexpr u32 NUM_SUMS = 8;    // independent, so that an mma needn't wait for the last one

// grid: (num_words / (COPY_THREADS * COPY_WORDS))
KERNEL(COPY_THREADS) copy(PARAM CeilingParams p) {
    u64 first = (u64(blockIdx.x) * COPY_THREADS * COPY_WORDS + threadIdx.x) * 4;
    Words words[COPY_WORDS];
    for (u32 i = 0; i < COPY_WORDS; ++i) {
        words[i] = load_words_once(p.x + first + i * COPY_THREADS * 4);
    }
    u32* out = reinterpret_cast<u32*>(p.out);
    for (u32 i = 0; i < COPY_WORDS; ++i) {
        store_words(out + first + i * COPY_THREADS * 4, words[i]);
    }
}
KERNEL_EXPORT(copy)

// x and y as pairs of elements; out[warp of all][16, 8], the sum of all sums.
// grid: (any)
KERNEL(256) multiply(PARAM CeilingParams p) {
    u32 lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    u32 a[4], b[2];
    for (u32 i = 0; i < 4; ++i) a[i] = p.x[(g + i % 2 * 8) * 8 + t + i / 2 * 4];
    for (u32 i = 0; i < 2; ++i) b[i] = p.y[g * 8 + t + i * 4];
    float d[NUM_SUMS][4];
    for (u32 n = 0; n < NUM_SUMS; ++n) {
        for (u32 i = 0; i < 4; ++i) d[n][i] = 0;
    }
    for (u32 step = 0; step < p.num_steps; ++step) {
        for (u32 n = 0; n < NUM_SUMS; ++n) mma_m16n8k16(d[n], a, b);
    }
    float* out = p.out + u64(blockIdx.x * 8 + threadIdx.x / 32) * 128;
    for (u32 i = 0; i < 4; ++i) {
        float sum = 0;
        for (u32 n = 0; n < NUM_SUMS; ++n) sum += d[n][i];
        out[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sum;
    }
}
KERNEL_EXPORT(multiply)

#ifdef HOPPER

constexpr u32 NUM_ROUNDS = 4;  // of four wgmmas between two waits

// Two warpgroups, each with 64 rows of x; out[CTA][128, 256].
// grid: (any)
KERNEL(256) multiply_group(PARAM TensorMap x, PARAM TensorMap y, PARAM CeilingParams p) {
    EXTERN_SHARED(tiles);
    SHARED(u64, barrier, 1);
    u32 group = threadIdx.x / 128;
    u8* a = tiles + group * 64 * 128;
    u8* b = tiles + 128 * 128;
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        mbarrier_init_fence();
    }
    __syncthreads();  // the mbarrier is made before anyone waits for it
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect(barrier, (128 + 256) * 128);
        tma_load(tiles, &x, barrier, 0, 0);
        tma_load(b, &y, barrier, 0, 0);
    }
    mbarrier_wait(barrier, 0);
    float d[128];
    for (u32 i = 0; i < 128; ++i) d[i] = 0;
#pragma unroll 1
    for (u32 step = 0; step < p.num_steps; ++step) {
        wgmma_fence();
        for (u32 k = 0; k < 4 * NUM_ROUNDS; ++k) {
            u32 place = k % 4 * 32;
            wgmma_m64k16<256>(d, wgmma_descriptor(a + place), wgmma_descriptor(b + place));
        }
        wgmma_commit();
        wgmma_wait<0>();
    }
    u32 lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4;
    float* out = p.out + u64(blockIdx.x) * 128 * 256;
    for (u32 i = 0; i < 128; ++i) {
        u32 col = i / 4 * 8 + lane % 4 * 2 + i % 2;
        out[(row + i / 2 % 2 * 8) * 256 + col] = d[i];
    }
}
KERNEL_EXPORT(multiply_group)

#endif
