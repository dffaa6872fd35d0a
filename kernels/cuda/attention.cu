// out[r, h] = sum over k of softmax over k(q[r, h] . key[k, g] * scale) * value[k, g], where
// g = h / (H / G) and row r sees the keys k of its own sequence up to its position, the newest
// `window` of them.
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
//
// One order of all sums: a leaf's scores by ascending d, its weights' sum in the order of the
// lanes, its weighted values by ascending key, all from zero; then leaves into spans, spans into
// the whole. What a row doesn't see has weight 0 and adds nothing, so that it doesn't matter with
// which rows it shares a tile.

#include <attention.cuh>

constexpr u32 FEW_STAGES = HEAD_DIM <= 160 ? 3 : 2;  // blocks in a warp's ring
constexpr u32 FEW_RING_BYTES = FEW_STAGES * BLOCK_BYTES;
constexpr u32 TILE_BYTES = LEAF_BLOCKS * BLOCK_BYTES;
constexpr u32 RING_BYTES = 2 * TILE_BYTES;  // of the CTA, in attention_many
// Where registers don't suffice, queries stay in shared memory.
constexpr bool HOLDS_QUERIES = HEAD_DIM <= 160;

static_assert(SPAN_LEN == NUM_WARPS * LEAF_LEN, "a warp takes a leaf of the span");
static_assert(FEW_RING_BYTES >= TILE_ROWS * SUM_STRIDE * 4, "a warp's sums replace its ring");

// --- few rows ----------------------------------------------------------------------------------

// Starts copying tile `tile_idx` of a leaf (its blocks of keys, then those of values) into the
// ring.
DEVICE void copy_few(u8* ring, const AttentionParams& p, const AttentionItem& item, u32 leaf,
                     u32 tile_idx) {
    u8* to = ring + tile_idx % FEW_STAGES * BLOCK_BYTES;
    const bf16* plane = tile_idx < LEAF_BLOCKS ? p.keys : p.values;
    u32 position = leaf + tile_idx % LEAF_BLOCKS * BLOCK_LEN;
    copy_block<32>(to, plane, p, item, position, threadIdx.x % 32);
}

// A leaf's states and sums, by one warp.
DEVICE void attend_leaf(State (&states)[2], Sums& sums, const AttentionParams& p,
                        const AttentionItem& item, u32 leaf, u8* ring) {
    constexpr u32 NUM_TILES = 2 * LEAF_BLOCKS;
    for (u32 i = 0; i < FEW_STAGES - 1; ++i) {
        copy_few(ring, p, item, leaf, i);
        cp_async_commit();
    }
    // The last stage isn't being filled yet.
    u8* staged = ring + (FEW_STAGES - 1) * BLOCK_BYTES;
    Sight sights[2];
    stage_queries(staged, sights, p, item, 0);
    Queries<true> q;
    load_queries(q, staged);
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
            if (i == LEAF_BLOCKS - 1) soften(weights, states, scores, sights, leaf, p.scale);
            continue;
        }
#pragma unroll
        for (u32 step = 0; step < NUM_STEPS; ++step) {
            u32 values[4];
            ldmatrix_x4_trans(values, row_address(tile) + step * 32);
            mma_pair(sums + 2 * step, weights[i - LEAF_BLOCKS], values);
        }
    }
}

