// The shadow of the device's memory: for every byte, whether it is allocated and was written; for
// every two bytes, which CTA of which launch last wrote and read them. Only the strict build has
// it.
//
// CTAs run side by side, so what is noted may be a moment old: an ordered program never looks like
// a race, and a race is found if the two accesses don't fall into the same moment.
#pragma once

#include <cstddef>

#include "place.h"

namespace emu {

class GlobalShadow {
  public:
    enum State : u8 { ABSENT, UNWRITTEN, WRITTEN };

    // For offsets below `num_bytes`; only what is used takes memory.
    explicit GlobalShadow(size_t num_bytes);
    ~GlobalShadow();
    GlobalShadow(const GlobalShadow&) = delete;
    GlobalShadow& operator=(const GlobalShadow&) = delete;

    void set(size_t offset, size_t num_bytes, State state);
    // An access by a CTA of a launch: null, or what is wrong with it.
    const char* read(size_t offset, size_t num_bytes, u64 launch, u64 cta);
    const char* write(size_t offset, size_t num_bytes, u64 launch, u64 cta);
    // Neither of them: atomics may come in any order.
    const char* update(size_t offset, size_t num_bytes);

  private:
    static constexpr size_t CELL_BYTES = 2;

    size_t num_bytes;
    u8* states;
    u32* writers;
    u32* readers;
};

}  // namespace emu
