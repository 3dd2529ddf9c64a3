/* Gradients of pooling on every machine: 16-byte vectors, or scalars where the compiler knows no vectors. */
#define ISA baseline
#if defined(__GNUC__) && !defined(IMPLICITPAD_SCALAR)
#define VECTOR_BYTES 16
#else
#define VECTOR_BYTES 0
#endif
#include "pool_gradient_set.h"
const gradient_set *const implicitpad_gradient_baseline = &the_gradient_set_baseline;
