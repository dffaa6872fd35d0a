// Vector clocks: what barriers and hand-overs let the actors of a CTA see.
#include "clocks.h"

#include <algorithm>
#include <new>

namespace emu {

Clocks::Clocks() : rows(static_cast<u32*>(calloc(size_t(MAX_ACTORS) * MAX_ACTORS, sizeof(u32)))) {
    if (!rows) throw std::bad_alloc();
}

u32 Clocks::newest(u32 first_actor) const {
    u32 newest = base;
    for (u32 actor = first_actor; actor < num_actors; ++actor) {
        newest = std::max(newest, now(actor));
    }
    return newest;
}

void Clocks::begin(u32 num_threads) {
    // Clocks never go back, so what is older than `base` needs no cleaning up.
    base = newest(0) + 1;
    num_actors = FIRST_THREAD + num_threads;
    for (u32 actor = 0; actor < num_actors; ++actor) row(actor)[actor] = base;
}

void Clocks::release(u32 actor, Seen& into) {
    into.resize(MAX_ACTORS);
    const u32* from = row(actor);
    for (u32 i = 0; i < num_actors; ++i) into[i] = std::max(into[i], from[i]);
    tick(actor);
}

void Clocks::acquire(u32 actor, const Seen& seen) {
    if (seen.empty()) return;
    u32* to = row(actor);
    u32 own = to[actor];
    for (u32 i = 0; i < num_actors; ++i) to[i] = std::max(to[i], seen[i]);
    to[actor] = own;
}

void Clocks::acquire_one(u32 viewer, u32 actor, u32 clock) {
    u32& seen = row(viewer)[actor];
    seen = std::max(seen, clock);
}

void Clocks::meet(const u32* threads, u32 num) {
    Seen seen;
    for (u32 i = 0; i < num; ++i) release(FIRST_THREAD + threads[i], seen);
    for (u32 i = 0; i < num; ++i) acquire(FIRST_THREAD + threads[i], seen);
}

// Of threads, everything so far is older than the new base; the others' clocks are handed round.
void Clocks::meet_all() {
    base = newest(FIRST_THREAD) + 1;
    u32 seen[FIRST_THREAD] = {};
    for (u32 actor = FIRST_THREAD; actor < num_actors; ++actor) {
        for (u32 i = 0; i < FIRST_THREAD; ++i) seen[i] = std::max(seen[i], row(actor)[i]);
    }
    for (u32 actor = FIRST_THREAD; actor < num_actors; ++actor) {
        std::copy(seen, seen + FIRST_THREAD, row(actor));
        row(actor)[actor] = base;
    }
}

}  // namespace emu
