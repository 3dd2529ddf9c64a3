/* One plane convolved with one filter (depthwise layers, images): lanes are neighbouring outputs of a row,
 * and the input is read where it lies. Included once for each floating-point type by microkernels.h.
 *
 * A strip is a few vectors of columns by `n` rows. Its input rows come as a list of offsets in which stride,
 * dilation and boundary of the rows are already resolved; NO_ROW is a row of the padding. Columns outside
 * [from, to) are the fill: a masked load leaves it in their lanes.
 *
 *   rolling   kernels of few rows: each input row is loaded once and added to all the
 *             output rows that see it, whose accumulators move on by one
 *   tall      more rows: PLANE_TALL_ROWS output rows at a time, each input row added to all that see it
 *
 * `masked`: the strip's first and last vectors leave the image; those between lie inside.
 *
 * Every output is one sum over rows, depth and columns of the kernel, in this order; tall kernels add up
 * partial sums of about PARTIAL_TERMS terms.
 */
#define MAX_PLANE_VECTORS 8
#if TILE_PIXELS == 14
#define TALL_VECTORS 4
#else
#define TALL_VECTORS 2
#endif

/* `pair`: the two vectors are of two planes, x_plane and so on apart, with a filter each: narrow planes keep the
 * multiply-adds waiting for one another. `fixed`: columns of the kernel, next to each other, depth 1; 0: any
 * number, any dilation.
 *
 * Column `k` of the kernel, `base` columns into row x (odd: of the elements between), added to the output rows that see
 * it, `from` ... `to` of those in sight: r, r + stride, ... rows of the kernel up from the youngest. */
INLINE void NAME(roll_tap)(const int height, const int stride, const int vectors, const int pair, const int masked,
                           const int fixed, const int from, const int to, const int r, int k, int base, const int odd,
                           const ELEMENT *x, ptrdiff_t x_step, const ELEMENT *weights, const vector *held,
                           NAME(edges) edges, const vector *fill, const plane_strip *s,
                           vector (*acc)[MAX_PLANE_VECTORS]) {
    const int width = fixed ? fixed : s->width;
    vector value[MAX_PLANE_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) value[v] =
        NAME(tap)(stride, masked && (pair || v == 0 || v == vectors - 1), x + v * x_step, base,
                  pair ? 0 : v * stride * LANES, odd, edges, fill[v]);
    UNROLL for (int i = from; i <= to; i++) if (r + stride * i < height) {
        const ptrdiff_t at = (r + stride * i) * width + k;
        const vector w = held ? held[at] : broadcast(weights[at]);
        UNROLL for (int v = 0; v < vectors; v++) acc[i][v] +=
            (pair && v ? broadcast(weights[at + s->weights_plane]) : w) * value[v];
        if (height > 3)
            LOADS_IN_ORDER;
    }
}

/* The input rows after which the oldest output row is complete. */
INLINE void NAME(roll)(const int height, const int stride, const int vectors, const int pair, const int masked,
                       const int fixed, const int from, const int to, const ptrdiff_t *rows, const vector *held,
                       NAME(edges) edges, const vector *fill, const plane_strip *s, vector (*acc)[MAX_PLANE_VECTORS]) {
    const int width = fixed ? fixed : s->width, depth = fixed ? 1 : s->depth;
    UNROLL for (int r = 0; r < stride; r++) for (int d = 0; d < depth; d++, rows++) {
        const ELEMENT *x = *rows == NO_ROW ? s->fill_row : (const void *)(s->x + *rows);
        const ELEMENT *weights = (const ELEMENT *)s->weights + (ptrdiff_t)d * height * width;
        const ptrdiff_t x_step = !pair ? stride * LANES : *rows == NO_ROW ? s->fill_plane : s->x_plane;
        if (!pair)
            UNROLL for (int v = 0; v < vectors; v++) PREFETCH((const char *)(x + v * stride * LANES) + PLANE_AHEAD);
#define TAP(base, odd)                                                                                                 \
    NAME(roll_tap)(height, stride, vectors, pair, masked, fixed, from, to, r, k, base, odd, x, x_step, weights, held,  \
                   edges, fill, s, acc)
        if (fixed)
            UNROLL for (int k = 0; k < fixed; k++) TAP(k / stride * stride, k % stride);
        else
            for (int k = 0; k < width; k++)
                TAP(k * s->dilation, 0);
#undef TAP
    }
}

