// Stands in for cuda/device.cuh: the same words, and those that CUDA itself has, on a host.
//
// It is included inside a namespace of each kernel file, after emulator.h.
#pragma once

struct bf16 {
    u16 bits;
};

constexpr u32 NONE = 0xffffffffu;

#define __device__
#define __global__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __align__(num_bytes) __attribute__((aligned(num_bytes)))
#define __launch_bounds__(...)
#define DEVICE inline

#define KERNEL(...) static void
#define PARAM const
#define KERNEL_EXPORT(name)                                                \
    static ::emu::KernelEntry name##_entry =                               \
        ::emu::Export<&name>::entry(FILE_TITLE, #name, IS_STRICT);         \
    __attribute__((constructor)) BEFORE_MAIN static void name##_export() { \
        ::emu::add_kernel(name##_entry);                                   \
    }

// An array's address is the same for all threads of a CTA: the key is its declaration.
#define SHARED(type, name, num)              \
    static const char name##_key = 0;        \
    auto& name = *static_cast<type(*)[num]>( \
        ::emu::shared_array(&name##_key, sizeof(type) * (num), ::emu::Place::here()))
#define EXTERN_SHARED(name) u8* const name = ::emu::dynamic_shared()

#define threadIdx (::emu::thread_idx())
#define blockIdx (::emu::block_idx())
#define blockDim (::emu::block_dim())
#define gridDim (::emu::grid_dim())

// --- what threads do together ------------------------------------------------------------------

using ::emu::Place;

inline void __syncthreads(Place place = Place::here()) { ::emu::barrier(0, 0, place); }

inline void __syncwarp(u32 lanes = ::emu::ALL_LANES, Place place = Place::here()) {
    ::emu::check_lanes(lanes, place);
    ::emu::sync_warp(place);
}

// The value of the lane `from`, of a type of 4 or 8 bytes.
template <class T>
T emu_shuffle(T value, u32 from, Place place) {
    constexpr u32 NUM = sizeof(T) / sizeof(u32);
    static_assert(NUM * sizeof(u32) == sizeof(T), "shuffles move 4 or 8 bytes");
    u32 words[NUM];
    memcpy(words, &value, sizeof value);
    for (u32& word : words) word = ::emu::shuffle(word, from, place);
    memcpy(&value, words, sizeof value);
    return value;
}

template <class T>
T __shfl_sync(u32 lanes, T value, u32 from, u32 width = 32, Place place = Place::here()) {
    ::emu::check_lanes(lanes, place);
    u32 lane = threadIdx.x % 32;
    return emu_shuffle(value, lane / width * width + from % width, place);
}
template <class T>
T __shfl_xor_sync(u32 lanes, T value, u32 flip, u32 width = 32, Place place = Place::here()) {
    ::emu::check_lanes(lanes, place);
    u32 lane = threadIdx.x % 32, from = lane ^ flip;
    return emu_shuffle(value, from / width > lane / width ? lane : from, place);
}
template <class T>
T __shfl_up_sync(u32 lanes, T value, u32 by, u32 width = 32, Place place = Place::here()) {
    ::emu::check_lanes(lanes, place);
    u32 lane = threadIdx.x % 32;
    return emu_shuffle(value, lane % width < by ? lane : lane - by, place);
}
template <class T>
T __shfl_down_sync(u32 lanes, T value, u32 by, u32 width = 32, Place place = Place::here()) {
    ::emu::check_lanes(lanes, place);
    u32 lane = threadIdx.x % 32;
    return emu_shuffle(value, lane % width + by >= width ? lane : lane + by, place);
}

inline u32 __ballot_sync(u32 lanes, bool flag, Place place = Place::here()) {
    ::emu::check_lanes(lanes, place);
    return ::emu::ballot(flag, place);
}
inline bool __any_sync(u32 lanes, bool flag, Place place = Place::here()) {
    return __ballot_sync(lanes, flag, place) != 0;
}
inline bool __all_sync(u32 lanes, bool flag, Place place = Place::here()) {
    return __ballot_sync(lanes, flag, place) == ::emu::ALL_LANES;
}

// --- atomics: other CTAs run on other processors -------------------------------------------------

// *at = update(*at) in one piece; what it was before. Of types of 4 or 8 bytes.
template <class T, class Update>
T emu_atomic(T* at, Update update, Place place) {
    using Bits = typename ::emu::Bits<sizeof(T)>::Type;
    auto* bits_at = reinterpret_cast<Bits*>(at);
    Bits old_bits = ::emu::atomic_load(bits_at, place), bits;
    T old;
    do {
        memcpy(&old, &old_bits, sizeof old);
        T updated = update(old);
        memcpy(&bits, &updated, sizeof bits);
    } while (!::emu::atomic_replace(bits_at, old_bits, bits));
    return old;
}
template <class T>
T atomicAdd(T* at, T x, Place place = Place::here()) {
    return emu_atomic(at, [x](T old) { return old + x; }, place);
}
template <class T>
T atomicMax(T* at, T x, Place place = Place::here()) {
    return emu_atomic(at, [x](T old) { return old < x ? x : old; }, place);
}
template <class T>
T atomicMin(T* at, T x, Place place = Place::here()) {
    return emu_atomic(at, [x](T old) { return x < old ? x : old; }, place);
}
template <class T>
T atomicOr(T* at, T x, Place place = Place::here()) {
    return emu_atomic(at, [x](T old) { return old | x; }, place);
}
template <class T>
T atomicExch(T* at, T x, Place place = Place::here()) {
    return emu_atomic(at, [x](T) { return x; }, place);
}
template <class T>
T atomicCAS(T* at, T expected, T x, Place place = Place::here()) {
    return emu_atomic(at, [=](T old) { return old == expected ? x : old; }, place);
}
inline void __threadfence() { ::emu::thread_fence(); }

// --- numbers -------------------------------------------------------------------------------------

inline float __uint_as_float(u32 bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
inline u32 __float_as_uint(float x) {
    u32 bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
inline int __float_as_int(float x) { return int(__float_as_uint(x)); }
inline float __int_as_float(int bits) { return __uint_as_float(u32(bits)); }

// CUDA's are overloads for all pairs of arithmetic types.
template <class A, class B>
constexpr auto min(A a, B b) -> decltype(a + b) {
    using T = decltype(a + b);
    return T(b) < T(a) ? T(b) : T(a);
}
template <class A, class B>
constexpr auto max(A a, B b) -> decltype(a + b) {
    using T = decltype(a + b);
    return T(a) < T(b) ? T(b) : T(a);
}
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline int __popc(u32 x) { return __builtin_popcount(x); }
inline int __clz(u32 x) { return x == 0 ? 32 : __builtin_clz(x); }
inline int __ffs(u32 x) { return __builtin_ffs(int(x)); }
