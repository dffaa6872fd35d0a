// cp.async: copies to shared memory that are under way until they are waited for.
//
// The destination is poisoned when the copy begins, and the bytes come only at the wait: what reads
// them earlier gets NaNs.
#pragma once

#include <cstddef>
#include <vector>

#include "place.h"

namespace emu {

struct Copy {
    u8* to;
    const u8* from;
    // Of the 16; the rest is zero.
    u32 num_bytes;
};

// The copies of one thread.
class Copies {
  public:
    void start(Copy copy, Place place);
    // Closes a group.
    void commit() { group_ends.push_back(pending.size()); }
    // Ends all groups but the newest `num_pending`.
    void wait(size_t num_pending);
    void forget();

  private:
    std::vector<Copy> pending;
    std::vector<size_t> group_ends;
};

}  // namespace emu
