// The order in which tokens are chosen: by their logits, equal ones by their ids.
#pragma once

#include <ptx.cuh>

// An integer that is greater the greater x is; equal for both zeros. x isn't NaN.
DEVICE u32 ordered_bits(float x) {
    u32 bits = __float_as_uint(x + 0.0f);  // the negative zero becomes the other one
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

// What ordered_bits was made of.
DEVICE float from_ordered_bits(u32 ordered) {
    return __uint_as_float(ordered >> 31 ? ordered & 0x7fffffffu : ~ordered);
}

// Is a token's bit set? `list` may be null, which bans nothing.
DEVICE bool is_banned(const u32* list, u32 token) {
    return list && list[token / 32] >> token % 32 & 1;
}
