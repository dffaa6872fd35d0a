// mbarriers, and the copies of TMA that they count.
//
// A copy poisons its destination when it is issued, and is done as late as can be: when no thread
// can go on without it. So whoever reads the tile before its wait, or still reads the old one after
// it gave it back, gets NaNs.
#pragma once

#include <deque>
#include <vector>

#include "clocks.h"
#include "emulator.h"

namespace emu {

struct Mbarrier {
    const u64* at;
    u32 num_expected;
    // Of the present phase: arrivals and bytes that are still to come.
    u32 num_pending;
    long long pending_bytes;
    // Of the present phase, which is the number of those that ended, modulo 2.
    u32 parity;
    // Whether TMA sees it.
    bool is_fenced;
    std::vector<u32> waiting;
    // What those that arrived had seen: in the present phase, and in those that ended.
    Clocks::Seen seen_by_present;
    Clocks::Seen seen_by_ended;
};

// A tensor map as `encode` of emulator/mod.rs makes it, and as ptx.cuh's TensorMap carries it.
struct TensorWords {
    u64 magic;
    const u16* base;
    u64 num_rows;
    u64 num_cols;
    u64 box_rows;
};

struct TensorCopy {
    u8* to;
    TensorWords tensor;
    u32 x, y;
    const u64* barrier;
    Place place;
    // The moment of the copy, of the mbarrier's actor.
    u32 clock = 0;
};

// Those of a CTA.
class Mbarriers {
  public:
    void forget();
    void init(const u64* at, u32 num_expected, Place place);
    void fence();
    void arrive(const u64* at, u32 num_bytes, Place place);
    void wait(const u64* at, u32 parity, Place place);

    void start_copy(TensorCopy copy);
    // Does the oldest copy; false if there is none.
    bool finish_oldest_copy();
    const std::deque<TensorCopy>& pending_copies() const { return copies; }

  private:
    Mbarrier& find(const u64* at, Place place);
    void end_phase_if_complete(Mbarrier& barrier);
    u32 actor(const Mbarrier& barrier) const { return u32(&barrier - barriers.data()); }

    std::vector<Mbarrier> barriers;
    std::deque<TensorCopy> copies;
};

}  // namespace emu
