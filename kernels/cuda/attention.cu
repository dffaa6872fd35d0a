// out[r, h] = sum over k of softmax over k(q[r, h] . key[k, g] * scale) * value[k, g], g = h / (H / G),
// where row r sees the keys k of its own sequence up to its position, the newest `window` of them.
//
// qkv f32 [R][(H + 2G) * D] (queries rounded to bf16), keys and values bf16 [B][G][16][D] through
// block tables, out bf16 [R][H * D]; products in bf16, sums in f32.
//
// The H / G query heads that share a key head are stacked as rows of a matrix tile, and so are the
// rows of all sequences that share an item's blocks. A warp multiplies 16 stacked rows with mma.
//   attention_few:  up to 16 stacked rows and one span. Each of four warps takes a leaf and streams
//                   its keys and values through a ring of blocks of its own; the warps' results are
//                   merged at the end. Decoding: bound by memory, 4 * D bytes a key and key head.
//   attention_many: up to 64 stacked rows, 16 a warp. The CTA streams leaves through a ring of two,
//                   all warps use each. One span, or all of its rows' spans one after the other.
//                   Bound by the matrix units: 4 * D FLOPs a query head, row and key.
//   attention_merge: merges the partial results of rows that are in several items. Bound by memory:
//                   4 * D bytes a partial and query head.
// Rows in shared memory are padded by 16 bytes, so that their number of 16-byte words is odd and
// ldmatrix finds its eight rows in different banks.
//
// One order of all sums: a leaf's scores by ascending d, its weights' sum in the order of the lanes,
// its weighted values by ascending key, all from zero; then leaves into spans, spans into the whole.
// What a row doesn't see has weight 0 and adds nothing, so a leaf's neighbours in a tile don't matter.

#include <params.h>
#include <ptx.cuh>

constexpr u32 NUM_WARPS = 4;
constexpr u32 NUM_THREADS = NUM_WARPS * 32;
constexpr u32 TILE_ROWS = 16;                        // of a warp: mma's
constexpr u32 NUM_STEPS = HEAD_DIM / 16;             // 16 elements each: mma's depth
constexpr u32 ROW_WORDS = HEAD_DIM / 8;              // of 16 bytes
constexpr u32 BLOCK_WORDS = BLOCK_LEN * ROW_WORDS;
constexpr u32 ROW_BYTES = (ROW_WORDS + 1) * 16;      // in shared memory
constexpr u32 BLOCK_BYTES = BLOCK_LEN * ROW_BYTES;   // in shared memory
constexpr u32 LEAF_BLOCKS = LEAF_LEN / BLOCK_LEN;
constexpr u32 SUM_STRIDE = HEAD_DIM + 8;             // floats of a row of sums in shared memory
constexpr u32 FEW_STAGES = HEAD_DIM <= 160 ? 3 : 2;  // blocks in a warp's ring
constexpr u32 FEW_RING_BYTES = FEW_STAGES * BLOCK_BYTES;
constexpr u32 MANY_STAGES = 2;                       // leaves in the CTA's ring
constexpr u32 ALL_LANES = 0xffffffffu;

static_assert(HEAD_DIM % 16 == 0, "mma takes 16 elements at a time");
static_assert(SPAN_LEN == NUM_WARPS * LEAF_LEN, "a warp takes a leaf of the span");
static_assert(FEW_RING_BYTES >= TILE_ROWS * SUM_STRIDE * 4, "a warp's sums replace its ring");

struct __align__(8) FloatPair {
    float a;
    float b;
};

// --- rows ----------------------------------------------------------------------------------------

// A stacked row: a query head of a row, and the keys that it sees.
struct TileRow {
    u32 row;        // NONE for padding, which sees nothing
    u32 head;
    u32 partial;
    u32 first_key;
    u32 num_keys;
};

DEVICE TileRow tile_row(const AttentionParams& p, const AttentionItem& item, u32 row_idx) {
    u32 group_len = p.num_heads / p.num_kv_heads;
    u32 query_idx = row_idx / group_len;
    if (query_idx >= item.num_queries) return {NONE, 0, NONE, 0, 0};
    AttentionQuery query = p.queries[item.first_query + query_idx];
    u32 end = p.positions[query.row] + 1;
    u32 num_keys = min(end, p.window);
    u32 head = blockIdx.y * group_len + row_idx % group_len;
    return {query.row, head, query.partial, end - num_keys, num_keys};
}

