// Where the fields of params.h lie: compared with their Rust twins by a test.
#pragma once

#include "place.h"

namespace emu {

// A field as "Struct.field", or a struct, whose offset is then its size.
struct Offset {
    const char* name;
    u32 num_bytes;
};

// The table that build.rs makes of params.h; a name of null ends it.
extern const Offset OFFSETS[];

}  // namespace emu

// Of a name in the table; NONE if it isn't there.
extern "C" u32 emu_find_offset(const char* name);
