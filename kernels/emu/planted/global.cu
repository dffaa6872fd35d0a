// Planted bugs with global memory, and the same kernels without them. Lines of bugs are marked.

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_THREADS = 64;

struct PlantedParams {
    const float* x;
    float* out;
    u32 num;
};

// out[i] = x[i + num]; x has 64 elements.
KERNEL(NUM_THREADS) shifted_read(PARAM PlantedParams p) {
    p.out[threadIdx.x] = p.x[threadIdx.x + p.num];  // planted: the read
}
KERNEL_EXPORT(shifted_read)

// out[i + num] = x[i]; out has 64 elements.
KERNEL(NUM_THREADS) shifted_write(PARAM PlantedParams p) {
    p.out[threadIdx.x + p.num] = p.x[threadIdx.x];  // planted: the write
}
KERNEL_EXPORT(shifted_write)

// By an inlined function of ptx.cuh: the line is that of the kernel.
KERNEL(NUM_THREADS) shifted_words(PARAM PlantedParams p) {
    if (threadIdx.x >= 16) return;
    Words words = load_words(p.x + (threadIdx.x + p.num) * 4);  // planted: the words
    store_words(p.out + threadIdx.x * 4, words);
}
KERNEL_EXPORT(shifted_words)

KERNEL(NUM_THREADS) shifted_copy(PARAM PlantedParams p) {
    SHARED(Words, words, 16);
    if (threadIdx.x >= 16) return;
    cp_async_16(&words[threadIdx.x], p.x + (threadIdx.x + p.num) * 4, 16);  // planted: the copy
    cp_async_commit();
    cp_async_wait<0>();
    store_words(p.out + threadIdx.x * 4, words[threadIdx.x]);
}
KERNEL_EXPORT(shifted_copy)

// Not aligned to 16 bytes if num isn't a multiple of 4.
KERNEL(NUM_THREADS) unaligned_words(PARAM PlantedParams p) {
    if (threadIdx.x >= 15) return;
    Words words = load_words(p.x + threadIdx.x * 4 + p.num);  // planted: unaligned words
    store_words(p.out + threadIdx.x * 4, words);
}
KERNEL_EXPORT(unaligned_words)

// Two CTAs write out; if num is 0, each its own half.
KERNEL(32) two_ctas(PARAM PlantedParams p) {
    u32 first = p.num == 0 ? blockIdx.x * 32 : 0;
    p.out[first + threadIdx.x] = p.x[threadIdx.x];  // planted: the same element
}
KERNEL_EXPORT(two_ctas)

// Two CTAs count in out[0]; atomics need no order.
KERNEL(32) two_ctas_count(PARAM PlantedParams p) { atomicAdd(&p.out[0], 1.0f); }
KERNEL_EXPORT(two_ctas_count)

// CTA 1 reads what CTA 0 writes in the same launch; if num is 0, both only their own.
KERNEL(32) read_of_other(PARAM PlantedParams p) {
    u32 own = blockIdx.x * 32 + threadIdx.x;
    u32 from = p.num == 0 ? own : threadIdx.x;
    p.out[own] = 2;
    float x = p.out[from];  // planted: another's element
    if (x != 2) p.out[own] = x;
}
KERNEL_EXPORT(read_of_other)

// One word too many of the parameters: the test passes other arguments.
KERNEL(32) three_params(PARAM PlantedParams p, PARAM u32 first, PARAM u64 second) {
    p.out[threadIdx.x] = float(first) + float(second);
}
KERNEL_EXPORT(three_params)
