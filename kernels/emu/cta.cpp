#include "cta.h"

#include <cstdio>
#include <cstring>
#include <map>

namespace emu {

__thread Cta* cta = nullptr;
__thread Thread* thread = nullptr;

// What a CTA may have on Hopper, and what arrays of a fixed size may take of it.
constexpr size_t MAX_SHARED_BYTES = 227 * 1024;

Cta::Cta() : stacks(MAX_THREADS), threads(MAX_THREADS) {
    // Room to align by hand: a vector gives 16 bytes.
    shared_buffer.resize(2 * SHARED_ALIGN + MAX_SHARED_BYTES);
    auto begin = reinterpret_cast<uintptr_t>(shared_buffer.data());
    shared = reinterpret_cast<u8*>((begin + 2 * SHARED_ALIGN - 1) / SHARED_ALIGN * SHARED_ALIGN);
}

bool Cta::run(const Launch& new_launch, u64 new_cta_idx, Fault& fault) {
    begin(new_launch, new_cta_idx);
    cta = this;
    thread = &threads[0];
    resume(outside, thread->context);
    cta = nullptr;
    thread = nullptr;
    if (has_failed) fault = found;
    return !has_failed;
}

void Cta::begin(const Launch& new_launch, u64 new_cta_idx) {
    launch = &new_launch;
    num_threads = launch->num_threads;
    num_warps = num_threads / WARP_LEN;
    num_exited = 0;
    has_failed = false;
    grid_dim = Index{launch->grid[0], launch->grid[1], launch->grid[2]};
    block_dim = Index{num_threads, 1, 1};
    u64 row = new_cta_idx / grid_dim.x;
    block_idx = Index{u32(new_cta_idx % grid_dim.x), u32(row % grid_dim.y), u32(row / grid_dim.y)};
    for (u32 i = 0; i < num_threads; ++i) {
        Thread& t = threads[i];
        prepare(t.context, stacks.stack(i), Stacks::NUM_BYTES, thread_entry);
        t.thread_idx = Index{i, 0, 0};
        t.warp = &warps[i / WARP_LEN];
        t.lane = i % WARP_LEN;
        t.place = Place{"the kernel's beginning", 0};
        t.copies.forget();
    }
    for (u32 i = 0; i < num_warps; ++i) {
        warps[i].runnable = ALL_LANES;
        warps[i].arrived = 0;
        warps[i].exited = 0;
    }
    runnable_warps = num_warps == MAX_WARPS ? ~0u : (1u << num_warps) - 1;
    for (Barrier& barrier : barriers) barrier.waiting.clear();
    for (u32 i = 0; i < num_threads / WARPGROUP_LEN; ++i) warpgroups[i].forget();
    mbarriers.forget();
    memset(shared, 0xff, launch->shared_bytes);
    shared_used = launch->shared_bytes;
    shared_arrays.clear();
}

void Cta::thread_entry() {
    const Launch& launch = *cta->launch;
    launch.kernel->call(launch.args);
    cta->exit_thread();
}

// --- who runs --------------------------------------------------------------------------------

// To the first lane that can go on of the next warp that has one.
void Cta::switch_to_other_warp() {
    Thread* self = thread;
    u32 warp_idx = self->thread_idx.x / WARP_LEN;
    runnable_warps &= ~(1u << warp_idx);
    while (runnable_warps == 0) {
        if (!mbarriers.finish_oldest_copy()) deadlock();
    }
    u32 later = runnable_warps & ~((2u << warp_idx) - 1);
    u32 next_idx = __builtin_ctz(later != 0 ? later : runnable_warps);
    thread = &threads[next_idx * WARP_LEN + __builtin_ctz(warps[next_idx].runnable)];
    if (thread != self) resume(self->context, thread->context);
}

void Cta::wake(u32 thread_idx) {
    u32 warp_idx = thread_idx / WARP_LEN;
    warps[warp_idx].runnable |= 1u << thread_idx % WARP_LEN;
    runnable_warps |= 1u << warp_idx;
}

void Cta::exit_thread() {
    Thread& self = *thread;
    Warp& warp = *self.warp;
    if (stacks.has_overflown(self.thread_idx.x)) fault(self.place, "the stack has overflown");
    const Barrier& all = barriers[0];
    if (!all.waiting.empty()) fault(all.place, "a thread returned before this barrier of all");
    if (warp.arrived != 0) fault(warp.place, "a lane returned before what its warp does together");
    warp.exited |= 1u << self.lane;
    ++num_exited;
    if (num_exited == num_threads) {
        check_end();
        resume(self.context, outside);
    }
    warp.runnable &= ~(1u << self.lane);
    switch_to_next();
    __builtin_unreachable();
}

// What is under way must not outlive the CTA.
void Cta::check_end() {
    if (!mbarriers.pending_copies().empty()) {
        fault(mbarriers.pending_copies()[0].place, "the CTA ended before this copy of TMA did");
    }
    for (u32 i = 0; i < num_threads / WARPGROUP_LEN; ++i) {
        const Place* place = warpgroups[i].unfinished();
        if (place) fault(*place, "the CTA ended without a wgmma_wait for this product");
    }
}

// --- what threads do together ------------------------------------------------------------------

void Cta::barrier(u32 id, u32 num_expected, Place place) {
    if (id >= NUM_BARRIERS) fault(place, "there is no barrier " + std::to_string(id));
    Barrier& barrier = barriers[id];
    if (id == 0) {
        num_expected = num_threads;
        if (num_exited != 0) fault(place, "a thread returned before this barrier of all");
    }
    if (num_expected % WARP_LEN != 0 || num_expected == 0 || num_expected > num_threads) {
        fault(place, "a barrier of " + std::to_string(num_expected) + " threads");
    }
    if (barrier.waiting.empty()) {
        barrier.num_expected = num_expected;
        barrier.place = place;
    } else if (barrier.num_expected != num_expected || (id == 0 && barrier.place != place)) {
        diverged(place, barrier.place);
    }
    barrier.waiting.push_back(thread->thread_idx.x);
    if (barrier.waiting.size() < num_expected) return wait_for_others(place);
    for (u32 waiting : barrier.waiting) wake(waiting);
    barrier.waiting.clear();
}

void* Cta::shared_array(const void* key, size_t num_bytes, Place place) {
    for (const SharedArray& array : shared_arrays) {
        if (array.key == key) return array.at;
    }
    shared_used = (shared_used + ARRAY_ALIGN - 1) / ARRAY_ALIGN * ARRAY_ALIGN;
    u8* at = shared + shared_used;
    shared_used += num_bytes;
    if (shared_used > MAX_SHARED_BYTES) fault(place, "more shared memory than a CTA may have");
    memset(at, 0xff, num_bytes);
    shared_arrays.push_back(SharedArray{key, at});
    return at;
}

void Cta::check_shared(const u8* at, size_t num_bytes, Place place) {
    if (at < shared || at + num_bytes > shared + shared_used) {
        fault(place, "outside of the CTA's shared memory");
    }
}

// --- faults ------------------------------------------------------------------------------------

static std::string text(Place place) {
    const char* slash = strrchr(place.file, '/');
    std::string file = slash ? slash + 1 : place.file;
    return place.line == 0 ? file : file + ":" + std::to_string(place.line);
}

// The other threads are left where they are: their stacks hold nothing that has to be given back.
void Cta::fault(Place place, const std::string& what) {
    snprintf(found.place, sizeof found.place, "%s, CTA (%u, %u, %u), thread %u",
             text(place).c_str(), block_idx.x, block_idx.y, block_idx.z, thread->thread_idx.x);
    snprintf(found.what, sizeof found.what, "%s", what.c_str());
    has_failed = true;
    resume(thread->context, outside);
    __builtin_unreachable();
}

void Cta::refuse_to_meet(Place place) {
    const Warp& warp = *thread->warp;
    if (warp.exited != 0) fault(place, "a lane returned before what its warp does together");
    diverged(place, warp.place);
}

void Cta::diverged(Place place, Place other) {
    fault(place, "others wait at " + text(other) + " for threads that came here");
}

void Cta::deadlock() {
    std::map<std::string, u32> waiting;
    for (u32 i = 0; i < num_threads; ++i) {
        const Thread& t = threads[i];
        bool has_exited = t.warp->exited >> t.lane & 1;
        if (!has_exited) ++waiting[text(t.place)];
    }
    std::string what = "no thread can go on:";
    for (const auto& [place, num] : waiting) {
        what += " " + std::to_string(num) + " wait at " + place + ",";
    }
    what.back() = '.';
    fault(thread->place, what);
}

}  // namespace emu
