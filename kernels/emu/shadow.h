// The shadow of a CTA's shared memory: for every two bytes, whether they are there, were written,
// and by whom they were last written and read. Only the strict build has it.
#pragma once

#include <string>
#include <vector>

#include "clocks.h"

namespace emu {

class Shadow {
  public:
    explicit Shadow(size_t num_bytes) : cells(num_bytes / CELL_BYTES) {}

    void begin(u32 num_threads);
    // Bytes that a kernel may use from now on.
    void add(size_t offset, size_t num_bytes);

    // An access by a thread; false if it is wrong, and why is in `problem`.
    bool read(size_t offset, size_t num_bytes, u32 thread_idx);
    bool write(size_t offset, size_t num_bytes, u32 thread_idx);

    // A copy of cp.async, from its beginning to its wait.
    bool start_copy(size_t offset, size_t num_bytes, u32 thread_idx);
    void finish_copy(size_t offset, size_t num_bytes, u32 thread_idx);
    // A copy of TMA that a thread starts; `clock` is then its moment.
    bool start_tma(size_t offset, size_t num_bytes, u32 thread_idx, u32 mbarrier, u32& clock);
    void finish_tma(size_t offset, size_t num_bytes);
    // What wgmma reads of a tile; TMA must have written it.
    bool read_by_wgmma(size_t offset, size_t num_bytes, u32 thread_idx, u32 warpgroup);

    Clocks clocks;
    std::string problem;

  private:
    static constexpr size_t CELL_BYTES = 2;
    static constexpr u16 NOBODY = 0xffff;

    enum State : u8 { ABSENT, UNWRITTEN, UNDER_WAY, WRITTEN };
    struct Access {
        u32 clock;
        u16 actor;
    };
    // Of readers that nothing orders, the first and the last: a missing barrier shows in both.
    struct Cell {
        Access writer;
        Access readers[2];
        State state;
    };

    static Cell empty(State state);
    static Cell written(Access by, State state);
    template <class Visit>
    bool visit(size_t offset, size_t num_bytes, Visit visit);
    bool check_read(const Cell& cell, u32 viewer);
    bool check_write(const Cell& cell, u32 viewer);
    bool refuse(const char* what, Access access);
    bool is_over(Access access, u32 viewer) const {
        return access.actor == NOBODY || clocks.has_seen(viewer, access.actor, access.clock);
    }
    void note_read(Cell& cell, u32 actor);

    std::vector<Cell> cells;
    size_t num_used = 0;
};

}  // namespace emu