// Positions in front of the first key wrap around and are too large as well.
DEVICE bool sees(const TileRow& row, u32 position) { return position - row.first_key < row.num_keys; }

DEVICE bool sees_leaf(const TileRow& row, u32 leaf) {
    return leaf < row.first_key + row.num_keys && leaf + LEAF_LEN > row.first_key;
}

// The queries of a lane's rows, g and g + 8 of the tile, as mma's first operand.
DEVICE void load_queries(u32 (&q)[NUM_STEPS][4], const AttentionParams& p, const TileRow (&rows)[2]) {
    u32 row_len = (p.num_heads + 2 * p.num_kv_heads) * HEAD_DIM;
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        bool is_row = rows[half].row != NONE;
        u64 start = is_row ? u64(rows[half].row) * row_len + rows[half].head * HEAD_DIM : 0;
        const float* from = p.qkv + start + threadIdx.x % 4 * 2;
#pragma unroll
        for (u32 i = 0; i < 2 * NUM_STEPS; ++i) {
            FloatPair pair = {0, 0};
            if (is_row) pair = *reinterpret_cast<const FloatPair*>(from + i * 8);
            q[i / 2][i % 2 * 2 + half] = pack_bf16(pair.a, pair.b);
        }
    }
}

// --- keys and values -----------------------------------------------------------------------------

