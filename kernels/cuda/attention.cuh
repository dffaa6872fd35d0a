// What the kernels of attention.cu are made of: rows of a tile, blocks on their way to shared
// memory, a leaf's scores and weights by one warp, states that take others in, where results go.
//
// Compiled with HEAD_DIM. Rows in shared memory are padded by 16 bytes, so that their number of
// 16-byte words is odd and ldmatrix finds its eight rows in different banks.
#pragma once

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_WARPS = 4;
constexpr u32 NUM_THREADS = NUM_WARPS * 32;
constexpr u32 TILE_ROWS = 16;             // of a warp: mma's
constexpr u32 NUM_STEPS = HEAD_DIM / 16;  // 16 elements each: mma's depth
constexpr u32 ROW_WORDS = HEAD_DIM / 8;   // of 16 bytes
constexpr u32 BLOCK_WORDS = BLOCK_LEN * ROW_WORDS;
constexpr u32 ROW_BYTES = (ROW_WORDS + 1) * 16;     // in shared memory
constexpr u32 BLOCK_BYTES = BLOCK_LEN * ROW_BYTES;  // in shared memory
constexpr u32 LEAF_BLOCKS = LEAF_LEN / BLOCK_LEN;
constexpr u32 SUM_STRIDE = HEAD_DIM + 8;  // floats of a row of sums in shared memory
constexpr u32 ALL_LANES = 0xffffffffu;

static_assert(HEAD_DIM % 16 == 0, "mma takes 16 elements at a time");

struct __align__(8) FloatPair {
    float a;
    float b;
};

struct __align__(8) WordPair {
    u32 a;
    u32 b;
};

// --- rows ----------------------------------------------------------------------------------------

// The keys that a stacked row sees.
struct Sight {
    u32 first_key;
    u32 num_keys;
};

// Positions in front of the first key wrap around and are too large as well.
DEVICE bool sees(Sight sight, u32 position) { return position - sight.first_key < sight.num_keys; }

DEVICE bool sees_leaf(Sight sight, u32 leaf) {
    return leaf < sight.first_key + sight.num_keys && leaf + LEAF_LEN > sight.first_key;
}

// A stacked row: a query head of a row.
struct TileRow {
    u32 row;  // NONE for padding, which sees nothing
    u32 head;
    u32 partial;
    Sight sight;
};

DEVICE TileRow tile_row(const AttentionParams& p, const AttentionItem& item, u32 row_idx) {
    u32 group_len = p.num_heads / p.num_kv_heads;
    u32 query_idx = row_idx / group_len;
    if (query_idx >= item.num_queries) return {NONE, 0, NONE, {0, 0}};
    AttentionQuery query = p.queries[item.first_query + query_idx];
    u32 end = p.positions[query.row] + 1;
    u32 num_keys = min(end, p.window);
    u32 head = blockIdx.y * group_len + row_idx % group_len;
    return {query.row, head, query.partial, {end - num_keys, num_keys}};
}

// Puts the queries of a warp's 16 rows into shared memory, in bfloat16, as blocks of keys lie
// there; tells what this lane's two rows see.
DEVICE void stage_queries(u8* to, Sight (&sights)[2], const AttentionParams& p,
                          const AttentionItem& item, u32 first_row) {
    u32 row_len = (p.num_heads + 2 * p.num_kv_heads) * HEAD_DIM, lane = threadIdx.x % 32;
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        TileRow own = tile_row(p, item, first_row + half * 8 + lane / 4);
        sights[half] = own.sight;
#pragma unroll 4
        for (u32 i = 0; i < 8; ++i) {
            u32 row = __shfl_sync(ALL_LANES, own.row, i * 4);
            u32 head = __shfl_sync(ALL_LANES, own.head, i * 4);
            const float* from = p.qkv + u64(row) * row_len + head * HEAD_DIM;
            for (u32 col = lane * 4; col < HEAD_DIM; col += 128) {
                Words x = {};
                if (row != NONE) x = load_words(from + col);
                *reinterpret_cast<WordPair*>(to + (half * 8 + i) * ROW_BYTES + col * 2) = {
                    pack_bf16(__uint_as_float(x.word[0]), __uint_as_float(x.word[1])),
                    pack_bf16(__uint_as_float(x.word[2]), __uint_as_float(x.word[3]))};
            }
        }
    }
    // Orders all lanes' queries before ldmatrix reads them.
    __syncwarp();
}

// --- keys and values -----------------------------------------------------------------------------

