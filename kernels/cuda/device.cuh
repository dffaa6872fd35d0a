// What every kernel is written in: types, the declaration of kernels, shared memory.
//
// A kernel file includes <ptx.cuh>, <params.h> and nothing else of the system: NVRTC has no CUDA
// headers and needs none. The emulator compiles the same files with its own <device.cuh> and
// <ptx.cuh> in front of these.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// bfloat16: the upper half of a float.
struct bf16 {
    u16 bits;
};

// Where params.h means "none".
constexpr u32 NONE = 0xffffffffu;

#define DEVICE __device__ __forceinline__

// Declares a kernel: KERNEL(threads of a CTA), or KERNEL(threads, CTAs of a processor at least),
// which with 1 lets the compiler take more registers than it would by itself. Parameters are
// structs by value, each marked PARAM. KERNEL_EXPORT(name) follows the definition: the emulator
// needs it.
#define KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)
#define PARAM const __grid_constant__
#define KERNEL_EXPORT(name)

// An array in the CTA's shared memory, declared in the kernel's body.
#define SHARED(type, name, num) __shared__ type name[num]
// The launch's dynamic shared memory as bytes, aligned to 1,024; once a kernel.
#define EXTERN_SHARED(name) extern __shared__ __align__(1024) u8 name[]
