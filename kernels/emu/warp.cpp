// Shuffles, votes and ldmatrix: what the last lane to arrive does for all.
#include "warp.h"

#include <cstring>

#include "cta.h"

namespace emu {

void sync_warp(Place place) {
    cta->meet([](void* const*) { cta->order_warp(); }, nullptr, place);
}

// --- shuffles and votes ------------------------------------------------------------------------

struct Shuffle {
    u32 value, from, result;
};

u32 shuffle(u32 value, u32 from, Place place) {
    Shuffle mine{value, from, 0};
    auto all = [](void* const* operands) {
        for (u32 lane = 0; lane < WARP_LEN; ++lane) {
            auto* to = static_cast<Shuffle*>(operands[lane]);
            to->result = static_cast<const Shuffle*>(operands[to->from % WARP_LEN])->value;
        }
    };
    cta->meet(all, &mine, place);
    return mine.result;
}

struct Vote {
    bool flag;
    u32 result;
};

u32 ballot(bool flag, Place place) {
    Vote mine{flag, 0};
    auto all = [](void* const* operands) {
        u32 votes = 0;
        for (u32 lane = 0; lane < WARP_LEN; ++lane) {
            votes |= u32(static_cast<const Vote*>(operands[lane])->flag) << lane;
        }
        for (u32 lane = 0; lane < WARP_LEN; ++lane) {
            static_cast<Vote*>(operands[lane])->result = votes;
        }
    };
    cta->meet(all, &mine, place);
    return mine.result;
}

// --- ldmatrix ----------------------------------------------------------------------------------

constexpr u32 ROW_BYTES = 16;

struct Rows {
    u32* r;
    const u8* row;
};

// The two elements that a lane gets of the matrix whose rows lanes `first`.. give.
template <bool IS_TRANS>
static u32 matrix_pair(void* const* operands, u32 first, u32 lane) {
    u32 g = lane / 4, t = lane % 4;
    auto row = [&](u32 i) { return static_cast<const Rows*>(operands[first + i])->row; };
    if (!IS_TRANS) {
        u32 pair;
        memcpy(&pair, row(g) + 4 * t, sizeof pair);
        return pair;
    }
    u16 low, high;
    memcpy(&low, row(2 * t) + 2 * g, sizeof low);
    memcpy(&high, row(2 * t + 1) + 2 * g, sizeof high);
    return u32(high) << 16 | low;
}

template <u32 NUM, bool IS_TRANS>
static void load_matrices(u32 (&r)[NUM], const void* shared_row, Place place) {
    Rows mine{r, static_cast<const u8*>(shared_row)};
    if (thread->lane < 8 * NUM) {
        check_aligned(shared_row, ROW_BYTES, place);
        cta->check_access(shared_row, ROW_BYTES, Access::READ, place);
    }
    auto all = [](void* const* operands) {
        for (u32 lane = 0; lane < WARP_LEN; ++lane) {
            u32* to = static_cast<const Rows*>(operands[lane])->r;
            for (u32 i = 0; i < NUM; ++i) to[i] = matrix_pair<IS_TRANS>(operands, 8 * i, lane);
        }
    };
    cta->meet(all, &mine, place);
}

void ldmatrix(u32 (&r)[4], const void* shared_row, Place place) {
    load_matrices<4, false>(r, shared_row, place);
}
void ldmatrix(u32 (&r)[2], const void* shared_row, Place place) {
    load_matrices<2, false>(r, shared_row, place);
}
void ldmatrix_trans(u32 (&r)[4], const void* shared_row, Place place) {
    load_matrices<4, true>(r, shared_row, place);
}
void ldmatrix_trans(u32 (&r)[2], const void* shared_row, Place place) {
    load_matrices<2, true>(r, shared_row, place);
}

}  // namespace emu
