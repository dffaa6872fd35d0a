// What kernels call, for the CTA and the thread that run on this OS thread.
#include "emulator.h"

#include "cta.h"

namespace emu {

Index thread_idx() { return thread->thread_idx; }
Index block_idx() { return cta->block_idx; }
Index block_dim() { return cta->block_dim; }
Index grid_dim() { return cta->grid_dim; }

void barrier(u32 id, u32 num_threads, Place place) { cta->barrier(id, num_threads, place); }

void check_lanes(u32 lanes, Place place) {
    if (lanes != ALL_LANES) cta->fault(place, "only some lanes of a warp are named");
}

void check_aligned(const void* at, u32 num_bytes, Place place) {
    if (reinterpret_cast<uintptr_t>(at) % num_bytes != 0) {
        cta->fault(place, "an address isn't aligned to " + std::to_string(num_bytes));
    }
}

void* shared_array(const void* key, size_t num_bytes, Place place) {
    return cta->shared_array(key, num_bytes, place);
}
u8* dynamic_shared() { return cta->dynamic_shared(); }
u32 shared_address(const void* shared) {
    return u32(static_cast<const u8*>(shared) - cta->shared_base());
}

void start_copy(void* shared, const void* global, u32 num_bytes, Place place) {
    check_aligned(shared, 16, place);
    check_aligned(global, 16, place);
    if (num_bytes != 0 && num_bytes != 16) cta->fault(place, "a copy of neither 0 nor 16 bytes");
    Copy copy{static_cast<u8*>(shared), static_cast<const u8*>(global), num_bytes};
    thread->copies.start(copy, place);
}
void commit_copies() { thread->copies.commit(); }
void wait_for_copies(u32 num_pending) { thread->copies.wait(num_pending); }

// --- atomics -----------------------------------------------------------------------------------

constexpr int ORDER = __ATOMIC_SEQ_CST;

u32 atomic_load(u32* at, Place place) {
    check_aligned(at, sizeof *at, place);
    cta->check_access(at, sizeof *at, Access::UPDATE, place);
    return __atomic_load_n(at, ORDER);
}
u64 atomic_load(u64* at, Place place) {
    check_aligned(at, sizeof *at, place);
    cta->check_access(at, sizeof *at, Access::UPDATE, place);
    return __atomic_load_n(at, ORDER);
}
bool atomic_replace(u32* at, u32& old, u32 updated) {
    return __atomic_compare_exchange_n(at, &old, updated, false, ORDER, ORDER);
}
bool atomic_replace(u64* at, u64& old, u64 updated) {
    return __atomic_compare_exchange_n(at, &old, updated, false, ORDER, ORDER);
}
void thread_fence() { __atomic_thread_fence(ORDER); }

// --- Hopper ------------------------------------------------------------------------------------

void mbarrier_init(u64* barrier, u32 num_arrivals, Place place) {
    cta->mbarriers.init(barrier, num_arrivals, place);
}
void mbarrier_init_fence() { cta->mbarriers.fence(); }
void mbarrier_arrive(u64* barrier, u32 num_bytes, Place place) {
    cta->mbarriers.arrive(barrier, num_bytes, place);
}
void mbarrier_wait(u64* barrier, u32 parity, Place place) {
    cta->mbarriers.wait(barrier, parity, place);
}
void tma_load(void* shared, const void* map, u64* barrier, u32 x, u32 y, Place place) {
    TensorWords tensor;
    memcpy(&tensor, map, sizeof tensor);
    cta->mbarriers.start_copy(TensorCopy{static_cast<u8*>(shared), tensor, x, y, barrier, place});
}

static u32 warpgroup_thread() { return thread->thread_idx.x % WARPGROUP_LEN; }

void wgmma_fence(Place) { cta->warpgroup().fence(warpgroup_thread()); }
void wgmma(float* d, u32 num_cols, u64 a, u64 b, Place place) {
    cta->warpgroup().issue(warpgroup_thread(), d, num_cols, a, b, place);
}
void wgmma_commit(Place place) { cta->warpgroup().commit(warpgroup_thread(), place); }
void wgmma_wait(u32 num_pending, Place place) {
    cta->warpgroup().wait(warpgroup_thread(), num_pending, place);
}

}  // namespace emu
