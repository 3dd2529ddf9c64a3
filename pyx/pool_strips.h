/* Pooling of rows that lie ready in memory, in registers from load to store: the strips of pool.h.
 *
 * A strip is one vector of outputs. Its columns are reduced over the rows as they are loaded, in lanes
 * outside the input lies the padding; taps along the row are picks and shifts of what has been reduced. The
 * order of operations is that of the lines of pool_kernels.h, and so are the bits.
 *
 * needs  what pool_kernels.h needs and gives
 */

/* Columns c ... c + LANES - 1 of a row of `width` elements; `fill` where it has none. */
#if defined(__AVX2__)
INLINE
#else
static NOINLINE
#endif
vector NAME(load_inside)(const ELEMENT *row, ptrdiff_t c, ptrdiff_t width, vector fill) {
    const ptrdiff_t from = c < 0 ? -c : 0, to = width - c;
    if (from >= LANES || to <= 0)
        return fill;
#if LANES > 1 && defined(__AVX512F__)
    const unsigned lanes = (to < LANES ? (1u << to) - 1 : (1u << LANES) - 1) & (~0u << from);
#if ELEMENT_SIZE == 4
    return (vector)_mm512_mask_loadu_epi32((__m512i)fill, (__mmask16)lanes, row + c);
#else
    return (vector)_mm512_mask_loadu_epi64((__m512i)fill, (__mmask8)lanes, row + c);
#endif
#elif LANES > 1 && defined(__AVX2__)
    INDEX number[LANES];
    UNROLL for (int j = 0; j < LANES; j++) number[j] = j;
    ivector lanes;
    memcpy(&lanes, number, sizeof lanes);
    lanes = (lanes >= (INDEX)from) & (lanes < (INDEX)(to < LANES ? to : LANES));
#if ELEMENT_SIZE == 4
    return select(lanes, (vector)_mm256_maskload_epi32((const int *)(row + c), (__m256i)lanes), fill);
#else
    return select(lanes, (vector)_mm256_maskload_epi64((const long long *)(row + c), (__m256i)lanes), fill);
#endif
#else
    ELEMENT lanes[LANES];
    memcpy(lanes, &fill, sizeof fill);
    for (ptrdiff_t j = from; j < LANES && j < to; j++)
        lanes[j] = row[c + j];
    return vload(lanes);
#endif
}

INLINE vector NAME(load_columns)(const int inside, const ELEMENT *row, ptrdiff_t c, ptrdiff_t width, vector fill) {
    return inside ? vload(row + c) : NAME(load_inside)(row, c, width, fill);
}

/* Lanes k, k + 1, ... of two vectors side by side; k is 1 or 2. */
#if LANES == 1
INLINE vector NAME(shift)(const int k, vector a, vector b) { return (void)k, (void)a, b; }
#else
#undef FROM
#if LANES == 16
#define FROM(k)                                                                                                        \
    k, 1 + k, 2 + k, 3 + k, 4 + k, 5 + k, 6 + k, 7 + k, 8 + k, 9 + k, 10 + k, 11 + k, 12 + k, 13 + k, 14 + k, 15 + k
#elif LANES == 8
#define FROM(k) k, 1 + k, 2 + k, 3 + k, 4 + k, 5 + k, 6 + k, 7 + k
#elif LANES == 4
#define FROM(k) k, 1 + k, 2 + k, 3 + k
#else
#define FROM(k) k, 1 + k
#endif
#if defined(__clang__)
#define SHIFT(a, b, k) __builtin_shufflevector(a, b, FROM(k))
#else
#define SHIFT(a, b, k) __builtin_shuffle(a, b, (ivector){FROM(k)})
#endif
INLINE vector NAME(shift)(const int k, vector a, vector b) { return k == 1 ? SHIFT(a, b, 1) : SHIFT(a, b, 2); }
#undef SHIFT
#endif

