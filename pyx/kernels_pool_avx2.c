/* Pooling for x86-64-v3. */
#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("arch=x86-64-v3")
#include <immintrin.h>
#define ISA avx2
#define VECTOR_BYTES 32
#include "pool_set.h"
const pool_set *const implicitpad_pool_avx2 = &the_pool_set_avx2;
#else
#include "pool.h"
const pool_set *const implicitpad_pool_avx2 = NULL;
#endif
