/* Pooling for x86-64-v4: masks keep NaNs, one permutation picks every second element. */
#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#include <immintrin.h>
#define ISA avx512
#define VECTOR_BYTES 64
#include "pool_set.h"
const pool_set *const implicitpad_pool_avx512 = &the_pool_set_avx512;
#else
#include "pool.h"
const pool_set *const implicitpad_pool_avx512 = NULL;
#endif
