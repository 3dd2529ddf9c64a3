/* Gradients of maxima: the kernels `place` and `place_pairs` of pool_gradient.h.
 *
 * needs  what pool_gradient_kernels.h needs and gives
 */

/* v where m, else 0. */
INLINE vector NAME(keep)(ivector m, vector v) {
#if LANES == 1
    return m ? v : 0;
#else
    return (vector)(m & (ivector)v);
#endif
}

/* b > a, or b is a NaN: b takes the place of a, which came before it. */
INLINE ivector NAME(exceeds)(vector b, vector a) {
#if LANES == 1
    return -(INDEX)(b > a || b != b);
#else
    return (ivector)(b > a) | (ivector)(b != b);
#endif
}
INLINE vector NAME(select)(ivector m, vector b, vector a) {
#if LANES == 1
    return m ? b : a;
#else
    return (vector)((m & (ivector)b) | (~m & (ivector)a));
#endif
}

/* Elements 0, 2, ... and 1, 3, ... of 2 n elements. */
INLINE void NAME(load_pairs)(const ELEMENT *p, vector *a, vector *b, int n) {
    if (n == LANES)
        *a = vload(p), *b = vload(p + LANES);
    else {
        *a = load_first(p, 2 * n < LANES ? 2 * n : LANES);
        *b = load_first(p + LANES, 2 * n < LANES ? 0 : 2 * n - LANES);
    }
    deinterleave(a, b);
}

/* Which of the four elements of its window each of n outputs has chosen: the maximum of two rows of x, w apart. */
INLINE void NAME(choose)(const ELEMENT *x, ptrdiff_t w, int n, ivector chosen[4]) {
    vector a, b, c, d;
    NAME(load_pairs)(x, &a, &b, n);
    NAME(load_pairs)(x + w, &c, &d, n);
    const ivector second = NAME(exceeds)(b, a);
    a = NAME(select)(second, b, a);
    const ivector third = NAME(exceeds)(c, a);
    a = NAME(select)(third, c, a);
    chosen[3] = NAME(exceeds)(d, a);
    chosen[2] = third & ~chosen[3];
    chosen[1] = second & ~third & ~chosen[3];
    chosen[0] = ~(second | third | chosen[3]);
}

/* The same, told by indices of the input, where the first window starts at `first`. */
INLINE void NAME(chosen_by)(const int64_t *index, int64_t first, ptrdiff_t w, int n, ivector chosen[4]) {
    INDEX found[LANES], number[LANES];
    ivector at, here;
    for (int j = 0; j < LANES; j++)
        number[j] = (INDEX)(2 * j);
#if defined(__AVX512F__) && LANES == 16
    __m256i half[2];
    for (int h = 0; h < 2; h++) {
        const __mmask8 lanes = (__mmask8)(((1u << n) - 1) >> 8 * h);
        const __m512i away = _mm512_sub_epi64(_mm512_maskz_loadu_epi64(lanes, index + 8 * h), _mm512_set1_epi64(first));
        const __mmask8 near = _mm512_cmplt_epu64_mask(away, _mm512_set1_epi64(w + 2 * LANES));
        half[h] = _mm512_cvtepi64_epi32(_mm512_mask_mov_epi64(_mm512_set1_epi64(-1), near, away));
    }
    at = (ivector)_mm512_inserti64x4(_mm512_castsi256_si512(half[0]), half[1], 1);
    (void)found;
#else
    for (int j = 0; j < n; j++) {
        const int64_t away = index[j] - first;
        found[j] = (uint64_t)away < (uint64_t)(w + 2 * LANES) ? (INDEX)away : -1;
    }
    memcpy(&at, found, sizeof at);
#endif
    memcpy(&here, number, sizeof here);
    for (int k = 0; k < 4; k++) {
        const ivector it = here + (INDEX)(k / 2 * w + k % 2);
#if LANES == 1
        chosen[k] = at == it;
#else
        chosen[k] = (ivector)(at == it);
#endif
    }
}

static void NAME(place_pairs)(ptrdiff_t rows, int n, int height, const int64_t *index, const void *x, const void *dy,
                              void *dx) {
    const ELEMENT *values = x, *from = dy;
    const ptrdiff_t w = 2 * (ptrdiff_t)n;
    const int far = (size_t)rows * (size_t)w * 2 * sizeof(ELEMENT) > GRADIENT_FAR;
    const vector zero = {0};
    ELEMENT *to = dx;
    for (ptrdiff_t r = 0; r < rows; r++, from += n, to += 2 * w) {
        /* hardware that fetches ahead follows one rising stream, but not two that take turns */
        if (far && index == NULL)
            for (const char *p = (const char *)(values + r * 2 * w); p < (const char *)(values + (r + 1) * 2 * w);
                 p += 64)
                (void)*(const volatile char *)p;
        for (int o = 0; o < n; o += LANES) {
            const int some = n - o < LANES ? n - o : LANES;
            ivector chosen[4];
            if (index == NULL)
                NAME(choose)(values + r * 2 * w + 2 * o, w, some, chosen);
            else
                NAME(chosen_by)(index + r * n + o, r % height * 2 * w + 2 * o, w, some, chosen);
            const vector g = zero + NAME(load_some)(from + o, some);
            for (int h = 0; h < 2; h++)
                NAME(store_pairs)(to + h * w + 2 * o, NAME(keep)(chosen[2 * h], g), NAME(keep)(chosen[2 * h + 1], g),
                                  some);
        }
    }
}