/* Store the oldest output row, if there is one yet; all others are one row older. */
INLINE void NAME(roll_on)(const int live, const int vectors, const int pair, int row, const vector *bias,
                          const plane_strip *s, vector (*acc)[MAX_PLANE_VECTORS]) {
    const ptrdiff_t y_step = pair ? s->y_plane : LANES * (ptrdiff_t)sizeof(ELEMENT);
    char *y = s->y + row * s->y_row;
    UNROLL for (int v = 0; row >= 0 && v < vectors; v++) {
        if (!pair && s->stream)
            NAME(stream)((void *)(y + v * y_step), acc[live - 1][v]);
        else if (pair || v == vectors - 1)
            store_first((void *)(y + v * y_step), acc[live - 1][v], s->count - (pair ? 0 : v * LANES));
        else
            vstore((void *)(y + v * y_step), acc[live - 1][v]);
    }
    UNROLL for (int i = live - 1; i > 0; i--) UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = acc[i - 1][v];
    UNROLL for (int v = 0; v < vectors; v++) acc[0][v] = bias[v];
}

INLINE void NAME(rolling)(const int height, const int stride, const int vectors, const int pair, const int masked,
                          const int fixed, const plane_strip *strip) {
    const plane_strip local = *strip, *const s = &local;                         /* which the outputs do not alias */
    const int live = (height + stride - 1) / stride;                             /* output rows that see an input row */
    const int hold = fixed && !pair && TILE_PIXELS == 14 && height * fixed <= 9; /* weights stay in registers */
    const int ends = pair && height > 3 && s->n >= live; /* leave out rows of short planes that are outside */
    const ptrdiff_t *rows = s->rows;
    const NAME(edges) edges = NAME(edges_of)(s->from, s->to);
    vector bias[MAX_PLANE_VECTORS], fill[MAX_PLANE_VECTORS];
    vector acc[PLANE_ROLLING][MAX_PLANE_VECTORS]; /* of the output rows in sight, youngest first */
    vector weights[9], *const held = hold ? weights : NULL;

    UNROLL for (int v = 0; v < vectors; v++) {
        bias[v] = broadcast(((const ELEMENT *)s->bias)[pair ? v : 0]);
        fill[v] = broadcast(((const ELEMENT *)s->fill_row)[pair ? v * s->fill_plane : 0]);
    }
    UNROLL for (int i = 0; i < live; i++) UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = bias[v];
    if (hold)
        UNROLL for (int t = 0; t < height * fixed; t++) {
            weights[t] = broadcast(((const ELEMENT *)s->weights)[t]);
            IN_REGISTER(weights[t]);
        }
#define ROUND(fixed, from, to, row)                                                                                    \
    NAME(roll)(height, stride, vectors, pair, masked, fixed, from, to, rows, held, edges, fill, s, acc);               \
    rows += stride * (fixed ? 1 : s->depth);                                                                           \
    NAME(roll_on)(live, vectors, pair, row, bias, s, acc)

    if (ends)
        UNROLL for (int i = 0; i < live - 1; i++) { ROUND(0, 0, i, -1); }
    for (int row = ends ? 0 : 1 - live; row < s->n - (ends ? live - 1 : 0); row++) {
        ROUND(fixed, 0, live - 1, row);
    }
    if (ends)
        UNROLL for (int i = 1; i < live; i++) { ROUND(0, i, live - 1, s->n - live + i); }
#undef ROUND
}

/* Long rows of taps, one row high: taps LANES apart share their loads. */
INLINE void NAME(line)(const int vectors, const int masked, const plane_strip *strip) {
    const plane_strip local = *strip, *const s = &local;
    const ELEMENT *weights = s->weights;
    const vector bias = broadcast(*(const ELEMENT *)s->bias), fill = broadcast(*(const ELEMENT *)s->fill_row);
    const NAME(edges) edges = NAME(edges_of)(s->from, s->to);
    for (int row = 0; row < s->n; row++) {
        const ELEMENT *x = s->rows[row] == NO_ROW ? s->fill_row : (const void *)(s->x + s->rows[row]);
        ELEMENT *y = (void *)(s->y + row * s->y_row);
        vector acc[MAX_PLANE_VECTORS + 1];
        UNROLL for (int v = 0; v <= vectors; v++) acc[v] = bias;
        for (int first = 0; first < s->width; first += 2 * LANES)
            for (int k = first; k < first + LANES && k < s->width; k++) {
                const vector w = broadcast(weights[k]);
                if (k + LANES < s->width) {
                    const vector next = broadcast(weights[k + LANES]);
                    UNROLL for (int v = 0; v <= vectors; v++) {
                        const vector value = NAME(tap)(1, masked, x + v * LANES, k, v * LANES, 0, edges, fill);
                        if (v < vectors)
                            acc[v + 1] += w * value;
                        if (v > 0)
                            acc[v] += next * value;
                    }
                } else
                    UNROLL for (int v = 0; v < vectors; v++) acc[v + 1] +=
                        w * NAME(tap)(1, masked, x + v * LANES, k, v * LANES, 0, edges, fill);
            }
        if (s->stream)
            UNROLL for (int v = 0; v < vectors; v++) NAME(stream)(y + v * LANES, acc[v + 1]);
        else {
            UNROLL for (int v = 0; v < vectors - 1; v++) vstore(y + v * LANES, acc[v + 1]);
            store_first(y + (vectors - 1) * LANES, acc[vectors], s->count - (vectors - 1) * LANES);
        }
    }
}

