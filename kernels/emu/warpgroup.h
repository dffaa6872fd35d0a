// wgmma: products by the 128 threads of a warpgroup, which are under way until they are waited for.
//
// The products of a group are done when it is waited for, and only then are their operands read.
// Until then the threads' registers of d are poisoned.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "emulator.h"

namespace emu {

constexpr u32 WARPGROUP_LEN = 128;

// The registers of d of a warpgroup, put together to the matrix [64][num_cols] that they are.
struct Accumulator {
    u32 num_cols;
    float* registers[WARPGROUP_LEN];
    // Products under way, by thread.
    u32 num_pending[WARPGROUP_LEN];
    std::vector<float> matrix;
};

// d += a . b^T; a and b are descriptors.
struct GroupProduct {
    u64 a, b;
    Accumulator* d;
    // Of commits: those before it.
    u32 group;
    // The threads that issued it so far.
    u32 num_threads;
    Place place;
    // The moment at which its operands were read, of the warpgroup's actor.
    u32 clock;
};

class Warpgroup {
  public:
    void forget();
    void fence(u32 thread_idx) { threads[thread_idx].is_fenced = true; }
    void issue(u32 thread_idx, float* d, u32 num_cols, u64 a, u64 b, Place place);
    void commit(u32 thread_idx, Place place);
    void wait(u32 thread_idx, u32 num_pending, Place place);
    // The place of a product that was never waited for; null if there is none.
    const Place* unfinished() const { return products.empty() ? nullptr : &products[0].place; }

  private:
    struct Member {
        u32 num_issued;
        u32 num_uncommitted;
        u32 num_groups;
        bool is_fenced;
    };

    Accumulator& accumulator(const GroupProduct& product, u32 thread_idx, float* d, u32 num_cols);
    void enter_registers(Accumulator& d, u32 thread_idx, Place place);
    void note_operands(GroupProduct& product);
    void finish(u32 num_groups, Place place);
    void deliver(Accumulator& d);

    Member threads[WARPGROUP_LEN];
    std::vector<std::unique_ptr<Accumulator>> accumulators;
    // Those that aren't finished; the first is product `num_finished` of the warpgroup.
    std::deque<GroupProduct> products;
    u32 num_finished;
    std::vector<u32> waiting;
    u32 waiting_pending;
    Place waiting_place;
};

}  // namespace emu
