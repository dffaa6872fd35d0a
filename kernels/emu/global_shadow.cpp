// What of the device's memory is allocated and written, and by which CTA.
#include "global_shadow.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace emu {

// A launch and a CTA in 32 bits. Both wrap around; CTAs that fall together are taken for one.
constexpr u32 CTA_BITS = 12;
constexpr u32 MANY = (1u << CTA_BITS) - 1;

static u32 mark_of(u64 launch, u64 cta) { return u32(launch << CTA_BITS) | u32(cta % MANY); }
static bool is_of_launch(u32 mark, u32 other) { return mark >> CTA_BITS == other >> CTA_BITS; }

static void* reserve(size_t num_bytes) {
    void* mapped = mmap(nullptr, num_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    return mapped;
}

GlobalShadow::GlobalShadow(size_t num)
    : num_bytes(num),
      states(static_cast<u8*>(reserve(num))),
      writers(static_cast<u32*>(reserve(num / CELL_BYTES * sizeof(u32)))),
      readers(static_cast<u32*>(reserve(num / CELL_BYTES * sizeof(u32)))) {}

GlobalShadow::~GlobalShadow() {
    munmap(states, num_bytes);
    munmap(writers, num_bytes / CELL_BYTES * sizeof(u32));
    munmap(readers, num_bytes / CELL_BYTES * sizeof(u32));
}

void GlobalShadow::set(size_t offset, size_t num, State state) {
    memset(states + offset, state, num);
}

// Whether all bytes have at least this state.
static bool all_are(const u8* states, size_t num, u8 state) {
    for (size_t i = 0; i < num; ++i) {
        if (__atomic_load_n(states + i, __ATOMIC_RELAXED) < state) return false;
    }
    return true;
}

constexpr const char* OUTSIDE = "outside of what is allocated";

const char* GlobalShadow::read(size_t offset, size_t num, u64 launch, u64 cta) {
    if (!all_are(states + offset, num, UNWRITTEN)) return OUTSIDE;
    if (!all_are(states + offset, num, WRITTEN)) return "a read of memory that nobody wrote";
    u32 mark = mark_of(launch, cta);
    for (size_t i = offset / CELL_BYTES; i * CELL_BYTES < offset + num; ++i) {
        u32 writer = __atomic_load_n(&writers[i], __ATOMIC_RELAXED);
        if (writer != mark && is_of_launch(writer, mark)) {
            return "a race: a read of memory that another CTA of the launch writes";
        }
        u32 reader = __atomic_load_n(&readers[i], __ATOMIC_RELAXED);
        if (reader == mark) continue;
        u32 now = is_of_launch(reader, mark) ? mark | MANY : mark;
        __atomic_store_n(&readers[i], now, __ATOMIC_RELAXED);
    }
    return nullptr;
}

const char* GlobalShadow::write(size_t offset, size_t num, u64 launch, u64 cta) {
    if (!all_are(states + offset, num, UNWRITTEN)) return OUTSIDE;
    u32 mark = mark_of(launch, cta);
    for (size_t i = offset / CELL_BYTES; i * CELL_BYTES < offset + num; ++i) {
        u32 writer = __atomic_exchange_n(&writers[i], mark, __ATOMIC_RELAXED);
        if (writer != mark && is_of_launch(writer, mark)) {
            return "a race: a write to memory that another CTA of the launch writes";
        }
        u32 reader = __atomic_load_n(&readers[i], __ATOMIC_RELAXED);
        if (reader != mark && is_of_launch(reader, mark)) {
            return "a race: a write to memory that another CTA of the launch reads";
        }
    }
    for (size_t i = 0; i < num; ++i) {
        __atomic_store_n(&states[offset + i], u8(WRITTEN), __ATOMIC_RELAXED);
    }
    return nullptr;
}

const char* GlobalShadow::update(size_t offset, size_t num) {
    if (!all_are(states + offset, num, UNWRITTEN)) return OUTSIDE;
    if (all_are(states + offset, num, WRITTEN)) return nullptr;
    return "an atomic on memory that nobody wrote";
}

}  // namespace emu