/* Add input row i to output rows from ... to; then put complete partial sums aside, unless there is only one. */
INLINE void NAME(tall_row)(const int from, const int to, const int vectors, const int masked, const int one, int i,
                           int partial, NAME(edges) edges, vector fill, const plane_strip *s,
                           vector (*acc)[MAX_PLANE_VECTORS], vector (*total)[MAX_PLANE_VECTORS]) {
    const int width = s->width;
    for (int d = 0; d < s->depth; d++) {
        const ptrdiff_t offset = s->rows[(ptrdiff_t)i * s->depth + d];
        const ELEMENT *x = offset == NO_ROW ? s->fill_row : (const void *)(s->x + offset);
        const ELEMENT *weights = (const ELEMENT *)s->weights + ((ptrdiff_t)d * s->height + i) * width;
        if (offset != NO_ROW) /* what lies to the right is next */
            UNROLL for (int v = 0; v < vectors; v++) PREFETCH((const char *)(x + (vectors + v) * LANES + width - 1));
        for (int k = 0; k < width; k++) {
            vector value[MAX_PLANE_VECTORS];
            UNROLL for (int v = 0; v < vectors; v++) value[v] = NAME(tap)(
                1, masked && (v == 0 || v == vectors - 1), x + v * LANES, k * s->dilation, v * LANES, 0, edges, fill);
            UNROLL for (int r = from; r <= to; r++) {
                const vector w = broadcast(weights[k - (ptrdiff_t)r * width]);
                UNROLL for (int v = 0; v < vectors; v++) acc[r][v] += w * value[v];
            }
        }
    }
    if (!one)
        UNROLL for (int r = from; r <= to; r++) if ((i - r + 1) % partial == 0) UNROLL for (int v = 0; v < vectors; v++)
            total[r][v] += acc[r][v],
            acc[r][v] = (vector){0};
}

INLINE int NAME(partial_rows)(const plane_strip *s) {
    const int terms = s->depth * s->width;
    return terms < PARTIAL_TERMS ? PARTIAL_TERMS / terms : 1;
}

INLINE void NAME(tall)(const int vectors, const int masked, const int one, const plane_strip *strip) {
    enum { LAST = PLANE_TALL_ROWS - 1 };
    const plane_strip local = *strip, *const s = &local;
    const int partial = NAME(partial_rows)(s);
    const NAME(edges) edges = NAME(edges_of)(s->from, s->to);
    const vector bias = broadcast(*(const ELEMENT *)s->bias), fill = broadcast(*(const ELEMENT *)s->fill_row);
    vector acc[PLANE_TALL_ROWS][MAX_PLANE_VECTORS], total[PLANE_TALL_ROWS][MAX_PLANE_VECTORS];

    UNROLL for (int r = 0; r <= LAST; r++) UNROLL for (int v = 0; v < vectors; v++) {
        acc[r][v] = one ? bias : (vector){0};
        total[r][v] = bias;
    }
#define ROW(from, to, i) NAME(tall_row)(from, to, vectors, masked, one, i, partial, edges, fill, s, acc, total)
    UNROLL for (int i = 0; i < LAST; i++) ROW(0, i, i);
    for (int i = LAST; i < s->height; i++)
        ROW(0, LAST, i);
    UNROLL for (int r = 1; r <= LAST; r++) ROW(r, LAST, s->height - 1 + r);
#undef ROW
    UNROLL for (int r = 0; r <= LAST; r++) if (r < s->n) {
        ELEMENT *y = (void *)(s->y + r * s->y_row);
        if (!one)
            UNROLL for (int v = 0; v < vectors; v++) acc[r][v] += total[r][v];
        UNROLL for (int v = 0; v < vectors - 1; v++) vstore(y + v * LANES, acc[r][v]);
        store_first(y + (vectors - 1) * LANES, acc[r][vectors - 1], s->count - (vectors - 1) * LANES);
    }
}

#include "plane_passes.h"

