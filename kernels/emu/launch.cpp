// The table of kernels, and what the Rust side calls to run one.
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "cta.h"

namespace emu {

// Filled before main(), in whatever order: a function's static is there when it is first needed.
static std::vector<KernelEntry>& kernels() {
    static std::vector<KernelEntry> all;
    return all;
}

void add_kernel(const KernelEntry& entry) { kernels().push_back(entry); }

}  // namespace emu

extern "C" {

const emu::KernelEntry* emu_find_kernel(bool is_strict, const char* file, const char* name) {
    for (const auto& kernel : emu::kernels()) {
        bool is_same = !strcmp(kernel.file, file) && !strcmp(kernel.name, name);
        if (is_same && kernel.is_strict == is_strict) return &kernel;
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
