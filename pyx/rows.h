/* Rows between storage and element types: the one place where dtypes are converted.
 *
 * load_row gathers a panel row through its runs (kernels.h), store_row writes a finished row back.
 * Arrays may have any stride, also negative or unaligned; the strides that occur in practice get a loop
 * the compiler can vectorise.
 */

/* float16 -> float32: shift the exponent into place and rescale, which is exact for subnormals too. */
INLINE float half_to_float(uint16_t h) {
    const uint32_t magnitude = h & 0x7fffu;
    union {
        uint32_t u;
        float f;
    } x = {magnitude << 13}, infinite;
    x.f *= 0x1p112f;
    infinite.f = x.f;
    infinite.u |= 0x7f800000u;
    x.u = magnitude >= 0x7c00u ? infinite.u : x.u;
    x.u |= (uint32_t)(h & 0x8000u) << 16;
    return x.f;
}

/* float32 -> float16, to nearest even; NaN stays NaN. */
INLINE uint16_t float_to_half(float value) {
    union {
        float f;
        uint32_t u;
    } x = {value}, small;
    const uint32_t sign = x.u & 0x80000000u;
    x.u ^= sign;
    small.u = x.u;
    small.f += 0.5f; /* units in the last place are now those of a subnormal half */
    const uint32_t subnormal = small.u - 0x3f000000u;
    const uint32_t normal = (x.u - (112u << 23) + 0xfffu + ((x.u >> 13) & 1u)) >> 13;
    const uint32_t special = x.u > 0x7f800000u ? 0x7e00u : 0x7c00u;
    const uint32_t h = x.u >= 0x47800000u ? special : x.u < 0x38800000u ? subnormal : normal;
    return (uint16_t)(h | sign >> 16);
}

INLINE float bfloat_to_float(uint16_t b) {
    union {
        uint32_t u;
        float f;
    } x = {(uint32_t)b << 16};
    return x.f;
}

INLINE uint16_t float_to_bfloat(float value) {
    union {
        float f;
        uint32_t u;
    } x = {value};
    const uint32_t rounded = (x.u + 0x7fffu + ((x.u >> 16) & 1u)) >> 16;
    return (uint16_t)((x.u & 0x7fffffffu) > 0x7f800000u ? (x.u >> 16 | 0x40u) : rounded);
}

#define SAME(x) (x)
#define ROW_NAME_(a, b, c) a##_##b##_##c
#define ROW_NAME(a, b, c) ROW_NAME_(a, b, c)

#if defined(__GNUC__)
#define UNALIGNED_TYPE(type, name) typedef type name __attribute__((aligned(1), may_alias))
#else
#define UNALIGNED_TYPE(type, name) typedef type name /* x86 compilers without attributes allow it */
#endif

/* Panel rows are short: one masked copy beats a loop that first asks how long the rest is. */
INLINE void ROW_NAME(copy, bytes, ISA)(void *target, const void *source, ptrdiff_t n) {
#if defined(__AVX512BW__)
    char *t = target;
    const char *s = source;
    for (; n >= 64; n -= 64, t += 64, s += 64)
        _mm512_storeu_si512(t, _mm512_loadu_si512(s));
    const __mmask64 rest = _bzhi_u64(~0ull, (unsigned)n);
    _mm512_mask_storeu_epi8(t, rest, _mm512_maskz_loadu_epi8(rest, s));
#else
    memcpy(target, source, (size_t)n);
#endif
}

#define CONVERT(to, from, type, convert, n)                                                                            \
    for (ptrdiff_t i = 0; i < (n); i++)                                                                                \
    (to)[i] = (type)convert((from)[i])
#define COPY(to, from, type, convert, n) ROW_NAME(copy, bytes, ISA)(to, from, (n) * (ptrdiff_t)sizeof(type))