/* Past the caches, in the pieces that every allocator aligns. */
INLINE void NAME(stream)(void *p, vector v) {
#if defined(__AVX512F__)
    const __m512i all = (__m512i)v;
    __m128i *to = p;
    _mm_stream_si128(to, _mm512_castsi512_si128(all));
    _mm_stream_si128(to + 1, _mm512_extracti32x4_epi32(all, 1));
    _mm_stream_si128(to + 2, _mm512_extracti32x4_epi32(all, 2));
    _mm_stream_si128(to + 3, _mm512_extracti32x4_epi32(all, 3));
#elif defined(__AVX2__)
    const __m256i all = (__m256i)v;
    __m128i *to = p;
    _mm_stream_si128(to, _mm256_castsi256_si128(all));
    _mm_stream_si128(to + 1, _mm256_extracti128_si256(all, 1));
#else
    memcpy(p, &v, sizeof v);
#endif
}

INLINE void NAME(store_strip)(ELEMENT *p, vector v, int n, int streamed) {
    if (n < LANES)
        store_first(p, v, n);
    else if (streamed)
        NAME(stream)(p, v);
    else
        vstore(p, v);
}

INLINE vector NAME(reduce_columns)(const int sum, const int n_rows, const ELEMENT *const *rows, ptrdiff_t c,
                                   ptrdiff_t width, vector fill) {
    vector t;
    if (c >= 0 && c + LANES <= width) {
        t = vload(rows[0] + c);
        for (int r = 1; r < n_rows; r++)
            t = NAME(combine)(sum, t, vload(rows[r] + c));
    } else {
        t = NAME(load_inside)(rows[0], c, width, fill);
        for (int r = 1; r < n_rows; r++)
            t = NAME(combine)(sum, t, NAME(load_inside)(rows[r], c, width, fill));
    }
    return t;
}

/* The columns of a strip from c on: reduced as they lie, or every second and those between. */
INLINE void NAME(reduce_strip)(const int sum, const int stride, const int n_rows, const ELEMENT *const *rows,
                               ptrdiff_t c, ptrdiff_t width, vector fill, vector *even, vector *odd) {
    const vector low = NAME(reduce_columns)(sum, n_rows, rows, c, width, fill);
    *even = low;
    if (stride == 2) {
        const vector high = NAME(reduce_columns)(sum, n_rows, rows, c + LANES, width, fill);
        *even = NAME(even)(low, high), *odd = NAME(odd)(low, high);
    }
}

/* A row of outputs. A sum is multiplied by `scale` if `exactly`, else divided by scale * count[i]. */
INLINE void NAME(strips_of_row)(const int sum, const int stride, const int taps, const int n_rows, ELEMENT *out,
                                const ELEMENT *const *rows, const pool_band *b, ELEMENT scale, int exactly) {
    const vector fill = broadcast(*(const ELEMENT *)b->fill), s = broadcast(scale);
    const ptrdiff_t width = b->width;
    ptrdiff_t c = -(ptrdiff_t)b->before;
    vector even, odd = fill, next_even, next_odd = fill;
    NAME(reduce_strip)(sum, stride, n_rows, rows, c, width, fill, &even, &odd);
    for (int i = 0; i < b->out; i += LANES, c += (ptrdiff_t)stride * LANES) {
        const int n = b->out - i < LANES ? b->out - i : LANES;
        const int more = n == LANES || (n - 1) * stride + taps > stride * LANES;
        vector t = even;
        next_even = even;
        if (more)
            NAME(reduce_strip)(sum, stride, n_rows, rows, c + stride * LANES, width, fill, &next_even, &next_odd);
#if LANES == 1
        for (int k = 1; k < taps; k++)
            t = NAME(combine)(sum, t, NAME(reduce_columns)(sum, n_rows, rows, c + k, width, fill));
#else
        if (stride == 1) {
            t = NAME(combine)(sum, t, NAME(shift)(1, even, next_even));
            if (taps == 3)
                t = NAME(combine)(sum, t, NAME(shift)(2, even, next_even));
        } else {
            t = NAME(combine)(sum, t, odd);
            if (taps == 3)
                t = NAME(combine)(sum, t, NAME(shift)(1, even, next_even));
        }
#endif
        if (sum) {
            if (exactly)
                t *= s;
            else
                t /= s * vload((const ELEMENT *)b->count + i);
        }
        NAME(store_strip)(out + i, t, n, b->streamed);
        even = next_even, odd = next_odd;
    }
}

