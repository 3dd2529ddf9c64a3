/* Gradients of pooling for x86-64-v3. */
#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("arch=x86-64-v3")
#include <immintrin.h>
#define ISA avx2
#define VECTOR_BYTES 32
#include "pool_gradient_set.h"
const gradient_set *const implicitpad_gradient_avx2 = &the_gradient_set_avx2;
#else
#include "pool_gradient.h"
const gradient_set *const implicitpad_gradient_avx2 = NULL;
#endif
