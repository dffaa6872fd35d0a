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
#include "warpgroup.h"

namespace emu {

constexpr u32 WARP_LEN = 32;
constexpr u32 MAX_THREADS = 1024;
constexpr u32 MAX_WARPS = MAX_THREADS / WARP_LEN;
constexpr u32 NUM_BARRIERS = 16;


// A CUDA thread.
struct Thread {
    Context context;
    Index thread_idx;
    u32 warp_idx;
    u32 lane;
    // Where it waits, or last did.
    Place place;
    Copies copies;
};

// What the lanes of a warp do together: the last to arrive does it for all of them. `operands` holds
// what each lane brought.
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

// A barrier of some or all threads: 0 is __syncthreads.
struct Barrier {
    u32 num_expected;
    Place place;
    std::vector<u32> waiting;
};

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

    void meet(Collective collective, void* mine, Place place);
    void barrier(u32 id, u32 num_threads, Place place);
    // Leaves the calling thread until wake() is called for it.
    void wait_for_others(Place place);
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

    Mbarriers mbarriers;

    Index block_idx;
    Index block_dim;
    Index grid_dim;

  private:
    static constexpr size_t SHARED_ALIGN = 1024;
    static constexpr size_t ARRAY_ALIGN = 16;

    static void thread_entry();
    void begin(const Launch& launch, u64 cta_idx);
    void switch_to_next();
    [[noreturn]] void exit_thread();
    void check_end();
    [[noreturn]] void deadlock();
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
    size_t shared_used = 0;
    std::vector<SharedArray> shared_arrays;
};

}  // namespace emu
