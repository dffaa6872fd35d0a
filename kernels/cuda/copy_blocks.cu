// cache[plane][to[i]] = cache[plane][from[i]], for every plane
//
// One CTA a block and plane; a thread copies 16-byte words. No block is written twice, and none is
// both read and written. Bound by memory: 2 * num_copies * num_planes * block_bytes.

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_THREADS = 256;

// grid: (num_copies, num_planes)
KERNEL(NUM_THREADS) copy_blocks(PARAM CopyBlocksParams p) {
    u32 from = p.from[blockIdx.x];
    if (from == NONE) return;
    u8* plane = p.cache + blockIdx.y * p.plane_bytes;
    const u8* source = plane + u64(from) * p.block_bytes;
    u8* target = plane + u64(p.to[blockIdx.x]) * p.block_bytes;
    for (u32 at = threadIdx.x * 16; at < p.block_bytes; at += NUM_THREADS * 16) {
        store_words(target + at, load_words(source + at));
    }
}
KERNEL_EXPORT(copy_blocks)
