// wgmma: the products of a warpgroup, and the registers that they add to.
#include "warpgroup.h"

#include <cstring>

#include "cta.h"

namespace emu {

constexpr u32 NUM_ROWS = 64;
constexpr u32 K = 16;
constexpr u32 CHUNK_BYTES = 16;
constexpr u32 POISON = 0xffffffffu;

void Warpgroup::forget() {
    memset(threads, 0, sizeof threads);
    accumulators.clear();
    products.clear();
    num_finished = 0;
    waiting.clear();
}

// --- registers and the matrix that they are ------------------------------------------------------

// Calls visit(register, element of the matrix) for what thread `thread_idx` has of it: warp w has
// rows 16w.., and of each eight columns the fragment of an mma.
template <class Visit>
static void visit_fragment(Accumulator& d, u32 thread_idx, Visit visit) {
    u32 lane = thread_idx % WARP_LEN, row = thread_idx / WARP_LEN * 16 + lane / 4;
    float* registers = d.registers[thread_idx];
    for (u32 i = 0; i < d.num_cols / 2; ++i) {
        u32 col = i / 4 * 8 + lane % 4 * 2 + i % 2;
        visit(registers[i], d.matrix[(row + i / 2 % 2 * 8) * d.num_cols + col]);
    }
}

// What a thread has of d enters the matrix, and its registers are poisoned.
void Warpgroup::enter_registers(Accumulator& d, u32 thread_idx, Place place) {
    bool is_changed = false;
    visit_fragment(d, thread_idx, [&](float& reg, float& element) {
        is_changed |= memcmp(&reg, &element, sizeof reg) != 0;
        element = reg;
        memcpy(&reg, &POISON, sizeof reg);
    });
    if (is_changed && !threads[thread_idx].is_fenced) {
        cta->fault(place, "registers of d were written, and no wgmma_fence followed");
    }
}

static void check_untouched(Accumulator& d, u32 thread_idx, Place place) {
    visit_fragment(d, thread_idx, [&](float& reg, float&) {
        if (memcmp(&reg, &POISON, sizeof reg) != 0) {
            cta->fault(place, "registers of d were written while a wgmma adds to them");
        }
    });
}

void Warpgroup::deliver(Accumulator& d) {
    for (u32 i = 0; i < WARPGROUP_LEN; ++i) {
        if (d.registers[i] == nullptr || d.num_pending[i] != 0) continue;
        visit_fragment(d, i, [](float& reg, float& element) { reg = element; });
    }
}

// --- issue, commit, wait -------------------------------------------------------------------------

// The accumulator of a product: that of the thread's registers, or of the others that issued it.
Accumulator& Warpgroup::accumulator(const GroupProduct& product, u32 thread_idx, float* d,
                                    u32 num_cols) {
    if (product.d != nullptr) {
        product.d->registers[thread_idx] = d;
        return *product.d;
    }
    for (const auto& known : accumulators) {
        if (known->registers[thread_idx] == d && known->num_cols == num_cols) return *known;
    }
    auto made = std::make_unique<Accumulator>();
    made->num_cols = num_cols;
    // What no register can hold unseen: a first product finds its registers changed.
    made->matrix.resize(NUM_ROWS * num_cols);
    memset(made->matrix.data(), 0xff, made->matrix.size() * sizeof(float));
    made->registers[thread_idx] = d;
    accumulators.push_back(std::move(made));
    return *accumulators.back();
}

void Warpgroup::issue(u32 thread_idx, float* d, u32 num_cols, u64 a, u64 b, Place place) {
    Member& self = threads[thread_idx];
    size_t idx = self.num_issued - num_finished;
    if (idx == products.size()) {
        products.push_back(GroupProduct{a, b, nullptr, self.num_groups, 0, place, 0});
    }
    GroupProduct& product = products[idx];
    if (product.a != a || product.b != b || product.group != self.num_groups) {
        cta->fault(place, "the threads of a warpgroup multiply different tiles");
    }
    product.d = &accumulator(product, thread_idx, d, num_cols);
    if (product.d->num_pending[thread_idx] == 0) {
        enter_registers(*product.d, thread_idx, place);
    } else {
        check_untouched(*product.d, thread_idx, place);
    }
    ++product.d->num_pending[thread_idx];
    ++product.num_threads;
    if (product.num_threads == WARPGROUP_LEN) note_operands(product);
    ++self.num_issued;
    ++self.num_uncommitted;
}

void Warpgroup::commit(u32 thread_idx, Place) {
    threads[thread_idx].num_uncommitted = 0;
    ++threads[thread_idx].num_groups;
}

void Warpgroup::wait(u32 thread_idx, u32 num_pending, Place place) {
    Member& self = threads[thread_idx];
    if (self.num_uncommitted != 0) {
        cta->fault(place, "a wgmma_wait for products without a wgmma_commit");
    }
    self.is_fenced = false;
    if (waiting.empty()) {
        waiting_place = place;
        waiting_pending = num_pending;
    } else if (waiting_place != place || waiting_pending != num_pending) {
        cta->fault(place, "other threads of the warpgroup wait for other products");
    }
    waiting.push_back(thread->thread_idx.x);
    if (waiting.size() < WARPGROUP_LEN) return cta->wait_for_others(place);
    if (self.num_groups > num_pending) finish(self.num_groups - num_pending, place);
    for (u32 idx : waiting) cta->wake(idx);
    waiting.clear();
}

// --- the product ---------------------------------------------------------------------------------

// Calls visit(row, chunk, where it lies) for the rows of 16 elements, two chunks of 16 bytes, of a
// tile that a descriptor of wgmma_descriptor describes. The chunks of an atom are exchanged as the
// address of their row says.
template <class Visit>
static void visit_tile(u64 descriptor, u32 num_rows, Place place, Visit visit) {
    constexpr u64 ADDRESS = 0x3fff;
    constexpr u64 KIND = 1ull << 16 | u64(1024 >> 4) << 32 | 1ull << 62;
    if ((descriptor & ~ADDRESS) != KIND) cta->fault(place, "no descriptor of wgmma_descriptor");
    u32 begin = u32(descriptor & ADDRESS) << 4;
    u8* base = cta->shared_base();
    cta->check_shared(base + begin, (num_rows - 1) * 128 + K * sizeof(u16), place);
    for (u32 row = 0; row < num_rows; ++row) {
        for (u32 chunk = 0; chunk < 2; ++chunk) {
            u32 address = begin + row * 128 + chunk * CHUNK_BYTES;
            visit(row, chunk, base + (address ^ (address >> 7 & 7) << 4));
        }
    }
}

static void read_tile(u64 descriptor, u32 num_rows, float* out, Place place) {
    visit_tile(descriptor, num_rows, place, [&](u32 row, u32 chunk, const u8* at) {
        u16 values[CHUNK_BYTES / sizeof(u16)];
        memcpy(values, at, sizeof values);
        for (u32 i = 0; i < 8; ++i) {
            u32 bits = u32(values[i]) << 16;
            memcpy(&out[row * K + chunk * 8 + i], &bits, sizeof bits);
        }
    });
}

// Tells the shadow that the warpgroup reads its operands from now on.
void Warpgroup::note_operands(GroupProduct& product) {
    Shadow* shadow = cta->strict();
    if (shadow == nullptr) return;
    u32 idx = thread->thread_idx.x, group = idx / WARPGROUP_LEN;
    auto note = [&](u32, u32, const u8* at) {
        size_t offset = at - cta->shared_base();
        bool is_right = shadow->read_by_wgmma(offset, CHUNK_BYTES, idx, group);
        if (!is_right) cta->fault(product.place, shadow->problem);
    };
    shadow->clocks.tick(FIRST_WARPGROUP + group);
    product.clock = shadow->clocks.now(FIRST_WARPGROUP + group);
    visit_tile(product.a, NUM_ROWS, product.place, note);
    visit_tile(product.b, product.d->num_cols, product.place, note);
}

// Each output is summed over ascending k, as by mma_m16n8k16.
static void multiply(const GroupProduct& product) {
    constexpr u32 MAX_COLS = 256;
    u32 num_cols = product.d->num_cols;
    static thread_local float a[NUM_ROWS * K], b[MAX_COLS * K], b_by_k[K * MAX_COLS];
    read_tile(product.a, NUM_ROWS, a, product.place);
    read_tile(product.b, num_cols, b, product.place);
    for (u32 col = 0; col < num_cols; ++col) {
        for (u32 k = 0; k < K; ++k) b_by_k[k * num_cols + col] = b[col * K + k];
    }
    for (u32 row = 0; row < NUM_ROWS; ++row) {
        float* d = product.d->matrix.data() + row * num_cols;
        for (u32 k = 0; k < K; ++k) {
            const float* b_row = b_by_k + k * num_cols;
            float x = a[row * K + k];
            for (u32 col = 0; col < num_cols; ++col) d[col] = __builtin_fmaf(x, b_row[col], d[col]);
        }
    }
}

void Warpgroup::finish(u32 num_groups, Place place) {
    while (!products.empty() && products.front().group < num_groups) {
        GroupProduct& product = products.front();
        if (product.num_threads != WARPGROUP_LEN) {
            cta->fault(place, "only some threads of a warpgroup issued a wgmma");
        }
        multiply(product);
        for (u32& num_pending : product.d->num_pending) --num_pending;
        Accumulator& d = *product.d;
        if (Shadow* shadow = cta->strict()) {
            u32 actor = FIRST_WARPGROUP + thread->thread_idx.x / WARPGROUP_LEN;
            for (u32 idx : waiting) {
                shadow->clocks.acquire_one(FIRST_THREAD + idx, actor, product.clock);
            }
        }
        products.pop_front();
        ++num_finished;
        if (d.num_pending[0] == 0) deliver(d);
    }
}

}  // namespace emu
