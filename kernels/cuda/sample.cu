// chosen = going through the tokens that aren't banned in the order of their logits, equal ones by
// their ids, each with the weight e^((logit - greatest) / temperature): the first up to which the
// sum of weights passes uniform * (sum of the nucleus). The nucleus is cut by top_k, then by top_p.
//
// logits f32 [sampled][V]. One CTA a draw, and nothing is sorted. A token has a rank that no other
// has: the bits of its logit, then those of its id. The rank at which a running sum reaches a value
// is found two bits at a time, by a pass over the logits for each; a sum over all ranks from some
// rank on needs one pass. Weights are fixed-point numbers, so sums are exact and have no order.
// Three searches of 26 passes at most, V * 4 bytes each, which come from the second cache: bound by
// what one processor takes from there, 64 bytes a cycle, and by the reductions of short passes.

#include <params.h>
#include <ptx.cuh>
#include <rank.cuh>
#include <reduce.cuh>

constexpr u32 NUM_THREADS = 1024;
constexpr u32 NUM_WARPS = NUM_THREADS / 32;

constexpr u32 ID_BITS = 20;
constexpr u32 MAX_ID = (1u << ID_BITS) - 1;
// Bits of a rank that a pass finds.
constexpr u32 DIGIT_BITS = 2;
constexpr u32 RANK_BITS = 32 + ID_BITS;
static_assert(RANK_BITS % DIGIT_BITS == 0, "passes find whole digits");
// The greatest weight; so many tokens' sum fits into 64 bits.
constexpr u64 UNIT = 1ull << 43;
static_assert(UNIT <= ~0ull / MAX_ID, "sums of weights fit");

// What is drawn from.
struct Tokens {
    const float* logits;
    const u32* banned;  // null bans nothing
    u32 vocab_len;
    float greatest;
    float temperature;
};

// Greater the greater the logit, then the lower the id.
DEVICE u64 rank_of(float logit, u32 token) {
    return u64(ordered_bits(logit)) << ID_BITS | (MAX_ID - token);
}

DEVICE u32 token_of(u64 rank) { return MAX_ID - (static_cast<u32>(rank) & MAX_ID); }

// 0 if the logit doesn't compare.
DEVICE u64 weight_of(const Tokens& tokens, float logit) {
    float weight = expf((logit - tokens.greatest) / tokens.temperature);
    return weight > 0 ? static_cast<u64>(weight * static_cast<float>(UNIT)) : 0;
}

// Calls each(logit, token) for this thread's tokens that aren't banned.
template <typename Each>
DEVICE void for_each(const Tokens& tokens, Each each) {
#pragma unroll 4
    for (u32 token = threadIdx.x; token < tokens.vocab_len; token += NUM_THREADS) {
        float logit = tokens.logits[token];
        if (!is_banned(tokens.banned, token)) each(logit, token);
    }
}

DEVICE float greatest_logit(const Tokens& tokens, float* shared) {
    float greatest = negative_infinity();
    for_each(tokens, [&](float logit, u32) { greatest = fmaxf(greatest, logit); });
    return cta_reduce<NUM_WARPS>(greatest, shared, Max());
}

// The weight of all tokens from `lowest` on.
DEVICE u64 mass_from(const Tokens& tokens, u64 lowest, u64* shared) {
    u64 mass = 0;
    for_each(tokens, [&](float logit, u32 token) {
        if (rank_of(logit, token) >= lowest) mass += weight_of(tokens, logit);
    });
    return cta_reduce<NUM_WARPS>(mass, shared, Add());
}

// The highest rank from which on the tokens' weights (or their number, without those that have no
// weight) reach `wanted`; 0 if all together don't.
DEVICE u64 find_rank(const Tokens& tokens, u64 wanted, bool is_count, u64* shared) {
    u64 low = 0;     // the bits found so far
    u64 beyond = 0;  // what the tokens have whose rank begins with greater bits than these
    for (u32 shift = RANK_BITS; shift > 0;) {
        shift -= DIGIT_BITS;
        // What the tokens have whose rank begins with these bits and goes on with a digit from 1, 2
        // and 3 on.
        u64 from_1 = 0, from_2 = 0, from_3 = 0;
        for_each(tokens, [&](float logit, u32 token) {
            u64 digit = (rank_of(logit, token) - low) >> shift;
            if (digit - 1 > 2) return;
            u64 weight = weight_of(tokens, logit);
            u64 value = is_count ? weight > 0 : weight;
            from_1 += value;
            from_2 += digit >= 2 ? value : 0;
            from_3 += digit >= 3 ? value : 0;
        });
        from_1 = beyond + cta_reduce<NUM_WARPS>(from_1, shared, Add());
        from_2 = beyond + cta_reduce<NUM_WARPS>(from_2, shared, Add());
        from_3 = beyond + cta_reduce<NUM_WARPS>(from_3, shared, Add());
        u64 digit = u64(from_1 >= wanted) + u64(from_2 >= wanted) + u64(from_3 >= wanted);
        beyond = digit == 0 ? from_1 : digit == 1 ? from_2 : digit == 2 ? from_3 : beyond;
        low |= digit << shift;
    }
    return low;
}

// The weight of the tokens that are drawn from; `mass` is that of all.
DEVICE u64 nucleus(const Tokens& tokens, const Draw& draw, u64 mass, u64* shared) {
    if (draw.top_k < tokens.vocab_len) {
        mass = mass_from(tokens, find_rank(tokens, draw.top_k, true, shared), shared);
    }
    if (draw.top_p < 1) {
        u64 wanted = static_cast<u64>(ceil(double(draw.top_p) * double(mass)));
        wanted = min(max(wanted, u64(1)), mass);
        mass = mass_from(tokens, find_rank(tokens, wanted, false, shared), shared);
    }
    return mass;
}

// grid: (sampled)
KERNEL(NUM_THREADS) sample(PARAM SampleParams p) {
    SHARED(float, greatest, NUM_WARPS);
    SHARED(u64, sums, NUM_WARPS);
    Draw draw = p.draws[blockIdx.x];
    if (draw.choice == NONE) return;
    HeadChoice choice = p.choices[draw.choice];
    const u32* banned = nullptr;
    if (choice.ban_list != NONE) {
        banned = p.banned + u64(choice.ban_list) * ((p.vocab_len + 31) / 32);
    }
    const float* logits = p.logits + u64(choice.logits_row) * p.vocab_len;
    Tokens tokens = {logits, banned, p.vocab_len, 0, draw.temperature};
    tokens.greatest = greatest_logit(tokens, greatest);
    u64 mass = mass_from(tokens, 0, sums);
    if (mass == 0) return;  // the greedy token stays
    mass = nucleus(tokens, draw, mass, sums);
    u64 wanted = min(static_cast<u64>(draw.uniform * double(mass)) + 1, mass);
    u64 rank = find_rank(tokens, wanted, false, sums);
    if (threadIdx.x > 0) return;
    float logit = logits[token_of(rank)];
    float score = choice.is_logprob ? logit - p.logsums[draw.choice] : logit;
    p.chosen[draw.choice] = {token_of(rank), score};
}
KERNEL_EXPORT(sample)
