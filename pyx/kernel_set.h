/* Everything one instruction set offers: included by the three kernels_<set>.c after they have set the
 * compilation target. Needs ISA, VECTOR_BYTES, TILE_PIXELS, USABLE (an expression), DOT (its dot_kernels by storage).
 *
 * Integers are computed as unsigned: the bits are the same, and overflow wraps as NumPy's does.
 */
#include "kernels.h"
#include <string.h>

#include "compiler.h"

#if defined(__GNUC__) && !defined(__clang__)
/* `total` is first read in the second round of the loop that sets it in the first. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "rows.h"

#include "finish.h"

#define ELEMENT float
#define ELEMENT_NAME f32
#define ELEMENT_SIZE 4
#define ELEMENT_FLOATS 1
#include "microkernels.h"
#undef ELEMENT
#undef ELEMENT_NAME
#undef ELEMENT_SIZE
#undef ELEMENT_FLOATS

#define ELEMENT uint32_t
#define ELEMENT_NAME i32
#define ELEMENT_SIZE 4
#define ELEMENT_FLOATS 0
#include "microkernels.h"
#undef ELEMENT
#undef ELEMENT_NAME
#undef ELEMENT_SIZE
#undef ELEMENT_FLOATS

#define ELEMENT double
#define ELEMENT_NAME f64
#define ELEMENT_SIZE 8
#define ELEMENT_FLOATS 1
#include "microkernels.h"
#undef ELEMENT
#undef ELEMENT_NAME
#undef ELEMENT_SIZE
#undef ELEMENT_FLOATS

#define ELEMENT uint64_t
#define ELEMENT_NAME i64
#define ELEMENT_SIZE 8
#define ELEMENT_FLOATS 0
#include "microkernels.h"
#undef ELEMENT
#undef ELEMENT_NAME
#undef ELEMENT_SIZE
#undef ELEMENT_FLOATS

#define TEXT_(s) #s
#define TEXT(s) TEXT_(s)
static int ROW_NAME(processor, has, ISA)(void) { return USABLE; }
static const kernel_set ROW_NAME(the, set, ISA) = {
    .name = TEXT(ISA),
    .usable = ROW_NAME(processor, has, ISA),
    .element = {&ROW_NAME(kernels, f32, ISA), &ROW_NAME(kernels, f64, ISA), &ROW_NAME(kernels, i32, ISA),
                &ROW_NAME(kernels, i64, ISA)},
    .load_row = LOAD_ROWS,
    .store_row = STORE_ROWS,
    .finish = FINISHES,
    .dot = DOT,
};
