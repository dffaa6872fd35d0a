// The phases of mbarriers, and TMA with its swizzle.
#include "mbarrier.h"

#include <cstring>

#include "cta.h"

namespace emu {

constexpr u32 BOX_COLS = 64;
constexpr u32 BOX_ROW_BYTES = 128;
constexpr u32 CHUNK_BYTES = 16;
constexpr u64 TENSOR_MAGIC = 0x70614d726f736e54;

void Mbarriers::forget() {
    barriers.clear();
    copies.clear();
}

void Mbarriers::init(const u64* at, u32 num_expected, Place place) {
    for (const Mbarrier& barrier : barriers) {
        if (barrier.at == at) cta->fault(place, "an mbarrier is initialised twice");
    }
    check_aligned(at, sizeof(u64), place);
    if (num_expected == 0) cta->fault(place, "an mbarrier of no arrivals");
    if (barriers.size() == MAX_MBARRIERS) cta->fault(place, "more mbarriers than are provided for");
    barriers.push_back(Mbarrier{at, num_expected, num_expected, 0, 0, false, {}, {}, {}});
}

void Mbarriers::fence() {
    for (Mbarrier& barrier : barriers) barrier.is_fenced = true;
}

Mbarrier& Mbarriers::find(const u64* at, Place place) {
    for (Mbarrier& barrier : barriers) {
        if (barrier.at == at) return barrier;
    }
    cta->fault(place, "an mbarrier that was never initialised");
}

void Mbarriers::end_phase_if_complete(Mbarrier& barrier) {
    if (barrier.num_pending != 0 || barrier.pending_bytes != 0) return;
    barrier.parity ^= 1;
    barrier.seen_by_ended = barrier.seen_by_present;
    barrier.num_pending = barrier.num_expected;
    for (u32 waiting : barrier.waiting) cta->wake(waiting);
    barrier.waiting.clear();
}

void Mbarriers::arrive(const u64* at, u32 num_bytes, Place place) {
    Mbarrier& barrier = find(at, place);
    if (barrier.num_pending == 0) cta->fault(place, "more arrivals than the mbarrier expects");
    --barrier.num_pending;
    barrier.pending_bytes += num_bytes;
    if (Shadow* shadow = cta->strict()) {
        shadow->clocks.release(FIRST_THREAD + thread->thread_idx.x, barrier.seen_by_present);
    }
    end_phase_if_complete(barrier);
}

void Mbarriers::wait(const u64* at, u32 parity, Place place) {
    if (parity > 1) cta->fault(place, "a parity is 0 or 1");
    find(at, place);
    // The table may grow meanwhile.
    while (find(at, place).parity == parity) {
        find(at, place).waiting.push_back(thread->thread_idx.x);
        cta->wait_for_others(place);
    }
    if (Shadow* shadow = cta->strict()) {
        u32 actor = FIRST_THREAD + thread->thread_idx.x;
        shadow->clocks.acquire(actor, find(at, place).seen_by_ended);
    }
}

// --- TMA -------------------------------------------------------------------------------------

// What a copy reads must be there.
static void check_source(const TensorCopy& copy) {
    const TensorWords& tensor = copy.tensor;
    if (copy.x >= tensor.num_cols) return;
    u64 num_cols = tensor.num_cols - copy.x < BOX_COLS ? tensor.num_cols - copy.x : BOX_COLS;
    for (u64 y = copy.y; y < tensor.num_rows && y < copy.y + tensor.box_rows; ++y) {
        const u16* row = tensor.base + y * tensor.num_cols + copy.x;
        cta->check_access(row, num_cols * sizeof(u16), Access::READ, copy.place);
    }
}

void Mbarriers::start_copy(TensorCopy copy) {
    const TensorWords& tensor = copy.tensor;
    if (tensor.magic != TENSOR_MAGIC) cta->fault(copy.place, "no tensor map");
    check_aligned(copy.to, 1024, copy.place);
    const Mbarrier& barrier = find(copy.barrier, copy.place);
    if (!barrier.is_fenced) {
        cta->fault(copy.place, "TMA counts for an mbarrier without an mbarrier_init_fence");
    }
    size_t num_bytes = tensor.box_rows * BOX_ROW_BYTES;
    cta->check_shared(copy.to, num_bytes, copy.place);
    memset(copy.to, 0xff, num_bytes);
    if (Shadow* shadow = cta->strict()) {
        size_t offset = copy.to - cta->shared_base();
        u32 idx = thread->thread_idx.x;
        bool is_right = shadow->start_tma(offset, num_bytes, idx, actor(barrier), copy.clock);
        if (!is_right) cta->fault(copy.place, shadow->problem);
        check_source(copy);
    }
    copies.push_back(copy);
}

// One row of a box: its 16-byte chunks are exchanged as the row's place in the atom says.
static void copy_box_row(const TensorCopy& copy, u32 row) {
    const TensorWords& tensor = copy.tensor;
    u16 values[BOX_COLS] = {};
    u64 y = u64(copy.y) + row;
    for (u32 col = 0; col < BOX_COLS && y < tensor.num_rows; ++col) {
        u64 x = u64(copy.x) + col;
        if (x < tensor.num_cols) values[col] = tensor.base[y * tensor.num_cols + x];
    }
    for (u32 chunk = 0; chunk < BOX_ROW_BYTES / CHUNK_BYTES; ++chunk) {
        u8* to = copy.to + row * BOX_ROW_BYTES + (chunk ^ row % 8) * CHUNK_BYTES;
        memcpy(to, values + chunk * (CHUNK_BYTES / sizeof(u16)), CHUNK_BYTES);
    }
}

bool Mbarriers::finish_oldest_copy() {
    if (copies.empty()) return false;
    TensorCopy copy = copies.front();
    copies.pop_front();
    for (u32 row = 0; row < copy.tensor.box_rows; ++row) copy_box_row(copy, row);
    Mbarrier& barrier = find(copy.barrier, copy.place);
    size_t num_bytes = copy.tensor.box_rows * BOX_ROW_BYTES;
    barrier.pending_bytes -= num_bytes;
    if (Shadow* shadow = cta->strict()) {
        shadow->finish_tma(copy.to - cta->shared_base(), num_bytes);
        barrier.seen_by_present.resize(MAX_ACTORS);
        barrier.seen_by_present[actor(barrier)] = copy.clock;
    }
    end_phase_if_complete(barrier);
    return true;
}

}  // namespace emu
