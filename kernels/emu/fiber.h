// Stacks of their own for the threads of a CTA, and the switch from one to another.
//
// The switch saves what the calling convention says that a function must keep, and nothing else: a
// few nanoseconds, where ucontext takes a system call.
#pragma once

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emu {

// Where a stack was left.
struct Context {
#if defined(__x86_64__)
    void* stack_pointer = nullptr;
#else
    ucontext_t saved;
#endif
};

// Makes `context` begin with entry(), which never returns, on the stack below `top`.
void prepare(Context& context, void* stack, size_t num_bytes, void (*entry)());

// Leaves the present stack in `from` and goes on where `to` was left.
#if defined(__x86_64__)
extern "C" void emu_switch_stacks(void** from, void* to);
inline void resume(Context& from, Context& to) {
    emu_switch_stacks(&from.stack_pointer, to.stack_pointer);
}
#else
inline void resume(Context& from, Context& to) { swapcontext(&from.saved, &to.saved); }
#endif

// The stacks of a CTA's threads, made once for an OS thread and used for every CTA that it runs.
class Stacks {
  public:
    // Bytes of a stack. Consecutive stacks are staggered: at equal strides their first lines would
    // fall into the same sets of the cache.
    static constexpr size_t NUM_BYTES = 64 * 1024;
    static constexpr size_t STRIDE_BYTES = NUM_BYTES + 576;

    explicit Stacks(size_t num);
    ~Stacks();
    Stacks(const Stacks&) = delete;
    Stacks& operator=(const Stacks&) = delete;

    void* stack(size_t idx) const { return base + idx * STRIDE_BYTES; }
    // Whether stack `idx` was used beyond its end.
    bool has_overflown(size_t idx) const;

  private:
    char* base;
    size_t num_bytes;
};

}  // namespace emu