// Starts copying the block at `position` of `plane` (keys or values) to shared memory by threads of
// which this is number `thread` of `num_threads`. Keys that no row sees become zero: there may be
// anything in their place, even NaN.
template <u32 num_threads>
DEVICE void copy_block(u8* to, const bf16* plane, const AttentionParams& p,
                       const AttentionItem& item, u32 position, u32 thread) {
    u32 num_keys = position < item.end ? item.end - position : 0;
    u32 block = num_keys ? p.blocks[item.first_block + position / BLOCK_LEN] : 0;
    const bf16* from = plane + (u64(block) * p.num_kv_heads + blockIdx.y) * BLOCK_LEN * HEAD_DIM;
#pragma unroll
    for (u32 start = 0; start < BLOCK_WORDS; start += num_threads) {
        u32 word = start + thread, key = word / ROW_WORDS;
        if (BLOCK_WORDS % num_threads != 0 && word >= BLOCK_WORDS) break;
        cp_async_16(to + (word + key) * 16, from + word * 8, key < num_keys ? 16 : 0);
    }
}

// The address that a lane gives ldmatrix for 16 rows of 16 elements: of keys, in the order of
// matrices (rows 0..7, d 0..7), (0..7, 8..15), (8..15, 0..7), (8..15, 8..15), which are two of
// mma's second operands.
DEVICE const u8* key_address(const u8* block) {
    u32 lane = threadIdx.x % 32;
    return block + (lane / 16 * 8 + lane % 8) * ROW_BYTES + lane / 8 % 2 * 16;
}
// Of queries, as mma's first operand has them, and of values, which are transposed: (0..7, 0..7),
// (8..15, 0..7), (0..7, 8..15), (8..15, 8..15).
DEVICE const u8* row_address(const u8* block) {
    u32 lane = threadIdx.x % 32;
    return block + lane % 16 * ROW_BYTES + lane / 16 * 16;
}

// A warp's queries as mma's first operand: held in registers, or read again from shared memory.
template <bool IS_HELD>
struct Queries {
    u32 held[IS_HELD ? NUM_STEPS : 1][4];
    const u8* from;
};

template <bool IS_HELD>
DEVICE void load_queries(Queries<IS_HELD>& q, const u8* staged) {
    q.from = row_address(staged);
    if (!IS_HELD) return;
#pragma unroll
    for (u32 step = 0; step < NUM_STEPS; ++step) ldmatrix_x4(q.held[step], q.from + step * 32);
}

// d[0] and d[1] += a . (the two halves of b)
DEVICE void mma_pair(float (*d)[4], const u32 (&a)[4], const u32 (&b)[4]) {
    mma_m16n8k16(d[0], a, {b[0], b[1]});
    mma_m16n8k16(d[1], a, {b[2], b[3]});
}

template <bool IS_HELD>
DEVICE void query_step(u32 (&queries)[4], const Queries<IS_HELD>& q, u32 step) {
    if (!IS_HELD) ldmatrix_x4(queries, q.from + step * 32);
#pragma unroll
    for (u32 i = 0; IS_HELD && i < 4; ++i) queries[i] = q.held[step][i];
}

// scores[b][i] += q . keys 8i..8i+7 of block b
template <u32 NUM_BLOCKS, bool IS_HELD>
DEVICE void add_scores(float (*scores)[2][4], const Queries<IS_HELD>& q, const u8* blocks) {
    const u8* from = key_address(blocks);
#pragma unroll
    for (u32 step = 0; step < NUM_STEPS; ++step) {
        u32 queries[4];
        query_step(queries, q, step);
#pragma unroll
        for (u32 b = 0; b < NUM_BLOCKS; ++b) {
            u32 keys[4];
            ldmatrix_x4(keys, from + b * BLOCK_BYTES + step * 32);
            mma_pair(scores[b], queries, keys);
        }
    }
}

// --- softmax -----------------------------------------------------------------------------------

struct State {
    float max;
    float sum;
};

DEVICE State empty_state() { return {negative_infinity(), 0}; }

// A leaf's weights as mma's first operand, a block each.
typedef u32 Weights[LEAF_BLOCKS][4];

// Scores of what a row doesn't see become negative infinity.
DEVICE void mask(float (&scores)[LEAF_BLOCKS][2][4], const Sight (&sights)[2], u32 leaf) {
    u32 first = leaf + threadIdx.x % 4 * 2;
#pragma unroll
    for (u32 i = 0; i < LEAF_LEN / 2; ++i) {
        u32 position = first + i / 4 * 8 + i % 2;
        float& score = scores[i / 8][i / 4 % 2][i % 4];
        if (!sees(sights[i / 2 % 2], position)) score = negative_infinity();
    }
}

// The greatest score of a row, and the row's four lanes agree.
DEVICE float row_max(const float (&scores)[LEAF_BLOCKS][2][4], u32 half) {
    float greatest = negative_infinity();
#pragma unroll
    for (u32 i = 0; i < LEAF_LEN / 4; ++i) {
        greatest = fmaxf(greatest, scores[i / 4][i / 2 % 2][half * 2 + i % 2]);
    }
    greatest = fmaxf(greatest, __shfl_xor_sync(ALL_LANES, greatest, 1));
    return fmaxf(greatest, __shfl_xor_sync(ALL_LANES, greatest, 2));
}

