// What becomes of the sums of a matrix product: bias, then one of `Epilogue`.
//
// It works on fragments as mma and wgmma leave them in registers: of 16 outputs lane l has two, g
// and g + 8, and of 8 rows two, 2t and 2t + 1. So eight lanes write 32 bytes of a row, a whole
// sector; and a gate and its `up`, whose outputs are in turns of 8, are in one lane.
#pragma once

#include <params.h>
#include <ptx.cuh>

// x / (1 + e^-z)
DEVICE float gated_by(float x, float z) {
    constexpr float LOG2_E = 1.4426950408889634f;
    return __fdividef(x, 1.0f + exp2_approx(-LOG2_E * z));
}

DEVICE float silu(float x) { return gated_by(x, x); }

DEVICE float gelu(float x) {
    constexpr float SQRT_HALF = 0.70710678118654752f;
    return 0.5f * x * (1.0f + erff(SQRT_HALF * x));
}

// x / 2 * (1 + tanh(u)) = x / (1 + e^-2u).
DEVICE float gelu_tanh(float x) {
    constexpr float TWICE_SQRT_2_BY_PI = 1.5957691216057308f;
    return gated_by(x, TWICE_SQRT_2_BY_PI * x * fmaf(0.044715f * x, x, 1.0f));
}

// The biases of a lane's two outputs.
struct Biases {
    float low, high;
};

// Of the outputs of the fragment that begins at `output`.
DEVICE Biases load_biases(const GemmParams& p, u32 output) {
    if (p.bias == nullptr || output >= p.num_outputs) return {0, 0};
    u32 group = threadIdx.x % 32 / 4;
    return {p.bias[output + group], p.bias[output + group + 8]};
}

// What becomes of the sums `low` and `high` of a row's outputs `output` and `output + 8`.
template <Epilogue EPILOGUE>
DEVICE void finish_pair(const GemmParams& p, u32 output, u32 row, float low, float high) {
    u64 at = u64(row) * p.num_outputs + output;
    if constexpr (EPILOGUE == STORE_F32 || EPILOGUE == ADD_F32) {
        float* out = static_cast<float*>(p.out) + at;
        bool adds = EPILOGUE == ADD_F32;
        out[0] = adds ? out[0] + low : low;
        out[8] = adds ? out[8] + high : high;
    } else if constexpr (EPILOGUE == GELU_BF16 || EPILOGUE == GELU_TANH_BF16) {
        bf16* out = static_cast<bf16*>(p.out) + at;
        out[0] = to_bf16(EPILOGUE == GELU_BF16 ? gelu(low) : gelu_tanh(low));
        out[8] = to_bf16(EPILOGUE == GELU_BF16 ? gelu(high) : gelu_tanh(high));
    } else {
        // Of 16 outputs 8 are left: of the fragment at 16i those at 8i.
        bf16* out = static_cast<bf16*>(p.out) + u64(row) * (p.num_outputs / 2);
        float gate = EPILOGUE == SILU_GATE_BF16 ? silu(low) : gelu_tanh(low);
        out[output / 16 * 8 + output % 8] = to_bf16(gate * high);
    }
}

template <Epilogue EPILOGUE, u32 NUM_M, u32 NUM_N>
DEVICE void finish_as(const GemmParams& p, u32 first_output, u32 first_row,
                      const float (&d)[NUM_M][NUM_N][4]) {
    u32 group = threadIdx.x % 32 / 4, place = threadIdx.x % 4;
#pragma unroll
    for (u32 m = 0; m < NUM_M; ++m) {
        u32 output = first_output + m * 16;
        Biases biases = load_biases(p, output);
#pragma unroll
        for (u32 n = 0; n < NUM_N; ++n) {
            for (u32 i = 0; i < 2; ++i) {
                u32 row = first_row + n * 8 + 2 * place + i;
                float low = d[m][n][i] + biases.low, high = d[m][n][2 + i] + biases.high;
                if (output < p.num_outputs && row < p.num_rows) {
                    finish_pair<EPILOGUE>(p, output + group, row, low, high);
                }
            }
        }
    }
}

// Finishes a warp's sums: d[m][n] is the fragment of the outputs first_output + 16m.. and the rows
// first_row + 8n...
template <u32 NUM_M, u32 NUM_N>
DEVICE void finish(const GemmParams& p, u32 first_output, u32 first_row,
                   const float (&d)[NUM_M][NUM_N][4]) {
    switch (p.epilogue) {
        case STORE_F32:
            finish_as<STORE_F32>(p, first_output, first_row, d);
            break;
        case ADD_F32:
            finish_as<ADD_F32>(p, first_output, first_row, d);
            break;
        case GELU_BF16:
            finish_as<GELU_BF16>(p, first_output, first_row, d);
            break;
        case GELU_TANH_BF16:
            finish_as<GELU_TANH_BF16>(p, first_output, first_row, d);
            break;
        case SILU_GATE_BF16:
            finish_as<SILU_GATE_BF16>(p, first_output, first_row, d);
            break;
        case GELU_TANH_GATE_BF16:
            finish_as<GELU_TANH_GATE_BF16>(p, first_output, first_row, d);
            break;
    }
}
