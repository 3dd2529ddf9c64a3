/* The kernels of pool.h for one instruction set and one element type.
 *
 * needs  ELEMENT, ELEMENT_NAME, ELEMENT_SIZE, FLOATING, SIGNED, INDEX (signed, of its size), VECTOR_BYTES,
 *        ISA
 */
#define NAME__(a, b, c) a##_##b##_##c
#define NAME_(a, b, c) NAME__(a, b, c)
#define NAME(a) NAME_(a, ELEMENT_NAME, ISA)

#include "vectors.h"

#undef IS_NAN
#if FLOATING
#define IS_NAN(x) ((x) != (x))
#else
#define IS_NAN(x) 0
#endif

#define mask NAME(mask)
#define ivector NAME(ivector)
#define exceeds NAME(exceeds)
#define select NAME(select)
#define select_index NAME(select_index)

/* exceeds(b, a): b > a, or b is a NaN: b takes the place of a, which came before it. */
#if LANES == 1
typedef int mask;
typedef INDEX ivector;
INLINE mask exceeds(vector b, vector a) { return b > a || IS_NAN(b); }
INLINE vector select(mask m, vector b, vector a) { return m ? b : a; }
INLINE ivector select_index(mask m, ivector b, ivector a) { return m ? b : a; }
#else
typedef INDEX ivector __attribute__((vector_size(VECTOR_BYTES)));
#if defined(__AVX512F__)
#if ELEMENT_SIZE == 4
typedef __mmask16 mask;
INLINE ivector select_index(mask m, ivector b, ivector a) {
    return (ivector)_mm512_mask_mov_epi32((__m512i)a, m, (__m512i)b);
}
#else
typedef __mmask8 mask;
INLINE ivector select_index(mask m, ivector b, ivector a) {
    return (ivector)_mm512_mask_mov_epi64((__m512i)a, m, (__m512i)b);
}
#endif
INLINE mask exceeds(vector b, vector a) {
#if FLOATING && ELEMENT_SIZE == 4
    return _mm512_cmp_ps_mask((__m512)b, (__m512)a, _CMP_GT_OQ) |
           _mm512_cmp_ps_mask((__m512)b, (__m512)b, _CMP_UNORD_Q);
#elif FLOATING
    return _mm512_cmp_pd_mask((__m512d)b, (__m512d)a, _CMP_GT_OQ) |
           _mm512_cmp_pd_mask((__m512d)b, (__m512d)b, _CMP_UNORD_Q);
#elif ELEMENT_SIZE == 4
    return _mm512_cmpgt_epi32_mask((__m512i)b, (__m512i)a);
#elif SIGNED
    return _mm512_cmpgt_epi64_mask((__m512i)b, (__m512i)a);
#else
    return _mm512_cmpgt_epu64_mask((__m512i)b, (__m512i)a);
#endif
}
#else
typedef ivector mask;
INLINE mask exceeds(vector b, vector a) {
#if FLOATING
    return (mask)(b > a) | (mask)(b != b);
#else
    return (mask)(b > a);
#endif
}
INLINE ivector select_index(mask m, ivector b, ivector a) { return (m & b) | (~m & a); }
#endif
INLINE vector select(mask m, vector b, vector a) { return (vector)select_index(m, (ivector)b, (ivector)a); }
#endif

/* The maximum, where a came first. */
INLINE vector NAME(larger)(vector a, vector b) {
#if LANES > 1 && defined(__AVX512F__) && FLOATING && ELEMENT_SIZE == 4
    /* the instruction returns its second operand where either is a NaN; a NaN in b is kept by the mask */
    const __mmask16 ordered = _mm512_cmp_ps_mask((__m512)b, (__m512)b, _CMP_ORD_Q);
    return (vector)_mm512_mask_max_ps((__m512)b, ordered, (__m512)b, (__m512)a);
#elif LANES > 1 && defined(__AVX512F__) && FLOATING
    const __mmask8 ordered = _mm512_cmp_pd_mask((__m512d)b, (__m512d)b, _CMP_ORD_Q);
    return (vector)_mm512_mask_max_pd((__m512d)b, ordered, (__m512d)b, (__m512d)a);
#else
    return select(exceeds(b, a), b, a);
#endif
}

INLINE vector NAME(combine)(const int sum, vector a, vector b) { return sum ? a + b : NAME(larger)(a, b); }

