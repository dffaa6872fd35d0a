// chosen[i] = the best token of all tiles, or the forced one, and its score: its logit, or
// logit - logsum; logsums[i] = ln(sum over the vocabulary of e^logit)
//
// partials [num_choices][num_tiles]. One CTA a choice; which thread merges what depends on the
// number of tiles alone. Bound by latency: num_choices * num_tiles * 16 bytes.

#include <params.h>
#include <ptx.cuh>
#include <rank.cuh>
#include <reduce.cuh>

constexpr u32 NUM_THREADS = 256;
constexpr u32 NUM_WARPS = NUM_THREADS / 32;

DEVICE u64 best_rank(const HeadPartial* partials, u32 num_tiles, u64* shared) {
    u64 best = 0;
    for (u32 tile = threadIdx.x; tile < num_tiles; tile += NUM_THREADS) {
        HeadPartial partial = partials[tile];
        if (partial.best_token == NONE) continue;
        u64 rank = u64(ordered_bits(partial.best_logit)) << 32 | ~partial.best_token;
        best = rank > best ? rank : best;
    }
    return cta_reduce<NUM_WARPS>(best, shared, Max());
}

DEVICE float log_sum_exp(const HeadPartial* partials, u32 num_tiles, float* shared) {
    float greatest = negative_infinity();
    for (u32 tile = threadIdx.x; tile < num_tiles; tile += NUM_THREADS) {
        greatest = fmaxf(greatest, partials[tile].max_logit);
    }
    greatest = cta_reduce<NUM_WARPS>(greatest, shared, Max());
    float sum = 0;
    for (u32 tile = threadIdx.x; tile < num_tiles; tile += NUM_THREADS) {
        sum += partials[tile].sum_exp * expf(partials[tile].max_logit - greatest);
    }
    return greatest + logf(cta_reduce<NUM_WARPS>(sum, shared, Add()));
}

// grid: (num_choices)
KERNEL(NUM_THREADS) head_merge(PARAM HeadMergeParams p) {
    SHARED(u64, ranks, NUM_WARPS);
    SHARED(float, sums, NUM_WARPS);
    u32 i = blockIdx.x;
    HeadChoice choice = p.choices[i];
    if (choice.row == NONE) return;
    const HeadPartial* partials = p.partials + u64(i) * p.num_tiles;
    u64 best = best_rank(partials, p.num_tiles, ranks);
    float logsum = log_sum_exp(partials, p.num_tiles, sums);
    if (threadIdx.x > 0) return;
    Chosen chosen = {NONE, negative_infinity()};
    if (best != 0) chosen = {~static_cast<u32>(best), from_ordered_bits(best >> 32)};
    if (choice.forced != NONE) chosen = {choice.forced, p.forced_logits[i]};
    if (choice.is_logprob) chosen.score -= logsum;
    p.chosen[i] = chosen;
    p.logsums[i] = logsum;
}
KERNEL_EXPORT(head_merge)
