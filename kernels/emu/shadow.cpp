// Which accesses to shared memory are right, and why the others aren't.
#include "shadow.h"

#include <algorithm>

namespace emu {

Shadow::Cell Shadow::empty(State state) { return written(Access{0, NOBODY}, state); }

Shadow::Cell Shadow::written(Access by, State state) {
    return Cell{by, {{0, NOBODY}, {0, NOBODY}}, state};
}

void Shadow::begin(u32 num_threads) {
    clocks.begin(num_threads);
    std::fill(cells.begin(), cells.begin() + num_used, empty(ABSENT));
    num_used = 0;
}

void Shadow::add(size_t offset, size_t num_bytes) {
    size_t first = offset / CELL_BYTES, end = (offset + num_bytes + CELL_BYTES - 1) / CELL_BYTES;
    std::fill(cells.begin() + first, cells.begin() + end, empty(UNWRITTEN));
    num_used = std::max(num_used, end);
}

static std::string name(u32 actor) {
    if (actor >= FIRST_THREAD) return "thread " + std::to_string(actor - FIRST_THREAD);
    return actor >= FIRST_WARPGROUP ? "a wgmma" : "a copy of TMA";
}

bool Shadow::refuse(const char* what, Access access) {
    problem = what + name(access.actor) + ", and nothing orders the two";
    return false;
}

// Calls visit(cell) for each until one is refused.
template <class Visit>
bool Shadow::visit(size_t offset, size_t num_bytes, Visit visit) {
    size_t first = offset / CELL_BYTES, end = (offset + num_bytes + CELL_BYTES - 1) / CELL_BYTES;
    for (size_t i = first; i < end; ++i) {
        if (i >= cells.size() || cells[i].state == ABSENT) {
            problem = "outside of the arrays in shared memory";
            return false;
        }
        if (!visit(cells[i])) return false;
    }
    return true;
}

bool Shadow::check_read(const Cell& cell, u32 viewer) {
    if (cell.state == UNWRITTEN) {
        problem = "a read of shared memory that nobody wrote";
        return false;
    }
    if (cell.state == UNDER_WAY) {
        problem = "a read of shared memory before the copy to it was waited for";
        return false;
    }
    if (is_over(cell.writer, viewer)) return true;
    return refuse("a race: a read of shared memory that was written by ", cell.writer);
}

bool Shadow::check_write(const Cell& cell, u32 viewer) {
    if (cell.state == UNDER_WAY) {
        problem = "a write to shared memory while a copy to it is under way";
        return false;
    }
    if (!is_over(cell.writer, viewer)) {
        return refuse("a race: a write to shared memory that was written by ", cell.writer);
    }
    for (Access reader : cell.readers) {
        if (is_over(reader, viewer)) continue;
        return refuse("a race: a write to shared memory that was read by ", reader);
    }
    return true;
}

void Shadow::note_read(Cell& cell, u32 actor) {
    // The first of the two is kept while it says something that the new one doesn't.
    Access& to = cell.readers[is_over(cell.readers[0], actor) ? 0 : 1];
    to = Access{clocks.now(actor), u16(actor)};
}

bool Shadow::read(size_t offset, size_t num_bytes, u32 thread_idx) {
    u32 actor = FIRST_THREAD + thread_idx;
    return visit(offset, num_bytes, [&](Cell& cell) {
        if (!check_read(cell, actor)) return false;
        note_read(cell, actor);
        return true;
    });
}

bool Shadow::write(size_t offset, size_t num_bytes, u32 thread_idx) {
    u32 actor = FIRST_THREAD + thread_idx, now = clocks.now(actor);
    return visit(offset, num_bytes, [&](Cell& cell) {
        if (!check_write(cell, actor)) return false;
        cell = written(Access{now, u16(actor)}, WRITTEN);
        return true;
    });
}

bool Shadow::start_copy(size_t offset, size_t num_bytes, u32 thread_idx) {
    u32 actor = FIRST_THREAD + thread_idx, now = clocks.now(actor);
    return visit(offset, num_bytes, [&](Cell& cell) {
        if (!check_write(cell, actor)) return false;
        cell = written(Access{now, u16(actor)}, UNDER_WAY);
        return true;
    });
}

void Shadow::finish_copy(size_t offset, size_t num_bytes, u32 thread_idx) {
    u32 now = clocks.now(FIRST_THREAD + thread_idx);
    visit(offset, num_bytes, [&](Cell& cell) {
        cell.state = WRITTEN;
        cell.writer.clock = now;
        return true;
    });
}

bool Shadow::start_tma(size_t offset, size_t num_bytes, u32 thread_idx, u32 mbarrier, u32& clock) {
    clocks.tick(mbarrier);
    clock = clocks.now(mbarrier);
    return visit(offset, num_bytes, [&](Cell& cell) {
        if (!check_write(cell, FIRST_THREAD + thread_idx)) return false;
        cell = written(Access{clock, u16(mbarrier)}, UNDER_WAY);
        return true;
    });
}

void Shadow::finish_tma(size_t offset, size_t num_bytes) {
    visit(offset, num_bytes, [](Cell& cell) {
        cell.state = WRITTEN;
        return true;
    });
}

bool Shadow::read_by_wgmma(size_t offset, size_t num_bytes, u32 thread_idx, u32 warpgroup) {
    return visit(offset, num_bytes, [&](Cell& cell) {
        if (!check_read(cell, FIRST_THREAD + thread_idx)) return false;
        if (cell.writer.actor >= FIRST_WARPGROUP) {
            problem = "a wgmma reads what was stored without TMA, and no proxy fence followed";
            return false;
        }
        note_read(cell, FIRST_WARPGROUP + warpgroup);
        return true;
    });
}

}  // namespace emu
