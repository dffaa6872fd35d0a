// Planted bugs with barriers, and the same kernels without them. Lines of bugs are marked.

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_THREADS = 64;

struct PlantedParams {
    const float* x;
    float* out;
    u32 num;
};

// Both halves of the CTA wait, at two lines.
KERNEL(NUM_THREADS) divergent(PARAM PlantedParams p) {
    if (threadIdx.x < p.num) {
        __syncthreads();  // planted: one line
    } else {
        __syncthreads();  // planted: another line
    }
    p.out[threadIdx.x] = 1;
}
KERNEL_EXPORT(divergent)

// Threads from `num` on return before the others' barrier.
KERNEL(NUM_THREADS) early_exit(PARAM PlantedParams p) {
    if (threadIdx.x >= p.num) return;
    __syncthreads();  // planted: a barrier without all
    p.out[threadIdx.x] = 1;
}
KERNEL_EXPORT(early_exit)

// The warp from `num` on doesn't come to the named barrier of both.
KERNEL(NUM_THREADS) missing_warp(PARAM PlantedParams p) {
    if (threadIdx.x < p.num) named_barrier(3, NUM_THREADS);  // planted: half a named barrier
    p.out[threadIdx.x] = 1;
}
KERNEL_EXPORT(missing_warp)

// Lanes from `num` on take no part in the shuffle.
KERNEL(NUM_THREADS) partial_shuffle(PARAM PlantedParams p) {
    u32 lane = threadIdx.x % 32;
    float x = 0;
    if (lane < p.num) x = __shfl_sync(~0u, p.x[threadIdx.x], 0);  // planted: some lanes
    p.out[threadIdx.x] = x;
}
KERNEL_EXPORT(partial_shuffle)

// A mask that names some lanes.
KERNEL(NUM_THREADS) partial_mask(PARAM PlantedParams p) {
    u32 lanes = p.num == NUM_THREADS ? ~0u : (1u << p.num) - 1;
    p.out[threadIdx.x] = __shfl_sync(lanes, p.x[threadIdx.x], 0);  // planted: a partial mask
}
KERNEL_EXPORT(partial_mask)

// Lanes below `num` shuffle at another line than the others.
KERNEL(NUM_THREADS) divergent_shuffle(PARAM PlantedParams p) {
    float x = p.x[threadIdx.x];
    if (threadIdx.x % 32 < p.num) {
        x = __shfl_sync(~0u, x, 0);  // planted: lanes at this shuffle
    } else {
        x = __shfl_sync(~0u, x, 1);  // planted: lanes at that shuffle
    }
    p.out[threadIdx.x] = x;
}
KERNEL_EXPORT(divergent_shuffle)

// The mbarrier waits for `num` arrivals; one comes.
KERNEL(NUM_THREADS) few_arrivals(PARAM PlantedParams p) {
    SHARED(u64, barrier, 1);
    if (threadIdx.x == 0) mbarrier_init(barrier, p.num);
    __syncthreads();  // the mbarrier is made before it is used
    if (threadIdx.x == 32) mbarrier_arrive(barrier);
    mbarrier_wait(barrier, 0);  // planted: nobody ends this phase
    p.out[threadIdx.x] = 1;
}
KERNEL_EXPORT(few_arrivals)

// out[i] = x[63 - i] for the first warp: handed over by an mbarrier, at which lane 0 arrives once
// its warp has written. Without __syncwarp (num = 0) it doesn't speak for the other lanes.
KERNEL(NUM_THREADS) hand_over(PARAM PlantedParams p) {
    SHARED(u64, barrier, 1);
    SHARED(float, row, 32);
    u32 lane = threadIdx.x % 32;
    if (threadIdx.x == 0) mbarrier_init(barrier, 1);
    __syncthreads();  // the mbarrier is made before it is used
    if (threadIdx.x >= 32) {
        row[lane] = p.x[threadIdx.x];
        if (p.num != 0) __syncwarp();  // the row is whole before lane 0 says so
        if (lane == 0) mbarrier_arrive(barrier);
        return;
    }
    mbarrier_wait(barrier, 0);
    p.out[lane] = row[31 - lane];  // planted: lanes that nobody spoke for
}
KERNEL_EXPORT(hand_over)
