// out[i] = x[rows[i]] . w[tokens[i]]
//
// x bf16 [R][C], w bf16 [V][C], out f32 [num_targets]. The bits are those of head.cu's logits, so
// the sum is made by the same instruction in the same order: one mma_m16n8k16 for each 16 inputs,
// ascending, onto one f32. A warp takes 8 targets: their rows of w are the upper rows of A, their
// rows of x are B, and the sums wanted are d's diagonal; the lower rows of A are zero. A CTA is one
// warp, with NUM_STAGES chunks of 64 inputs (2 KiB each) under way, so that its chain of C / 16
// products seldom waits for memory.
// Bound by memory: num_targets * C * 4 bytes; few targets by the chain: C / 16 products.

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_TARGETS = 8;
constexpr u32 CHUNK_LEN = 64;
constexpr u32 NUM_STAGES = 16;
// 16-byte words of a row in shared memory: one more than a chunk has, so that eight rows' words at
// one place lie in different banks.
constexpr u32 ROW_WORDS = CHUNK_LEN / 8 + 1;
constexpr u32 STAGE_WORDS = 2 * NUM_TARGETS * ROW_WORDS;
// Rows that a lane copies a word of: two of w, two of x.
constexpr u32 ROWS_PER_LANE = 4;

// The lane's words: of rows lane / 8 + 4i, the place lane % 8.
struct Sources {
    const bf16* row[ROWS_PER_LANE];  // null for padding
};

DEVICE Sources sources(const TargetLogitsParams& p, u32 first_target) {
    Sources s;
    for (u32 i = 0; i < ROWS_PER_LANE; ++i) {
        u32 row = threadIdx.x / 8 + 4 * i;
        u32 target = first_target + row % NUM_TARGETS;
        bool is_target = target < p.num_targets && p.rows[target] != NONE;
        if (!is_target) {
            s.row[i] = nullptr;
        } else if (row < NUM_TARGETS) {
            s.row[i] = p.w + u64(p.tokens[target]) * p.num_inputs;
        } else {
            s.row[i] = p.x + u64(p.rows[target]) * p.num_inputs;
        }
    }
    return s;
}

// Starts copying a chunk; what isn't there becomes zero.
DEVICE void copy_chunk(const TargetLogitsParams& p, const Sources& s, u32 chunk, Words* stage) {
    u32 input = chunk * CHUNK_LEN + threadIdx.x % 8 * 8;
    for (u32 i = 0; i < ROWS_PER_LANE; ++i) {
        bool is_there = s.row[i] && input < p.num_inputs;
        const bf16* from = is_there ? s.row[i] + input : p.w;
        Words* to = stage + (threadIdx.x / 8 + 4 * i) * ROW_WORDS + threadIdx.x % 8;
        cp_async_16(to, from, is_there ? 16 : 0);
    }
}

// grid: (ceil(num_targets / NUM_TARGETS))
KERNEL(32) target_logits(PARAM TargetLogitsParams p) {
    SHARED(Words, stages, NUM_STAGES * STAGE_WORDS);
    u32 lane = threadIdx.x, first_target = blockIdx.x * NUM_TARGETS;
    Sources s = sources(p, first_target);
    u32 num_chunks = (p.num_inputs + CHUNK_LEN - 1) / CHUNK_LEN;
    for (u32 chunk = 0; chunk < NUM_STAGES - 1; ++chunk) {
        if (chunk < num_chunks) copy_chunk(p, s, chunk, stages + chunk * STAGE_WORDS);
        cp_async_commit();
    }
    // Of the four matrices of a step: w's first and second 8 inputs, then x's.
    u32 row = lane / 16 * NUM_TARGETS + lane % 8, half = lane / 8 % 2;
    float d[4] = {0, 0, 0, 0};
    for (u32 chunk = 0; chunk < num_chunks; ++chunk) {
        cp_async_wait<NUM_STAGES - 2>();
        __syncwarp();  // orders all lanes' copies of this chunk before the reads, and the reads of
                       // the chunk before this one before the copies over it below
        u32 next = chunk + NUM_STAGES - 1;
        if (next < num_chunks) copy_chunk(p, s, next, stages + next % NUM_STAGES * STAGE_WORDS);
        cp_async_commit();
        const Words* stage = stages + chunk % NUM_STAGES * STAGE_WORDS;
#pragma unroll
        for (u32 step = 0; step < CHUNK_LEN / 16; ++step) {
            u32 r[4];
            ldmatrix_x4(r, stage + row * ROW_WORDS + 2 * step + half);
            u32 a[4] = {r[0], 0, r[1], 0}, b[2] = {r[2], r[3]};
            mma_m16n8k16(d, a, b);
        }
    }
    u32 group = lane / 4, target = first_target + group;
    bool is_diagonal = lane % 4 == group / 2;
    if (!is_diagonal || target >= p.num_targets || p.rows[target] == NONE) return;
    p.out[target] = group % 2 ? d[1] : d[0];
}
KERNEL_EXPORT(target_logits)