INLINE ELEMENT NAME(combine_one)(const int sum, ELEMENT a, ELEMENT b) {
    return sum ? a + b : b > a || IS_NAN(b) ? b : a;
}

INLINE void NAME(columns)(const int sum, const int n_rows, ELEMENT *line, const ELEMENT *const *rows, int n) {
    int i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        vector t[4];
        UNROLL for (int j = 0; j < 4; j++) t[j] = vload(rows[0] + i + j * LANES);
        for (int r = 1; r < n_rows; r++)
            UNROLL for (int j = 0; j < 4; j++) t[j] = NAME(combine)(sum, t[j], vload(rows[r] + i + j * LANES));
        UNROLL for (int j = 0; j < 4; j++) vstore(line + i + j * LANES, t[j]);
    }
    while (i < n) {
        if (i + LANES > n) {
            if (n < LANES)
                break;
            i = n - LANES; /* the last vector overlaps the one before */
        }
        vector t = vload(rows[0] + i);
        for (int r = 1; r < n_rows; r++)
            t = NAME(combine)(sum, t, vload(rows[r] + i));
        vstore(line + i, t);
        i += LANES;
    }
    for (; i < n; i++) {
        ELEMENT t = rows[0][i];
        for (int r = 1; r < n_rows; r++)
            t = NAME(combine_one)(sum, t, rows[r][i]);
        line[i] = t;
    }
}

/* Elements 0, 2, 4, ... and 1, 3, 5, ... of two vectors. */
#if LANES == 1
INLINE vector NAME(even)(vector a, vector b) { return (void)b, a; }
INLINE vector NAME(odd)(vector a, vector b) { return (void)a, b; }
#else
#undef EVERY_SECOND
#if LANES == 16
#define EVERY_SECOND(o)                                                                                                \
    o, 2 + o, 4 + o, 6 + o, 8 + o, 10 + o, 12 + o, 14 + o, 16 + o, 18 + o, 20 + o, 22 + o, 24 + o, 26 + o, 28 + o,     \
        30 + o
#elif LANES == 8
#define EVERY_SECOND(o) o, 2 + o, 4 + o, 6 + o, 8 + o, 10 + o, 12 + o, 14 + o
#elif LANES == 4
#define EVERY_SECOND(o) o, 2 + o, 4 + o, 6 + o
#else
#define EVERY_SECOND(o) o, 2 + o
#endif
#if defined(__clang__)
#define PICK(a, b, o) __builtin_shufflevector(a, b, EVERY_SECOND(o))
#else
#define PICK(a, b, o) __builtin_shuffle(a, b, (ivector){EVERY_SECOND(o)})
#endif
INLINE vector NAME(even)(vector a, vector b) { return PICK(a, b, 0); }
INLINE vector NAME(odd)(vector a, vector b) { return PICK(a, b, 1); }
#undef PICK
#endif

/* One tap of a vector of outputs. */
INLINE vector NAME(tap)(const int stride, const ELEMENT *p) {
    if (stride == 1 || LANES == 1)
        return vload(p);
    if (stride == 2)
        return NAME(even)(vload(p), vload(p + LANES));
    ELEMENT lanes[LANES];
    UNROLL for (int j = 0; j < LANES; j++) lanes[j] = p[(ptrdiff_t)j * stride];
    return vload(lanes);
}
INLINE ivector NAME(tap_index)(const int stride, const INDEX *p) {
#if LANES == 1
    return *p;
#else
    if (stride == 1)
        return (ivector)vload((const void *)p);
    if (stride == 2)
        return (ivector)NAME(even)(vload((const void *)p), vload((const void *)(p + LANES)));
    ivector lanes;
    UNROLL for (int j = 0; j < LANES; j++) lanes[j] = p[(ptrdiff_t)j * stride];
    return lanes;
#endif
}
/* All taps of a vector of outputs; `dense`: tap k lies at k. */
INLINE vector NAME(window)(const int sum, const int stride, const int dense, const int taps, const ELEMENT *p,
                           const int32_t *tap_offset) {
    if (stride == 2 && dense && LANES > 1) {
        vector a = vload(p), b = vload(p + LANES), t = NAME(even)(a, b);
        int k = 1;
        while (1) {
            if (k < taps)
                t = NAME(combine)(sum, t, NAME(odd)(a, b));
            if (++k >= taps)
                return t;
            a = vload(p + k), b = vload(p + k + LANES);
            t = NAME(combine)(sum, t, NAME(even)(a, b));
            k++;
        }
    }
    vector t = NAME(tap)(stride, p + (dense ? 0 : tap_offset[0]));
    for (int k = 1; k < taps; k++)
        t = NAME(combine)(sum, t, NAME(tap)(stride, p + (dense ? k : tap_offset[k])));
    return t;
}

