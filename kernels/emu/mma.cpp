// mma.sync on the host. It is where the emulator's time goes, so the lanes' fragments are gathered
// into matrices and multiplied eight outputs at a time.
#include <cstring>

#include "cta.h"
#include "warp.h"

namespace emu {

constexpr u32 M = 16, N = 8, K = 16;

// A row of d or b: gcc makes one AVX register of it, and fused multiply-adds of x * y + z.
typedef float Row __attribute__((vector_size(N * sizeof(float))));

struct Product {
    float* d;
    const u32* a;
    const u32* b;
};

struct Matrices {
    float a[M][K];
    Row b[K];
    Row d[M];
};

static inline float as_float(u32 bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline float low(u32 pair) { return as_float(pair << 16); }
static inline float high(u32 pair) { return as_float(pair & 0xffff0000u); }
// Two bfloat16 as two floats, the lower half first.
static inline u64 widen(u32 pair) { return u64(pair & 0xffff0000u) << 32 | pair << 16; }

static inline void gather(Matrices& m, void* const* operands) {
    for (u32 g = 0; g < 8; ++g) {
#pragma GCC unroll 4
        for (u32 t = 0; t < 4; ++t) {
            const auto& from = *static_cast<const Product*>(operands[4 * g + t]);
            for (u32 i = 0; i < 4; ++i) {
                u64 pair = widen(from.a[i]);
                memcpy(&m.a[g + i % 2 * 8][2 * t + i / 2 * 8], &pair, sizeof pair);
            }
            for (u32 i = 0; i < 2; ++i) {
                m.b[2 * t + 8 * i][g] = low(from.b[i]);
                m.b[2 * t + 8 * i + 1][g] = high(from.b[i]);
            }
            memcpy(reinterpret_cast<float*>(&m.d[g]) + 2 * t, from.d, 2 * sizeof(float));
            memcpy(reinterpret_cast<float*>(&m.d[g + 8]) + 2 * t, from.d + 2, 2 * sizeof(float));
        }
    }
}

// Every output is summed over ascending k in one accumulator.
static inline void multiply(Matrices& m) {
    constexpr u32 STEP = 8;
    for (u32 row = 0; row < M; row += STEP) {
        Row d[STEP];
        for (u32 i = 0; i < STEP; ++i) d[i] = m.d[row + i];
        for (u32 k = 0; k < K; ++k) {
            for (u32 i = 0; i < STEP; ++i) d[i] += m.a[row + i][k] * m.b[k];
        }
        for (u32 i = 0; i < STEP; ++i) m.d[row + i] = d[i];
    }
}

static inline void hand_out(const Matrices& m, void* const* operands) {
    for (u32 g = 0; g < 8; ++g) {
#pragma GCC unroll 4
        for (u32 t = 0; t < 4; ++t) {
            float* d = static_cast<const Product*>(operands[4 * g + t])->d;
            memcpy(d, reinterpret_cast<const float*>(&m.d[g]) + 2 * t, 2 * sizeof(float));
            memcpy(d + 2, reinterpret_cast<const float*>(&m.d[g + 8]) + 2 * t, 2 * sizeof(float));
        }
    }
}

static void multiply_fragments(void* const* operands) {
    Matrices m;
    gather(m, operands);
    multiply(m);
    hand_out(m, operands);
}

void mma_m16n8k16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], Place place) {
    Product mine{d, a, b};
    cta->meet(multiply_fragments, &mine, place);
}

}  // namespace emu
