// logits[i] = x[choices[i].row] . w^T, and of each choice's logits, by tiles of the vocabulary, the
// best token that isn't banned, the greatest logit and the sum of e^logit
//
// x bf16 [R][C], w bf16 [V][C]. A CTA makes the logits of VOCAB_TILE tokens for up to 8, 16 or 64
// choices, four warps with 16 tokens each, and reduces them to a HeadPartial a choice; logits leave
// the CTA only where they are drawn from or asked for. One mma_m16n8k16 for each 16 inputs,
// ascending, onto one f32: a logit's bits don't depend on the number of choices, nor do the bits of
// the partials, which are summed in one order.
// w streams through NUM_STAGES chunks of 64 inputs, 8 KiB each; x is small and comes from the
// second cache. Tiles are so low because V = 32,016 has few: 501, for over a hundred processors.
// Bound by memory up to 64 choices: V * C * 2 bytes; 2 * num_choices * V * C operations.

#include <params.h>
#include <ptx.cuh>
#include <rank.cuh>
#include <reduce.cuh>

constexpr u32 NUM_THREADS = 128;
constexpr u32 NUM_WARPS = NUM_THREADS / 32;
constexpr u32 CHUNK_LEN = 64;
constexpr u32 NUM_STAGES = 4;
static_assert(VOCAB_TILE == 16 * NUM_WARPS, "a warp has the rows of one mma");

// 16-byte words of a row in shared memory: one more than a chunk has, so that eight rows' words at
// one place lie in different banks.
constexpr u32 CHUNK_WORDS = CHUNK_LEN / 8;
constexpr u32 ROW_WORDS = CHUNK_WORDS + 1;
// Rows that the CTA copies at once, a word a thread.
constexpr u32 ROWS_AT_ONCE = NUM_THREADS / CHUNK_WORDS;
// Floats from one choice's logits to the next's in shared memory.
constexpr u32 LOGITS_STRIDE = VOCAB_TILE + 4;

template <u32 NUM_CHOICES>
constexpr u32 stage_words() {
    return (VOCAB_TILE + NUM_CHOICES) * ROW_WORDS;
}

