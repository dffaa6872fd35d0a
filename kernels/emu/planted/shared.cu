// Planted bugs with shared memory, and the same kernels without them. Lines of bugs are marked.
//
// Every kernel has one parameter: out, of a float a thread, and x, of as many.

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_THREADS = 64;

struct PlantedParams {
    const float* x;
    float* out;
    u32 num;  // elements of x
};

// out[i] = x[63 - i], through shared memory.
KERNEL(NUM_THREADS) reverse(PARAM PlantedParams p) {
    SHARED(float, row, NUM_THREADS);
    u32 i = threadIdx.x;
    row[i] = p.x[i];
    __syncthreads();  // the row is whole before others read it
    p.out[i] = row[NUM_THREADS - 1 - i];
}
KERNEL_EXPORT(reverse)

KERNEL(NUM_THREADS) reverse_without_barrier(PARAM PlantedParams p) {
    SHARED(float, row, NUM_THREADS);
    u32 i = threadIdx.x;
    row[i] = p.x[i];
    p.out[i] = row[NUM_THREADS - 1 - i];  // planted: the reads
}
KERNEL_EXPORT(reverse_without_barrier)

// out[i] = sum of x[0..i] by a pass after the other: each reads what the one before wrote.
KERNEL(NUM_THREADS) prefix_sum(PARAM PlantedParams p) {
    SHARED(float, row, NUM_THREADS);
    u32 i = threadIdx.x;
    row[i] = p.x[i];
    __syncthreads();  // the row is whole before others read it
    for (u32 by = 1; by < NUM_THREADS; by *= 2) {
        float other = i >= by ? row[i - by] : 0;
        __syncthreads();  // the row is read before it is written
        row[i] += other;
        __syncthreads();  // the row is written before others read it
    }
    p.out[i] = row[i];
}
KERNEL_EXPORT(prefix_sum)

KERNEL(NUM_THREADS) prefix_sum_without_second_barrier(PARAM PlantedParams p) {
    SHARED(float, row, NUM_THREADS);
    u32 i = threadIdx.x;
    row[i] = p.x[i];
    __syncthreads();  // the row is whole before others read it
    for (u32 by = 1; by < NUM_THREADS; by *= 2) {
        float other = i >= by ? row[i - by] : 0;  // planted: reads among writes
        row[i] += other;
        __syncthreads();  // the row is written before others read it
    }
    p.out[i] = row[i];
}
KERNEL_EXPORT(prefix_sum_without_second_barrier)

// out[i] = x[i ^ 1], by lanes of one warp: __syncwarp is enough.
KERNEL(NUM_THREADS) exchange(PARAM PlantedParams p) {
    SHARED(float, row, NUM_THREADS);
    u32 i = threadIdx.x;
    row[i] = p.x[i];
    __syncwarp();  // the pair is written before it is read
    p.out[i] = row[i ^ 1];
}
KERNEL_EXPORT(exchange)

// A shuffle doesn't order memory.
KERNEL(NUM_THREADS) exchange_with_shuffle(PARAM PlantedParams p) {
    SHARED(float, row, NUM_THREADS);
    u32 i = threadIdx.x;
    row[i] = p.x[i];
    __shfl_xor_sync(~0u, i, 1);
    p.out[i] = row[i ^ 1];  // planted: unordered lanes
}
KERNEL_EXPORT(exchange_with_shuffle)

// The first `num` elements of shared memory are written.
KERNEL(NUM_THREADS) partly_written(PARAM PlantedParams p) {
    SHARED(float, row, NUM_THREADS);
    u32 i = threadIdx.x;
    if (i < p.num) row[i] = p.x[i];
    __syncthreads();                      // the row is whole before others read it
    p.out[i] = row[NUM_THREADS - 1 - i];  // planted: unwritten
}
KERNEL_EXPORT(partly_written)

// Element `num` of the shared array, 64 or more, is none.
KERNEL(NUM_THREADS) beyond_shared(PARAM PlantedParams p) {
    SHARED(float, row, NUM_THREADS);
    SHARED(float, next, NUM_THREADS);
    u32 i = threadIdx.x;
    row[i] = next[i] = 0;
    __syncthreads();                  // both are whole before they are written again
    if (i == 3) row[p.num] = p.x[i];  // planted: beyond the array
    __syncthreads();                  // the element is written before it is read
    p.out[i] = row[i] + next[i];
}
KERNEL_EXPORT(beyond_shared)

KERNEL(NUM_THREADS) beyond_dynamic_shared(PARAM PlantedParams p) {
    EXTERN_SHARED(bytes);
    u32 i = threadIdx.x;
    reinterpret_cast<float*>(bytes)[i] = p.x[i];
    __syncthreads();               // the floats are whole before one is written again
    if (i == 0) bytes[p.num] = 0;  // planted: beyond the dynamic bytes
    __syncthreads();               // the byte is written before it is read
    p.out[i] = reinterpret_cast<float*>(bytes)[i];
}
KERNEL_EXPORT(beyond_dynamic_shared)
