/* Winograd's minimal filtering F(m x m, 3x3): m*m outputs of a 3x3 window from (m + 2)^2 multiplications
 * instead of 9 m^2.
 *
 *     y = A^T [ (G w G^T) . (B^T d B) ] A        d: (m + 2)^2 inputs, y: m*m outputs, . : elementwise
 *
 * m = 2  16 for 36; no constant but 1/2, as accurate as direct convolution; each input enters only the
 *        outputs whose window holds it.
 * m = 4  36 for 144; points 0, +-3/4, +-3/2, infinity: their powers are exact, and the rounding error is
 *        a quarter of that of the customary 0, +-1, +-2, infinity.
 *
 * Summed over the input channels, the elementwise products are matrix products, one for each position xi
 * of the transform (product_tile). Lanes are channels throughout, so that no width of a plane leaves lanes
 * idle: inputs are transposed once on their way in, and outputs, which are fewer than products, on their
 * way out.
 *
 * Windows of one row, 1x3, have tiles of one row: F(1 x m, 1x3) makes m outputs from m + 2 multiplications
 * instead of 3 m.
 *
 * Included for each m and tile, once per instruction set and floating element type. Needs WINOGRAD_TILE (m) and
 * WINOGRAD_ROWS (rows of a tile, m or 1). The matrices are derived in spec/winograd.py.
 */
#define INPUTS (WINOGRAD_TILE + 2)
#define TAP_ROWS (WINOGRAD_ROWS > 1 ? 3 : 1)
#define INPUT_ROWS (WINOGRAD_ROWS + TAP_ROWS - 1)
#define POSITIONS (INPUT_ROWS * INPUTS)
#define TILED__(a, rows, m) a##rows##x##m
#define TILED_(a, rows, m) TILED__(a, rows, m)
#define TILED(a) NAME(TILED_(a, WINOGRAD_ROWS, WINOGRAD_TILE))

/* B^T d, G g and A^T m along one axis, elements `s` apart. */
#if WINOGRAD_TILE == 2
INLINE void TILED(transform_input)(vector *d, int s) {
    const vector d1 = d[s];
    d[0] -= d[2 * s];
    d[s] += d[2 * s];
    d[2 * s] -= d1;
    d[3 * s] = d1 - d[3 * s];
}

INLINE void TILED(transform_weights)(const vector *g, vector *u, int s) {
    const vector outer = NUMBER(0.5) * (g[0] + g[2 * s]), middle = NUMBER(0.5) * g[s];
    u[0] = g[0];
    u[s] = outer + middle;
    u[2 * s] = outer - middle;
    u[3 * s] = g[2 * s];
}

INLINE void TILED(transform_output)(const vector *m, vector *y, int s) {
    y[0] = m[0] + m[s] + m[2 * s];
    y[s] = m[s] - m[2 * s] - m[3 * s];
}
#else
#define P 0.75 /* the points +-P and +-Q */
#define Q 1.5
#define PP (P * P)
#define QQ (Q * Q)
INLINE void TILED(transform_input)(vector *d, int s) {
    const vector d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s], d4 = d[4 * s], d5 = d[5 * s];
    const vector even_p = d4 - NUMBER(QQ) * d2, odd_p = NUMBER(P) * (d3 - NUMBER(QQ) * d1);
    const vector even_q = d4 - NUMBER(PP) * d2, odd_q = NUMBER(Q) * (d3 - NUMBER(PP) * d1);
    d[0] = d4 - NUMBER(PP + QQ) * d2 + NUMBER(PP * QQ) * d0;
    d[s] = even_p + odd_p;
    d[2 * s] = even_p - odd_p;
    d[3 * s] = even_q + odd_q;
    d[4 * s] = even_q - odd_q;
    d[5 * s] = d5 - NUMBER(PP + QQ) * d3 + NUMBER(PP * QQ) * d1;
}

INLINE void TILED(transform_weights)(const vector *g, vector *u, int s) {
    const double p = 1 / (2 * PP * (PP - QQ)), q = 1 / (2 * QQ * (QQ - PP));
    const vector even_p = NUMBER(p) * g[0] + NUMBER(p * PP) * g[2 * s], odd_p = NUMBER(p * P) * g[s];
    const vector even_q = NUMBER(q) * g[0] + NUMBER(q * QQ) * g[2 * s], odd_q = NUMBER(q * Q) * g[s];
    u[0] = NUMBER(1 / (PP * QQ)) * g[0];
    u[s] = even_p + odd_p;
    u[2 * s] = even_p - odd_p;
    u[3 * s] = even_q + odd_q;
    u[4 * s] = even_q - odd_q;
    u[5 * s] = g[2 * s];
}

INLINE void TILED(transform_output)(const vector *m, vector *y, int s) {
    const vector even_p = m[s] + m[2 * s], odd_p = m[s] - m[2 * s];
    const vector even_q = m[3 * s] + m[4 * s], odd_q = m[3 * s] - m[4 * s];
    y[0] = m[0] + even_p + even_q;
    y[s] = NUMBER(P) * odd_p + NUMBER(Q) * odd_q;
    y[2 * s] = NUMBER(PP) * even_p + NUMBER(QQ) * even_q;
    y[3 * s] = NUMBER(P * PP) * odd_p + NUMBER(Q * QQ) * odd_q + m[5 * s];
}
#endif

