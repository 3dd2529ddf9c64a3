/* Large filters by Fourier transforms (overlap-save): tiles of FOURIER_SIZE x FOURIER_SIZE, two real ones as the
 * real and imaginary part of one complex tile. Included once for each floating-point type by microkernels.h.
 *
 *     tile[strip][row][2][LANES]      strip: LANES columns; a line more from strip to strip
 *
 * Lanes are columns (or, after a transpose, rows): every step of a transform works on whole vectors. Forward
 * transforms decimate in frequency, inverse ones in time, so that no order needs to be restored between them.
 */
#define STRIPS (FOURIER_SIZE / LANES)
#define PAIR (2 * LANES)
#define STRIP_STRIDE (FOURIER_SIZE * PAIR + 64 / ELEMENT_SIZE)

typedef struct {
    vector re, im;
} NAME(complex);

INLINE NAME(complex) NAME(times)(NAME(complex) a, ELEMENT re, ELEMENT im) {
    const vector c = broadcast(re), s = broadcast(im);
    return (NAME(complex)){a.re * c - a.im * s, a.re * s + a.im * c};
}

/* Four values a quarter apart; `sign` -1: forward, 1: inverse. */
INLINE void NAME(butterfly)(NAME(complex) * a, const int sign) {
    const NAME(complex) even = {a[0].re + a[2].re, a[0].im + a[2].im}, odd = {a[1].re + a[3].re, a[1].im + a[3].im};
    const NAME(complex) e = {a[0].re - a[2].re, a[0].im - a[2].im}, o = {a[1].re - a[3].re, a[1].im - a[3].im};
    a[0] = (NAME(complex)){even.re + odd.re, even.im + odd.im};
    a[2] = (NAME(complex)){even.re - odd.re, even.im - odd.im};
    a[1] = sign < 0 ? (NAME(complex)){e.re + o.im, e.im - o.re} : (NAME(complex)){e.re - o.im, e.im + o.re};
    a[3] = sign < 0 ? (NAME(complex)){e.re - o.im, e.im + o.re} : (NAME(complex)){e.re + o.im, e.im - o.re};
}

/* One stage over groups of `length` rows. twiddles[2 i]: cos, sin of i turns / FOURIER_SIZE. */
INLINE void NAME(stage)(ELEMENT *rows, const ELEMENT *twiddles, int length, const int sign) {
    const int quarter = length / 4, step = FOURIER_SIZE / length;
    for (int j = 0; j < quarter; j++) {
        ELEMENT re[4], im[4];
        for (int i = 1; i < 4; i++)
            re[i] = twiddles[2 * i * j * step], im[i] = sign * twiddles[2 * i * j * step + 1];
        for (int first = j; first < FOURIER_SIZE; first += length) {
            NAME(complex) a[4];
            UNROLL for (int i = 0; i < 4; i++) {
                const ELEMENT *p = rows + (first + i * quarter) * PAIR;
                a[i] = (NAME(complex)){vload(p), vload(p + LANES)};
                if (sign > 0 && i)
                    a[i] = NAME(times)(a[i], re[i], im[i]);
            }
            NAME(butterfly)(a, sign);
            UNROLL for (int i = 0; i < 4; i++) {
                ELEMENT *p = rows + (first + i * quarter) * PAIR;
                if (sign < 0 && i)
                    a[i] = NAME(times)(a[i], re[i], im[i]);
                vstore(p, a[i].re);
                vstore(p + LANES, a[i].im);
            }
        }
    }
}

static NOINLINE void NAME(forward)(ELEMENT *rows, const ELEMENT *twiddles) {
    for (int length = FOURIER_SIZE; length > 1; length /= 4)
        NAME(stage)(rows, twiddles, length, -1);
}

static NOINLINE void NAME(inverse)(ELEMENT *rows, const ELEMENT *twiddles) {
    for (int length = 4; length <= FOURIER_SIZE; length *= 4)
        NAME(stage)(rows, twiddles, length, 1);
}

