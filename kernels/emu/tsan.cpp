// What the strict build's kernels call at each access to memory.
//
// They are compiled with -fsanitize=thread, which puts these calls in front of every access; the
// sanitizer's own library isn't linked. The return address says which line the access is in.
#include <cstddef>

#include "cta.h"

static inline void check(const void* at, size_t num_bytes, bool is_write, void* pc) {
    if (emu::cta) emu::cta->check_access_at(at, num_bytes, is_write, reinterpret_cast<u64>(pc));
}

#define READ(name, num_bytes) \
    void __tsan_##name(void* at) { check(at, num_bytes, false, __builtin_return_address(0)); }
#define WRITE(name, num_bytes) \
    void __tsan_##name(void* at) { check(at, num_bytes, true, __builtin_return_address(0)); }

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit(void*) {}

READ(read1, 1)
READ(read2, 2)
READ(read4, 4)
READ(read8, 8)
READ(read16, 16)
READ(unaligned_read2, 2)
READ(unaligned_read4, 4)
READ(unaligned_read8, 8)
READ(unaligned_read16, 16)
WRITE(write1, 1)
WRITE(write2, 2)
WRITE(write4, 4)
WRITE(write8, 8)
WRITE(write16, 16)
WRITE(unaligned_write2, 2)
WRITE(unaligned_write4, 4)
WRITE(unaligned_write8, 8)
WRITE(unaligned_write16, 16)

void __tsan_read_range(void* at, size_t num_bytes) {
    check(at, num_bytes, false, __builtin_return_address(0));
}
void __tsan_write_range(void* at, size_t num_bytes) {
    check(at, num_bytes, true, __builtin_return_address(0));
}
}
