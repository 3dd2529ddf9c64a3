/* Whole rows to one value: the reductions of pool.h.
 *
 * needs  what pool_kernels.h and pool_strips.h need and give
 */

/* All lanes of a vector, those half of them apart first. */
INLINE ELEMENT NAME(reduce_lanes)(const int sum, vector t) {
#if LANES == 1
    return (void)sum, t;
#else
#if LANES > 8
    t = NAME(combine)(sum, t, SHIFT(t, t, 8));
#endif
#if LANES > 4
    t = NAME(combine)(sum, t, SHIFT(t, t, 4));
#endif
#if LANES > 2
    t = NAME(combine)(sum, t, SHIFT(t, t, 2));
#endif
    return NAME(combine)(sum, t, SHIFT(t, t, 1))[0];
#endif
}

static void NAME(reduce_max)(void *total, const void *row, ptrdiff_t n) {
    const ELEMENT *p = row;
    ELEMENT largest = *(ELEMENT *)total;
    if (n >= LANES) {
        const ptrdiff_t last = n - LANES; /* the last vector overlaps the one before */
        vector t[4];
        UNROLL for (int j = 0; j < 4; j++) t[j] = vload(p + (j * LANES < last ? j * LANES : last));
        for (ptrdiff_t i = 4 * LANES; i < n; i += 4 * LANES)
            UNROLL for (int j = 0; j < 4; j++) t[j] =
                NAME(larger)(t[j], vload(p + (i + j * LANES < last ? i + j * LANES : last)));
        t[0] = NAME(larger)(NAME(larger)(t[0], t[1]), NAME(larger)(t[2], t[3]));
        largest = NAME(combine_one)(0, largest, NAME(reduce_lanes)(0, t[0]));
    } else
        for (ptrdiff_t i = 0; i < n; i++)
            largest = NAME(combine_one)(0, largest, p[i]);
    *(ELEMENT *)total = largest;
}

#if FLOATING
static void NAME(reduce_sum)(void *total, const void *row, ptrdiff_t n) {
    double sum = *(double *)total;
    for (const ELEMENT *p = row; n > 0; p += POOL_BLOCK, n -= POOL_BLOCK) {
        const ptrdiff_t some = n < POOL_BLOCK ? n : POOL_BLOCK;
        vector t[4] = {(vector){0}};
        ptrdiff_t i = 0;
        for (; i + 4 * LANES <= some; i += 4 * LANES)
            UNROLL for (int j = 0; j < 4; j++) t[j] += vload(p + i + j * LANES);
        UNROLL for (int j = 0; j < 3; j++) if (i + LANES <= some) {
            t[j] += vload(p + i);
            i += LANES;
        }
        if (i < some)
            t[3] += load_first(p + i, (int)(some - i));
        sum += NAME(reduce_lanes)(1, (t[0] + t[1]) + (t[2] + t[3]));
    }
    *(double *)total = sum;
}
#endif
