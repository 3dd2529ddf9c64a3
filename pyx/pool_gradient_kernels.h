/* The kernels of pool_gradient.h for one instruction set and one element type.
 *
 * needs  ELEMENT, ELEMENT_NAME, ELEMENT_SIZE, INDEX (signed, of its size), VECTOR_BYTES, ISA
 */
#define NAME__(a, b, c) a##_##b##_##c
#define NAME_(a, b, c) NAME__(a, b, c)
#define NAME(a) NAME_(a, ELEMENT_NAME, ISA)

#include "vectors.h"

#define ivector NAME(ivector)
#if LANES == 1
typedef INDEX ivector;
#else
typedef INDEX ivector __attribute__((vector_size(VECTOR_BYTES)));
#endif

/* Store a[0] b[0] a[1] b[1] ..., n of each, 0 < n <= LANES. */
INLINE void NAME(store_pairs)(ELEMENT *to, vector a, vector b, int n) {
    interleave(&a, &b);
    if (n == LANES) {
        vstore(to, a);
        vstore(to + LANES, b);
    } else if (2 * n <= LANES)
        store_first(to, a, 2 * n);
    else {
        vstore(to, a);
        store_first(to + LANES, b, 2 * n - LANES);
    }
}

INLINE vector NAME(load_some)(const ELEMENT *p, int n) {
#if LANES == 1
    return (void)n, *p;
#else
    return n >= LANES ? vload(p) : load_first(p, n);
#endif
}

static void NAME(spread_pairs)(ptrdiff_t rows, int n, int height, double divisor, const void *dy, void *dx) {
    const ELEMENT *from = dy;
    ELEMENT *to = dx;
    const vector zero = {0}, by = broadcast((ELEMENT)divisor); /* sums start from 0, which makes -0.0 positive */
    for (ptrdiff_t r = 0; r < rows; r++, from += n, to += (ptrdiff_t)height * 2 * n)
        for (int o = 0; o < n; o += LANES) {
            const int some = n - o < LANES ? n - o : LANES;
            const vector v = zero + NAME(load_some)(from + o, some) / by;
            for (int h = 0; h < height; h++)
                NAME(store_pairs)(to + 2 * ((ptrdiff_t)h * n + o), v, v, some);
        }
}

INLINE double NAME(divisor_of)(const gradient_axis *axes, int d, int h, int o, int count_pad) {
    return count_pad ? axes[0].exists[d] * axes[1].exists[h] * axes[2].exists[o]
                     : axes[0].inputs[d] * axes[1].inputs[h] * axes[2].inputs[o];
}

/* A row of gradients, each divided by its window's divisor. */
INLINE const ELEMENT *NAME(divided)(const gradient_axis *axes, int d, int h, double divisor, int count_pad,
                                    const ELEMENT *dy, ELEMENT *work, int64_t *held) {
    const int64_t number = (int64_t)d * axes[1].out + h;
    const int slot = (int)(number % GRADIENT_RING), n = axes[2].out;
    ELEMENT *restrict row = work + (ptrdiff_t)slot * n;
    const ELEMENT *restrict from = dy + number * n;
    if (held[slot] == number)
        return row;
    held[slot] = number;
    if (divisor != 0) {
        const ELEMENT by = (ELEMENT)divisor;
        for (int o = 0; o < n; o++)
            row[o] = from[o] / by;
    } else
        for (int o = 0; o < n; o++)
            row[o] = from[o] / (ELEMENT)NAME(divisor_of)(axes, d, h, o, count_pad);
    return row;
}

INLINE void NAME(gather)(const gradient_axis *axis, const ELEMENT *total, ELEMENT *dx, int first, int last) {
    for (int c = first; c < last; c++) {
        ELEMENT element = 0;
        for (int p = axis->start[c]; p < axis->start[c + 1]; p++)
            element += total[axis->readers[p]];
        dx[c] = element;
    }
}

/* Readers taps, taps - 1, ... before a; and b, of every second position. */
INLINE void NAME(gather_pairs)(const int taps, ELEMENT *to, const ELEMENT *a, const ELEMENT *b, int n) {
    const vector zero = {0};
    for (int j = 0; j < n; j += LANES) {
        const int some = n - j < LANES ? n - j : LANES;
        vector even = zero + NAME(load_some)(a + j, some);
        if (taps == 2)
            even += NAME(load_some)(a + j - 1, some);
        NAME(store_pairs)(to + 2 * j, even, zero + NAME(load_some)(b + j, some), some);
    }
}

