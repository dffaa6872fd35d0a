// What a launch is, and what the Rust side calls: `emulator/ffi.rs` is the twin of that part.
#pragma once

#include <cstddef>
#include <utility>

#include "place.h"

namespace emu {

// A kernel of the table.
struct KernelEntry {
    const char* file;  // KernelFile::title()
    const char* name;
    bool is_strict;
    void (*call)(void** args);
    const u32* param_sizes;
    u32 num_params;
    // In the table, which is a list.
    KernelEntry* next;
};

class Memory;

// Everything that the CTAs of a launch have in common.
struct Launch {
    const KernelEntry* kernel;
    void** args;
    u32 grid[3];
    u32 num_threads;
    u32 shared_bytes;
    // The device's memory, and the launch's number on it: what the strict build looks at.
    Memory* memory;
    u64 number;
};

// What a kernel did wrong, and where: a line, or the address of the instruction behind it. Both
// texts end in 0.
struct Fault {
    u64 pc;
    u32 line;
    u32 cta[3];
    u32 thread;
    char file[128];
    char what[512];
};

// Adds a kernel to the table; done before main() for every KERNEL_EXPORT.
void add_kernel(KernelEntry& entry);

// What runs before main() does so on every processor, also on those that kernels don't run on: it
// has only the instructions that all have, and none of the strict build's.
#ifdef __x86_64__
#define BEFORE_MAIN __attribute__((target("arch=x86-64"), no_sanitize_thread))
#else
#define BEFORE_MAIN __attribute__((no_sanitize_thread))
#endif

// Makes of a kernel a function that takes its arguments as cuLaunchKernel does.
template <auto KERNEL>
struct Export;

template <class... Params, void (*KERNEL)(Params...)>
struct Export<KERNEL> {
    static constexpr u32 NUM = sizeof...(Params);
    static constexpr u32 SIZES[NUM + 1] = {sizeof(Params)..., 0};

    static void call(void** args) { call_with(args, std::make_integer_sequence<u32, NUM>()); }

    template <u32... IDX>
    static void call_with(void** args, std::integer_sequence<u32, IDX...>) {
        KERNEL(*static_cast<Params*>(args[IDX])...);
    }

    static constexpr KernelEntry entry(const char* file, const char* name, bool is_strict) {
        return KernelEntry{file, name, is_strict, call, SIZES, NUM, nullptr};
    }
};

}  // namespace emu

extern "C" {
// The kernel `name` of a file, or null.
const emu::KernelEntry* emu_find_kernel(bool is_strict, const char* file, const char* name);
u32 emu_num_params(const emu::KernelEntry* kernel);
u32 emu_param_bytes(const emu::KernelEntry* kernel, u32 param_idx);
// Runs one CTA on the calling OS thread; false if it failed, and why is in `fault`.
bool emu_run_cta(const emu::Launch* launch, u64 cta_idx, emu::Fault* fault);
}