/* Pointers to the rows that output row h sees: how many. */
INLINE int NAME(rows_of)(const pool_band *b, int h, const ELEMENT **rows) {
    int n = 0;
    for (int d = 0; d < b->n_slices; d++)
        for (int k = 0; k < b->kernel; k++) {
            const int32_t source = b->source[(ptrdiff_t)h * b->stride + (ptrdiff_t)k * b->dilation];
            if (source == -2)
                break;
            rows[n++] = b->slices[d] && source >= 0 ? (const ELEMENT *)b->slices[d] + source * b->x_row : b->fill;
        }
    return n;
}

INLINE void NAME(strips)(const int sum, const int stride, const int taps, const pool_band *b) {
    const ELEMENT **rows = (const ELEMENT **)b->rows;
    ELEMENT known = 0, factor = 0;
    int exactly = 0;
    for (int h = b->first; h < b->last; h++) {
        const int n_rows = NAME(rows_of)(b, h, rows);
        ELEMENT *out = (ELEMENT *)b->y + h * b->y_row;
        if (sum) {
            /* dividing by a power of two is multiplying by its inverse, which is faster */
            const ELEMENT scale = (ELEMENT)(b->divisor != 0 ? b->divisor : b->slice_count * b->row_count[h]);
            const ELEMENT divisor = scale * (ELEMENT)b->uniform;
            if (divisor != known) {
                int exponent;
                known = divisor;
                exactly = b->uniform != 0 && fabs(frexp((double)divisor, &exponent)) == 0.5;
                factor = exactly ? 1 / divisor : scale;
            }
            if (!exactly)
                factor = scale;
        }
        NAME(strips_of_row)(sum, stride, taps, n_rows, out, rows, b, factor, exactly);
    }
}

/* Maxima of a strip with their places, all taps row by row. `inside`: no lane is padding. */
INLINE ivector NAME(arg_strip)(const int stride, const int taps, const int inside, vector *value,
                               const ELEMENT *const *rows, const int64_t *row_index, int n_rows, ptrdiff_t c,
                               ptrdiff_t width, ivector place, ivector steps, ELEMENT lowest) {
    const vector none = broadcast(lowest);
    vector a = none;
    steps += (INDEX)c;
    for (int r = 0; r < n_rows; r++) {
        const ELEMENT *row = rows[r];
        const ivector here = steps + (INDEX)row_index[r];
        vector low, high, tap;
#define LOAD_COLUMNS(at) NAME(load_columns)(inside, row, c + (at), width, none)
        UNROLL for (int k = 0; k < taps; k++) {
            if (stride == 1 || LANES == 1)
                tap = LOAD_COLUMNS(k);
            else if (k % 2)
                tap = NAME(odd)(low, high);
            else {
                low = LOAD_COLUMNS(k), high = LOAD_COLUMNS(k + LANES);
                tap = NAME(even)(low, high);
            }
            const mask m = exceeds(tap, a);
            a = select(m, tap, a);
            place = select_index(m, here + (INDEX)k, place);
        }
#undef LOAD_COLUMNS
    }
    *value = a;
    return place;
}

INLINE void NAME(store_places)(int64_t *p, ivector places, int n, int streamed) {
#if LANES > 1 && ELEMENT_SIZE == 8
    if (n == LANES && streamed) {
        NAME(stream)(p, (vector)places);
        return;
    }
#elif LANES > 1 && defined(__AVX512F__)
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256((__m512i)places));
    const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64((__m512i)places, 1));
    if (n == LANES && streamed) {
        NAME(stream)(p, (vector)low);
        NAME(stream)(p + LANES / 2, (vector)high);
    } else {
        const unsigned lanes = (1u << n) - 1;
        _mm512_mask_storeu_epi64(p, (__mmask8)lanes, low);
        _mm512_mask_storeu_epi64(p + LANES / 2, (__mmask8)(lanes >> 8), high);
    }
    return;
