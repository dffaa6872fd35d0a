// Planted bugs with what is asynchronous, and the same kernels without them. Lines of bugs are
// marked.
//
// A kernel is right if `num` is 0, and has its bug if it is 1.

#include <params.h>
#include <ptx.cuh>

struct PlantedParams {
    const float* x;
    float* out;
    u32 num;
};

// out = x in words of 16 bytes, by cp.async.
KERNEL(64) copy(PARAM PlantedParams p) {
    SHARED(Words, words, 64);
    u32 i = threadIdx.x;
    cp_async_16(&words[i], p.x + 4 * i, 16);
    cp_async_commit();
    if (p.num == 0) cp_async_wait<0>();
    __syncthreads();             // all words have come before they are read
    Words word = words[63 - i];  // planted: a copy that may be under way
    store_words(p.out + 4 * i, word);
}
KERNEL_EXPORT(copy)

// The same, with the barrier before the wait.
KERNEL(64) copy_late_wait(PARAM PlantedParams p) {
    SHARED(Words, words, 64);
    u32 i = threadIdx.x;
    cp_async_16(&words[i], p.x + 4 * i, 16);
    cp_async_commit();
    if (p.num == 1) __syncthreads();  // orders nothing yet
    cp_async_wait<0>();
    if (p.num == 0) __syncthreads();  // all words have come before they are read
    Words word = words[63 - i];       // planted: another's copy
    store_words(p.out + 4 * i, word);
}
KERNEL_EXPORT(copy_late_wait)

#ifdef HOPPER

// Rows of 64 bfloat16 by TMA, 8 of them.
KERNEL(128) load(PARAM TensorMap x, PARAM PlantedParams p) {
    EXTERN_SHARED(tile);
    SHARED(u64, barrier, 1);
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        mbarrier_init_fence();
    }
    __syncthreads();  // the mbarrier is made before anyone waits for it
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect(barrier, 8 * 128);
        tma_load(tile, &x, barrier, 0, 0);
    }
    __syncthreads();  // the copy is issued before anyone reads; that it has come is another matter
    if (p.num == 0) mbarrier_wait(barrier, 0);
    u32 word = reinterpret_cast<u32*>(tile)[threadIdx.x];  // planted: TMA may be under way
    reinterpret_cast<u32*>(p.out)[threadIdx.x] = word;
    mbarrier_wait(barrier, 0);
}
KERNEL_EXPORT(load)

// The mbarrier is made by thread 0, without the fence for TMA.
KERNEL(128) load_without_fence(PARAM TensorMap x, PARAM PlantedParams p) {
    EXTERN_SHARED(tile);
    SHARED(u64, barrier, 1);
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        if (p.num == 0) mbarrier_init_fence();
        mbarrier_arrive_expect(barrier, 8 * 128);
        tma_load(tile, &x, barrier, 0, 0);  // planted: TMA doesn't see the mbarrier
        mbarrier_wait(barrier, 0);
    }
    __syncthreads();  // the tile has come before others read it
    u32 word = reinterpret_cast<u32*>(tile)[threadIdx.x];
    reinterpret_cast<u32*>(p.out)[threadIdx.x] = word;
}
KERNEL_EXPORT(load_without_fence)

enum Bug : u32 { NO_BUG = 0, NO_WAIT = 1, NO_FENCE = 2, NO_COMMIT = 3, STORED = 4, TOUCHED = 5 };

// out[64, 128] = x[64, 64] . x[128, 64]^T, with a bug of choice.
KERNEL(128) multiply(PARAM TensorMap x, PARAM TensorMap y, PARAM PlantedParams p) {
    EXTERN_SHARED(tiles);
    SHARED(u64, barrier, 1);
    u8* b = tiles + 64 * 128;
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        mbarrier_init_fence();
        mbarrier_arrive_expect(barrier, (64 + 128) * 128);
        tma_load(tiles, &x, barrier, 0, 0);
        tma_load(b, &y, barrier, 0, 0);
    }
    __syncthreads();  // the mbarrier is made before anyone waits for it
    mbarrier_wait(barrier, 0);
    if (p.num == STORED) {
        reinterpret_cast<u32*>(tiles)[threadIdx.x] = 0;
        __syncthreads();  // the stores come before wgmma, but not in its proxy
    }
    float d[64];
    for (float& sum : d) sum = 0;
    if (p.num != NO_FENCE) wgmma_fence();
    for (u32 k = 0; k < 4; ++k) {
        u64 from = wgmma_descriptor(tiles + 32 * k);
        wgmma_m64k16<128>(d, from, wgmma_descriptor(b + 32 * k));  // planted: the product
        if (p.num == TOUCHED) d[5] = 1;
    }
    if (p.num != NO_COMMIT) wgmma_commit();
    if (p.num != NO_WAIT) wgmma_wait<0>();  // planted: the wait
    for (u32 i = 0; i < 64; ++i) p.out[threadIdx.x * 64 + i] = d[i];
    wgmma_wait<0>();
}
KERNEL_EXPORT(multiply)

// The next tile is loaded over the one that wgmma still reads: num = 1 waits for no product first.
KERNEL(128) reload(PARAM TensorMap x, PARAM TensorMap y, PARAM PlantedParams p) {
    EXTERN_SHARED(tiles);
    SHARED(u64, barrier, 1);
    u8* b = tiles + 64 * 128;
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        mbarrier_init_fence();
    }
    __syncthreads();  // the mbarrier is made before anyone waits for it
    float d[64];
    for (float& sum : d) sum = 0;
    for (u32 step = 0; step < 2; ++step) {
        if (threadIdx.x == 0) {
            mbarrier_arrive_expect(barrier, (64 + 128) * 128);
            tma_load(tiles, &x, barrier, 0, 0);  // planted: over what is read
            tma_load(b, &y, barrier, 0, 0);
        }
        mbarrier_wait(barrier, step);
        wgmma_fence();
        wgmma_m64k16<128>(d, wgmma_descriptor(tiles), wgmma_descriptor(b));
        wgmma_commit();
        if (p.num == 0) wgmma_wait<0>();
        __syncthreads();  // all have multiplied before the next tile comes
    }
    wgmma_wait<0>();
    for (u32 i = 0; i < 64; ++i) p.out[threadIdx.x * 64 + i] = d[i];
}
KERNEL_EXPORT(reload)

#endif
