/* Everything one instruction set offers to pooling: included by the three kernels_pool_<set>.c after they
 * have set the compilation target. Needs ISA, VECTOR_BYTES, USABLE is the convolution kernels' business:
 * pooling takes the name of an instruction set that is known to be there.
 */
#include "pool.h"
#include <math.h>
#include <string.h>

#include "compiler.h"
#include "rows.h"

INLINE int min_int(int a, int b) { return a < b ? a : b; }

#define ELEMENT float
#define ELEMENT_NAME f32
#define ELEMENT_SIZE 4
#define INDEX int32_t
#define FLOATING 1
#define SIGNED 1
#include "pool_kernels.h"
#undef ELEMENT
#undef ELEMENT_NAME
#undef FLOATING
#define ELEMENT int32_t
#define ELEMENT_NAME i32
#define FLOATING 0
#include "pool_kernels.h"
#undef ELEMENT
#undef ELEMENT_NAME
#undef ELEMENT_SIZE
#undef INDEX
#define ELEMENT int64_t
#define ELEMENT_NAME i64
#define ELEMENT_SIZE 8
#define INDEX int64_t
#include "pool_kernels.h"
#undef ELEMENT
#undef ELEMENT_NAME
#undef SIGNED
#define ELEMENT uint64_t
#define ELEMENT_NAME u64
#define SIGNED 0
#include "pool_kernels.h"
#undef ELEMENT
#undef ELEMENT_NAME
#undef FLOATING
#define ELEMENT double
#define ELEMENT_NAME f64
#define FLOATING 1
#include "pool_kernels.h"

/* Rows in and out of the element types of pooling, which unlike a convolution's keep an order. */
#define EACH_ROW(F)                                                                                                    \
    F(FLOAT32, p_f32, float, float, SAME, SAME, COPY)                                                                  \
    F(FLOAT64, p_f64, double, double, SAME, SAME, COPY)                                                                \
    F(FLOAT16, p_f16, uint16_t, float, half_to_float, float_to_half, CONVERT)                                          \
    F(BFLOAT16, p_bf16, uint16_t, float, bfloat_to_float, float_to_bfloat, CONVERT)                                    \
    F(INT8, p_i8, int8_t, int32_t, SAME, (int8_t), CONVERT)                                                            \
    F(UINT8, p_u8, uint8_t, int32_t, SAME, (uint8_t), CONVERT)                                                         \
    F(INT16, p_i16, int16_t, int32_t, SAME, (int16_t), CONVERT)                                                        \
    F(UINT16, p_u16, uint16_t, int32_t, SAME, (uint16_t), CONVERT)                                                     \
    F(INT32, p_i32, int32_t, int32_t, SAME, SAME, COPY)                                                                \
    F(UINT32, p_u32, uint32_t, int64_t, SAME, (uint32_t), CONVERT)                                                     \
    F(INT64, p_i64, int64_t, int64_t, SAME, SAME, COPY)                                                                \
    F(UINT64, p_u64, uint64_t, uint64_t, SAME, SAME, COPY)
#define EACH_WIDE_ROW(F)                                                                                               \
    F(FLOAT32, w_f32, float, double, SAME, (float), CONVERT)                                                           \
    F(FLOAT64, w_f64, double, double, SAME, SAME, COPY)                                                                \
    F(FLOAT16, w_f16, uint16_t, double, half_to_float, float_to_half, CONVERT)                                         \
    F(BFLOAT16, w_bf16, uint16_t, double, bfloat_to_float, float_to_bfloat, CONVERT)                                   \
    F(INT8, w_i8, int8_t, int64_t, SAME, (int8_t), CONVERT)                                                            \
    F(UINT8, w_u8, uint8_t, int64_t, SAME, (uint8_t), CONVERT)                                                         \
    F(INT16, w_i16, int16_t, int64_t, SAME, (int16_t), CONVERT)                                                        \
    F(UINT16, w_u16, uint16_t, int64_t, SAME, (uint16_t), CONVERT)                                                     \
    F(INT32, w_i32, int32_t, int64_t, SAME, (int32_t), CONVERT)                                                        \
    F(UINT32, w_u32, uint32_t, int64_t, SAME, (uint32_t), CONVERT)                                                     \
    F(INT64, w_i64, int64_t, int64_t, SAME, SAME, COPY)                                                                \
    F(UINT64, w_u64, uint64_t, uint64_t, SAME, SAME, COPY)
#define DEFINE(storage, name, type, element, widen, narrow, CONTIGUOUS)                                                \
    LOAD_ROW(name, type, element, widen, CONTIGUOUS) STORE_ROW(name, type, element, narrow, CONTIGUOUS)
EACH_ROW(DEFINE)
EACH_WIDE_ROW(DEFINE)
STORE_ROW(index32, int64_t, int32_t, SAME, CONVERT)
STORE_ROW(index64, int64_t, int64_t, SAME, COPY)

#define LOAD_ENTRY(storage, name, type, element, widen, narrow, CONTIGUOUS) [storage] = LOAD(name),
#define STORE_ENTRY(storage, name, type, element, widen, narrow, CONTIGUOUS) [storage] = STORE(name),
#define TEXT_(s) #s
#define TEXT(s) TEXT_(s)
static const pool_set ROW_NAME(the, pool_set, ISA) = {
    .name = TEXT(ISA),
    .element = {&ROW_NAME(pool_kernels, f32, ISA), &ROW_NAME(pool_kernels, f64, ISA), &ROW_NAME(pool_kernels, i32, ISA),
                &ROW_NAME(pool_kernels, i64, ISA), &ROW_NAME(pool_kernels, u64, ISA)},
    .load_row = {{EACH_ROW(LOAD_ENTRY)}, {EACH_WIDE_ROW(LOAD_ENTRY)}},
    .store_row = {{EACH_ROW(STORE_ENTRY)}, {EACH_WIDE_ROW(STORE_ENTRY)}},
    .store_index = {STORE(index32), STORE(index64)},
};
