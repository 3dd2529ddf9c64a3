/* The weight gradient of a 3x3 window by Winograd, the transpose of winograd.h:
 *
 *     dw = G^T [ sum over tiles of (A dy A^T) . (B^T d B) ] G
 *
 * Summed over tiles, the elementwise products are matrix products, one for each position xi
 * (gradient_products). The inputs d are transformed as for the forward convolution.
 *
 * Included by winograd.h, whose names it uses.
 */

/* A y and G^T u along one axis, elements `s` apart. */
#if WINOGRAD_TILE == 2
INLINE void TILED(spread_gradient)(const vector *y, vector *m, int s) {
    m[0] = y[0];
    m[s] = y[0] + y[s];
    m[2 * s] = y[0] - y[s];
    m[3 * s] = -y[s];
}

INLINE void TILED(gather_weights)(const vector *u, vector *g, int s) {
    const vector half = NUMBER(0.5);
    const vector even = half * (u[s] + u[2 * s]);
    g[0] = u[0] + even;
    g[s] = half * (u[s] - u[2 * s]);
    g[2 * s] = even + u[3 * s];
}
#else
INLINE void TILED(spread_gradient)(const vector *y, vector *m, int s) {
    const vector even_p = y[0] + NUMBER(PP) * y[2 * s], odd_p = NUMBER(P) * y[s] + NUMBER(P * PP) * y[3 * s];
    const vector even_q = y[0] + NUMBER(QQ) * y[2 * s], odd_q = NUMBER(Q) * y[s] + NUMBER(Q * QQ) * y[3 * s];
    m[0] = y[0];
    m[s] = even_p + odd_p;
    m[2 * s] = even_p - odd_p;
    m[3 * s] = even_q + odd_q;
    m[4 * s] = even_q - odd_q;
    m[5 * s] = y[3 * s];
}

INLINE void TILED(gather_weights)(const vector *u, vector *g, int s) {
    const double p = 1 / (2 * PP * (PP - QQ)), q = 1 / (2 * QQ * (QQ - PP));
    const vector even_p = u[s] + u[2 * s], odd_p = u[s] - u[2 * s];
    const vector even_q = u[3 * s] + u[4 * s], odd_q = u[3 * s] - u[4 * s];
    g[0] = NUMBER(1 / (PP * QQ)) * u[0] + NUMBER(p) * even_p + NUMBER(q) * even_q;
    g[s] = NUMBER(p * P) * odd_p + NUMBER(q * Q) * odd_q;
    g[2 * s] = NUMBER(p * PP) * even_p + NUMBER(q * QQ) * even_q + u[5 * s];
}
#endif

/* IN  dy[row][pixel][CHANNELS], rows `row_stride` apart: of a row of tiles the first `rows` <= m rows and
 *     `pixels` <= m * tiles pixels; those missing are zero
 * OUT transformed[xi * stride + tile * CHANNELS + k] */
static void TILED(winograd_gradients)(const void *dy, ptrdiff_t row_stride, int rows, int pixels, void *transformed,
                                      ptrdiff_t stride, int tiles) {
    enum { M = WINOGRAD_TILE };
    for (int t = 0; t < tiles; t++)
        for (int v = 0; v < CHANNEL_VECTORS; v++) {
            const ELEMENT *y = (const ELEMENT *)dy + M * t * CHANNELS + v * LANES;
            ELEMENT *out = (ELEMENT *)transformed + t * CHANNELS + v * LANES;
            vector tile[M * M], half[INPUTS * M], all[POSITIONS];
            if (rows == M && M * t + M <= pixels)
                UNROLL for (int i = 0; i < M * M; i++) tile[i] = vload(y + i / M * row_stride + i % M * CHANNELS);
            else
                UNROLL for (int i = 0; i < M * M; i++) {
                    const int inside = i / M < rows && M * t + i % M < pixels;
                    tile[i] = inside ? vload(y + i / M * row_stride + i % M * CHANNELS) : (vector){0};
                }
            UNROLL for (int i = 0; i < M; i++) TILED(spread_gradient)(tile + i, half + i, M);
            UNROLL for (int i = 0; i < INPUTS; i++) TILED(spread_gradient)(half + M * i, all + INPUTS * i, 1);
            UNROLL for (int i = 0; i < POSITIONS; i++) vstore(out + i * stride, all[i]);
        }
}

/* IN  sums[xi * stride + channel * CHANNELS + k], channels <= GRADIENT_TERMS
 * OUT dw[k * row_stride + channel * 9 + tap] for the first `rows` k; added to what is there if `add`
 * Returns whether something may be infinite or NaN. */
static int TILED(winograd_sums)(const void *sums, ptrdiff_t stride, int channels, int rows, void *dw,
                                ptrdiff_t row_stride, int add) {
    const ELEMENT *s = sums;
    ELEMENT taps[(GRADIENT_TERMS * 9 + LANES) * CHANNELS];
    memset(taps + 9 * channels * CHANNELS, 0, LANES * CHANNELS * sizeof(ELEMENT)); /* whole squares are transposed */
    vector suspect = (vector){0};
    for (int c = 0; c < channels; c++)
        for (int v = 0; v < CHANNEL_VECTORS; v++, s += LANES) {
            vector u[POSITIONS], half[3 * INPUTS], g[9];
            UNROLL for (int i = 0; i < POSITIONS; i++) u[i] = vload(s + i * stride);
            UNROLL for (int i = 0; i < INPUTS; i++) TILED(gather_weights)(u + i, half + i, INPUTS);
            UNROLL for (int i = 0; i < 3; i++) TILED(gather_weights)(half + INPUTS * i, g + 3 * i, 1);
            UNROLL for (int i = 0; i < 9; i++) {
                suspect += g[i] - g[i];
                vstore(taps + (9 * c + i) * CHANNELS + v * LANES, g[i]);
            }
        }
    NAME(unpack_sums)(taps, 9 * channels, rows, dw, row_stride, add);
    return NAME(spoilt)(suspect);
}

static const gradient_winograd_kernels TILED(gradient_winograd) = {
    .gradients = TILED(winograd_gradients),
    .sums = TILED(winograd_sums),
};
