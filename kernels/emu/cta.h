// A running CTA: its threads, who of them can go on, its shared memory, its barriers.
//
// All threads of a CTA run on one OS thread, one at a time: a thread runs until it has to wait for
// others, then the next one that can go on does. So everything here is free of locks, and the
// order is always the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "async.h"
#include "emulator.h"
#include "fiber.h"
#include "launch.h"
#include "mbarrier.h"
#include "place.h"
#include "shadow.h"
#include "warpgroup.h"

namespace emu {

constexpr u32 WARP_LEN = 32;
constexpr u32 MAX_THREADS = 1024;
constexpr u32 MAX_WARPS = MAX_THREADS / WARP_LEN;
constexpr u32 NUM_BARRIERS = 16;

// What the lanes of a warp do together: the last to arrive does it for all of them. `operands`
// holds what each lane brought.
using Collective = void (*)(void* const* operands);

struct Warp {
    // A bit a lane: who can go on, who waits in the present collective, who has returned.
    u32 runnable;
    u32 arrived;
    u32 exited;
    Collective collective;
    Place place;
    void* operands[WARP_LEN];
};

// A CUDA thread.
struct Thread {
    Context context;
    Warp* warp;
    u32 lane;
    Index thread_idx;
    // Where it waits, or last did.
    Place place;
    Copies copies;
};

// A barrier of some or all threads: 0 is __syncthreads.
struct Barrier {
    u32 num_expected;
    Place place;
    std::vector<u32> waiting;
};

// What an access to memory does; UPDATE is an atomic.
enum class Access { READ, WRITE, UPDATE };

// An array in shared memory, by the address of its declaration's key.
struct SharedArray {
    const void* key;
    u8* at;
};

class Cta;

// Of this OS thread: the CTA and the thread that run.
extern __thread Cta* cta;
extern __thread Thread* thread;

class Cta {
  public:
    Cta();

    // Runs CTA `cta_idx` of a launch to its end, or until a fault, which is then in `fault`.
    bool run(const Launch& launch, u64 cta_idx, Fault& fault);

    // --- for the threads that run -------------------------------------------------------------

    // Waits for all lanes of the warp; the last of them calls `collective`.
    inline void meet(Collective collective, void* mine, Place place);
    void barrier(u32 id, u32 num_threads, Place place);
    // Leaves the calling thread until wake() is called for it.
    inline void wait_for_others(Place place);
    void wake(u32 thread_idx);
    void* shared_array(const void* key, size_t num_bytes, Place place);
    // The launch's dynamic shared memory.
    u8* dynamic_shared() { return shared; }
    // Where shared addresses count from: below everything, so that none of them is 0.
    u8* shared_base() { return shared - SHARED_ALIGN; }
    // Are these bytes in the CTA's shared memory?
    void check_shared(const u8* at, size_t num_bytes, Place place);
    Warpgroup& warpgroup() { return warpgroups[thread->thread_idx.x / WARPGROUP_LEN]; }
    [[noreturn]] void fault(Place place, const std::string& what);

    // The shadow of shared memory; null in the normal build.
    Shadow* strict() { return launch->kernel->is_strict ? &shadow : nullptr; }
    // Is this access of the running thread right? Always, in the normal build.
    void check_access(const void* at, size_t num_bytes, Access access, Place place) {
        if (strict()) check_strictly(at, num_bytes, access, place);
    }
    void check_access_at(const void* at, size_t num_bytes, bool is_write, u64 pc);
    // Orders what the threads of the running thread's warp do.
    void order_warp();

    Mbarriers mbarriers;

    Index block_idx;
    Index block_dim;
    Index grid_dim;

  private:
    static constexpr size_t SHARED_ALIGN = 1024;
    static constexpr size_t ARRAY_ALIGN = 16;
    // Between arrays: what runs over one doesn't fall into the next.
    static constexpr size_t GAP_BYTES = 64;
    // What a CTA may have on Hopper.
    static constexpr size_t MAX_SHARED_BYTES = 227 * 1024;
    static constexpr size_t MAX_GAP_BYTES = 16 * 1024;

    void check_strictly(const void* at, size_t num_bytes, Access access, Place place);
    bool find_problem(const void* at, size_t num_bytes, Access access, std::string& problem);
    u8* shared_end() { return shared + MAX_SHARED_BYTES + MAX_GAP_BYTES; }
    [[noreturn]] void fail(Place place, u64 pc, const std::string& what);
    void add_shared(size_t num_bytes);
    static void thread_entry();
    void begin(const Launch& launch, u64 cta_idx);
    inline void switch_to_next();
    void switch_to_other_warp();
    [[noreturn]] void exit_thread();
    void check_end();
    [[noreturn]] void deadlock();
    [[noreturn]] void refuse_to_meet(Place place);
    [[noreturn]] void diverged(Place place, Place other);

    const Launch* launch = nullptr;
    u64 cta_idx = 0;
    u32 num_threads = 0;
    u32 num_warps = 0;
    u32 num_exited = 0;
    // A bit a warp: those with a lane that can go on.
    u32 runnable_warps = 0;
    bool has_failed = false;
    Fault found;
    Context outside;
    Stacks stacks;
    std::vector<Thread> threads;
    Warp warps[MAX_WARPS];
    Barrier barriers[NUM_BARRIERS];
    Warpgroup warpgroups[MAX_THREADS / WARPGROUP_LEN];
    std::vector<u8> shared_buffer;
    u8* shared;
    // Bytes that arrays have, and where the next one may begin.
    size_t shared_bytes = 0;
    size_t shared_used = 0;
    Shadow shadow;
    std::vector<SharedArray> shared_arrays;
};

// --- the fast paths: tens of millions of times a second ------------------------------------------

inline void Cta::meet(Collective collective, void* mine, Place place) {
    Thread& self = *thread;
    Warp& warp = *self.warp;
    if (warp.arrived == 0 && warp.exited == 0) {
        warp.collective = collective;
        warp.place = place;
    } else if (warp.collective != collective || warp.place != place || warp.exited != 0) {
        refuse_to_meet(place);
    }
    warp.operands[self.lane] = mine;
    warp.arrived |= 1u << self.lane;
    if (warp.arrived != ALL_LANES) return wait_for_others(place);
    warp.arrived = 0;
    collective(warp.operands);
    warp.runnable = ALL_LANES;
}

inline void Cta::wait_for_others(Place place) {
    thread->place = place;
    thread->warp->runnable &= ~(1u << thread->lane);
    switch_to_next();
}

// To the next lane of the same warp that can go on, else to another warp.
inline void Cta::switch_to_next() {
    Thread* self = thread;
    u32 lanes = self->warp->runnable;
    if (lanes == 0) return switch_to_other_warp();
    u32 later = lanes & ~((2u << self->lane) - 1);
    Thread* next = self - self->lane + __builtin_ctz(later != 0 ? later : lanes);
    thread = next;
    resume(self->context, next->context);
}

}  // namespace emu
