// A CTA from its first thread to its last: who runs next, barriers, shared memory, faults.
#include "cta.h"

#include <cstdio>
#include <cstring>
#include <map>

namespace emu {

__thread Cta* cta = nullptr;
__thread Thread* thread = nullptr;

Cta::Cta()
    : stacks(MAX_THREADS),
      threads(MAX_THREADS),
      shadow(SHARED_ALIGN + MAX_SHARED_BYTES + MAX_GAP_BYTES) {
    // Room to align by hand: a vector gives 16 bytes.
    shared_buffer.resize(2 * SHARED_ALIGN + MAX_SHARED_BYTES + MAX_GAP_BYTES);
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
    cta_idx = new_cta_idx;
    num_threads = launch->num_threads;
    num_warps = num_threads / WARP_LEN;
    num_exited = 0;
    has_failed = false;
    grid_dim = Index{launch->grid[0], launch->grid[1], launch->grid[2]};
    block_dim = Index{num_threads, 1, 1};
    u64 row = cta_idx / grid_dim.x;
    block_idx = Index{u32(cta_idx % grid_dim.x), u32(row % grid_dim.y), u32(row / grid_dim.y)};
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
    if (strict()) shadow.begin(num_threads);
    shared_arrays.clear();
    shared_bytes = 0;
    shared_used = 0;
    add_shared(launch->shared_bytes);
}

// Poisons what the next array has, and a gap comes behind it.
void Cta::add_shared(size_t num_bytes) {
    memset(shared + shared_used, 0xff, num_bytes);
    if (strict()) shadow.add(SHARED_ALIGN + shared_used, num_bytes);
    shared_bytes += num_bytes;
    shared_used += (num_bytes + GAP_BYTES + ARRAY_ALIGN - 1) / ARRAY_ALIGN * ARRAY_ALIGN;
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
    if (strict() && num_expected == num_threads) {
        shadow.clocks.meet_all();
    } else if (strict()) {
        shadow.clocks.meet(barrier.waiting.data(), num_expected);
    }
    for (u32 waiting : barrier.waiting) wake(waiting);
    barrier.waiting.clear();
}

void* Cta::shared_array(const void* key, size_t num_bytes, Place place) {
    for (const SharedArray& array : shared_arrays) {
        if (array.key == key) return array.at;
    }
    bool has_room = shared_bytes + num_bytes <= MAX_SHARED_BYTES &&
                    shared_used + num_bytes + GAP_BYTES <= MAX_SHARED_BYTES + MAX_GAP_BYTES;
    if (!has_room) fault(place, "more shared memory than a CTA may have");
    u8* at = shared + shared_used;
    add_shared(num_bytes);
    shared_arrays.push_back(SharedArray{key, at});
    return at;
}

void Cta::check_shared(const u8* at, size_t num_bytes, Place place) {
    if (at < shared || at + num_bytes > shared + shared_used - GAP_BYTES) {
        fault(place, "outside of the CTA's shared memory");
    }
}

void Cta::order_warp() {
    if (!strict()) return;
    u32 lanes[WARP_LEN], first = thread->thread_idx.x - thread->lane;
    for (u32 lane = 0; lane < WARP_LEN; ++lane) lanes[lane] = first + lane;
    shadow.clocks.meet(lanes, WARP_LEN);
}

// --- faults ------------------------------------------------------------------------------------

static const char* base_name(const char* file) {
    const char* slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

static std::string text(Place place) {
    return place.line == 0 ? place.file
                           : std::string(base_name(place.file)) + ":" + std::to_string(place.line);
}

void Cta::fault(Place place, const std::string& what) { fail(place, 0, what); }

// The other threads are left where they are: their stacks hold nothing that has to be given back.
void Cta::fail(Place place, u64 pc, const std::string& what) {
    found = Fault{};
    found.pc = pc;
    found.line = place.line;
    found.cta[0] = block_idx.x, found.cta[1] = block_idx.y, found.cta[2] = block_idx.z;
    found.thread = thread->thread_idx.x;
    snprintf(found.file, sizeof found.file, "%s", place.file ? base_name(place.file) : "");
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
    for (u32 i = num_threads; i-- > 0;) {
        Thread& t = threads[i];
        if (t.warp->exited >> t.lane & 1) continue;
        ++waiting[text(t.place)];
        // The first of them is who the fault is reported of.
        thread = &t;
    }
    std::string what = "no thread can go on:";
    for (const auto& [place, num] : waiting) {
        what += " " + std::to_string(num) + " wait at " + place + ",";
    }
    what.back() = '.';
    fault(thread->place, what);
}

}  // namespace emu