INLINE void NAME(windows)(const int sum, const int stride, const int dense, const int taps, ELEMENT *out,
                          const ELEMENT *line, int n, const int32_t *tap_offset, const ELEMENT *count, ELEMENT scale) {
    const vector s = broadcast(scale);
    for (int i = 0; i < n; i += LANES) {
        vector t = NAME(window)(sum, stride, dense, taps, line + (ptrdiff_t)i * stride, tap_offset);
        if (sum)
            t /= s * vload(count + i);
        if (i + LANES <= n)
            vstore(out + i, t);
        else
            store_first(out + i, t, n - i);
    }
}

INLINE void NAME(any_windows)(const int sum, ELEMENT *out, const ELEMENT *line, int n, int stride,
                              const int32_t *tap_offset, int taps, const ELEMENT *count, ELEMENT scale) {
    int dense = 1;
    for (int k = 0; k < taps; k++)
        dense &= tap_offset[k] == k;
#define WINDOWS(stride, dense, taps) NAME(windows)(sum, stride, dense, taps, out, line, n, tap_offset, count, scale)
    if (dense && stride == 1 && taps == 3)
        WINDOWS(1, 1, 3);
    else if (dense && stride == 2 && taps == 2)
        WINDOWS(2, 1, 2);
    else if (dense && stride == 2 && taps == 3)
        WINDOWS(2, 1, 3);
    else if (dense && stride == 2)
        WINDOWS(2, 1, taps);
    else if (stride == 2)
        WINDOWS(2, 0, taps);
    else if (stride == 1)
        WINDOWS(1, 0, taps);
    else
        WINDOWS(stride, 0, taps);
#undef WINDOWS
}

#define OPERATION(name, sum)                                                                                           \
    static void NAME(columns_##name)(void *line, const void *const *rows, const ptrdiff_t *steps, int n_rows,          \
                                     int unit, int n) {                                                                \
        ELEMENT *out = line;                                                                                           \
        const ELEMENT *const *from = (const ELEMENT *const *)rows;                                                     \
        if (!unit)                                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) {                                                                        \
                ELEMENT t = from[0][i * steps[0]];                                                                     \
                for (int r = 1; r < n_rows; r++)                                                                       \
                    t = NAME(combine_one)(sum, t, from[r][i * steps[r]]);                                              \
                out[i] = t;                                                                                            \
            }                                                                                                          \
        else if (n_rows == 2)                                                                                          \
            NAME(columns)(sum, 2, out, from, n);                                                                       \
        else if (n_rows == 3)                                                                                          \
            NAME(columns)(sum, 3, out, from, n);                                                                       \
        else                                                                                                           \
            NAME(columns)(sum, n_rows, out, from, n);                                                                  \
    }                                                                                                                  \
    static void NAME(windows_##name)(void *out, const void *line, int n, int stride, const int32_t *tap_offset,        \
                                     int taps, const void *count, double scale) {                                      \
        NAME(any_windows)(sum, out, line, n, stride, tap_offset, taps, count, (ELEMENT)scale);                         \
    }
OPERATION(max, 0)
#if FLOATING
OPERATION(sum, 1)
#endif
#undef OPERATION

/* A vector of outputs. Indices are followed as row_index + tap_offset where the columns of all taps are
 * `consecutive`, as they are inside the input and next to constant padding; elsewhere they are looked up. */
INLINE void NAME(arg_window)(const int stride, const int dense, const int taps, const int consecutive, vector *value,
                             INDEX *place, const ELEMENT *const *rows, const int64_t *row_index, int n_rows,
                             const INDEX *columns, ptrdiff_t start, const int32_t *tap_offset, const INDEX *first,
                             INDEX first_row, ivector steps, ELEMENT lowest) {
    ivector ai, its_first;
    vector a = broadcast(lowest);
    if (consecutive)
        steps += columns[start];
    else
        steps -= steps;
    memcpy(&its_first, first, sizeof its_first);
    ai = its_first + first_row - steps;
    for (int r = 0; r < n_rows; r++) {
        const ELEMENT *p = rows[r] + start;
        UNROLL for (int k = 0; k < taps; k++) {
            const int32_t at = dense == 1 ? k : tap_offset[k];
            const vector b = stride == 2 && dense == 1 && k % 2 && LANES > 1
                                 ? NAME(odd)(vload(p + k - 1), vload(p + k - 1 + LANES))
                                 : NAME(tap)(stride, p + at);
            const mask m = exceeds(b, a);
            const INDEX here = (INDEX)row_index[r] + (consecutive ? at : 0);
            ivector bi = here - (ivector){0};
            if (!consecutive)
                bi += NAME(tap_index)(stride, columns + start + at);
            a = select(m, b, a);
            ai = select_index(m, bi, ai);
        }
    }
    /* -1 has all bits set */
    ai = (ai + steps) | (its_first >> (8 * ELEMENT_SIZE - 1)) | (first_row >> (8 * ELEMENT_SIZE - 1));
    memcpy(place, &ai, sizeof ai);
    *value = a;
}