// Starts copying the block at `position` of `plane` (keys or values) to shared memory by threads of
// which this is number `thread` of `num_threads`. Keys that no row sees become zero: there may be
// anything in their place, even NaN.
template <u32 num_threads>
DEVICE void copy_block(u8* to, const bf16* plane, const AttentionParams& p, const AttentionItem& item,
                       u32 position, u32 thread) {
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

// The address that a lane gives ldmatrix for a quarter of a block: 16 keys, elements 16 * step ...
// Keys are read as they lie: matrices (keys 0..7, d 0..7), (0..7, 8..15), (8..15, 0..7), ...
DEVICE const u8* key_address(const u8* block) {
    u32 lane = threadIdx.x % 32;
    return block + (lane / 16 * 8 + lane % 8) * ROW_BYTES + lane / 8 % 2 * 16;
}
// Values are transposed: (keys 0..7, d 0..7), (8..15, 0..7), (0..7, 8..15), ...
DEVICE const u8* value_address(const u8* block) {
    u32 lane = threadIdx.x % 32;
    return block + lane % 16 * ROW_BYTES + lane / 16 * 16;
}

// d[0] and d[1] += a . (the two halves of b)
DEVICE void mma_pair(float (*d)[4], const u32 (&a)[4], const u32 (&b)[4]) {
    mma_m16n8k16(d[0], a, {b[0], b[1]});
    mma_m16n8k16(d[1], a, {b[2], b[3]});
}

// scores[b][i] += q . keys 8i..8i+7 of block b
template <u32 NUM_BLOCKS>
DEVICE void add_scores(float (*scores)[2][4], const u32 (&q)[NUM_STEPS][4], const u8* blocks) {
    const u8* from = key_address(blocks);
#pragma unroll
    for (u32 step = 0; step < NUM_STEPS; ++step) {
#pragma unroll
        for (u32 b = 0; b < NUM_BLOCKS; ++b) {
            u32 keys[4];
            ldmatrix_x4(keys, from + b * BLOCK_BYTES + step * 32);
            mma_pair(scores[b], q[step], keys);
        }
    }
}

// --- softmax ---------------------------------------------------------------------------------------

struct State {
    float max;
    float sum;
};

DEVICE State empty_state() { return {negative_infinity(), 0}; }

// A leaf's weights as mma's first operand, a block each.
typedef u32 Weights[LEAF_BLOCKS][4];

// Scores of what a row doesn't see become negative infinity.
DEVICE void mask(float (&scores)[LEAF_BLOCKS][2][4], const TileRow (&rows)[2], u32 leaf) {
    u32 first = leaf + threadIdx.x % 4 * 2;
#pragma unroll
    for (u32 i = 0; i < LEAF_LEN / 2; ++i) {
        u32 position = first + i / 4 * 8 + i % 2;
        float& score = scores[i / 8][i / 4 % 2][i % 4];
        if (!sees(rows[i / 2 % 2], position)) score = negative_infinity();
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
                   const TileRow (&rows)[2], u32 leaf, float scale) {
    mask(scores, rows, leaf);
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

// --- results ---------------------------------------------------------------------------------------

// 1 / sum, or 0 where there is nothing.
DEVICE float inverse(State state) { return state.sum > 0 ? 1 / state.sum : 0; }

// Two elements of the result, which stand at `at`. Zero is added for its sign's sake: how often
// nothing was taken in must not show.
DEVICE void store_out(bf16* at, FloatPair sums, float inverse) {
    *reinterpret_cast<u32*>(at) =
        pack_bf16(fmaf(sums.a, inverse, 0.0f), fmaf(sums.b, inverse, 0.0f));
}

// Where a stacked row's results go.
struct Target {
    bf16* out;  // null: to the partial
    float* sums;
    AttentionState* state;
};

DEVICE Target target(const AttentionParams& p, const TileRow& row, u32 leaf_idx) {
    if (row.partial == NONE) {
        return {p.out + (u64(row.row) * p.num_heads + row.head) * HEAD_DIM, nullptr, nullptr};
    }
    u64 idx = u64(row.partial + leaf_idx) * p.num_heads + row.head;
    return {nullptr, p.partial_sums + idx * HEAD_DIM, p.partial_states + idx};
}

DEVICE void store_sums(const Target& to, u32 col, FloatPair sums, float inverse) {
    if (to.out) {
        store_out(to.out + col, sums, inverse);
    } else {
        *reinterpret_cast<FloatPair*>(to.sums + col) = sums;
    }
}

// A warp's sums in mma's fragments: sums[i] are columns 8i..8i+7.
typedef float Sums[2 * NUM_STEPS][4];

// Stores a warp's rows; of a rest, as the partial of leaf `leaf_idx`.
DEVICE void store_rows(const AttentionParams& p, const AttentionItem& item,
                       const TileRow (&rows)[2], const State (&states)[2], const Sums& sums,
                       u32 leaf_idx) {
    u32 place = threadIdx.x % 4;
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        if (rows[half].row == NONE) continue;
        Target to = target(p, rows[half], leaf_idx);
        float factor = inverse(states[half]);
#pragma unroll
        for (u32 i = 0; i < 2 * NUM_STEPS; ++i) {
            FloatPair pair = {sums[i][half * 2], sums[i][half * 2 + 1]};
            store_sums(to, i * 8 + place * 2, pair, factor);
        }
        if (!to.out && place == 0) {
            *to.state = {states[half].max, states[half].sum, item.is_rest, 0};
        }
    }
}

// --- few rows --------------------------------------------------------------------------------------

// Starts copying tile `tile_idx` of a leaf (its blocks of keys, then those of values) into the ring.
DEVICE void copy_few(u8* ring, const AttentionParams& p, const AttentionItem& item, u32 leaf,
                     u32 tile_idx) {
    u8* to = ring + tile_idx % FEW_STAGES * BLOCK_BYTES;
    const bf16* plane = tile_idx < LEAF_BLOCKS ? p.keys : p.values;
    u32 position = leaf + tile_idx % LEAF_BLOCKS * BLOCK_LEN;
    copy_block<32>(to, plane, p, item, position, threadIdx.x % 32);
}

// A leaf's states and sums, by one warp.
DEVICE void attend_leaf(State (&states)[2], Sums& sums, const AttentionParams& p,
                        const AttentionItem& item, const TileRow (&rows)[2], u32 leaf, u8* ring) {
    constexpr u32 NUM_TILES = 2 * LEAF_BLOCKS;
    for (u32 i = 0; i < FEW_STAGES - 1; ++i) {
        copy_few(ring, p, item, leaf, i);
        cp_async_commit();
    }
    u32 q[NUM_STEPS][4];
    load_queries(q, p, rows);
    float scores[LEAF_BLOCKS][2][4] = {};
    Weights weights;
#pragma unroll
    for (u32 i = 0; i < NUM_TILES; ++i) {
        cp_async_wait<FEW_STAGES - 2>();
        // Orders all lanes' copies of this tile before its reads, and the reads of the last tile
        // before the copies that replace it.
        __syncwarp();
        if (i + FEW_STAGES - 1 < NUM_TILES) copy_few(ring, p, item, leaf, i + FEW_STAGES - 1);
        cp_async_commit();
        const u8* tile = ring + i % FEW_STAGES * BLOCK_BYTES;
        if (i < LEAF_BLOCKS) {
            add_scores<1>(scores + i, q, tile);
            if (i == LEAF_BLOCKS - 1) soften(weights, states, scores, rows, leaf, p.scale);
            continue;
        }
#pragma unroll
        for (u32 step = 0; step < NUM_STEPS; ++step) {
            u32 values[4];
            ldmatrix_x4_trans(values, value_address(tile) + step * 32);
            mma_pair(sums + 2 * step, weights[i - LEAF_BLOCKS], values);
        }
    }
}

// Puts a warp's states and sums where the other warps find them.
DEVICE void share_leaf(State* to_states, float* to_sums, const State (&states)[2], const Sums& sums) {
    u32 lane = threadIdx.x % 32;
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        u32 row_idx = lane / 4 + half * 8;
        if (lane % 4 == 0) to_states[row_idx] = states[half];
        float* to = to_sums + row_idx * SUM_STRIDE + lane % 4 * 2;
#pragma unroll
        for (u32 i = 0; i < 2 * NUM_STEPS; ++i) {
            *reinterpret_cast<FloatPair*>(to + i * 8) = {sums[i][half * 2], sums[i][half * 2 + 1]};
        }
    }
}

// Merges the warps' leaves and stores the result; eight threads a row.
DEVICE void merge_leaves(const AttentionParams& p, const AttentionItem& item, const State* states,
                         const u8* rings) {
    u32 row_idx = threadIdx.x / 8, col = threadIdx.x % 8 * 2;
    TileRow row = tile_row(p, item, row_idx);
    if (row.row == NONE) return;
    State state = empty_state();
    FloatPair sums[NUM_STEPS] = {};
    for (u32 warp = 0; warp < NUM_WARPS; ++warp) {
        State leaf = states[warp * TILE_ROWS + row_idx];
        // Nothing was put where a warp had no leaf.
        if (leaf.max == negative_infinity()) continue;
        Shares shares = take_in(state, leaf);
        const float* from = reinterpret_cast<const float*>(rings + warp * FEW_RING_BYTES);
        from += row_idx * SUM_STRIDE + col;
#pragma unroll
        for (u32 i = 0; i < NUM_STEPS; ++i) {
            FloatPair other = *reinterpret_cast<const FloatPair*>(from + i * 16);
            sums[i] = {blend(sums[i].a, other.a, shares), blend(sums[i].b, other.b, shares)};
        }
    }
    Target to = target(p, row, 0);
    float factor = inverse(state);
#pragma unroll
    for (u32 i = 0; i < NUM_STEPS; ++i) store_sums(to, col + i * 16, sums[i], factor);
    if (!to.out && col == 0) *to.state = {state.max, state.sum, item.is_rest, 0};
}

// An item of one span and up to 16 stacked rows. grid: (items, G)
KERNEL(NUM_THREADS) attention_few(PARAM AttentionParams p) {
    EXTERN_SHARED(rings);
    SHARED(State, leaf_states, NUM_WARPS * TILE_ROWS);
    const AttentionItem item = p.items[blockIdx.x];
    if (item.num_queries == 0) return;
    u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    u32 leaf = item.begin / SPAN_LEN * SPAN_LEN + warp * LEAF_LEN;
    bool has_leaf = item.begin <= leaf && leaf < item.end;
    u8* ring = rings + warp * FEW_RING_BYTES;
    State states[2] = {empty_state(), empty_state()};
    if (has_leaf) {
        TileRow rows[2] = {tile_row(p, item, lane / 4), tile_row(p, item, lane / 4 + 8)};
        Sums sums = {};
        attend_leaf(states, sums, p, item, rows, leaf, ring);
        if (item.is_rest) {
            store_rows(p, item, rows, states, sums, (leaf - item.begin) / LEAF_LEN);
            return;
        }
        // Orders all lanes' reads of the ring before the sums that replace it.
        __syncwarp();
        share_leaf(leaf_states + warp * TILE_ROWS, reinterpret_cast<float*>(ring), states, sums);
    } else if (lane < TILE_ROWS) {
        leaf_states[warp * TILE_ROWS + lane] = states[0];
    }
    if (item.is_rest) return;
    // Orders the warps' states and sums before the merge's reads of them.
    __syncthreads();
    merge_leaves(p, item, leaf_states, rings);
}
KERNEL_EXPORT(attention_few)

// --- many rows -------------------------------------------------------------------------------------

// Starts copying tile `tile_idx` of an item (keys and values of its leaves in turns) into the ring.
DEVICE void copy_many(u8* ring, const AttentionParams& p, const AttentionItem& item, u32 tile_idx) {
    u8* to = ring + tile_idx % MANY_STAGES * LEAF_BLOCKS * BLOCK_BYTES;
    const bf16* plane = tile_idx % 2 == 0 ? p.keys : p.values;
    u32 leaf = item.begin + tile_idx / 2 * LEAF_LEN;
#pragma unroll
    for (u32 b = 0; b < LEAF_BLOCKS; ++b) {
        copy_block<NUM_THREADS>(to + b * BLOCK_BYTES, plane, p, item, leaf + b * BLOCK_LEN,
                                threadIdx.x);
    }
}

// Waits for a tile, lets the next one come, and says where it lies.
DEVICE const u8* next_tile(u8* ring, const AttentionParams& p, const AttentionItem& item,
                           u32 tile_idx, u32 num_tiles) {
    cp_async_wait<MANY_STAGES - 2>();
    // Orders all threads' copies of this tile before its reads, and the reads of the last tile
    // before the copies that replace it.
    __syncthreads();
    u32 next = tile_idx + MANY_STAGES - 1;
    if (next < num_tiles) copy_many(ring, p, item, next);
    cp_async_commit();
    return ring + tile_idx % MANY_STAGES * LEAF_BLOCKS * BLOCK_BYTES;
}

// Takes a leaf's weighted values into those of the span, 16 columns at a time.
DEVICE void take_in_leaf(State (&span)[2], Sums& sums, const State (&leaf)[2],
                         const Weights& weights, const u8* values) {
    Shares shares[2] = {take_in(span[0], leaf[0]), take_in(span[1], leaf[1])};
    const u8* from = value_address(values);
#pragma unroll
    for (u32 step = 0; step < NUM_STEPS; ++step) {
        float leaf_sums[2][4] = {};
#pragma unroll
        for (u32 b = 0; b < LEAF_BLOCKS; ++b) {
            u32 part[4];
            ldmatrix_x4_trans(part, from + b * BLOCK_BYTES + step * 32);
            mma_pair(leaf_sums, weights[b], part);
        }
#pragma unroll
        for (u32 i = 0; i < 8; ++i) {
            float& sum = sums[2 * step + i / 4][i % 4];
            sum = blend(sum, leaf_sums[i / 4][i % 4], shares[i / 2 % 2]);
        }
    }
}

// Takes a span into the whole, whose sums lie in shared memory, each where one lane alone is at it.
// The first span finds none there. Leaves an empty span.
DEVICE void take_in_span(State (&whole)[2], float* whole_sums, State (&span)[2], Sums& sums) {
    u32 lane = threadIdx.x % 32;
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        bool is_first = whole[half].max == negative_infinity();
        Shares shares = take_in(whole[half], span[half]);
        float* to = whole_sums + (lane / 4 + half * 8) * SUM_STRIDE + lane % 4 * 2;
#pragma unroll
        for (u32 i = 0; i < 2 * NUM_STEPS; ++i) {
            FloatPair& at = *reinterpret_cast<FloatPair*>(to + i * 8);
            FloatPair own = {0, 0};
            if (!is_first) own = at;
            at = {blend(own.a, sums[i][half * 2], shares),
                  blend(own.b, sums[i][half * 2 + 1], shares)};
            sums[i][half * 2] = sums[i][half * 2 + 1] = 0;
        }
        span[half] = empty_state();
    }
}

