/* Pooling of rows that lie ready in memory, in registers from load to store: the strips of pool.h.
 *
 * A strip is one vector of outputs, computed for all rows of a band, so that what depends on its columns is
 * found once. Columns are reduced over the rows as they are loaded, in lanes outside the input lies the
 * padding; taps along the row are picks and shifts of what has been reduced. The order of operations is that
 * of the lines of pool_kernels.h, and so are the bits.
 *
 * needs  what pool_kernels.h needs and gives
 */

/* The lanes of columns c ... c + LANES - 1 that a row of `width` elements has. */
#define lanes_inside NAME(lanes_inside)
#if LANES > 1 && defined(__AVX512F__)
typedef mask lanes_inside;
INLINE lanes_inside NAME(lanes)(ptrdiff_t c, ptrdiff_t width) {
    const ptrdiff_t to = width - c;
    const uint32_t upper = _bzhi_u32(~0u, to < 0 ? 0u : to > LANES ? LANES : (uint32_t)to);
    return (mask)(c >= 0 ? upper : c <= -LANES ? 0u : upper & ~0u << -c);
}
INLINE vector NAME(load_lanes)(const ELEMENT *p, lanes_inside lanes, vector fill) {
#if ELEMENT_SIZE == 4
    return (vector)_mm512_mask_loadu_epi32((__m512i)fill, lanes, p);
#else
    return (vector)_mm512_mask_loadu_epi64((__m512i)fill, lanes, p);
#endif
}
#elif LANES > 1 && defined(__AVX2__)
typedef mask lanes_inside;
INLINE lanes_inside NAME(lanes)(ptrdiff_t c, ptrdiff_t width) {
    const INDEX from = (INDEX)(c > 0 ? 0 : c < -LANES ? LANES : -c);
    const INDEX to = (INDEX)(width - c > LANES ? LANES : width - c < 0 ? 0 : width - c);
    INDEX number[LANES];
    UNROLL for (int j = 0; j < LANES; j++) number[j] = j;
    ivector lanes;
    memcpy(&lanes, number, sizeof lanes);
    return (lanes >= from) & (lanes < to);
}
INLINE vector NAME(load_lanes)(const ELEMENT *p, lanes_inside lanes, vector fill) {
#if ELEMENT_SIZE == 4
    return select(lanes, (vector)_mm256_maskload_epi32((const void *)p, (__m256i)lanes), fill);
#else
    return select(lanes, (vector)_mm256_maskload_epi64((const void *)p, (__m256i)lanes), fill);
#endif
}
#else
typedef struct {
    ptrdiff_t from, to;
} lanes_inside;
INLINE lanes_inside NAME(lanes)(ptrdiff_t c, ptrdiff_t width) {
    const lanes_inside lanes = {c < 0 ? -c : 0, width - c < LANES ? width - c : LANES};
    return lanes;
}
static NOINLINE vector NAME(load_lanes)(const ELEMENT *p, lanes_inside lanes, vector fill) {
    ELEMENT all[LANES];
    memcpy(all, &fill, sizeof fill);
    for (ptrdiff_t j = lanes.from; j < lanes.to; j++)
        all[j] = p[j];
    return vload(all);
}
#endif

