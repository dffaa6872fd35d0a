// Allocations from a range of addresses that is reserved as a whole.
#include "memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>

namespace emu {

// What the system maps at once.
constexpr size_t SYSTEM_UNIT_BYTES = 4096;
// The range becomes usable in steps of this: a system call each.
constexpr size_t STEP_BYTES = size_t(1) << 24;

static size_t round_up(size_t num, size_t unit) { return (num + unit - 1) / unit * unit; }

Memory::Memory(bool is_strict) {
    void* mapped = mmap(nullptr, RESERVED_BYTES, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    base = static_cast<u8*>(mapped);
    if (is_strict) own_shadow = std::make_unique<GlobalShadow>(RESERVED_BYTES);
}

Memory::~Memory() { munmap(base, RESERVED_BYTES); }

u8* Memory::allocate(size_t num_bytes) {
    size_t end = used + round_up(num_bytes, ALIGN) + ALIGN;
    if (end > RESERVED_BYTES) return nullptr;
    if (end > usable) {
        size_t grown = round_up(end, STEP_BYTES);
        if (mprotect(base, grown, PROT_READ | PROT_WRITE) != 0) return nullptr;
        usable = grown;
    }
    u8* at = base + used;
    used = end;
    memset(at, 0xff, num_bytes);
    if (own_shadow) own_shadow->set(offset(at), num_bytes, GlobalShadow::UNWRITTEN);
    return at;
}

// Zeros the range. Whole units of a large one are given back to the system, which shows them as
// zeros until they are written.
static void clear_range(u8* at, size_t num_bytes) {
    constexpr size_t LARGE_BYTES = size_t(1) << 20;
    u8* end = at + num_bytes;
    if (num_bytes >= LARGE_BYTES) {
        size_t head = round_up(reinterpret_cast<uintptr_t>(at), SYSTEM_UNIT_BYTES);
        u8* units = at + (head - reinterpret_cast<uintptr_t>(at));
        size_t unit_bytes = (end - units) / SYSTEM_UNIT_BYTES * SYSTEM_UNIT_BYTES;
        memset(at, 0, units - at);
        madvise(units, unit_bytes, MADV_DONTNEED);
        at = units + unit_bytes;
    }
    memset(at, 0, end - at);
}

void Memory::free(u8* at, size_t num_bytes) {
    clear_range(at, num_bytes);
    if (own_shadow) own_shadow->set(offset(at), num_bytes, GlobalShadow::ABSENT);
}

void Memory::clear(u8* at, size_t num_bytes) {
    clear_range(at, num_bytes);
    if (own_shadow) own_shadow->set(offset(at), num_bytes, GlobalShadow::WRITTEN);
}

void Memory::upload(u8* to, const u8* from, size_t num_bytes) {
    memcpy(to, from, num_bytes);
    if (own_shadow) own_shadow->set(offset(to), num_bytes, GlobalShadow::WRITTEN);
}

}  // namespace emu

extern "C" {

emu::Memory* emu_new_memory(bool is_strict) {
    try {
        return new emu::Memory(is_strict);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void emu_drop_memory(emu::Memory* memory) { delete memory; }
u8* emu_allocate(emu::Memory* memory, size_t num_bytes) { return memory->allocate(num_bytes); }
void emu_free(emu::Memory* memory, u8* at, size_t num_bytes) { memory->free(at, num_bytes); }
void emu_upload(emu::Memory* memory, u8* to, const u8* from, size_t num_bytes) {
    memory->upload(to, from, num_bytes);
}
void emu_clear(emu::Memory* memory, u8* at, size_t num_bytes) { memory->clear(at, num_bytes); }
}
