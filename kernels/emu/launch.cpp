// The table of kernels, and what the Rust side calls to run one.
#include <cstring>
#include <memory>

#include "cta.h"

namespace emu {

static KernelEntry* kernels = nullptr;

BEFORE_MAIN void add_kernel(KernelEntry& entry) {
    entry.next = kernels;
    kernels = &entry;
}

}  // namespace emu

extern "C" {

const emu::KernelEntry* emu_find_kernel(bool is_strict, const char* file, const char* name) {
    for (const auto* kernel = emu::kernels; kernel; kernel = kernel->next) {
        bool is_same = !strcmp(kernel->file, file) && !strcmp(kernel->name, name);
        if (is_same && kernel->is_strict == is_strict) return kernel;
    }
    return nullptr;
}

u32 emu_num_params(const emu::KernelEntry* kernel) { return kernel->num_params; }

u32 emu_param_bytes(const emu::KernelEntry* kernel, u32 param_idx) {
    return kernel->param_sizes[param_idx];
}

bool emu_run_cta(const emu::Launch* launch, u64 cta_idx, emu::Fault* fault) {
    thread_local std::unique_ptr<emu::Cta> running = std::make_unique<emu::Cta>();
    return running->run(*launch, cta_idx, *fault);
}
}
