// The parameters of every launch, one struct each; its Rust twin of the same name has the same
// fields in the same order, and a test compares their sizes and offsets.
//
// Dimensions, everywhere:
//   R  rows of a pass (tokens)            C  inputs of a matrix (its columns; a multiple of 8)
//   N  outputs of a matrix (its rows)     H  query heads
//   G  key and value heads; H / G query heads share one
//   D  elements of a head                 V  tokens of the vocabulary
//   B  KV blocks of 16 tokens             L  layers
// A KV cache is [L][2][B][G][16][D]: first all keys of a layer, then all values. Arrays are
// row-major, pointers are aligned to 16 bytes, and no array of a launch overlaps another unless
// said.
#pragma once

#include <device.cuh>

constexpr u32 BLOCK_LEN = 16;

// out[r] = table[tokens[r]] * scale + places[positions[r]]
struct EmbedParams {
    const bf16* table;     // [V][width]
    const u32* tokens;     // [R]
    const bf16* places;    // [positions][width], or null
    const u32* positions;  // [R]
    float* out;            // [R][width]
    u32 width;             // a multiple of 8
    float scale;
};

// RMSNorm: out = x / sqrt(mean(x^2) + eps) * (weight_offset + weight)
// LayerNorm: out = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias
struct NormParams {
    const float* x;       // [R][width]
    const float* weight;  // [width]
    const float* bias;    // [width]; LayerNorm only
    bf16* out;            // [R][width]
    u32 width;            // a multiple of 8
    float eps;
    float weight_offset;  // 0, or 1 for Gemma
};

// out[i] = x[row_idx[i]], as 16-byte words
struct GatherParams {
    const u8* x;         // [..][row_bytes]
    const u32* row_idx;  // [R]; NONE leaves the row of `out` as it is
    u8* out;             // [R][row_bytes]
    u32 row_bytes;       // a multiple of 16
};

// What becomes of x . w^T + bias.
enum Epilogue : u32 {
    STORE_F32 = 0,            // out f32 = sum
    ADD_F32 = 1,              // out f32 += sum (the residual)
    GELU_BF16 = 2,            // out bf16 = gelu(sum)
    GELU_TANH_BF16 = 3,       // out bf16 = gelu(sum), tanh form
    SILU_GATE_BF16 = 4,       // out bf16 = silu(gate) * up; w holds gate and up in turns of 8 rows
    GELU_TANH_GATE_BF16 = 5,  // out bf16 = gelu(gate) * up, tanh form; likewise
};

// out = epilogue(x . w^T + bias)
struct GemmParams {
    const bf16* x;      // [R][C]
    const bf16* w;      // [N][C]
    const float* bias;  // [N], or null
    void* out;          // [R][N], of a gate [R][N / 2]
    u32 num_rows;       // R
    u32 num_outputs;    // N, a multiple of 16
    u32 num_inputs;     // C, a multiple of 8
    u32 epilogue;       // Epilogue
};

// Rotates queries in place, rotates keys, and writes keys and values into their slots. Before they
// are rotated, heads are divided by their root mean square and multiplied with the norms' weights.
struct RopeStoreParams {
    float* qkv;               // [R][(H + 2G) * D]: queries, keys, values
    const float* query_norm;  // [D], or null
    const float* key_norm;    // [D], or null
    const float* cos;         // [positions][half_dim]
    const float* sin;         // [positions][half_dim]
    const u32* positions;     // [R]
    const u32* slots;         // [R]: block * 16 + offset; NONE for rows that are padding
    bf16* keys;               // [B][G][16][D] of this layer
    bf16* values;             // [B][G][16][D] of this layer
    u32 num_heads;            // H
    u32 num_kv_heads;         // G
    u32 head_dim;             // D, even
    u32 half_dim;             // pairs that are rotated; 2 * half_dim <= D
    u32 interleaved;          // 0: (i, i + half_dim) are a pair, 1: (2i, 2i + 1) are
    float norm_eps;           // added to the mean square
};

// Copies whole blocks in all layers.
struct CopyBlocksParams {
    u8* cache;        // [num_planes][B][block_bytes]; a plane is the keys or values of a layer
    const u32* from;  // [num_copies]; NONE for padding
    const u32* to;    // [num_copies]
    u64 plane_bytes;  // B * block_bytes
    u32 block_bytes;  // a multiple of 16
};

// --- attention ---------------------------------------------------------------------------------

// Keys are taken in leaves of LEAF_LEN positions, and leaves in spans of SPAN_LEN, both at
// multiples of their length. A row's result is the merge of its spans in their order, a span's that
// of its leaves in theirs: so it depends neither on who computes what nor on what other rows there
// are.
constexpr u32 LEAF_LEN = 64;
constexpr u32 SPAN_LEN = 256;

// Rows that see the same blocks at positions begin..end: read once for all of them.
struct AttentionItem {
    u32 first_query;  // of `queries`
    u32 num_queries;  // 0 for padding
    u32 first_block;  // of `blocks`: where the block table begins
    u32 begin;        // a multiple of LEAF_LEN
    u32 end;          // behind the last key that one of the rows sees
    u32 is_rest;      // the leaves go on with a span that another item began; each is a partial
};

// A row in an item.
struct AttentionQuery {
    u32 row;      // of qkv
    u32 partial;  // where the result goes, of a rest its first leaf's; NONE: straight to `out`
};

