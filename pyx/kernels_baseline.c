/* What every machine has: 16-byte vectors (SSE2, NEON), or scalars where the compiler knows no vectors. */
#define ISA baseline
#define TILE_PIXELS 6
#define USABLE 1
#if defined(__GNUC__) && !defined(IMPLICITPAD_SCALAR)
#define VECTOR_BYTES 16
#else
#define VECTOR_BYTES 0
#endif
#define DOT {NULL}
#include "kernel_set.h"
const kernel_set *const implicitpad_baseline = &the_set_baseline;