/* A row from column c on; `inside`: it has all lanes. */
INLINE vector NAME(load_columns)(const int inside, const ELEMENT *row, ptrdiff_t c, lanes_inside lanes, vector fill) {
    return inside ? vload(row + c) : NAME(load_lanes)(row + c, lanes, fill);
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

/* Rows of outputs that are walked through strip by strip: what they read stays in the first-level cache. */
INLINE int NAME(rows_at_once)(const pool_band *b) {
    const ptrdiff_t row = b->stride * b->width * ELEMENT_SIZE, n = b->far ? 2 : 8192 / (row ? row : 1);
    return n < 2 ? 2 : n > 64 ? 64 : (int)n;
}

/* The rows of the input that one row of outputs reads: listed, or `tap` elements from one to the next. */
#define sources NAME(sources)
typedef struct {
    const ELEMENT *const *rows;
    const ELEMENT *first;
    ptrdiff_t tap;
    int n_rows;
} sources;

INLINE vector NAME(reduce_columns)(const int sum, const int taps, const int inside, sources from, ptrdiff_t c,
                                   lanes_inside lanes, vector fill) {
    vector t;
    if (taps) {
        t = NAME(load_columns)(inside, from.first, c, lanes, fill);
        for (int r = 1; r < taps; r++)
            t = NAME(combine)(sum, t, NAME(load_columns)(inside, from.first + r * from.tap, c, lanes, fill));
    } else {
        t = NAME(load_columns)(inside, from.rows[0], c, lanes, fill);
        for (int r = 1; r < from.n_rows; r++)
            t = NAME(combine)(sum, t, NAME(load_columns)(inside, from.rows[r], c, lanes, fill));
    }
    return t;
}

/* A vector of outputs of one row, from column c on; `rows`: how many rows it reads, 0: as many as are listed.
 * lanes: those of the vectors that follow each other. */
INLINE vector NAME(strip)(const int sum, const int stride, const int taps, const int rows, const int inside,
                          sources from, ptrdiff_t c, const lanes_inside *lanes, vector fill) {
#define COLUMNS(j) NAME(reduce_columns)(sum, rows, inside, from, c + (j) * LANES, lanes[j], fill)
    vector t = COLUMNS(0);
#if LANES == 1
    for (int k = 1; k < taps; k++)
        t = NAME(combine)(sum, t, COLUMNS(k));
#else
    if (stride == 1) {
        const vector low = t, high = COLUMNS(1);
        t = NAME(combine)(sum, t, NAME(shift)(1, low, high));
        if (taps == 3)
            t = NAME(combine)(sum, t, NAME(shift)(2, low, high));
    } else {
        const vector low = t, high = COLUMNS(1), even = NAME(even)(low, high);
        t = NAME(combine)(sum, even, NAME(odd)(low, high));
        if (taps == 3)
            t = NAME(combine)(sum, t, NAME(shift)(1, even, COLUMNS(2)));
    }
#endif
#undef COLUMNS
    return t;
}

/* A strip of n rows of outputs, each `step` elements of the input below the one before. */
INLINE void NAME(strip_of_rows)(const int sum, const int stride, const int taps, const int rows, const int inside,
                                const pool_band *b, ELEMENT *out, sources from, ptrdiff_t step, int n, int i,
                                ELEMENT scale) {
    const ptrdiff_t c = (ptrdiff_t)i * stride - b->before, y_row = b->y_row;
    const int count = min_int(LANES, b->out - i);
    const vector fill = broadcast(*(const ELEMENT *)b->fill);
    vector divisors = fill, factors = fill;
    lanes_inside lanes[3] = {0};
    int exactly = 0;
    if (!inside)
        for (int j = 0; j < 3; j++)
            lanes[j] = NAME(lanes)(c + j * LANES, b->width);
    if (sum) {
        /* dividing by a power of two is multiplying by its inverse, which is faster */
        const ELEMENT divisor = scale * (ELEMENT)b->uniform;
        exactly = divisor >= 1 && divisor <= 1 << 24 && (ELEMENT)(int)divisor == divisor &&
                  ((int)divisor & ((int)divisor - 1)) == 0;
        factors = broadcast(1 / divisor);
        divisors = scale * vload((const ELEMENT *)b->count + i);
    }
    for (int h = 0; h < n; h++, from.first += step, out += y_row) {
        vector t = NAME(strip)(sum, stride, taps, rows, inside, from, c, lanes, fill);
        if (sum && exactly)
            t *= factors;
        else if (sum)
            t /= divisors;
        if (inside)
            vstore(out + i, t);
        else
            store_first(out + i, t, count);
    }
}

/* How many rows of outputs from h on, at most n, read the input as it lies. */
INLINE int NAME(regular_rows)(const pool_band *b, int h, int n) {
    const int32_t *source = b->source + (ptrdiff_t)h * b->stride;
    if (b->n_slices != 1 || b->slices[0] == NULL || source[0] < 0)
        return 0;
    /* no index map climbs by more than one */
    for (; n; n--) {
        const ptrdiff_t reach = (ptrdiff_t)(n - 1) * b->stride + (ptrdiff_t)(b->kernel - 1) * b->dilation;
        if (source[reach] - source[0] == reach)
            break;
    }
    return n;
}

/* List the rows that output row h reads, or if `inputs_only` those that are no padding, and their indices. */
INLINE sources NAME(list_rows)(const pool_band *b, int h, const int inputs_only) {
    const ELEMENT **rows = (const ELEMENT **)b->rows;
    const int32_t *source = b->source + (ptrdiff_t)h * b->stride;
    sources from = {(const ELEMENT *const *)b->rows, NULL, 0, 0};
    for (int d = 0; d < b->n_slices; d++)
        for (int k = 0; k < b->kernel; k++) {
            const int32_t s = source[(ptrdiff_t)k * b->dilation];
            const int input = s >= 0 && b->slices[d] != NULL;
            if (s == -2)
                break;
            if (inputs_only && !input)
                continue;
            if (inputs_only)
                b->row_index[from.n_rows] = b->slice_index[d] + s * b->index_of_row;
            rows[from.n_rows++] = input ? (const ELEMENT *)b->slices[d] + s * b->x_row : b->fill;
        }
    return from;
}

/* Read a byte of each cache line of input rows first ... last - 1, in their order: hardware that fetches ahead
 * follows one rising stream, but not the strips' steps from row to row. */
INLINE void NAME(touch)(const pool_band *b, int first, int last) {
    for (int r = first; r < last; r++) {
        const char *row = (const char *)((const ELEMENT *)b->slices[0] + r * b->x_row);
        for (ptrdiff_t i = 0; i < b->width * ELEMENT_SIZE; i += 64)
            (void)*(const volatile char *)(row + i);
    }
}

INLINE void NAME(strips)(const int sum, const int stride, const int taps, const pool_band *b) {
    const int at_once = NAME(rows_at_once)(b), vectors = stride == 1 ? 2 : taps;
    const ptrdiff_t step = b->stride * b->x_row;
    int touched = 0;
    for (int h = b->first, n; h < b->last; h += n) {
        ELEMENT *out = (ELEMENT *)b->y + h * b->y_row;
        const ELEMENT scale = (ELEMENT)(b->divisor != 0 ? b->divisor : b->slice_count * b->row_count[h]);
        sources from = {NULL, NULL, b->dilation * b->x_row, b->kernel};
        n = b->kernel == taps ? NAME(regular_rows)(b, h, min_int(at_once, b->last - h)) : 0;
        if (n == 0) {
            from = NAME(list_rows)(b, h, 0);
            n = 1;
            for (int i = 0; i < b->out; i += LANES)
                NAME(strip_of_rows)(sum, stride, taps, 0, 0, b, out, from, 0, 1, i, scale);
            continue;
        }
        const int32_t *source = b->source + (ptrdiff_t)h * b->stride;
        from.first = (const ELEMENT *)b->slices[0] + source[0] * b->x_row;
        if (b->far) {
            const int end = source[(ptrdiff_t)(n - 1) * b->stride + (ptrdiff_t)(b->kernel - 1) * b->dilation] + 1;
            NAME(touch)(b, touched > source[0] ? touched : source[0], end);
            touched = end;
        }
        for (int i = 0; i < b->out; i += LANES) {
            const ptrdiff_t c = (ptrdiff_t)i * stride - b->before;
            if (c >= 0 && c + vectors * LANES <= b->width && i + LANES <= b->out)
                NAME(strip_of_rows)(sum, stride, taps, taps, 1, b, out, from, step, n, i, scale);
            else
                NAME(strip_of_rows)(sum, stride, taps, taps, 0, b, out, from, step, n, i, scale);
        }
    }
}

/* Maxima of a strip with their places, all taps row by row. */
INLINE ivector NAME(arg_strip)(const int stride, const int taps, const int rows, const int inside, vector *value,
                               sources from, const pool_band *b, INDEX first_row, ptrdiff_t c,
                               const lanes_inside *lanes, ivector place, ivector steps, vector lowest) {
    vector a = lowest;
    for (int r = 0; r < (rows ? rows : from.n_rows); r++) {
        const ELEMENT *p = rows ? from.first + r * from.tap : from.rows[r];
        const INDEX row_index = rows ? first_row + (INDEX)(r * b->dilation * b->index_of_row) : (INDEX)b->row_index[r];
        const ivector here = steps + row_index;
        vector low = lowest, high = lowest, tap;
        UNROLL for (int k = 0; k < taps; k++) {
            if (stride == 1 || LANES == 1)
                tap = NAME(load_columns)(inside, p, c + k, lanes[k], lowest);
            else if (k % 2)
                tap = NAME(odd)(low, high);
            else {
                low = NAME(load_columns)(inside, p, c + k, lanes[k], lowest);
                high = NAME(load_columns)(inside, p, c + k + LANES, lanes[k + 1], lowest);
                tap = NAME(even)(low, high);
            }
            const mask m = exceeds(tap, a);
            a = select(m, tap, a);
            place = select_index(m, here + (INDEX)k, place);
        }
    }
    *value = a;
    return place;
}

INLINE void NAME(store_places)(int64_t *p, ivector places, int n) {
#if LANES == 16
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256((__m512i)places));
    const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64((__m512i)places, 1));
    const unsigned lanes = (1u << n) - 1;
    _mm512_mask_storeu_epi64(p, (__mmask8)lanes, low);
    _mm512_mask_storeu_epi64(p + LANES / 2, (__mmask8)(lanes >> 8), high);