// A weighted sum of values stands for 2^max * its elements, and their weights' sum for 2^max * sum.
struct AttentionState {
    float max;  // of score * log2(e); negative infinity where there is nothing
    float sum;
    u32 is_rest;  // of a partial: it goes on with the span of the partial before
    u32 padding;
};

struct AttentionParams {
    const float* qkv;                // [R][(H + 2G) * D]; only the queries are read
    const u32* positions;            // [R]; a row sees keys up to its own position
    const AttentionItem* items;      // [num_items]
    const AttentionQuery* queries;   // those of all items
    const u32* blocks;               // the block tables
    const bf16* keys;                // [B][G][16][D] of this layer
    const bf16* values;              // [B][G][16][D] of this layer
    float* partial_sums;             // [partials][H][D]
    AttentionState* partial_states;  // [partials][H]
    bf16* out;                       // [R][H * D]
    u32 num_heads;                   // H
    u32 num_kv_heads;                // G
    u32 window;                      // positions that a row sees at most, its own too; NONE: all
    float scale;                     // of scores, times log2(e); above 0
};

// A row whose result is in several partials, which follow each other.
struct AttentionMerge {
    u32 row;  // NONE for padding
    u32 first_partial;
    u32 num_partials;
};

struct AttentionMergeParams {
    const AttentionMerge* merges;          // [num_merges]
    const float* partial_sums;             // as above
    const AttentionState* partial_states;  // as above
    bf16* out;                             // [R][H * D]
    u32 num_heads;                         // H
};

// --- head --------------------------------------------------------------------------------------

// What is wanted of one row's logits.
struct HeadChoice {
    u32 row;         // of x; NONE for padding
    u32 forced;      // this token, whatever the logits; NONE chooses
    u32 ban_list;    // of `banned`; NONE bans nothing
    u32 logits_row;  // of `logits`, where the row's logits go for sampling; NONE if greedy
    u32 is_logprob;  // the score is a log-probability instead of a logit
};

// The vocabulary is taken in tiles of so many tokens.
constexpr u32 VOCAB_TILE = 64;

// What a tile of the vocabulary says of one choice.
struct HeadPartial {
    float best_logit;  // of tokens that aren't banned; negative infinity if none compares
    u32 best_token;    // the lowest of equals, and if none compares; NONE if all are banned
    float max_logit;   // of all tokens
    float sum_exp;     // of all tokens: e^(logit - max_logit)
};

struct HeadParams {
    const bf16* x;              // [R][C], normalised
    const bf16* w;              // [V][C]
    const HeadChoice* choices;  // [num_choices]
    const u32* banned;          // [lists][ceil(V / 32)], a bit a token
    HeadPartial* partials;      // [num_choices][ceil(V / VOCAB_TILE)]
    float* forced_logits;       // [num_choices]
    float* logits;              // [sampled][V]
    u32 num_choices;
    u32 vocab_len;   // V
    u32 num_inputs;  // C, a multiple of 8
};

// A choice's answer, and a target's (whose token is what was asked for).
struct Chosen {
    u32 token;
    float score;
};

struct HeadMergeParams {
    const HeadChoice* choices;    // [num_choices]
    const HeadPartial* partials;  // [num_choices][num_tiles]
    const float* forced_logits;   // [num_choices]
    Chosen* chosen;               // [num_choices]; a sampled choice's token is written by Sample
    float* logsums;               // [num_choices]: ln of the sum of e^logit over all tokens
    u32 num_tiles;
};

// One draw.
struct Draw {
    u32 choice;         // whose answer it is; NONE for padding
    u32 top_k;          // at most so many of the most probable tokens; V or more for all
    float temperature;  // above 0
    float top_p;        // in (0, 1]
    double uniform;     // from [0, 1), made of the key by the host
};

// Draws from the top_k most probable tokens, and of these from the smallest set of most probable
// ones that reaches top_p of their mass; equal ones in the order of their ids.
struct SampleParams {
    const Draw* draws;          // [sampled]
    const HeadChoice* choices;  // [num_choices]
    const u32* banned;          // as above
    const float* logits;        // [sampled][V], by the choices' logits_row
    const float* logsums;       // [num_choices], as HeadMerge gave them
    Chosen* chosen;             // [num_choices]: the token is replaced, and the score moved to it
    u32 vocab_len;              // V, below 2^20
};

// One logit a target: the same bits as the head's.
struct TargetLogitsParams {
    const bf16* x;      // [R][C]
    const bf16* w;      // [V][C]
    const u32* rows;    // [num_targets]; NONE for padding
    const u32* tokens;  // [num_targets]
    float* out;         // [num_targets]
    u32 num_targets;
    u32 num_inputs;  // C
};

// --- the primitives ----------------------------------------------------------------------------

// See primitives.cu.
struct PrimitiveParams {
    const u32* x;  // pairs of bfloat16
    const u32* y;  // pairs of bfloat16
    float* out;
    u32 num_rows;   // that are copied
    u32 num_steps;  // C / 64 of a product
    u32 first_col;  // of the box that TMA reads
    u32 first_row;  // of the box that TMA reads
};

// See ceiling.cu.
struct CeilingParams {
    const u32* x;  // words to copy, or pairs of bfloat16
    const u32* y;  // pairs of bfloat16
    float* out;
    u32 num_steps;  // of a product
    u32 padding;
};