// The rows that a thread copies words of; null where there is none.
template <u32 NUM_CHOICES>
struct Sources {
    static constexpr u32 NUM_W = VOCAB_TILE / ROWS_AT_ONCE;
    static constexpr u32 NUM_X = (NUM_CHOICES + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    const bf16* w[NUM_W];
    const bf16* x[NUM_X];

    DEVICE Sources(const HeadParams& p) {
        u32 row = threadIdx.x / CHUNK_WORDS;
        for (u32 i = 0; i < NUM_W; ++i) {
            u32 token = blockIdx.x * VOCAB_TILE + row + i * ROWS_AT_ONCE;
            w[i] = token < p.vocab_len ? p.w + u64(token) * p.num_inputs : nullptr;
        }
        for (u32 i = 0; i < NUM_X; ++i) {
            u32 choice = blockIdx.y * NUM_CHOICES + row + i * ROWS_AT_ONCE;
            u32 x_row = choice < p.num_choices ? p.choices[choice].row : NONE;
            x[i] = x_row != NONE ? p.x + u64(x_row) * p.num_inputs : nullptr;
        }
    }
};

// Starts copying a thread's word of a row; zeros where there is none.
DEVICE void copy_word(const HeadParams& p, const bf16* row, u32 chunk, Words* to) {
    u32 input = chunk * CHUNK_LEN + threadIdx.x % CHUNK_WORDS * 8;
    bool is_there = row && input < p.num_inputs;
    cp_async_16(to, is_there ? row + input : p.w, is_there ? 16 : 0);
}

template <u32 NUM_CHOICES>
DEVICE void copy_chunk(const HeadParams& p, const Sources<NUM_CHOICES>& s, u32 chunk,
                       Words* stages) {
    u32 row = threadIdx.x / CHUNK_WORDS;
    Words* to = stages + chunk % NUM_STAGES * stage_words<NUM_CHOICES>() + row * ROW_WORDS +
                threadIdx.x % CHUNK_WORDS;
    for (u32 i = 0; i < s.NUM_W; ++i) {
        copy_word(p, s.w[i], chunk, to + i * ROWS_AT_ONCE * ROW_WORDS);
    }
    to += VOCAB_TILE * ROW_WORDS;
    for (u32 i = 0; i < s.NUM_X; ++i) {
        if (row + i * ROWS_AT_ONCE >= NUM_CHOICES) break;
        copy_word(p, s.x[i], chunk, to + i * ROWS_AT_ONCE * ROW_WORDS);
    }
}

// Adds a chunk's products: d[n] are the warp's 16 tokens by choices 8n to 8n + 7.
template <u32 NUM_CHOICES>
DEVICE void multiply_chunk(float (&d)[NUM_CHOICES / 8][4], const Words* stage) {
    u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const Words* w = stage + (16 * warp + lane % 16) * ROW_WORDS + lane / 16;
    const Words* x = stage + (VOCAB_TILE + lane % 8) * ROW_WORDS + lane / 8 % 2;
#pragma unroll
    for (u32 step = 0; step < CHUNK_LEN / 16; ++step) {
        u32 a[4];
        ldmatrix_x4(a, w + 2 * step);
#pragma unroll
        for (u32 n = 0; n < NUM_CHOICES / 8; ++n) {
            u32 b[2];
            ldmatrix_x2(b, x + 8 * n * ROW_WORDS + 2 * step);
            mma_m16n8k16(d[n], a, b);
        }
    }
}

template <u32 NUM_CHOICES>
DEVICE void multiply(const HeadParams& p, float (&d)[NUM_CHOICES / 8][4], Words* stages) {
    Sources<NUM_CHOICES> s(p);
    u32 num_chunks = (p.num_inputs + CHUNK_LEN - 1) / CHUNK_LEN;
    for (u32 chunk = 0; chunk < NUM_STAGES - 1; ++chunk) {
        if (chunk < num_chunks) copy_chunk(p, s, chunk, stages);
        cp_async_commit();
    }
    for (u32 chunk = 0; chunk < num_chunks; ++chunk) {
        cp_async_wait<NUM_STAGES - 2>();
        __syncthreads();  // orders all threads' copies of this chunk before the reads below, and
                          // the reads of the chunk before this one before the copies over it
        u32 next = chunk + NUM_STAGES - 1;
        if (next < num_chunks) copy_chunk(p, s, next, stages);
        cp_async_commit();
        multiply_chunk<NUM_CHOICES>(d, stages + chunk % NUM_STAGES * stage_words<NUM_CHOICES>());
    }
}

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

// Reduces the CTA's logits; a warp has every fourth choice.
template <u32 NUM_CHOICES>
DEVICE void reduce(const HeadParams& p, const float (&d)[NUM_CHOICES / 8][4], float* logits) {
    u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    __syncthreads();  // orders the reads of the last chunk before the writes over it
    for (u32 n = 0; n < NUM_CHOICES / 8; ++n) {
        float* to = logits + (8 * n + lane % 4 * 2) * LOGITS_STRIDE + 16 * warp + lane / 4;
        to[0] = d[n][0];
        to[LOGITS_STRIDE] = d[n][1];
        to[8] = d[n][2];
        to[LOGITS_STRIDE + 8] = d[n][3];
    }
    __syncthreads();  // orders these writes before the reads below
    for (u32 i = warp; i < NUM_CHOICES; i += NUM_WARPS) {
        u32 choice_idx = blockIdx.y * NUM_CHOICES + i;
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

template <u32 NUM_CHOICES>
DEVICE void head(const HeadParams& p, u8* shared) {
    float d[NUM_CHOICES / 8][4] = {};
    multiply<NUM_CHOICES>(p, d, reinterpret_cast<Words*>(shared));
    reduce<NUM_CHOICES>(p, d, reinterpret_cast<float*>(shared));
}

// grid: (ceil(V / VOCAB_TILE), ceil(num_choices / 8)), and likewise below
KERNEL(NUM_THREADS) head_8(PARAM HeadParams p) {
    EXTERN_SHARED(shared);
    head<8>(p, shared);
}
KERNEL_EXPORT(head_8)

KERNEL(NUM_THREADS) head_16(PARAM HeadParams p) {
    EXTERN_SHARED(shared);
    head<16>(p, shared);
}
KERNEL_EXPORT(head_16)

KERNEL(NUM_THREADS) head_64(PARAM HeadParams p) {
    EXTERN_SHARED(shared);
    head<64>(p, shared);
}
KERNEL_EXPORT(head_64)
