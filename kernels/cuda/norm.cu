// rms_norm:   out = x / sqrt(mean(x^2) + eps) * (weight_offset + weight)
// layer_norm: out = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * weight + bias
//
// x f32 [R][width], weight and bias f32 [width], out bf16 [R][width]. One CTA a row, a thread takes
// 4 elements at a time. The passes after the first find the row in the first cache: a row of 8,192
// is 32 KiB. Which thread sums what depends on the width alone, so a row's bits do.
// Bound by memory: R * width * (4 + 2) bytes; few rows are bound by the latency of a pass each.

#include <params.h>
#include <ptx.cuh>
#include <reduce.cuh>

constexpr u32 NUM_THREADS = 256;
constexpr u32 NUM_WARPS = NUM_THREADS / 32;
constexpr u32 STEP = NUM_THREADS * 4;

struct Floats {
    float f[4];
};

DEVICE Floats load_floats(const float* x) {
    Words w = load_words(x);
    return {__uint_as_float(w.word[0]), __uint_as_float(w.word[1]), __uint_as_float(w.word[2]),
            __uint_as_float(w.word[3])};
}

// 8 bytes, aligned.
struct __align__(8) Pair {
    u32 word[2];
};

DEVICE void store_bf16s(bf16* out, Floats y) {
    *reinterpret_cast<Pair*>(out) = {pack_bf16(y.f[0], y.f[1]), pack_bf16(y.f[2], y.f[3])};
}

// The sum of (x - shift)^2 of this thread's elements.
DEVICE float sum_of_squares(const float* x, u32 width, float shift) {
    float sum = 0;
    for (u32 i = threadIdx.x * 4; i < width; i += STEP) {
        Floats v = load_floats(x + i);
        for (float f : v.f) sum = fmaf(f - shift, f - shift, sum);
    }
    return sum;
}

DEVICE float sum(const float* x, u32 width) {
    float sum = 0;
    for (u32 i = threadIdx.x * 4; i < width; i += STEP) {
        Floats v = load_floats(x + i);
        for (float f : v.f) sum += f;
    }
    return sum;
}

// grid: (R)
KERNEL(NUM_THREADS) rms_norm(PARAM NormParams p) {
    SHARED(float, sums, NUM_WARPS);
    const float* x = p.x + u64(blockIdx.x) * p.width;
    bf16* out = p.out + u64(blockIdx.x) * p.width;
    float squares = cta_reduce<NUM_WARPS>(sum_of_squares(x, p.width, 0), sums, Add());
    float scale = 1 / sqrtf(squares / float(p.width) + p.eps);
    for (u32 i = threadIdx.x * 4; i < p.width; i += STEP) {
        Floats v = load_floats(x + i);
        Floats weight = load_floats(p.weight + i);
        Floats y;
        for (u32 j = 0; j < 4; ++j) y.f[j] = v.f[j] * scale * (p.weight_offset + weight.f[j]);
        store_bf16s(out + i, y);
    }
}
KERNEL_EXPORT(rms_norm)

// grid: (R)
KERNEL(NUM_THREADS) layer_norm(PARAM NormParams p) {
    SHARED(float, sums, NUM_WARPS);
    const float* x = p.x + u64(blockIdx.x) * p.width;
    bf16* out = p.out + u64(blockIdx.x) * p.width;
    float mean = cta_reduce<NUM_WARPS>(sum(x, p.width), sums, Add()) / float(p.width);
    float squares = cta_reduce<NUM_WARPS>(sum_of_squares(x, p.width, mean), sums, Add());
    float scale = 1 / sqrtf(squares / float(p.width) + p.eps);
    for (u32 i = threadIdx.x * 4; i < p.width; i += STEP) {
        Floats v = load_floats(x + i);
        Floats weight = load_floats(p.weight + i);
        Floats bias = load_floats(p.bias + i);
        Floats y;
        for (u32 j = 0; j < 4; ++j) {
            y.f[j] = fmaf((v.f[j] - mean) * scale, weight.f[j], bias.f[j]);
        }
        store_bf16s(out + i, y);
    }
}
KERNEL_EXPORT(layer_norm)