/* Slots of a plane are `step` from one position of a tile to the next; `step` tiles, each of `outputs` outputs along
 * an axis, lie between one another. */
INLINE int TILED(tile_slot)(const int outputs, int t, int step) { return t / step * outputs * step + t % step; }

INLINE void TILED(transform_tiles)(const int height, const int width, const ELEMENT *line, int row, int tile_rows,
                                   int row_step, int tile_columns, int step, ELEMENT *v, ptrdiff_t stride) {
    for (int r = 0; r < tile_rows; r++)
        for (int c = 0; c < tile_columns; c++, v += LANES) {
            const ptrdiff_t slot = (ptrdiff_t)TILED(tile_slot)(height, r, row_step) * row;
            const ELEMENT *tile = line + (slot + TILED(tile_slot)(width, c, step)) * LANES;
            vector d[POSITIONS];
            UNROLL for (int i = 0; i < POSITIONS; i++) d[i] =
                vload(tile + (i / INPUTS * (ptrdiff_t)(row_step * row) + i % INPUTS * step) * LANES);
            if (INPUT_ROWS > 1)
                UNROLL for (int i = 0; i < INPUTS; i++) TILED(transform_input)(d + i, INPUTS);
            UNROLL for (int i = 0; i < INPUT_ROWS; i++) TILED(transform_input)(d + INPUTS * i, 1);
            UNROLL for (int i = 0; i < POSITIONS; i++) vstore(v + i * stride, d[i]);
        }
}

/* A vector for each slot of `tile_rows` rows of tiles, rounded up to whole vectors, from `channels` <= LANES rows of
 * a panel; missing channels are 0. */
INLINE void TILED(transpose_panel)(const ELEMENT *x, ptrdiff_t channel_stride, int channels, int slots, ELEMENT *line) {
    for (int slot = 0; slot < slots; slot += LANES) {
        vector square[LANES];
        if (channels == LANES)
            UNROLL for (int c = 0; c < LANES; c++) square[c] = vload(x + c * channel_stride + slot);
        else
            for (int c = 0; c < LANES; c++)
                square[c] = c < channels ? vload(x + c * channel_stride + slot) : (vector){0};
        transpose(square);
        UNROLL for (int i = 0; i < LANES; i++) vstore(line + (slot + i) * LANES, square[i]);
    }
}

/* IN  `channels` rows of a panel, with `row` slots from one line of the plane to the next
 *     row_step, step: slots along each axis from one position of a tile to the next
 *     lines: scratch of transpose_panel
 * OUT transformed[xi * stride + tile * LANES + channel]; missing channels are 0 */
static void TILED(winograd_input)(const void *panel, ptrdiff_t channel_stride, int channels, int row, int tile_rows,
                                  int row_step, int tile_columns, int step, void *lines, void *transformed,
                                  ptrdiff_t stride) {
    enum { ROWS = WINOGRAD_ROWS, M = WINOGRAD_TILE };
    const int last = TILED(tile_slot)(ROWS, tile_rows - 1, row_step) + (INPUT_ROWS - 1) * row_step;
    TILED(transpose_panel)(panel, channel_stride, channels, (last + 1) * row, lines);
    if (row_step == 1 && step == 1)
        TILED(transform_tiles)(ROWS, M, lines, row, tile_rows, 1, tile_columns, 1, transformed, stride);
    else
        TILED(transform_tiles)(ROWS, M, lines, row, tile_rows, row_step, tile_columns, step, transformed, stride);
}

#if WINOGRAD_TILE == 2 && WINOGRAD_ROWS == 2
/* F(3x3, 2x2) has the same points and tiles of as many inputs (winograd_phases.h). */
static void NAME(phase_input)(const void *panel, ptrdiff_t channel_stride, int channels, int row, int tile_rows,
                              int tile_columns, void *lines, void *transformed, ptrdiff_t stride) {
    TILED(transpose_panel)(panel, channel_stride, channels, (3 * tile_rows + 1) * row, lines);
    TILED(transform_tiles)(3, 3, lines, row, tile_rows, 1, tile_columns, 1, transformed, stride);
}
#endif

