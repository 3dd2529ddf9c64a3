/* The weight gradient of one filter a channel: lanes are neighbouring outputs, whose gradients and inputs are read
 * where they lie (plane_loads.h).
 *
 *     sums[tap] += dy[row][column] * x[row * stride + tap's row][column * stride + tap's column]
 *
 * with LANES sums for each tap, a lane's own, in the order of images and rows. A call walks down one strip, a vector
 * wide, of several images: rows of gradients that an input row meets stay in registers, and so does a sum for each row
 * of the kernel and a few of its columns. Included once for each floating-point type by microkernels.h.
 */

/* Clear the lanes from `count` on: what they multiply may be infinite. */
INLINE vector NAME(keep_first)(vector v, int count) {
#if PLANE_MASKS && ELEMENT_SIZE == 4
    return (vector)_mm512_maskz_mov_ps((__mmask16)((1u << count) - 1), (__m512)v);
#elif PLANE_MASKS
    return (vector)_mm512_maskz_mov_pd((__mmask8)((1u << count) - 1), (__m512d)v);
#elif LANES > 1
    NAME(indices) lanes;
    for (int i = 0; i < LANES; i++)
        lanes[i] = i < count ? -1 : 0;
    return (vector)((NAME(indices))v & lanes);
#else
    (void)count;
    return v;
#endif
}

/* `columns` of the kernel from `first` on, of which those past its width are left out in the end. `next_to`: they
 * are neighbours, first an even one, and share what strides deinterleave. `masked`: lanes are outside the image, or
 * not among the outputs. */
INLINE void NAME(products)(const int height, const int stride, const int columns, const int next_to, const int masked,
                           const int first, const plane_products *products) {
    const plane_products local = *products, *const s = &local;
    const int live = (height + stride - 1) / stride; /* rows of gradients that an input row meets */
    const int last = s->width - first < columns ? s->width - first : columns;
    const NAME(edges) edges = NAME(edges_of)(s->from, s->to);
    const vector fill = broadcast(*(const ELEMENT *)s->fill_row);
    ELEMENT *sums = s->sums;
    vector acc[PLANE_ROLLING][PLANE_COLUMNS], dy[PLANE_ROLLING];
    int at[PLANE_COLUMNS];

    UNROLL for (int k = 0; k < columns; k++) at[k] = (first + (k < last ? k : last - 1)) * s->dilation;
    UNROLL for (int i = 0; i < height; i++) UNROLL for (int k = 0; k < columns; k++) acc[i][k] =
        vload(sums + ((ptrdiff_t)i * s->width + first + (k < last ? k : last - 1)) * LANES);
    UNROLL for (int i = 0; i < live; i++) dy[i] = (vector){0};
    for (int image = 0; image < s->images; image++) {
        const char *x_image = s->x + image * s->x_image, *gradients = s->dy + image * s->dy_image;
        const ptrdiff_t *rows = s->rows;
        for (int row = 0; row < s->n + live - 1; row++) { /* the youngest that the input rows meet */
#define STEP(checked)                                                                                                  \
    {                                                                                                                  \
        UNROLL for (int i = live - 1; i > 0; i--) dy[i] = dy[i - 1];                                                   \
        if (!checked || row < s->n)                                                                                    \
            dy[0] = masked ? load_first((const ELEMENT *)gradients, s->count) : vload((const ELEMENT *)gradients);     \
        PREFETCH(gradients + s->dy_ahead);                                                                             \
        gradients += s->dy_row;                                                                                        \
        UNROLL for (int r = 0; r < stride; r++, rows += s->rows_step) {                                                \
            const ELEMENT *x = *rows == NO_ROW ? s->fill_row : (const void *)(x_image + *rows);                        \
            PREFETCH((const char *)x + s->x_ahead);                                                                    \
            UNROLL for (int k = 0; k < columns; k++) {                                                                 \
                vector value =                                                                                         \
                    next_to ? NAME(tap)(stride, masked, x, first + k / stride * stride, 0, k % stride, edges, fill)    \
                            : NAME(tap)(stride, masked, x, at[k], 0, 0, edges, fill);                                  \
                if (masked)                                                                                            \
                    value = NAME(keep_first)(value, s->count);                                                         \
                UNROLL for (int i = 0; i < live;                                                                       \
                            i++) if (r + stride * i < height && (!checked || (unsigned)(row - i) < (unsigned)s->n))    \
                    acc[r + stride * i][k] += dy[i] * value;                                                           \
            }                                                                                                          \
        }                                                                                                              \
    }
            if (row >= live - 1 && row < s->n)
                STEP(0)
            else
                STEP(1)
#undef STEP
        }
    }
    UNROLL for (int i = 0; i < height; i++) UNROLL for (int k = 0; k < columns; k++) if (k < last)
        vstore(sums + ((ptrdiff_t)i * s->width + first + k) * LANES, acc[i][k]);
}

/* total[tap] += the lanes of sums[tap], which are left zero; sums of whole squares of taps are read. */
static void NAME(add_lanes)(void *lanes, int taps, double *total) {
    ELEMENT *sums = lanes, sum[LANES];
    for (int t = 0; t < taps; t += LANES) {
        vector square[LANES];
        UNROLL for (int i = 0; i < LANES; i++) {
            square[i] = vload(sums + (t + i) * LANES);
            vstore(sums + (t + i) * LANES, (vector){0});
        }
        transpose(square);
        UNROLL for (int h = LANES / 2; h > 0; h /= 2) UNROLL for (int i = 0; i < h; i++) square[i] += square[i + h];
        vstore(sum, square[0]);
        for (int i = 0; i < LANES && t + i < taps; i++)
            total[t + i] += (double)sum[i];
    }
}

#define PRODUCTS(height, stride, columns, masked)                                                                      \
    static NOINLINE void NAME(products_##height##_##stride##_##masked)(const plane_products *s) {                      \
        if (s->dilation == 1 && s->width == columns)                                                                   \
            NAME(products)(height, stride, columns, 1, masked, 0, s);                                                  \
        else                                                                                                           \
            for (int first = 0; first < s->width; first += columns)                                                    \
                NAME(products)(height, stride, columns, 0, masked, first, s);                                          \
    }
#define PRODUCTS_ENTRY(height, stride, columns, masked)                                                                \
    .products[height][stride][masked] = NAME(products_##height##_##stride##_##masked),
#define EACH_MASKED(F, height, stride, columns) F(height, stride, columns, 0) F(height, stride, columns, 1)
#define EACH_STRIDE(F, height, columns) EACH_MASKED(F, height, 1, columns) EACH_MASKED(F, height, 2, columns)
#if TILE_PIXELS == 14
#define EACH_PRODUCTS(F)                                                                                               \
    EACH_STRIDE(F, 1, 7) EACH_STRIDE(F, 2, 5) EACH_STRIDE(F, 3, 3) EACH_STRIDE(F, 4, 4) EACH_STRIDE(F, 5, 5)
#else
#define EACH_PRODUCTS(F)                                                                                               \
    EACH_STRIDE(F, 1, 7) EACH_STRIDE(F, 2, 5) EACH_STRIDE(F, 3, 3) EACH_STRIDE(F, 4, 2) EACH_STRIDE(F, 5, 2)
#endif
EACH_PRODUCTS(PRODUCTS)
#undef PRODUCTS
