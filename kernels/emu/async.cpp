// cp.async: a copy begins with its poison and ends with its bytes.
#include "async.h"

#include <cstring>

#include "cta.h"

namespace emu {

constexpr u32 WORD_BYTES = 16;

void Copies::start(Copy copy, Place place) {
    if (Shadow* shadow = cta->strict()) {
        size_t offset = copy.to - cta->shared_base();
        bool is_right = shadow->start_copy(offset, WORD_BYTES, thread->thread_idx.x);
        if (!is_right) cta->fault(place, shadow->problem);
        if (copy.num_bytes != 0) cta->check_access(copy.from, WORD_BYTES, Access::READ, place);
    }
    memset(copy.to, 0xff, WORD_BYTES);
    pending.push_back(copy);
}

void Copies::wait(size_t num_pending) {
    if (group_ends.size() <= num_pending) return;
    size_t num_ended = group_ends.size() - num_pending;
    size_t end = group_ends[num_ended - 1];
    for (size_t i = 0; i < end; ++i) {
        memset(pending[i].to, 0, WORD_BYTES);
        memcpy(pending[i].to, pending[i].from, pending[i].num_bytes);
        if (Shadow* shadow = cta->strict()) {
            size_t offset = pending[i].to - cta->shared_base();
            shadow->finish_copy(offset, WORD_BYTES, thread->thread_idx.x);
        }
    }
    pending.erase(pending.begin(), pending.begin() + end);
    group_ends.erase(group_ends.begin(), group_ends.begin() + num_ended);
    for (size_t& group_end : group_ends) group_end -= end;
}

void Copies::forget() {
    pending.clear();
    group_ends.clear();
}

}  // namespace emu
