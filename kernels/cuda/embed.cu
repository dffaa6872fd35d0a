// out[r] = table[tokens[r]] * scale + places[positions[r]]
//
// table bf16 [V][width], places bf16 [positions][width] or null, out f32 [R][width]. One CTA a row;
// a thread widens 16 bytes, 8 elements, at a time. Bound by memory: R * width * (2 + 2 + 4) bytes.

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_THREADS = 128;

// Four elements, as the words that hold them, from the pairs of both tables.
DEVICE Words place(const u32 x[2], const u32 place[2], float scale) {
    return {__float_as_uint(fmaf(low_f32(x[0]), scale, low_f32(place[0]))),
            __float_as_uint(fmaf(high_f32(x[0]), scale, high_f32(place[0]))),
            __float_as_uint(fmaf(low_f32(x[1]), scale, low_f32(place[1]))),
            __float_as_uint(fmaf(high_f32(x[1]), scale, high_f32(place[1])))};
}

// grid: (R)
KERNEL(NUM_THREADS) embed(PARAM EmbedParams p) {
    const bf16* row = p.table + u64(p.tokens[blockIdx.x]) * p.width;
    const bf16* at = nullptr;
    if (p.places != nullptr) at = p.places + u64(p.positions[blockIdx.x]) * p.width;
    float* out = p.out + u64(blockIdx.x) * p.width;
    for (u32 i = threadIdx.x * 8; i < p.width; i += NUM_THREADS * 8) {
        Words x = load_words(row + i), to = {0, 0, 0, 0};
        if (at != nullptr) to = load_words(at + i);
        store_words(out + i, place(x.word, to.word, p.scale));
        store_words(out + i + 4, place(x.word + 2, to.word + 2, p.scale));
    }
}
KERNEL_EXPORT(embed)