DEVICE void load_whole(State (&states)[2], Sums& sums, const State (&whole)[2],
                       const float* whole_sums) {
    u32 lane = threadIdx.x % 32;
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        states[half] = whole[half];
        const float* from = whole_sums + (lane / 4 + half * 8) * SUM_STRIDE + lane % 4 * 2;
#pragma unroll
        for (u32 i = 0; i < 2 * NUM_STEPS; ++i) {
            FloatPair pair = *reinterpret_cast<const FloatPair*>(from + i * 8);
            sums[i][half * 2] = pair.a;
            sums[i][half * 2 + 1] = pair.b;
        }
    }
}

// An item of up to 64 stacked rows; more than one span only if these are all that its rows see.
// grid: (items, G)
KERNEL(NUM_THREADS) attention_many(PARAM AttentionParams p) {
    EXTERN_SHARED(ring);
    const AttentionItem item = p.items[blockIdx.x];
    if (item.num_queries == 0) return;
    u32 warp = threadIdx.x / 32, row_idx = warp * TILE_ROWS + threadIdx.x % 32 / 4;
    TileRow rows[2] = {tile_row(p, item, row_idx), tile_row(p, item, row_idx + 8)};
    u32 num_tiles = (item.end - item.begin + LEAF_LEN - 1) / LEAF_LEN * 2;
    for (u32 i = 0; i < MANY_STAGES - 1; ++i) {
        if (i < num_tiles) copy_many(ring, p, item, i);
        cp_async_commit();
    }
    u32 q[NUM_STEPS][4];
    load_queries(q, p, rows);
    bool has_spans = (item.end - 1) / SPAN_LEN > item.begin / SPAN_LEN;
    u8* wholes = ring + MANY_STAGES * LEAF_BLOCKS * BLOCK_BYTES;
    float* whole_sums = reinterpret_cast<float*>(wholes) + warp * TILE_ROWS * SUM_STRIDE;
    State whole[2] = {empty_state(), empty_state()}, span[2] = {empty_state(), empty_state()};
    Sums sums = {};
    for (u32 tile_idx = 0; tile_idx < num_tiles; tile_idx += 2) {
        u32 leaf = item.begin + tile_idx / 2 * LEAF_LEN;
        const u8* keys = next_tile(ring, p, item, tile_idx, num_tiles);
        bool has_keys = sees_leaf(rows[0], leaf) || sees_leaf(rows[1], leaf);
        bool is_needed = __any_sync(ALL_LANES, has_keys);
        State states[2];
        Weights weights;
        if (is_needed) {
            float scores[LEAF_BLOCKS][2][4] = {};
            add_scores<LEAF_BLOCKS>(scores, q, keys);
            soften(weights, states, scores, rows, leaf, p.scale);
        }
        const u8* values = next_tile(ring, p, item, tile_idx + 1, num_tiles);
        if (is_needed) take_in_leaf(span, sums, states, weights, values);
        bool is_last = (leaf + LEAF_LEN) % SPAN_LEN == 0 || tile_idx + 2 == num_tiles;
        if (has_spans && is_last) take_in_span(whole, whole_sums, span, sums);
    }
    if (has_spans) load_whole(span, sums, whole, whole_sums);
    store_rows(p, item, rows, span, sums, 0);
}
KERNEL_EXPORT(attention_many)