#define LOAD_ROW(name, type, element, convert, CONTIGUOUS)                                                             \
    UNALIGNED_TYPE(type, ROW_NAME(any, name, ISA));                                                                    \
    INLINE void ROW_NAME(gather, name, ISA)(element * row, const char *source, ptrdiff_t stride, ptrdiff_t n) {        \
        const ROW_NAME(any, name, ISA) *p = (const void *)source;                                                      \
        if (stride == (ptrdiff_t)sizeof(type))                                                                         \
            CONTIGUOUS(row, p, element, convert, n);                                                                   \
        else if (stride == 2 * (ptrdiff_t)sizeof(type))                                                                \
            for (ptrdiff_t i = 0; i < n; i++)                                                                          \
                row[i] = (element)convert(p[2 * i]);                                                                   \
        else                                                                                                           \
            for (ptrdiff_t i = 0; i < n; i++)                                                                          \
                row[i] = (element)convert(*(const ROW_NAME(any, name, ISA) *)(source + i * stride));                   \
    }                                                                                                                  \
    static UNUSED void ROW_NAME(load_row, name, ISA)(void *row, const char *source, ptrdiff_t stride,                  \
                                                     const panel_run *runs, int n_runs, const void *fill) {            \
        const element v = *(const element *)fill;                                                                      \
        for (int r = 0; r < n_runs; r++) {                                                                             \
            element *part = (element *)row + runs[r].slot;                                                             \
            if (source == NULL || runs[r].source < 0)                                                                  \
                for (int i = 0; i < runs[r].length; i++)                                                               \
                    part[i] = v;                                                                                       \
            else                                                                                                       \
                ROW_NAME(gather, name, ISA)(part, source + runs[r].source * stride, runs[r].step * stride,             \
                                            runs[r].length);                                                           \
        }                                                                                                              \
    }

#define STORE_ROW(name, type, element, convert, CONTIGUOUS)                                                            \
    static UNUSED void ROW_NAME(store_row, name, ISA)(char *target, ptrdiff_t stride, const void *values,              \
                                                      ptrdiff_t n) {                                                   \
        UNALIGNED_TYPE(type, any);                                                                                     \
        const element *v = values;                                                                                     \
        if (stride == (ptrdiff_t)sizeof(type))                                                                         \
            CONTIGUOUS((any *)(void *)target, v, type, convert, n);                                                    \
        else                                                                                                           \
            for (ptrdiff_t i = 0; i < n; i++)                                                                          \
                *(any *)(void *)(target + i * stride) = convert(v[i]);                                                 \
    }

LOAD_ROW(float32, float, float, SAME, COPY)
LOAD_ROW(float64, double, double, SAME, COPY)
LOAD_ROW(float16, uint16_t, float, half_to_float, CONVERT)
LOAD_ROW(bfloat16, uint16_t, float, bfloat_to_float, CONVERT)
LOAD_ROW(int8, int8_t, uint32_t, SAME, CONVERT)
LOAD_ROW(uint8, uint8_t, uint32_t, SAME, CONVERT)
LOAD_ROW(int16, int16_t, uint64_t, SAME, CONVERT)
LOAD_ROW(uint16, uint16_t, uint64_t, SAME, CONVERT)
LOAD_ROW(int32, int32_t, uint64_t, SAME, CONVERT)
LOAD_ROW(uint32, uint32_t, uint64_t, SAME, CONVERT)
LOAD_ROW(int64, int64_t, uint64_t, SAME, COPY)
LOAD_ROW(uint64, uint64_t, uint64_t, SAME, COPY)

STORE_ROW(f32, float, float, SAME, COPY)
STORE_ROW(f64, double, double, SAME, COPY)
STORE_ROW(i32, uint32_t, uint32_t, SAME, COPY)
STORE_ROW(i64, uint64_t, uint64_t, SAME, COPY)
STORE_ROW(half, uint16_t, float, float_to_half, CONVERT)
STORE_ROW(bfloat, uint16_t, float, float_to_bfloat, CONVERT)

#define LOAD(name) ROW_NAME(load_row, name, ISA)
#define STORE(name) ROW_NAME(store_row, name, ISA)
#define LOAD_ROWS                                                                                                      \
    {LOAD(float32), LOAD(float64), LOAD(float16), LOAD(bfloat16), LOAD(int8),  LOAD(uint8),                            \
     LOAD(int16),   LOAD(uint16),  LOAD(int32),   LOAD(uint32),   LOAD(int64), LOAD(uint64)}
#define STORE_ROWS {STORE(f32), STORE(f64), STORE(i32), STORE(i64), STORE(half), STORE(bfloat), STORE(i64)}