/* Along the columns of the first `columns` columns. */
static void NAME(fourier_columns)(void *tile, const void *twiddles, int columns, int is_inverse) {
    for (int s = 0; s * LANES < columns; s++)
        (is_inverse ? NAME(inverse) : NAME(forward))((ELEMENT *)tile + s * STRIP_STRIDE, twiddles);
}

/* LANES rows of the tile and the same rows as a strip. */
INLINE void NAME(turn)(ELEMENT *tile, ELEMENT *strip, const int back) {
    for (int s = 0; s < STRIPS; s++)
        for (int part = 0; part < 2; part++) {
            vector square[LANES];
            ELEMENT *in_tile = tile + s * STRIP_STRIDE + part * LANES, *in_strip = strip + (s * PAIR + part) * LANES;
            UNROLL for (int i = 0; i < LANES; i++) square[i] = vload((back ? in_strip : in_tile) + i * PAIR);
            transpose(square);
            UNROLL for (int i = 0; i < LANES; i++) vstore((back ? in_tile : in_strip) + i * PAIR, square[i]);
        }
}

/* Along the rows of a tile of which all columns are transformed. `strip`: room for one. */
static void NAME(fourier_multiply)(void *tile, const void *twiddles, const void *spectrum, void *strip) {
    ELEMENT *rows = strip;
    for (int s = 0; s < STRIPS; s++) {
        const ELEMENT *factor = (const ELEMENT *)spectrum + s * (FOURIER_SIZE * PAIR);
        NAME(turn)((ELEMENT *)tile + s * LANES * PAIR, rows, 0);
        NAME(forward)(rows, twiddles);
        for (int i = 0; i < FOURIER_SIZE * PAIR; i += PAIR) {
            const vector re = vload(rows + i), im = vload(rows + i + LANES);
            const vector c = vload(factor + i), d = vload(factor + i + LANES);
            vstore(rows + i, re * c - im * d);
            vstore(rows + i + LANES, re * d + im * c);
        }
        NAME(inverse)(rows, twiddles);
        NAME(turn)((ELEMENT *)tile + s * LANES * PAIR, rows, 1);
    }
}

/* What fourier_multiply multiplies with: `tile` holds the filter, its columns transformed. */
static void NAME(fourier_spectrum)(void *tile, const void *twiddles, void *spectrum) {
    for (int s = 0; s < STRIPS; s++) {
        ELEMENT *rows = (ELEMENT *)spectrum + s * (FOURIER_SIZE * PAIR);
        NAME(turn)((ELEMENT *)tile + s * LANES * PAIR, rows, 0);
        NAME(forward)(rows, twiddles);
    }
}

/* One row into the real (part 0) or imaginary tile, and out of it with the bias added; 1 if one of the first n is not
 * finite. */
static void NAME(fourier_put)(void *tile, int row, int part, const void *values) {
    for (int s = 0; s < STRIPS; s++)
        vstore((ELEMENT *)tile + s * STRIP_STRIDE + row * PAIR + part * LANES,
               vload((const ELEMENT *)values + s * LANES));
}

static int NAME(fourier_get)(const void *tile, int row, int part, const void *bias, void *values, int n) {
    const vector b = broadcast(*(const ELEMENT *)bias);
    vector suspect = (vector){0};
    for (int s = 0; s * LANES < n; s++) {
        const vector v = vload((const ELEMENT *)tile + s * STRIP_STRIDE + row * PAIR + part * LANES) + b;
        suspect += v - v;
        vstore((ELEMENT *)values + s * LANES, v);
    }
    return NAME(spoilt)(suspect);
}

static const fourier_kernels NAME(fourier) = {
    .tile = STRIPS * STRIP_STRIDE,
    .columns = NAME(fourier_columns),
    .multiply = NAME(fourier_multiply),
    .spectrum = NAME(fourier_spectrum),
    .put = NAME(fourier_put),
    .get = NAME(fourier_get),
};
#undef STRIPS
#undef PAIR
#undef STRIP_STRIDE