#endif
    INDEX lanes[LANES];
    memcpy(lanes, &places, sizeof places);
    if (n == LANES)
        for (int j = 0; j < LANES; j++)
            p[j] = lanes[j];
    else
        for (int j = 0; j < n; j++)
            p[j] = lanes[j];
    (void)streamed;
}

INLINE void NAME(arg_strips)(const int stride, const int taps, const pool_band *b) {
    const ELEMENT **rows = (const ELEMENT **)b->rows;
    const ELEMENT lowest = *(const ELEMENT *)b->fill;
    INDEX lanes[LANES];
    ivector steps;
    for (int j = 0; j < LANES; j++)
        lanes[j] = (INDEX)j * stride;
    memcpy(&steps, lanes, sizeof steps);
    for (int h = b->first; h < b->last; h++) {
        int64_t *row_index = b->row_index, first_row = -1;
        int n_rows = 0;
        for (int d = 0; d < b->n_slices; d++)
            for (int k = 0; k < b->kernel && b->slices[d]; k++) {
                const int32_t source = b->source[(ptrdiff_t)h * b->stride + (ptrdiff_t)k * b->dilation];
                if (source < 0)
                    continue;
                rows[n_rows] = (const ELEMENT *)b->slices[d] + source * b->x_row;
                row_index[n_rows++] = b->slice_index[d] + source * b->index_of_row;
            }
        if (n_rows)
            first_row = row_index[0];
        for (int i = 0; i < b->out; i += LANES) {
            const int n = b->out - i < LANES ? b->out - i : LANES;
            const ptrdiff_t c = (ptrdiff_t)i * stride - b->before;
            ivector first, place;
            vector value;
            memcpy(&first, (const INDEX *)b->first_column + i, sizeof first);
            place = first + (INDEX)first_row;
#define ARG_STRIP(inside)                                                                                              \
    NAME(arg_strip)(stride, taps, inside, &value, rows, row_index, n_rows, c, b->width, place, steps, lowest)
            if (c >= 0 && c + taps - 1 + (ptrdiff_t)stride * LANES <= b->width)
                place = ARG_STRIP(1);
            else
                place = ARG_STRIP(0);
#undef ARG_STRIP
            /* -1 has all bits set */
            place |= (first >> (8 * ELEMENT_SIZE - 1)) | ((INDEX)first_row >> (8 * ELEMENT_SIZE - 1));
            NAME(store_strip)((ELEMENT *)b->y + h * b->y_row + i, value, n, b->streamed);
            NAME(store_places)(b->index + h * b->index_row + i, place, n, b->streamed);
        }
    }
}

#undef FENCE
#if defined(__AVX2__)
#define FENCE _mm_sfence()
#else
#define FENCE (void)0
#endif
#define EACH_FORM(F)                                                                                                   \
    if (stride == 1 && taps == 2)                                                                                      \
        F(1, 2);                                                                                                       \
    else if (stride == 1)                                                                                              \
        F(1, 3);                                                                                                       \
    else if (taps == 2)                                                                                                \
        F(2, 2);                                                                                                       \
    else                                                                                                               \
        F(2, 3);                                                                                                       \
    if (b->streamed)                                                                                                   \
    FENCE
#define MAXIMA(stride, taps) NAME(strips)(0, stride, taps, b)
#define SUMS(stride, taps) NAME(strips)(1, stride, taps, b)
#define PLACES(stride, taps) NAME(arg_strips)(stride, taps, b)
static void NAME(strips_max)(const pool_band *b, int stride, int taps) { EACH_FORM(MAXIMA); }
#if FLOATING
static void NAME(strips_sum)(const pool_band *b, int stride, int taps) { EACH_FORM(SUMS); }
#endif
static void NAME(strips_arg)(const pool_band *b, int stride, int taps) { EACH_FORM(PLACES); }
#undef MAXIMA
#undef SUMS
#undef PLACES
#undef EACH_FORM
