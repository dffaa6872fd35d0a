// Where a kernel's source called something of the emulator: what faults are reported with.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

namespace emu {

// As a default argument, `Place::here()` is the line of the call.
struct Place {
    const char* file;
    u32 line;

    static constexpr Place here(const char* file = __builtin_FILE(), u32 line = __builtin_LINE()) {
        return Place{file, line};
    }
};

inline bool operator==(Place a, Place b) { return a.line == b.line && a.file == b.file; }
inline bool operator!=(Place a, Place b) { return !(a == b); }

}  // namespace emu
