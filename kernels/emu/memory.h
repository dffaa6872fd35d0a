// The device's memory: a range of addresses that is used up from below and never reused, so that
// what was freed stays known as such.
#pragma once

#include <cstddef>
#include <memory>

#include "global_shadow.h"
#include "place.h"

namespace emu {

class Memory {
  public:
    // Space for as many allocations as a test run makes; only what is in use takes real memory.
    static constexpr size_t RESERVED_BYTES = size_t(1) << 38;
    static constexpr size_t ALIGN = 256;

    explicit Memory(bool is_strict);
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    // Poisoned bytes, or null if there are none left. There is a gap before and after each.
    u8* allocate(size_t num_bytes);
    void free(u8* at, size_t num_bytes);
    void clear(u8* at, size_t num_bytes);
    void upload(u8* to, const u8* from, size_t num_bytes);

    bool contains(const u8* at) const { return at >= base && at < base + RESERVED_BYTES; }
    size_t offset(const u8* at) const { return at - base; }
    // Null in the normal build.
    GlobalShadow* shadow() const { return own_shadow.get(); }

  private:
    u8* base;
    size_t used = ALIGN;
    size_t usable = 0;
    std::unique_ptr<GlobalShadow> own_shadow;
};

}  // namespace emu

extern "C" {
// Null if the addresses can't be reserved.
emu::Memory* emu_new_memory(bool is_strict);
void emu_drop_memory(emu::Memory* memory);
u8* emu_allocate(emu::Memory* memory, size_t num_bytes);
void emu_free(emu::Memory* memory, u8* at, size_t num_bytes);
void emu_upload(emu::Memory* memory, u8* to, const u8* from, size_t num_bytes);
void emu_clear(emu::Memory* memory, u8* at, size_t num_bytes);
}