#define ROLLING(height, stride, kind, vectors, masked)                                                                 \
    static NOINLINE void NAME(rolling_##height##_##stride##_##kind##_##masked)(const plane_strip *s) {                 \
        const int next_to = s->dilation == 1 && s->depth == 1;                                                         \
        if (height == 1 && stride == 1 && kind < 2 && next_to && s->width > LANES)                                     \
            NAME(line)(vectors, masked, s);                                                                            \
        else if (PLANE_MASKS && height == 1 && stride == 1 && kind == 1 && !masked && next_to && s->width > 1)         \
            NAME(short_line)(vectors, s);                                                                              \
        else if (height >= PLANE_TALL_ROWS && stride == 1 && kind < 2 && !masked && s->depth == 1 && s->width == 1)    \
            NAME(column)(vectors, s);                                                                                  \
        else if (height > 1 && next_to && s->width == height)                                                          \
            NAME(rolling)(height, stride, vectors, kind == 2, masked, height, s);                                      \
        else                                                                                                           \
            NAME(rolling)(height, stride, vectors, kind == 2, masked, 0, s);                                           \
    }
#define ROLLING_ENTRY(height, stride, kind, vectors, masked)                                                           \
    .rolling[height][stride][kind][masked] = NAME(rolling_##height##_##stride##_##kind##_##masked),
#define TALL(kind, vectors, masked)                                                                                    \
    static NOINLINE void NAME(column_##kind##_##masked)(const plane_strip *s) { NAME(column)(vectors, s); }            \
    static NOINLINE void NAME(tall_##kind##_##masked)(const plane_strip *s) {                                          \
        if (!masked && s->width == 1 && s->depth == 1 && s->height <= PARTIAL_TERMS)                                   \
            NAME(column_##kind##_##masked)(s);                                                                         \
        else if (NAME(partial_rows)(s) >= s->height)                                                                   \
            NAME(tall)(vectors, masked, 1, s);                                                                         \
        else                                                                                                           \
            NAME(tall)(vectors, masked, 0, s);                                                                         \
    }
#define TALL_ENTRY(kind, vectors, masked) .tall[kind][masked] = NAME(tall_##kind##_##masked),

/* The kinds of strip: 0, one vector; 1, as many as the registers hold; 2, one of each of two planes. */
#define KINDS(F, height, stride, vectors)                                                                              \
    F(height, stride, 0, 1, 0) F(height, stride, 1, vectors, 0) MASKED_KINDS(F, height, stride, vectors)
#if PLANE_MASKS
#define MASKED_KINDS(F, height, stride, vectors)                                                                       \
    F(height, stride, 0, 1, 1) F(height, stride, 1, vectors, 1) F(height, stride, 2, 2, 1)
#else
#define MASKED_KINDS(F, height, stride, vectors)
#endif
#define STRIDES(F, height, vectors) KINDS(F, height, 1, vectors) KINDS(F, height, 2, vectors)
#if TILE_PIXELS == 14
#define ROLLING_VECTORS 8, 4, 4, 2, 3, 0, 2
#define EACH_ROLLING(F)                                                                                                \
    STRIDES(F, 1, 8) STRIDES(F, 2, 4) STRIDES(F, 3, 4) STRIDES(F, 4, 2) STRIDES(F, 5, 3) STRIDES(F, 7, 2)
#else
#define ROLLING_VECTORS 8, 4, 2, 2, 2, 0, 0
#define EACH_ROLLING(F) STRIDES(F, 1, 8) STRIDES(F, 2, 4) STRIDES(F, 3, 2) STRIDES(F, 4, 2) STRIDES(F, 5, 2)
#endif
EACH_ROLLING(ROLLING)
#if PLANE_MASKS
#define EACH_TALL(F) F(0, 1, 0) F(0, 1, 1) F(1, TALL_VECTORS, 0) F(1, TALL_VECTORS, 1)
#else
#define EACH_TALL(F) F(0, 1, 0) F(1, TALL_VECTORS, 0)
#endif
EACH_TALL(TALL)

static const plane_kernels NAME(planes) = {
    .masks = PLANE_MASKS,
    .vectors = {TALL_VECTORS, ROLLING_VECTORS},
    EACH_ROLLING(ROLLING_ENTRY) EACH_TALL(TALL_ENTRY) EACH_PRODUCTS(PRODUCTS_ENTRY).add_lanes = NAME(add_lanes),
    .fence = NAME(fence),
};
#undef TALL_VECTORS
#undef ROLLING_VECTORS
#undef EACH_ROLLING
#undef EACH_TALL
#undef MASKED_KINDS
