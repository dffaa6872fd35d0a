// The strict build's look at every access: is it to shared or to global memory, and is it right?
#include "cta.h"
#include "memory.h"

namespace emu {

// Addresses this small are offsets from a null pointer.
constexpr uintptr_t NULL_BYTES = 65536;

// Other addresses are the thread's own: its stack, its parameters.
bool Cta::find_problem(const void* at, size_t num_bytes, Access access, std::string& problem) {
    auto* byte = static_cast<const u8*>(at);
    if (byte >= shared_base() && byte < shared_end()) {
        size_t offset = byte - shared_base();
        u32 idx = thread->thread_idx.x;
        bool is_right = access == Access::READ ? shadow.read(offset, num_bytes, idx)
                                               : shadow.write(offset, num_bytes, idx);
        if (!is_right) problem = shadow.problem;
        return !is_right;
    }
    const char* what = nullptr;
    if (launch->memory != nullptr && launch->memory->contains(byte)) {
        GlobalShadow& global = *launch->memory->shadow();
        size_t offset = launch->memory->offset(byte);
        u64 number = launch->number;
        switch (access) {
            case Access::READ:
                what = global.read(offset, num_bytes, number, cta_idx);
                break;
            case Access::WRITE:
                what = global.write(offset, num_bytes, number, cta_idx);
                break;
            case Access::UPDATE:
                what = global.update(offset, num_bytes);
                break;
        }
    } else if (reinterpret_cast<uintptr_t>(at) < NULL_BYTES) {
        what = "a null pointer";
    }
    if (what) problem = what;
    return what != nullptr;
}

void Cta::check_strictly(const void* at, size_t num_bytes, Access access, Place place) {
    std::string problem;
    if (find_problem(at, num_bytes, access, problem)) fault(place, problem);
}

void Cta::check_access_at(const void* at, size_t num_bytes, bool is_write, u64 pc) {
    std::string problem;
    if (!find_problem(at, num_bytes, is_write ? Access::WRITE : Access::READ, problem)) return;
    fail(Place{nullptr, 0}, pc, problem);
}

}  // namespace emu