/* IN packed[channels][taps][width]   OUT transformed[xi * stride + channel * width + k] */
static void TILED(winograd_weights)(const void *packed, void *transformed, ptrdiff_t stride, ptrdiff_t channels,
                                    int width) {
    const ELEMENT *w = packed;
    ELEMENT *u = transformed;
    for (ptrdiff_t c = 0; c < channels; c++)
        for (int k = 0; k < width; k += LANES) {
            enum { TAPS = 3 * TAP_ROWS };
            vector g[TAPS], rows[3 * INPUT_ROWS], out[POSITIONS];
            UNROLL for (int i = 0; i < TAPS; i++) g[i] = vload(w + (c * TAPS + i) * width + k);
            UNROLL for (int i = 0; i < 3; i++) if (INPUT_ROWS > 1) TILED(transform_weights)(g + i, rows + i, 3);
            else rows[i] = g[i];
            UNROLL for (int i = 0; i < INPUT_ROWS; i++) TILED(transform_weights)(rows + 3 * i, out + INPUTS * i, 1);
            UNROLL for (int i = 0; i < POSITIONS; i++) vstore(u + i * stride + c * width + k, out[i]);
        }
}

INLINE int TILED(transform_products)(const ELEMENT *products, ptrdiff_t stride, int tiles, const ELEMENT *bias,
                                     ELEMENT *out, ptrdiff_t out_channel, ptrdiff_t out_row, int channels, int rows,
                                     int pixels, const int step) {
    enum {
        ROWS = WINOGRAD_ROWS,
        M = WINOGRAD_TILE,
        GROUP = LANES > M ? LANES / M : 1,
        LONGEST = GROUP > WINOGRAD_DILATION ? GROUP : WINOGRAD_DILATION
    };
    const int group = step < GROUP ? GROUP / step * step : step; /* tiles that lie between one another, and more */
    vector suspect = (vector){0};
    vector lines[ROWS][M * LONGEST + LANES];
    if (tiles % group || M * group % LANES) /* pixels past the last tile are transposed too */
        for (int r = 0; r < ROWS; r++)
            memset(lines[r], 0, (size_t)(M * group + LANES) * sizeof(vector));
    for (int first = 0; first < channels; first += LANES) {
        const vector b = vload(bias + first);
        const int count = channels - first < LANES ? channels - first : LANES;
        for (int t = 0; t < tiles; t += group) {
            const ELEMENT *m = products + first + t * CHANNELS;
            const int end = pixels - M * t < M * group ? pixels - M * t : M * group;
            for (int g = 0; g < group && t + g < tiles; g++) {
                vector p[POSITIONS], half[ROWS * INPUTS], y[ROWS * M];
                const int at = TILED(tile_slot)(M, g, step);
                UNROLL for (int i = 0; i < POSITIONS; i++) p[i] = vload(m + i * stride + g * CHANNELS);
                UNROLL for (int i = 0; i < INPUTS; i++) if (ROWS > 1) TILED(transform_output)(p + i, half + i, INPUTS);
                else half[i] = p[i];
                UNROLL for (int i = 0; i < ROWS; i++) TILED(transform_output)(half + INPUTS * i, y + M * i, 1);
                UNROLL for (int i = 0; i < ROWS * M; i++) {
                    y[i] += b;
                    suspect += y[i] - y[i];
                    lines[i / M][at + i % M * step] = y[i];
                }
            }
            for (int r = 0; r < rows; r++)
                for (int i = 0; i < end; i += LANES) {
                    ELEMENT *to = out + first * out_channel + r * out_row + M * t + i;
                    vector square[LANES];
                    UNROLL for (int k = 0; k < LANES; k++) square[k] = lines[r][i + k];
                    transpose(square);
                    if (count == LANES && end - i >= LANES)
                        UNROLL for (int k = 0; k < LANES; k++) vstore(to + k * out_channel, square[k]);
                    else
                        for (int k = 0; k < count; k++)
                            store_first(to + k * out_channel, square[k], end - i < LANES ? end - i : LANES);
                }
        }
    }
    return NAME(spoilt)(suspect);
}

/* One row of tiles of a block of output channels; `step` <= WINOGRAD_DILATION: pixels from one of a tile to the next.
 * IN  products[xi * stride + tile * CHANNELS + k], bias[CHANNELS]
 * OUT out[k * out_channel + row * out_row + pixel] for the first `channels` <= CHANNELS, `rows` rows and
 *     `pixels` pixels, which the tiles cover
 * Returns whether some output may be infinite or NaN: the caller then looks closer. */
static int TILED(winograd_output)(const void *products, ptrdiff_t stride, int tiles, const void *bias, void *out,
                                  ptrdiff_t out_channel, ptrdiff_t out_row, int channels, int rows, int pixels,
                                  int step) {
    if (step == 1)
        return TILED(transform_products)(products, stride, tiles, bias, out, out_channel, out_row, channels, rows,
                                         pixels, 1);
    return TILED(transform_products)(products, stride, tiles, bias, out, out_channel, out_row, channels, rows, pixels,
                                     step);
}

static const winograd_kernels TILED(winograd) = {
    .tile = WINOGRAD_TILE,
    .rows = WINOGRAD_ROWS,
    .input = TILED(winograd_input),
    .weights = TILED(winograd_weights),
    .output = TILED(winograd_output),
};

#if WINOGRAD_ROWS > 1
#include "gradient_winograd.h"
#endif

#undef INPUTS
#undef TAP_ROWS
#undef INPUT_ROWS
#undef POSITIONS
#undef P
#undef Q
#undef PP
#undef QQ