/* Add the gradients g of the windows whose index is here. */
INLINE vector NAME(add_where)(vector sum, ivector here, const INDEX *index, const ELEMENT *g) {
    ivector found;
    memcpy(&found, index, sizeof found);
#if LANES == 1
    return found == here ? sum + *g : sum;
#elif defined(__AVX512F__) && ELEMENT_SIZE == 4
    const __mmask16 m = _mm512_cmpeq_epi32_mask((__m512i)found, (__m512i)here);
    return (vector)_mm512_mask_add_ps((__m512)sum, m, (__m512)sum, (__m512)vload(g));
#elif defined(__AVX512F__)
    const __mmask8 m = _mm512_cmpeq_epi64_mask((__m512i)found, (__m512i)here);
    return (vector)_mm512_mask_add_pd((__m512d)sum, m, (__m512d)sum, (__m512d)vload(g));
#else
    /* adding 0 changes no sum that has started from it */
    return sum + (vector)((ivector)(found == here) & (ivector)vload(g));
#endif
}

/* A row of dx into a line, n times `stride` columns, the first of them at index `here`. */
INLINE void NAME(place_row)(const int stride, const int taps, const int n_rows, ELEMENT *line, int n,
                            const INDEX *const *index, const ELEMENT *const *dy, ptrdiff_t first, INDEX here) {
    INDEX lanes[LANES];
    ivector at;
    for (int j = 0; j < LANES; j++)
        lanes[j] = here + (INDEX)(j * stride);
    memcpy(&at, lanes, sizeof at);
    for (int j = 0; j < n; j += LANES, at += (INDEX)(LANES * stride)) {
        vector even = {0}, odd = {0};
        for (int r = 0; r < n_rows; r++) {
            const INDEX *i = index[r] + first + j;
            const ELEMENT *g = dy[r] + first + j;
            if (stride == 1)
                UNROLL for (int t = taps - 1; t >= 0; t--) even = NAME(add_where)(even, at, i - t, g - t);
            else {
                if (taps == 3)
                    even = NAME(add_where)(even, at, i - 1, g - 1);
                even = NAME(add_where)(even, at, i, g);
                odd = NAME(add_where)(odd, at + 1, i, g);
            }
        }
        if (stride == 1)
            vstore(line + j, even);
        else
            NAME(store_pairs)(line + 2 * j, even, odd, LANES);
    }
}

static void NAME(place)(const gradient_plane *p, const int64_t *index, const void *dy, void *dx, void *work) {
    const int height = p->size[0], width = p->size[1], n = p->out[1], s = p->stride[1], kept = p->kernel[0];
    const ptrdiff_t room = place_row_room(p);
    const uint64_t elements = (uint64_t)height * (uint64_t)width;
    INDEX *indices = (INDEX *)work + GRADIENT_SLACK;
    ELEMENT *gradients = (ELEMENT *)work + kept * room + GRADIENT_SLACK;
    ELEMENT *line = (ELEMENT *)work + 2 * kept * room, *to = dx;
    /* beside the outputs there are windows that have chosen nothing */
    memset(work, 0xff, (size_t)(2 * kept * room) * sizeof(ELEMENT));
    const int skipped = p->before[1] % s, first = p->before[1] / s, pairs = (skipped + width + s - 1) / s;
    const int read = pairs < n + 2 - first ? pairs : n + 2 - first; /* the columns behind are in no window */
    int next = 0;
    memset(line, 0, (size_t)(skipped + width) * sizeof(ELEMENT));
    for (int r = 0; r < height; r++, to += width) {
        const INDEX *its_index[8];
        const ELEMENT *its_dy[8];
        const int v = r + p->before[0];
        int rows = 0, o = v < kept ? 0 : (v - kept) / p->stride[0] + 1;
        for (; o <= v / p->stride[0] && o < p->out[0]; o++, rows++) {
            const ptrdiff_t slot = (o % kept) * room;
            if (o >= next) {
                const int64_t *restrict from = index + (ptrdiff_t)o * n;
                INDEX *restrict narrow = indices + slot;
                for (int j = 0; j < n; j++)
                    narrow[j] = (uint64_t)from[j] < elements ? (INDEX)from[j] : -1;
                memcpy(gradients + slot, (const ELEMENT *)dy + (ptrdiff_t)o * n, (size_t)n * sizeof(ELEMENT));
                next = o + 1;
            }
            its_index[rows] = indices + slot;
            its_dy[rows] = gradients + slot;
        }
        const INDEX here = (INDEX)((ptrdiff_t)r * width - skipped);
#define PLACE_ROWS(stride, taps, rows) NAME(place_row)(stride, taps, rows, line, read, its_index, its_dy, first, here)
#define PLACE(stride, taps)                                                                                            \
    if (rows == 1)                                                                                                     \
        PLACE_ROWS(stride, taps, 1);                                                                                   \
    else if (rows == 2)                                                                                                \
        PLACE_ROWS(stride, taps, 2);                                                                                   \
    else                                                                                                               \
        PLACE_ROWS(stride, taps, rows)
        if (s == 1 && p->kernel[1] == 2) {
            PLACE(1, 2);
        } else if (s == 1) {
            PLACE(1, 3);
        } else if (p->kernel[1] == 2) {
            PLACE(2, 2);
        } else {
            PLACE(2, 3);
        }
#undef PLACE
#undef PLACE_ROWS
        memcpy(to, line + skipped, (size_t)width * sizeof(ELEMENT));
    }
}
