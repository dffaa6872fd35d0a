// What of each other's doings the actors of a CTA have seen: vector clocks.
//
// An actor is a thread, or what works beside the threads: TMA for one mbarrier, and the wgmma of a
// warpgroup. Each has a clock that goes on whenever others may have seen what it did so far. Two
// accesses are ordered if the later one's actor has seen the clock of the earlier one.
#pragma once

#include <cstdlib>
#include <memory>
#include <vector>

#include "place.h"

namespace emu {

constexpr u32 MAX_MBARRIERS = 32;
constexpr u32 MAX_WARPGROUPS = 8;
constexpr u32 FIRST_WARPGROUP = MAX_MBARRIERS;
constexpr u32 FIRST_THREAD = MAX_MBARRIERS + MAX_WARPGROUPS;
constexpr u32 MAX_ACTORS = FIRST_THREAD + 1024;

class Clocks {
  public:
    // What was seen at some moment, by actor.
    using Seen = std::vector<u32>;

    Clocks();
    // All that was before has been seen by everyone.
    void begin(u32 num_threads);

    u32 now(u32 actor) const { return row(actor)[actor]; }
    void tick(u32 actor) { ++row(actor)[actor]; }
    bool has_seen(u32 viewer, u32 actor, u32 clock) const {
        bool is_older = actor >= FIRST_THREAD && clock < base;
        return is_older || viewer == actor || row(viewer)[actor] >= clock;
    }

    void release(u32 actor, Seen& into);
    void acquire(u32 actor, const Seen& seen);
    void acquire_one(u32 viewer, u32 actor, u32 clock);
    // Barriers: everyone has seen what everyone did before.
    void meet(const u32* threads, u32 num);
    void meet_all();

  private:
    // The newest clock of the actors from one on.
    u32 newest(u32 first_actor) const;
    u32* row(u32 actor) const { return rows.get() + size_t(actor) * MAX_ACTORS; }

    struct Free {
        void operator()(u32* at) const { std::free(at); }
    };
    // Only what is used of it takes memory.
    std::unique_ptr<u32, Free> rows;
    u32 num_actors = 0;
    u32 base = 0;
};

}  // namespace emu
