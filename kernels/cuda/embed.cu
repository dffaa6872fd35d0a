// out[r] = table[tokens[r]] * scale
//
// table bf16 [V][width], out f32 [R][width]. One CTA a row; a thread widens 16 bytes, 8 elements,
// at a time. Bound by memory: R * width * (2 + 4) bytes.

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_THREADS = 128;

// Four elements, as the words that hold them.
DEVICE Words widen(u32 first, u32 second, float scale) {
    return {__float_as_uint(low_f32(first) * scale), __float_as_uint(high_f32(first) * scale),
            __float_as_uint(low_f32(second) * scale), __float_as_uint(high_f32(second) * scale)};
}

// grid: (R)
KERNEL(NUM_THREADS) embed(PARAM EmbedParams p) {
    const bf16* row = p.table + u64(p.tokens[blockIdx.x]) * p.width;
    float* out = p.out + u64(blockIdx.x) * p.width;
    for (u32 i = threadIdx.x * 8; i < p.width; i += NUM_THREADS * 8) {
        Words x = load_words(row + i);
        store_words(out + i, widen(x.word[0], x.word[1], p.scale));
        store_words(out + i + 4, widen(x.word[2], x.word[3], p.scale));
    }
}
KERNEL_EXPORT(embed)