// --- merging ---------------------------------------------------------------------------------------

// A head of a row a warp. grid: (merges, ceil(H / 4))
KERNEL(NUM_THREADS) attention_merge(PARAM AttentionMergeParams p) {
    const AttentionMerge merge = p.merges[blockIdx.x];
    u32 head = blockIdx.y * NUM_WARPS + threadIdx.x / 32, first_col = threadIdx.x % 32 * 2;
    if (merge.row == NONE || head >= p.num_heads) return;
    constexpr u32 NUM_PAIRS = (HEAD_DIM + 63) / 64;
    State whole = empty_state(), span = empty_state();
    FloatPair whole_sums[NUM_PAIRS] = {}, sums[NUM_PAIRS] = {};
    // One step more, which only takes the last span in.
    for (u32 i = 0; i <= merge.num_partials; ++i) {
        u64 idx = u64(merge.first_partial + i) * p.num_heads + head;
        AttentionState partial = {negative_infinity(), 0, 0, 0};
        if (i < merge.num_partials) partial = p.partial_states[idx];
        if (!partial.is_rest) {
            Shares shares = take_in(whole, span);
            span = empty_state();
#pragma unroll
            for (u32 j = 0; j < NUM_PAIRS; ++j) {
                whole_sums[j] = {blend(whole_sums[j].a, sums[j].a, shares),
                                 blend(whole_sums[j].b, sums[j].b, shares)};
                sums[j] = {0, 0};
            }
        }
        Shares shares = take_in(span, {partial.max, partial.sum});
        if (i == merge.num_partials) break;
#pragma unroll
        for (u32 j = 0; j < NUM_PAIRS; ++j) {
            u32 col = first_col + j * 64;
            if (col >= HEAD_DIM) break;
            const float* from = p.partial_sums + idx * HEAD_DIM + col;
            FloatPair other = *reinterpret_cast<const FloatPair*>(from);
            sums[j] = {blend(sums[j].a, other.a, shares), blend(sums[j].b, other.b, shares)};
        }
    }
    bf16* out = p.out + (u64(merge.row) * p.num_heads + head) * HEAD_DIM;
#pragma unroll
    for (u32 j = 0; j < NUM_PAIRS; ++j) {
        u32 col = first_col + j * 64;
        if (col < HEAD_DIM) store_out(out + col, whole_sums[j], inverse(whole));
    }
}
KERNEL_EXPORT(attention_merge)
