/* The passes of filters that are a column times a row (separable.pxd), for strips inside the image: one column or one
 * short row of taps. Every sum is that of planes.h, in its order. Included once for each floating-point type by
 * microkernels.h.
 */
/* Add input row x, the i-th from the first output row, to output rows from ... to. `is_new`: no output row above has
 * read it; what lies to its right is next. */
INLINE void NAME(column_row)(const int from, const int to, const int vectors, const int is_new, int i, const ELEMENT *x,
                             const ELEMENT *weights, vector (*acc)[MAX_PLANE_VECTORS]) {
    vector value[MAX_PLANE_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) {
        value[v] = vload(x + v * LANES);
        IN_REGISTER(value[v]);
        if (is_new)
            PREFETCH(x + (vectors + v) * LANES);
    }
    UNROLL for (int r = from; r <= to; r++) {
        const vector w = broadcast(weights[i - r]);
        UNROLL for (int v = 0; v < vectors; v++) acc[r][v] += w * value[v];
        LOADS_IN_ORDER;
    }
}

/* At least PLANE_TALL_ROWS taps, as many as one partial sum has at most. */
INLINE void NAME(column)(const int vectors, const plane_strip *strip) {
    enum { LAST = PLANE_TALL_ROWS - 1 };
    const int height = strip->height, n = strip->n, rest = strip->count - (vectors - 1) * LANES, stream = strip->stream;
    const char *x = strip->x;
    const ELEMENT *weights = strip->weights, *fill_row = strip->fill_row;
    const vector bias = broadcast(*(const ELEMENT *)strip->bias);
    for (int row = 0; row < n; row += PLANE_TALL_ROWS) {
        const ptrdiff_t *rows = strip->rows + row;
        const int last = n - row + height - 2; /* of the rows that are wanted */
        vector acc[PLANE_TALL_ROWS][MAX_PLANE_VECTORS];
        UNROLL for (int r = 0; r <= LAST; r++) UNROLL for (int v = 0; v < vectors; v++) acc[r][v] = bias;
#define ROW(from, to, is_new, i)                                                                                       \
    {                                                                                                                  \
        const ptrdiff_t offset = rows[(i) < last ? (i) : last];                                                        \
        NAME(column_row)(from, to, vectors, is_new, i, offset == NO_ROW ? fill_row : (const void *)(x + offset),       \
                         weights, acc);                                                                                \
    }
        UNROLL for (int i = 0; i < LAST; i++) ROW(0, i, 0, i);
        for (int i = LAST; i < height - 1; i++)
            ROW(0, LAST, 0, i);
        UNROLL for (int r = 0; r <= LAST; r++) ROW(r, LAST, 1, height - 1 + r);
#undef ROW
        UNROLL for (int r = 0; r <= LAST; r++) if (row + r < n) {
            ELEMENT *y = (void *)(strip->y + (row + r) * strip->y_row);
            if (stream)
                UNROLL for (int v = 0; v < vectors; v++) NAME(stream)(y + v * LANES, acc[r][v]);
            else {
                UNROLL for (int v = 0; v < vectors - 1; v++) vstore(y + v * LANES, acc[r][v]);
                store_first(y + (vectors - 1) * LANES, acc[r][vectors - 1], rest);
            }
        }
    }
}

/* What lies `shift` elements into the two vectors a, b. */
#if defined(__AVX512F__) && LANES == 16
#define SHIFTED(a, b, shift) (vector) _mm512_alignr_epi32((__m512i)(b), (__m512i)(a), shift)
#elif defined(__AVX512F__) && LANES == 8
#define SHIFTED(a, b, shift) (vector) _mm512_alignr_epi64((__m512i)(b), (__m512i)(a), shift)
#endif
#ifdef SHIFTED
/* 2 ... LANES taps side by side. Nearly every load of 64 bytes would cross cache lines and take twice as long: half of
 * the values are put together from those that the next vectors have loaded anyway. */
INLINE void NAME(short_line)(const int vectors, const plane_strip *strip) {
    const int n = strip->n, width = strip->width, rest = strip->count - (vectors - 1) * LANES, stream = strip->stream;
    const ELEMENT *weights = strip->weights, *fill_row = strip->fill_row;
    const vector bias = broadcast(*(const ELEMENT *)strip->bias);
    for (int row = 0; row < n; row++) {
        const ptrdiff_t offset = strip->rows[row];
        const ELEMENT *x = offset == NO_ROW ? fill_row : (const void *)(strip->x + offset);
        ELEMENT *y = (void *)(strip->y + row * strip->y_row);
        vector acc[MAX_PLANE_VECTORS], part[MAX_PLANE_VECTORS + 1];
        UNROLL for (int v = 0; v < vectors; v++) {
            acc[v] = bias;
            part[v] = vload(x + v * LANES);
            IN_REGISTER(part[v]);
        }
        part[vectors] = load_first(x + vectors * LANES, width - 1);
#define TAP(k)                                                                                                         \
    if ((k) < LANES && (k) < width) {                                                                                  \
        const vector w = broadcast(weights[k]);                                                                        \
        UNROLL for (int v = 0; v < vectors; v++) {                                                                     \
            vector value;                                                                                              \
            if ((v + (k)) % 2 || (k) == 0)                                                                             \
                value = SHIFTED(part[v], part[v + 1], (k) % LANES);                                                    \
            else                                                                                                       \
                value = vload(x + v * LANES + (k));                                                                    \
            IN_REGISTER(value);                                                                                        \
            acc[v] += w * value;                                                                                       \
        }                                                                                                              \
    }
        TAP(0);
        TAP(1);
        TAP(2);
        TAP(3);
        TAP(4);
        TAP(5);
        TAP(6);
        TAP(7);
        TAP(8);
        TAP(9);
        TAP(10);
        TAP(11);
        TAP(12);
        TAP(13);
        TAP(14);
        TAP(15);
#undef TAP
        if (stream)
            UNROLL for (int v = 0; v < vectors; v++) NAME(stream)(y + v * LANES, acc[v]);
        else {
            UNROLL for (int v = 0; v < vectors - 1; v++) vstore(y + v * LANES, acc[v]);
            store_first(y + (vectors - 1) * LANES, acc[vectors - 1], rest);
        }
    }
}
#undef SHIFTED
#else
INLINE void NAME(short_line)(const int vectors, const plane_strip *strip) { (void)vectors, (void)strip; }
#endif