#else
    INDEX lanes[LANES];
    memcpy(lanes, &places, sizeof places);
    if (n == LANES)
        for (int j = 0; j < LANES; j++)
            p[j] = lanes[j];
    else
        for (int j = 0; j < n; j++)
            p[j] = lanes[j];
#endif
}

INLINE void NAME(arg_strip_of_rows)(const int stride, const int taps, const int rows, const int inside,
                                    const pool_band *b, int first, sources from, ptrdiff_t step, int n, int i) {
    const ptrdiff_t c = (ptrdiff_t)i * stride - b->before;
    const int count = min_int(LANES, b->out - i);
    const vector lowest = broadcast(*(const ELEMENT *)b->fill);
    ELEMENT *out = (ELEMENT *)b->y + first * b->y_row + i;
    int64_t *index = b->index + first * b->index_row + i;
    INDEX first_row = from.n_rows ? (INDEX)b->row_index[0] : -1, number[LANES];
    lanes_inside lanes[4] = {0};
    ivector steps, column;
    for (int j = 0; j < LANES; j++)
        number[j] = (INDEX)(c + (ptrdiff_t)j * stride);
    memcpy(&steps, number, sizeof steps);
    memcpy(&column, (const INDEX *)b->first_column + i, sizeof column);
    if (!inside)
        for (int k = 0; k < 4; k++)
            lanes[k] = NAME(lanes)(stride == 1 || LANES == 1 ? c + k : c + k / 2 * 2 + k % 2 * LANES, b->width);
    for (int h = 0; h < n; h++, from.first += step, out += b->y_row, index += b->index_row) {
        vector value;
        ivector place = NAME(arg_strip)(stride, taps, rows, inside, &value, from, b, first_row, c, lanes,
                                        column + first_row, steps, lowest);
        /* -1 has all bits set */
        place |= (column >> (8 * ELEMENT_SIZE - 1)) | (first_row >> (8 * ELEMENT_SIZE - 1));
        store_first(out, value, count);
        NAME(store_places)(index, place, count);
        first_row += (INDEX)(b->stride * b->index_of_row);
    }
}

