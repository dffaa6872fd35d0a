// What a kernel file needs of the emulator and of the system: included before device.cuh and
// ptx.cuh, which only rename it.
#pragma once

#include <math.h>
#include <string.h>

#include "launch.h"
#include "place.h"
#include "warp.h"

namespace emu {

struct Index {
    u32 x, y, z;
};

constexpr u32 ALL_LANES = 0xffffffffu;

Index thread_idx();
Index block_idx();
Index block_dim();
Index grid_dim();

// Waits at a barrier; 0 is that of all threads.
void barrier(u32 id, u32 num_threads, Place place);
// Only whole warps may do something together.
void check_lanes(u32 lanes, Place place);
void check_aligned(const void* at, u32 num_bytes, Place place);

// The array of a declaration, which `key` stands for.
void* shared_array(const void* key, size_t num_bytes, Place place);
u8* dynamic_shared();
u32 shared_address(const void* shared);

// This thread's cp.async.
void start_copy(void* shared, const void* global, u32 num_bytes, Place place);
void commit_copies();
void wait_for_copies(u32 num_pending);

// The unsigned type of so many bytes.
template <size_t NUM_BYTES>
struct Bits;
template <>
struct Bits<4> {
    using Type = u32;
};
template <>
struct Bits<8> {
    using Type = u64;
};

u32 atomic_load(u32* at, Place place);
u64 atomic_load(u64* at, Place place);
// *at = updated if it is `old`; else false, and `old` is what it is.
bool atomic_replace(u32* at, u32& old, u32 updated);
bool atomic_replace(u64* at, u64& old, u64 updated);
void thread_fence();

void mbarrier_init(u64* barrier, u32 num_arrivals, Place place);
void mbarrier_init_fence();
// An arrival, and `num_bytes` that have to come by TMA.
void mbarrier_arrive(u64* barrier, u32 num_bytes, Place place);
void mbarrier_wait(u64* barrier, u32 parity, Place place);
void tma_load(void* shared, const void* map, u64* barrier, u32 x, u32 y, Place place);

void wgmma_fence(Place place);
void wgmma(float* d, u32 num_cols, u64 a, u64 b, Place place);
void wgmma_commit(Place place);
void wgmma_wait(u32 num_pending, Place place);

}  // namespace emu