/* Each element of dx is the sum of its readers; where these move along with it, many at a time. */
INLINE void NAME(gather_row)(const gradient_axis *axis, const ELEMENT *total, ELEMENT *dx) {
    int first = axis->first, last = axis->first + axis->count * axis->step;
    const int n = axis->count, taps = n ? axis->start[first + 1] - axis->start[first] : 0;
    const int more = n && axis->step == 2 ? axis->start[first + 2] - axis->start[first + 1] : 0;
    const ELEMENT *restrict a = total + axis->readers[axis->start[first]];
    const ELEMENT *b = more ? total + axis->readers[axis->start[first + 1]] : a;
    ELEMENT *restrict to = dx + first;
    const ELEMENT zero = 0;
    if (axis->step == 1 && taps == 2)
        for (int j = 0; j < n; j++)
            to[j] = zero + a[j] + a[j - 1];
    else if (axis->step == 1 && taps == 3)
        for (int j = 0; j < n; j++)
            to[j] = zero + a[j] + a[j - 1] + a[j - 2];
    else if (axis->step == 2 && taps == 1 && more == 1)
        NAME(gather_pairs)(1, to, a, b, n);
    else if (axis->step == 2 && taps == 2 && more == 1)
        NAME(gather_pairs)(2, to, a, b, n);
    else
        first = last = axis->size;
    NAME(gather)(axis, total, dx, 0, first);
    NAME(gather)(axis, total, dx, last, axis->size);
}

INLINE void NAME(add)(ELEMENT *restrict to, const ELEMENT *restrict row, int n) {
    for (int o = 0; o < n; o++)
        to[o] += row[o];
}

/* Each row of dx: the rows that read it are added up, then each element gathers from their sum. */
static void NAME(spread)(const gradient_axis axes[3], double divisor, int count_pad, const void *dy, void *dx,
                         void *work, int64_t *held) {
    const gradient_axis *w = &axes[2];
    const int n = w->out;
    const size_t bytes = (size_t)n * sizeof(ELEMENT);
    ELEMENT *to = dx, *total = (ELEMENT *)work + (ptrdiff_t)GRADIENT_RING * n, *line = total + n;
    for (int o = 0; o < GRADIENT_RING; o++)
        held[o] = -1;
    for (int i = 0; i < axes[0].size; i++) {
        const int32_t *depth = axes[0].readers + axes[0].start[i];
        const int depths = axes[0].start[i + 1] - axes[0].start[i];
        for (int j = 0; j < axes[1].size; j++, to += w->size) {
            const int32_t *high = axes[1].readers + axes[1].start[j];
            const int highs = depths ? axes[1].start[j + 1] - axes[1].start[j] : 0;
            const ELEMENT *sum = total;
            if (highs == 0) {
                memset(to, 0, (size_t)w->size * sizeof(ELEMENT));
                continue;
            }
            if (highs == 1 && j && axes[1].start[j] - axes[1].start[j - 1] == 1 && high[-1] == high[0]) {
                memcpy(to, to - w->size, (size_t)w->size * sizeof(ELEMENT)); /* read by the same windows */
                continue;
            }
            for (int q = 0; q < highs; q++) {
                const ELEMENT *row = NAME(divided)(axes, depth[0], high[q], divisor, count_pad, dy, work, held);
                if (depths > 1) {
                    memcpy(line, row, bytes);
                    for (int p = 1; p < depths; p++)
                        NAME(add)(line, NAME(divided)(axes, depth[p], high[q], divisor, count_pad, dy, work, held), n);
                    row = line;
                }
                if (q == 0 && highs == 1)
                    sum = row;
                else if (q == 0)
                    memcpy(total, row, bytes); /* its place may be taken next */
                else
                    NAME(add)(total, row, n);
            }
            NAME(gather_row)(w, sum, to);
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
INLINE void NAME(place_row)(const int stride, const int taps, ELEMENT *line, int n, const INDEX *const *index,
                            const ELEMENT *const *dy, int n_rows, ptrdiff_t first, INDEX here) {
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
    const ptrdiff_t room = n + 2 * GRADIENT_SLACK;
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
#define PLACE(stride, taps)                                                                                            \
    NAME(place_row)(stride, taps, line, read, its_index, its_dy, rows, first, here)
        if (s == 1 && p->kernel[1] == 2)
            PLACE(1, 2);
        else if (s == 1)
            PLACE(1, 3);
        else if (p->kernel[1] == 2)
            PLACE(2, 2);
        else
            PLACE(2, 3);
#undef PLACE
        memcpy(to, line + skipped, (size_t)width * sizeof(ELEMENT));
    }
}

static const gradient_kernels NAME(gradient_kernels) = {
    .spread = NAME(spread),
    .spread_pairs = NAME(spread_pairs),
    .place = NAME(place),
};