INLINE void NAME(arg_strips)(const int stride, const int taps, const pool_band *b) {
    const int at_once = NAME(rows_at_once)(b);
    const ptrdiff_t step = b->stride * b->x_row;
    for (int h = b->first, n; h < b->last; h += n) {
        sources from = {NULL, NULL, b->dilation * b->x_row, b->kernel};
        n = b->kernel == taps ? NAME(regular_rows)(b, h, min_int(at_once, b->last - h)) : 0;
        if (n == 0) {
            from = NAME(list_rows)(b, h, 1);
            n = 1;
            for (int i = 0; i < b->out; i += LANES)
                NAME(arg_strip_of_rows)(stride, taps, 0, 0, b, h, from, 0, 1, i);
            continue;
        }
        const int32_t source = b->source[(ptrdiff_t)h * b->stride];
        from.first = (const ELEMENT *)b->slices[0] + source * b->x_row;
        b->row_index[0] = b->slice_index[0] + source * b->index_of_row;
        for (int i = 0; i < b->out; i += LANES) {
            const ptrdiff_t c = (ptrdiff_t)i * stride - b->before;
            if (c >= 0 && c + taps - 1 + (ptrdiff_t)stride * LANES <= b->width)
                NAME(arg_strip_of_rows)(stride, taps, taps, 1, b, h, from, step, n, i);
            else
                NAME(arg_strip_of_rows)(stride, taps, taps, 0, b, h, from, step, n, i);
        }
    }
}

#define EACH_FORM(F)                                                                                                   \
    if (stride == 1 && taps == 2)                                                                                      \
        F(1, 2);                                                                                                       \
    else if (stride == 1)                                                                                              \
        F(1, 3);                                                                                                       \
    else if (taps == 2)                                                                                                \
        F(2, 2);                                                                                                       \
    else                                                                                                               \
        F(2, 3)
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
