/* x86-64-v3: 16 registers of 32 bytes, fused multiply-add. */
#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("arch=x86-64-v3")
#include <immintrin.h>
#define ISA avx2
#define VECTOR_BYTES 32
#define TILE_PIXELS 6
#define USABLE (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define DOT {NULL}
#include "kernel_set.h"
const kernel_set *const implicitpad_avx2 = &the_set_avx2;
#else
#include "kernels.h"
const kernel_set *const implicitpad_avx2 = NULL;
#endif