DEVICE float row_sum(const float (&weights)[LEAF_BLOCKS][2][4], u32 half) {
    float sum = 0;
#pragma unroll
    for (u32 i = 0; i < LEAF_LEN / 4; ++i) sum += weights[i / 4][i / 2 % 2][half * 2 + i % 2];
    sum += __shfl_xor_sync(ALL_LANES, sum, 1);
    return sum + __shfl_xor_sync(ALL_LANES, sum, 2);
}

// The weights 2^(score * scale - max) of a leaf, and the states of the lane's two rows.
DEVICE void soften(Weights& weights, State (&states)[2], float (&scores)[LEAF_BLOCKS][2][4],
                   const Sight (&sights)[2], u32 leaf, float scale) {
    mask(scores, sights, leaf);
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        float max = row_max(scores, half) * scale;
        // A row that sees nothing has weights 0 instead of NaN.
        float zero = max == negative_infinity() ? 0 : max;
#pragma unroll
        for (u32 i = 0; i < LEAF_LEN / 4; ++i) {
            float& score = scores[i / 4][i / 2 % 2][half * 2 + i % 2];
            score = exp2_approx(fmaf(score, scale, -zero));
        }
        states[half] = {max, row_sum(scores, half)};
    }
#pragma unroll
    for (u32 i = 0; i < LEAF_BLOCKS * 4; ++i) {
        const float* pair = &scores[i / 4][i % 4 / 2][i % 2 * 2];
        weights[i / 4][i % 4] = pack_bf16(pair[0], pair[1]);
    }
}

// What elements are multiplied with when a state takes another in.
struct Shares {
    float own;
    float other;
};

// Takes `other` into `state`; if there is nothing in it, no bit changes.
DEVICE Shares take_in(State& state, State other) {
    if (other.max == negative_infinity()) return {1, 0};
    float max = fmaxf(state.max, other.max);
    Shares shares = {exp2_approx(state.max - max), exp2_approx(other.max - max)};
    state = {max, fmaf(state.sum, shares.own, other.sum * shares.other)};
    return shares;
}

DEVICE float blend(float own, float other, Shares shares) {
    return fmaf(own, shares.own, other * shares.other);
}

// --- results -----------------------------------------------------------------------------------

// 1 / sum, or 0 where there is nothing.
DEVICE float inverse(State state) { return state.sum > 0 ? 1 / state.sum : 0; }

// Two elements of the result. Zero is added for its sign's sake: how often nothing was taken in
// must not show.
DEVICE void store_out(bf16* at, FloatPair sums, float inverse) {
    *reinterpret_cast<u32*>(at) =
        pack_bf16(fmaf(sums.a, inverse, 0.0f), fmaf(sums.b, inverse, 0.0f));
}

// Stores some of a row's columns, pairs that begin at first_col + i * STRIDE. `has_state` marks the
// thread that stores a partial's state. Of a rest, leaf `leaf_idx` is stored.
template <u32 NUM_PAIRS, u32 STRIDE>
DEVICE void store_row(const AttentionParams& p, const AttentionItem& item, const TileRow& row,
                      State state, const FloatPair (&sums)[NUM_PAIRS], u32 first_col,
                      bool has_state, u32 leaf_idx) {
    if (row.row == NONE) return;
    if (row.partial == NONE) {
        bf16* out = p.out + (u64(row.row) * p.num_heads + row.head) * HEAD_DIM + first_col;
        float factor = inverse(state);
#pragma unroll
        for (u32 i = 0; i < NUM_PAIRS; ++i) store_out(out + i * STRIDE, sums[i], factor);
        return;
    }
    u64 idx = u64(row.partial + leaf_idx) * p.num_heads + row.head;
    float* to = p.partial_sums + idx * HEAD_DIM + first_col;
#pragma unroll
    for (u32 i = 0; i < NUM_PAIRS; ++i) *reinterpret_cast<FloatPair*>(to + i * STRIDE) = sums[i];
    if (has_state) p.partial_states[idx] = {state.max, state.sum, item.is_rest, 0};
}

// A warp's sums in mma's fragments: sums[i] are columns 8i..8i+7.
typedef float Sums[2 * NUM_STEPS][4];

// The pairs of one of a lane's two rows.
DEVICE void row_pairs(FloatPair (&pairs)[2 * NUM_STEPS], const Sums& sums, u32 half) {
#pragma unroll
    for (u32 i = 0; i < 2 * NUM_STEPS; ++i) {
        pairs[i] = {sums[i][half * 2], sums[i][half * 2 + 1]};
    }
}

// Stores a warp's 16 rows.
DEVICE void store_rows(const AttentionParams& p, const AttentionItem& item, u32 first_row,
                       const State (&states)[2], const Sums& sums, u32 leaf_idx) {
    u32 lane = threadIdx.x % 32, place = lane % 4;
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        TileRow row = tile_row(p, item, first_row + half * 8 + lane / 4);
        FloatPair pairs[2 * NUM_STEPS];
        row_pairs(pairs, sums, half);
        store_row<2 * NUM_STEPS, 8>(p, item, row, states[half], pairs, place * 2, place == 0,
                                    leaf_idx);
    }
}
