// Of each row of qkv: queries are rotated in place, keys are rotated and written into their slot,
// values are written into theirs. A pair (a, b) of a head becomes
// (a * cos - b * sin, b * cos + a * sin); elements behind the pairs stay as they are. Heads that
// have a norm are divided by their root mean square and multiplied with its weights before that.
//
// qkv f32 [R][(H + 2G) * D], keys and values bf16 [B][G][16][D]. A warp takes a head, whatever it
// is of, so that one row alone has as many warps as heads; four warps a CTA.
// Bound by memory: R * D * (H * 8 + G * (8 + 4)) bytes.

#include <params.h>
#include <ptx.cuh>
#include <reduce.cuh>

constexpr u32 NUM_THREADS = 128;
constexpr u32 HEADS_PER_CTA = NUM_THREADS / 32;

struct Rotated {
    float a;
    float b;
};

// Where the two of a pair are in their head.
struct Places {
    u32 a;
    u32 b;
};

DEVICE Places pair_places(const RopeStoreParams& p, u32 pair) {
    if (p.interleaved) return {2 * pair, 2 * pair + 1};
    return {pair, pair + p.half_dim};
}

// A head's elements as they are rotated.
struct Head {
    const float* x;
    const float* weight;  // null: as they are
    float scale;

    DEVICE float operator[](u32 i) const {
        return weight == nullptr ? x[i] : x[i] * scale * weight[i];
    }
};

// By all lanes of a warp.
DEVICE Head normalised(const RopeStoreParams& p, const float* x, const float* weight) {
    if (weight == nullptr) return {x, nullptr, 1};
    float squares = 0;
    for (u32 i = threadIdx.x % 32; i < p.head_dim; i += 32) squares = fmaf(x[i], x[i], squares);
    squares = warp_reduce<32>(squares, Add());
    return {x, weight, 1 / sqrtf(squares / float(p.head_dim) + p.norm_eps)};
}

DEVICE Rotated rotate(const RopeStoreParams& p, const Head& head, Places at, u32 angle) {
    float a = head[at.a], b = head[at.b], cos = p.cos[angle], sin = p.sin[angle];
    return {a * cos - b * sin, b * cos + a * sin};
}

DEVICE void rotate_query(const RopeStoreParams& p, float* query, u32 first_angle) {
    Head head = normalised(p, query, p.query_norm);
    u32 lane = threadIdx.x % 32;
    for (u32 pair = lane; pair < p.half_dim; pair += 32) {
        Places at = pair_places(p, pair);
        Rotated rotated = rotate(p, head, at, first_angle + pair);
        query[at.a] = rotated.a;
        query[at.b] = rotated.b;
    }
    if (head.weight == nullptr) return;
    for (u32 i = 2 * p.half_dim + lane; i < p.head_dim; i += 32) query[i] = head[i];
}

DEVICE void store_key(const RopeStoreParams& p, const float* x, u32 first_angle, bf16* key) {
    Head head = normalised(p, x, p.key_norm);
    u32 lane = threadIdx.x % 32;
    for (u32 pair = lane; pair < p.half_dim; pair += 32) {
        Places at = pair_places(p, pair);
        Rotated rotated = rotate(p, head, at, first_angle + pair);
        key[at.a] = to_bf16(rotated.a);
        key[at.b] = to_bf16(rotated.b);
    }
    for (u32 i = 2 * p.half_dim + lane; i < p.head_dim; i += 32) key[i] = to_bf16(head[i]);
}

DEVICE void store_value(const RopeStoreParams& p, const float* head, bf16* value) {
    for (u32 i = threadIdx.x % 32; i < p.head_dim; i += 32) value[i] = to_bf16(head[i]);
}

// grid: (R, ceil((H + 2G) / HEADS_PER_CTA))
KERNEL(NUM_THREADS) rope_store(PARAM RopeStoreParams p) {
    u32 num_heads = p.num_heads + 2 * p.num_kv_heads;
    u32 head_idx = blockIdx.y * HEADS_PER_CTA + threadIdx.x / 32;
    u32 slot = p.slots[blockIdx.x];
    if (slot == NONE || head_idx >= num_heads) return;
    float* head = p.qkv + (u64(blockIdx.x) * num_heads + head_idx) * p.head_dim;
    u32 first_angle = p.positions[blockIdx.x] * p.half_dim;
    if (head_idx < p.num_heads) {
        rotate_query(p, head, first_angle);
        return;
    }
    u32 kv_head = (head_idx - p.num_heads) % p.num_kv_heads;
    u64 line = u64(slot / BLOCK_LEN * p.num_kv_heads + kv_head) * BLOCK_LEN + slot % BLOCK_LEN;
    if (head_idx < p.num_heads + p.num_kv_heads) {
        store_key(p, head, first_angle, p.keys + line * p.head_dim);
    } else {
        store_value(p, head, p.values + line * p.head_dim);
    }
}
KERNEL_EXPORT(rope_store)
