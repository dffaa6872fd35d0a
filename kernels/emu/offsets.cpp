// Looks names up in the table of offsets.
#include "offsets.h"

#include <cstring>

u32 emu_find_offset(const char* name) {
    for (const emu::Offset* offset = emu::OFFSETS; offset->name != nullptr; ++offset) {
        if (!strcmp(offset->name, name)) return offset->num_bytes;
    }
    return 0xffffffffu;
}
