/* The output stage: a residual is added to finished sums, then an activation is applied, while they lie in the cache.
 *
 *     z = sum + residual        y = z < 0 ? slope z : z, then held between low and high
 *
 * is every activation: a ramp has low = 0, a leaky one its slope (all others 1), a clamp both bounds. NaN compares
 * false and stays. Integers are summed without sign, as everywhere, and compared with that of the output.
 */
#define PLAIN(z) (z)
#define LEAKY(z) ((z) < 0 ? slope * (z) : (z))

#define FINISH_ROW(element, number, SLOPE, term)                                                                       \
    for (ptrdiff_t i = 0; i < n; i++) {                                                                                \
        number z = (number)(v[i] + (element)(term));                                                                   \
        z = SLOPE(z);                                                                                                  \
        z = low > z ? low : z;                                                                                         \
        v[i] = (element)(high < z ? high : z);                                                                         \
    }

/* name, type: of the output; element: what sums are kept in; number: the same with its sign */
#define FINISH(name, type, element, number, convert, SLOPE)                                                            \
    static UNUSED void ROW_NAME(finish, name, ISA)(void *values, ptrdiff_t pitch, int rows, ptrdiff_t n,               \
                                                   const char *residual, ptrdiff_t residual_pitch, ptrdiff_t step,     \
                                                   const void *limits) {                                               \
        UNALIGNED_TYPE(type, any);                                                                                     \
        const number slope = ((const number *)limits)[0], low = ((const number *)limits)[1];                           \
        const number high = ((const number *)limits)[2];                                                               \
        (void)slope;                                                                                                   \
        if (pitch == n * (ptrdiff_t)sizeof(element) && (!residual || residual_pitch == n * step))                      \
            n *= rows, rows = 1;                                                                                       \
        for (int r = 0; r < rows; r++) {                                                                               \
            element *restrict v = (void *)((char *)values + r * pitch);                                                \
            const any *restrict p = (const void *)(residual + r * residual_pitch);                                     \
            if (!residual) /* -0 is what changes no sum */                                                             \
                FINISH_ROW(element, number, SLOPE, -0.0f)                                                              \
            else if (step == (ptrdiff_t)sizeof(type))                                                                  \
                FINISH_ROW(element, number, SLOPE, convert(p[i]))                                                      \
            else                                                                                                       \
                FINISH_ROW(element, number, SLOPE, convert(*(const any *)(const void *)((const char *)p + i * step)))  \
        }                                                                                                              \
    }

FINISH(f32, float, float, float, SAME, LEAKY)
FINISH(f64, double, double, double, SAME, LEAKY)
FINISH(i32, uint32_t, uint32_t, int32_t, SAME, PLAIN)
FINISH(i64, uint64_t, uint64_t, int64_t, SAME, PLAIN)
FINISH(u64, uint64_t, uint64_t, uint64_t, SAME, PLAIN)
FINISH(half, uint16_t, float, float, half_to_float, LEAKY)
FINISH(bfloat, uint16_t, float, float, bfloat_to_float, LEAKY)

#define FINISH_ENTRY(name) ROW_NAME(finish, name, ISA)
#define FINISHES                                                                                                       \
    {FINISH_ENTRY(f32),  FINISH_ENTRY(f64),    FINISH_ENTRY(i32), FINISH_ENTRY(i64),                                   \
     FINISH_ENTRY(half), FINISH_ENTRY(bfloat), FINISH_ENTRY(u64)}
