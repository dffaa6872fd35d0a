// logits[i] = x[choices[i].row] . w^T, and of each choice's logits, by tiles of the vocabulary, the
// best token that isn't banned, the greatest logit and the sum of e^logit
//
// x bf16 [R][C], w bf16 [V][C]. A CTA makes the logits of VOCAB_TILE tokens for up to 8, 16 or 64
// choices and reduces them to a HeadPartial a choice; logits leave the CTA only where they are
// drawn from or asked for. The sums are mma_tile.cuh's, so a logit's bits don't depend on the
// number of choices, nor do the bits of the partials, which are summed in one order. For a few
// choices w streams through stages of 128 inputs, which half of the warps do nothing but copy, as
// in gemm_stream.cu; 64 choices have work for all warps. Tiles are so low because V = 32,016 has
// few: 501, for over a hundred processors. Bound by memory up to 64 choices: V * C * 2 bytes; 2 *
// num_choices * V * C operations.

#include <params.h>
#include <mma_tile.cuh>
#include <rank.cuh>
#include <reduce.cuh>

//                     outputs, rows; of a warp; inputs of a stage, stages, warps that copy
using Tile8 = Tile<VOCAB_TILE, 8, 16, 8, 128, 4, 4>;
using Tile16 = Tile<VOCAB_TILE, 16, 16, 16, 128, 4, 4>;
using Tile64 = Tile<VOCAB_TILE, 64, 32, 32, 64, 4>;
static_assert(VOCAB_TILE == 64, "a lane reduces two of a tile's logits");

// Floats from one choice's logits to the next's in shared memory.
constexpr u32 LOGITS_STRIDE = VOCAB_TILE + 4;

// The rows of x that the choices want.
struct ChoiceRows {
    const HeadChoice* choices;
    u32 num_choices;
    DEVICE u32 operator()(u32 i) const { return i < num_choices ? choices[i].row : NONE; }
};

// What a lane has of one choice's logits: two tokens of the tile.
struct TwoLogits {
    const HeadParams& p;
    const HeadChoice& choice;
    u32 token[2];
    float logit[2];

    // A number that is greater the better the token, 0 if it's banned or isn't there.
    DEVICE u64 rank(u32 i) const {
        const u32* list = nullptr;
        if (choice.ban_list != NONE) {
            list = p.banned + u64(choice.ban_list) * ((p.vocab_len + 31) / 32);
        }
        if (token[i] >= p.vocab_len || is_banned(list, token[i])) return 0;
        // Those that don't compare come last.
        bool compares = logit[i] > negative_infinity();
        return u64(ordered_bits(compares ? logit[i] : negative_infinity())) << 32 | ~token[i];
    }

    DEVICE HeadPartial reduce() const {
        Max greater;
        u64 best = warp_reduce<32>(greater(rank(0), rank(1)), greater);
        float max_logit = negative_infinity();
        for (u32 i = 0; i < 2; ++i) {
            if (token[i] < p.vocab_len) max_logit = greater(max_logit, logit[i]);
        }
        max_logit = warp_reduce<32>(max_logit, greater);
        float sum = 0;
        for (u32 i = 0; i < 2; ++i) {
            if (token[i] < p.vocab_len) sum += expf(logit[i] - max_logit);
        }
        sum = warp_reduce<32>(sum, Add());
        if (!(max_logit > negative_infinity())) sum = 0;
        if (best == 0) return {negative_infinity(), NONE, max_logit, sum};
        return {from_ordered_bits(best >> 32), ~static_cast<u32>(best), max_logit, sum};
    }

    DEVICE void write(u32 choice_idx) const {
        for (u32 i = 0; i < 2; ++i) {
            if (token[i] >= p.vocab_len) continue;
            if (token[i] == choice.forced) p.forced_logits[choice_idx] = logit[i];
            if (choice.logits_row == NONE) continue;
            p.logits[u64(choice.logits_row) * p.vocab_len + token[i]] = logit[i];
        }
    }
};

// Lays this warp's sums out as logits[choice][token].
template <class T>
DEVICE void lay_out(const Sums<T>& sums, float* logits) {
    u32 lane = threadIdx.x % 32;
    u32 row = T::warp_row() + lane % 4 * 2, output = T::warp_output() + lane / 4;
    float* to = logits + row * LOGITS_STRIDE + output;
    for (u32 m = 0; m < T::WARP_OUTPUTS / FRAGMENT_OUTPUTS; ++m) {
        for (u32 n = 0; n < T::WARP_ROWS / FRAGMENT_ROWS; ++n) {
            float* first = to + n * FRAGMENT_ROWS * LOGITS_STRIDE + m * FRAGMENT_OUTPUTS;
            const float (&d)[4] = sums.d[m][n];
            first[0] = d[0];
            first[LOGITS_STRIDE] = d[1];
            first[8] = d[2];
            first[LOGITS_STRIDE + 8] = d[3];
        }
    }
}

// Reduces the CTA's logits, a warp a choice at a time.
template <class T>
DEVICE void reduce(const HeadParams& p, const float* logits) {
    u32 lane = threadIdx.x % 32;
    for (u32 i = threadIdx.x / 32; i < T::ROWS; i += T::NUM_THREADS / 32) {
        u32 choice_idx = blockIdx.y * T::ROWS + i;
        if (choice_idx >= p.num_choices) break;
        HeadChoice choice = p.choices[choice_idx];
        if (choice.row == NONE) continue;
        const float* from = logits + i * LOGITS_STRIDE + lane;
        u32 token = blockIdx.x * VOCAB_TILE + lane;
        TwoLogits two = {p, choice, {token, token + 32}, {from[0], from[32]}};
        two.write(choice_idx);
        HeadPartial partial = two.reduce();
        if (lane == 0) p.partials[u64(choice_idx) * gridDim.x + blockIdx.x] = partial;
    }
}

template <class T>
DEVICE void head(const HeadParams& p, u8* shared) {
    static_assert(T::ROWS * LOGITS_STRIDE * sizeof(float) <= T::SHARED_BYTES, "logits fit");
    Operands<ChoiceRows> operands = {p.w,
                                     p.x,
                                     {p.choices, p.num_choices},
                                     p.vocab_len,
                                     p.num_inputs,
                                     blockIdx.x * VOCAB_TILE,
                                     blockIdx.y * T::ROWS};
    Sums<T> sums;
    multiply(sums, operands, shared);
    float* logits = reinterpret_cast<float*>(shared);
    __syncthreads();  // orders the reads of the last stage before the writes over it
    if (T::multiplies()) lay_out(sums, logits);
    __syncthreads();  // orders these writes before the reads of logits
    reduce<T>(p, logits);
}

// grid: (ceil(V / VOCAB_TILE), ceil(num_choices / 8)), and likewise below
KERNEL(Tile8::NUM_THREADS) head_8(PARAM HeadParams p) {
    EXTERN_SHARED(shared);
    head<Tile8>(p, shared);
}
KERNEL_EXPORT(head_8)

KERNEL(Tile16::NUM_THREADS) head_16(PARAM HeadParams p) {
    EXTERN_SHARED(shared);
    head<Tile16>(p, shared);
}
KERNEL_EXPORT(head_16)

KERNEL(Tile64::NUM_THREADS) head_64(PARAM HeadParams p) {
    EXTERN_SHARED(shared);
    head<Tile64>(p, shared);
}
KERNEL_EXPORT(head_64)
