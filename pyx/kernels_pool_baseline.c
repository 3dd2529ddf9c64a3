/* Pooling on every machine: 16-byte vectors, or scalars where the compiler knows no vectors. */
#define ISA baseline
#if defined(__GNUC__) && !defined(IMPLICITPAD_SCALAR)
#define VECTOR_BYTES 16
#else
#define VECTOR_BYTES 0
#endif
#include "pool_set.h"
const pool_set *const implicitpad_pool_baseline = &the_pool_set_baseline;
