// out[i] = x[row_idx[i]]
//
// One CTA a row; a thread copies 16-byte words. Bound by memory: 2 * R * row_bytes.

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_THREADS = 128;

// grid: (R)
KERNEL(NUM_THREADS) gather(PARAM GatherParams p) {
    u32 from = p.row_idx[blockIdx.x];
    if (from == NONE) return;
    const u8* x = p.x + u64(from) * p.row_bytes;
    u8* out = p.out + u64(blockIdx.x) * p.row_bytes;
    for (u32 at = threadIdx.x * 16; at < p.row_bytes; at += NUM_THREADS * 16) {
        store_words(out + at, load_words(x + at));
    }
}
KERNEL_EXPORT(gather)
