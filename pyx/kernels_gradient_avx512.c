/* Gradients of pooling for x86-64-v4. */
#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#include <immintrin.h>
#define ISA avx512
#define VECTOR_BYTES 64
#include "pool_gradient_set.h"
const gradient_set *const implicitpad_gradient_avx512 = &the_gradient_set_avx512;
#else
#include "pool_gradient.h"
const gradient_set *const implicitpad_gradient_avx512 = NULL;
#endif
