// What the lanes of a warp do together. Each function is called by all 32 and waits for them.
#pragma once

#include "place.h"

namespace emu {

void sync_warp(Place place);
// The value of lane `from`.
u32 shuffle(u32 value, u32 from, Place place);
// A bit a lane whose flag is set.
u32 ballot(bool flag, Place place);

// 8x8 matrices of 16-bit elements, rows given by the lanes; see ldmatrix in ptx.cuh.
void ldmatrix(u32 (&r)[4], const void* shared_row, Place place);
void ldmatrix(u32 (&r)[2], const void* shared_row, Place place);
void ldmatrix_trans(u32 (&r)[4], const void* shared_row, Place place);
void ldmatrix_trans(u32 (&r)[2], const void* shared_row, Place place);

// d[16, 8] += a[16, 16] . b[16, 8], each output summed in f32 over ascending k.
void mma_m16n8k16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], Place place);

}  // namespace emu
