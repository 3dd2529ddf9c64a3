/* Everything one instruction set offers to gradients of pooling: included by the three kernels_gradient_<set>.c
 * after they have set the compilation target. Needs ISA, VECTOR_BYTES.
 */
#include "pool_gradient.h"
#include <string.h>

#include "compiler.h"

#define ELEMENT float
#define ELEMENT_NAME f32
#define ELEMENT_SIZE 4
#define INDEX int32_t
#include "pool_gradient_kernels.h"
#undef ELEMENT
#undef ELEMENT_NAME
#undef ELEMENT_SIZE
#undef INDEX
#define ELEMENT double
#define ELEMENT_NAME f64
#define ELEMENT_SIZE 8
#define INDEX int64_t
#include "pool_gradient_kernels.h"

#define TEXT_(s) #s
#define TEXT(s) TEXT_(s)
#define SET__(name, isa) name##_##isa
#define SET_(name, isa) SET__(name, isa)
static const gradient_set SET_(the_gradient_set, ISA) = {
    .name = TEXT(ISA),
    .f32 = &SET_(gradient_kernels_f32, ISA),
    .f64 = &SET_(gradient_kernels_f64, ISA),
};
