/* x86-64-v4: 32 registers of 64 bytes, embedded broadcasts, masked stores. */
#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#include <immintrin.h>
#define ISA avx512
#define VECTOR_BYTES 64
#define TILE_PIXELS 14
#define USABLE                                                                                                         \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&  \
     __builtin_cpu_supports("avx512vl"))
#define DOT {[BFLOAT16] = &implicitpad_pairs, [INT8] = &implicitpad_signed_bytes, [UINT8] = &implicitpad_unsigned_bytes}
#include "kernel_set.h"
const kernel_set *const implicitpad_avx512 = &the_set_avx512;
#else
#include "kernels.h"
const kernel_set *const implicitpad_avx512 = NULL;
#endif
