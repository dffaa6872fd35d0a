// The switch between stacks, and the stacks.
#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace emu {

#if defined(__x86_64__)

// rbx, rbp and r12 to r15 are the callee's to keep. The new stack returns to where it was left, or
// to the entry that prepare() put there.
asm(R"(
.text
.globl emu_switch_stacks
.type emu_switch_stacks, @function
.balign 16
emu_switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emu_switch_stacks, . - emu_switch_stacks
)");

void prepare(Context& context, void* stack, size_t num_bytes, void (*entry)()) {
    constexpr size_t NUM_SAVED = 6;
    auto top = (reinterpret_cast<uintptr_t>(stack) + num_bytes) & ~uintptr_t(63);
    // At a function's first instruction the stack is 8 bytes off a multiple of 16, as after a call.
    auto* slot = reinterpret_cast<void**>(top) - 1;
    *slot = nullptr;
    *--slot = reinterpret_cast<void*>(entry);
    for (size_t i = 0; i < NUM_SAVED; ++i) *--slot = nullptr;
    context.stack_pointer = slot;
}

#else

void prepare(Context& context, void* stack, size_t num_bytes, void (*entry)()) {
    getcontext(&context.saved);
    context.saved.uc_stack.ss_sp = stack;
    context.saved.uc_stack.ss_size = num_bytes;
    context.saved.uc_link = nullptr;
    makecontext(&context.saved, entry, 0);
}

#endif

// Pages are only taken when they are touched: a kernel uses a few KiB of each stack. A page that
// nobody touches reads as zeros, so the lowest word tells an overflow.
Stacks::Stacks(size_t num) : num_bytes(num * STRIDE_BYTES) {
    void* mapped = mmap(nullptr, num_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    base = static_cast<char*>(mapped);
}

Stacks::~Stacks() { munmap(base, num_bytes); }

bool Stacks::has_overflown(size_t idx) const {
    return *static_cast<const volatile uint64_t*>(stack(idx)) != 0;
}

}  // namespace emu