// Puts a warp's states and sums where the other warps find them.
DEVICE void share_leaf(State* to_states, float* to_sums, const State (&states)[2],
                       const Sums& sums) {
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
    store_row<NUM_STEPS, 16>(p, item, row, state, sums, col, col == 0, 0);
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
        Sums sums = {};
        attend_leaf(states, sums, p, item, leaf, ring);
        if (item.is_rest) {
            store_rows(p, item, 0, states, sums, (leaf - item.begin) / LEAF_LEN);
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

// --- many rows ---------------------------------------------------------------------------------

// Starts copying tile `tile_idx` of an item (keys and values of its leaves in turns) into the ring.
DEVICE void copy_many(u8* ring, const AttentionParams& p, const AttentionItem& item, u32 tile_idx) {
    u8* to = ring + tile_idx % 2 * TILE_BYTES;
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
    cp_async_wait<0>();
    // Orders all threads' copies of this tile before its reads, and the reads of the last tile
    // before the copies that replace it.
    __syncthreads();
    if (tile_idx + 1 < num_tiles) copy_many(ring, p, item, tile_idx + 1);
    cp_async_commit();
    return ring + tile_idx % 2 * TILE_BYTES;
}

// Takes a leaf's weighted values into those of the span, 16 columns at a time.
DEVICE void take_in_leaf(State (&span)[2], Sums& sums, const State (&leaf)[2],
                         const Weights& weights, const u8* values) {
    Shares shares[2] = {take_in(span[0], leaf[0]), take_in(span[1], leaf[1])};
    const u8* from = row_address(values);
#pragma unroll
    for (u32 step = 0; step < NUM_STEPS; ++step) {
        // As in take_in_span.
        __syncwarp();
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

// What all spans so far gave, in shared memory: a lane's elements are where it alone is at them,
// and its rows' states behind the rows' ends.
struct Whole {
    u8* first_row;  // of the warp

    DEVICE float* row(u32 half) const {
        u32 lane = threadIdx.x % 32;
        float* sums = reinterpret_cast<float*>(first_row);
        return sums + (lane / 4 + half * 8) * SUM_STRIDE + lane % 4 * 2;
    }
};

static_assert(SUM_STRIDE - HEAD_DIM == 8, "a row's four lanes have room for its state");

DEVICE FloatPair& pair_at(float* row, u32 col) { return *reinterpret_cast<FloatPair*>(row + col); }

DEVICE void clear(const Whole& whole) {
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        float* row = whole.row(half);
        for (u32 i = 0; i < 2 * NUM_STEPS; ++i) pair_at(row, i * 8) = {0, 0};
        pair_at(row, HEAD_DIM) = {negative_infinity(), 0};
    }
}

// Takes a span into the whole, and leaves it empty.
DEVICE void take_in_span(const Whole& whole, State (&span)[2], Sums& sums) {
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        float* row = whole.row(half);
        FloatPair& at = pair_at(row, HEAD_DIM);
        State state = {at.a, at.b};
        Shares shares = take_in(state, span[half]);
        at = {state.max, state.sum};
        span[half] = empty_state();
#pragma unroll
        for (u32 i = 0; i < 2 * NUM_STEPS; ++i) {
            // Orders nothing: it keeps the compiler from loading more than there are registers for.
            if (i % 4 == 0) __syncwarp();
            FloatPair own = pair_at(row, i * 8);
            pair_at(row, i * 8) = {blend(own.a, sums[i][half * 2], shares),
                                   blend(own.b, sums[i][half * 2 + 1], shares)};
            sums[i][half * 2] = sums[i][half * 2 + 1] = 0;
        }
    }
}

DEVICE void load_whole(const Whole& whole, State (&states)[2], Sums& sums) {
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        float* row = whole.row(half);
        FloatPair state = pair_at(row, HEAD_DIM);
        states[half] = {state.a, state.b};
#pragma unroll
        for (u32 i = 0; i < 2 * NUM_STEPS; ++i) {
            FloatPair pair = pair_at(row, i * 8);
            sums[i][half * 2] = pair.a;
            sums[i][half * 2 + 1] = pair.b;
        }
    }
}

DEVICE bool has_spans(const AttentionItem& item) {
    return (item.end - 1) / SPAN_LEN > item.begin / SPAN_LEN;
}

// An item of up to 64 stacked rows; more than one span only if these are all that its rows see.
// grid: (items, G)
KERNEL(NUM_THREADS) attention_many(PARAM AttentionParams p) {
    EXTERN_SHARED(ring);
    const AttentionItem item = p.items[blockIdx.x];
    if (item.num_queries == 0) return;
    u32 warp = threadIdx.x / 32;
    u32 num_tiles = (item.end - item.begin + LEAF_LEN - 1) / LEAF_LEN * 2;
    copy_many(ring, p, item, 0);
    cp_async_commit();
    u8* staged = (HOLDS_QUERIES ? ring + TILE_BYTES : ring + RING_BYTES) + warp * BLOCK_BYTES;
    Sight sights[2];
    stage_queries(staged, sights, p, item, warp * TILE_ROWS);
    Queries<HOLDS_QUERIES> q;
    load_queries(q, staged);
    u8* wholes = ring + RING_BYTES + (HOLDS_QUERIES ? 0 : NUM_WARPS * BLOCK_BYTES);
    Whole whole = {wholes + warp * TILE_ROWS * SUM_STRIDE * 4};
    if (has_spans(item)) clear(whole);
    State span[2] = {empty_state(), empty_state()};
    Sums sums = {};
    for (u32 tile_idx = 0; tile_idx < num_tiles; tile_idx += 2) {
        u32 leaf = item.begin + tile_idx / 2 * LEAF_LEN;
        const u8* keys = next_tile(ring, p, item, tile_idx, num_tiles);
        bool has_keys = sees_leaf(sights[0], leaf) || sees_leaf(sights[1], leaf);
        bool is_needed = __any_sync(ALL_LANES, has_keys);
        State states[2];
        Weights weights;
        if (is_needed) {
            float scores[LEAF_BLOCKS][2][4] = {};
            add_scores<LEAF_BLOCKS>(scores, q, keys);
            soften(weights, states, scores, sights, leaf, p.scale);
        }
        const u8* values = next_tile(ring, p, item, tile_idx + 1, num_tiles);
        if (is_needed) take_in_leaf(span, sums, states, weights, values);
        bool is_last = (leaf + LEAF_LEN) % SPAN_LEN == 0 || tile_idx + 2 == num_tiles;
        if (is_last && has_spans(item)) take_in_span(whole, span, sums);
    }
    // Read again, so that the loop has the registers.
    const AttentionItem same = p.items[blockIdx.x];
    if (has_spans(same)) load_whole(whole, span, sums);
    store_rows(p, same, warp * TILE_ROWS, span, sums, 0);
}
KERNEL_EXPORT(attention_many)

// --- merging -----------------------------------------------------------------------------------

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