INLINE void NAME(arg_windows)(const int stride, const int dense, const int taps, ELEMENT *out, INDEX *index,
                              const ELEMENT *const *rows, const int64_t *row_index, int n_rows, const INDEX *columns,
                              int n, const int32_t *tap_offset, const INDEX *first, INDEX first_row, ELEMENT lowest) {
    INDEX lanes[LANES];
    ivector steps;
    for (int j = 0; j < LANES; j++)
        lanes[j] = (INDEX)j * stride;
    memcpy(&steps, lanes, sizeof steps);
    for (int i = 0; i < n; i += LANES) {
        const ptrdiff_t start = (ptrdiff_t)i * stride;
        const int count = n - i < LANES ? n - i : LANES;
        const ptrdiff_t reach = (ptrdiff_t)(count - 1) * stride + tap_offset[taps - 1];
        vector value;
#define ARG_WINDOW(consecutive)                                                                                        \
    NAME(arg_window)(stride, dense, taps, consecutive, &value, index + i, rows, row_index, n_rows, columns, start,     \
                     tap_offset, first + i, first_row, steps, lowest)
        if (dense && columns[start + reach] - columns[start] == reach)
            ARG_WINDOW(1);
        else
            ARG_WINDOW(0);
#undef ARG_WINDOW
        if (count == LANES)
            vstore(out + i, value);
        else
            store_first(out + i, value, count);
    }
}

static void NAME(arg)(void *out, void *index, const void *const *rows, const int64_t *row_index, int n_rows,
                      const void *columns, int n, int stride, int dense, const int32_t *tap_offset, int taps,
                      const void *first, int64_t first_row, const void *lowest) {
#define ARG(stride, dense, taps)                                                                                       \
    NAME(arg_windows)(stride, dense, taps, out, index, (const ELEMENT *const *)rows, row_index, n_rows, columns, n,    \
                      tap_offset, first, (INDEX)first_row, *(const ELEMENT *)lowest)
    const int side_by_side = dense && (taps == 1 || tap_offset[1] == 1);
    if (side_by_side && stride == 1 && taps == 3)
        ARG(1, 1, 3);
    else if (side_by_side && stride == 2 && taps == 2)
        ARG(2, 1, 2);
    else if (side_by_side && stride == 2 && taps == 3)
        ARG(2, 1, 3);
    else
        ARG(stride, dense ? 2 : 0, taps);
#undef ARG
}

static void NAME(fill)(void *out, void *index, const char *padded, int n, const void *fill) {
    const ELEMENT v = *(const ELEMENT *)fill;
    ELEMENT *value = out;
    for (int i = 0; i < n; i++)
        if ((padded == NULL || padded[i]) && (v > value[i] || (IS_NAN(v) && !IS_NAN(value[i])))) {
            value[i] = v;
            ((INDEX *)index)[i] = -1;
        }
}

#include "pool_strips.h"

#include "pool_reduce.h"
#undef SHIFT

static const pool_kernels NAME(pool_kernels) = {
#if FLOATING
    .columns = {NAME(columns_max), NAME(columns_sum)},
    .windows = {NAME(windows_max), NAME(windows_sum)},
    .strips = {NAME(strips_max), NAME(strips_sum)},
    .reduce = {NAME(reduce_max), NAME(reduce_sum)},
#else
    .columns = {NAME(columns_max)},
    .windows = {NAME(windows_max)},
    .strips = {NAME(strips_max)},
    .reduce = {NAME(reduce_max)},
#endif
    .arg = NAME(arg),
    .strips_arg = NAME(strips_arg),
    .fill = NAME(fill),
};
