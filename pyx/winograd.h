/* Winograd's minimal filtering F(2x2, 3x3): four outputs of a 3x3 window from 16 multiplications
 * instead of 36, as accurate as direct convolution (no constant but 1/2).
 *
 *     y = A^T [ (G w G^T) . (B^T d B) ] A        d: 4x4 inputs, y: 2x2 outputs, . : elementwise
 *
 * Summed over the input channels, the elementwise products are 16 matrix products, one for each position
 * xi of the transform, which the channel tile of microkernels.h computes. Lanes are tiles: the panel's
 * layout for stride 2 and kernel 4 puts tap (a, b) of neighbouring tiles side by side.
 *
 * Included once per instruction set and floating element type, after microkernels.h.
 * The matrices are derived in spec/winograd.py and compared with these by a test.
 */
#define WINOGRAD_PIXELS 2   /* outputs of a tile along each axis */
#define WINOGRAD_INPUTS 4   /* inputs of a tile along each axis */
#define WINOGRAD_POSITIONS 16

/* B^T d, G g and A^T m along one axis, elements `s` apart. */
INLINE void NAME(transform_input)(vector *d, int s) {
    const vector d1 = d[s];
    d[0] -= d[2 * s];
    d[s] += d[2 * s];
    d[2 * s] -= d1;
    d[3 * s] = d1 - d[3 * s];
}

INLINE void NAME(transform_weights)(const vector *g, vector *u, int s) {
    const vector half = broadcast((ELEMENT)0.5);
    const vector outer = half * (g[0] + g[2 * s]), middle = half * g[s];
    u[0] = g[0];
    u[s] = outer + middle;
    u[2 * s] = outer - middle;
    u[3 * s] = g[2 * s];
}

INLINE void NAME(transform_output)(const vector *m, vector *y, int s) {
    y[0] = m[0] + m[s] + m[2 * s];
    y[s] = m[s] - m[2 * s] - m[3 * s];
}

/* IN  panel at the row's first tile, tap_offset[16]   OUT transformed[xi * stride + tile]
 * Writes whole vectors: up to LANES - 1 elements past the row, which the next row overwrites. */
static void NAME(winograd_input)(const void *panel, const int32_t *tap_offset, void *transformed,
                                 ptrdiff_t stride, int tiles) {
    const ELEMENT *x = panel;
    ELEMENT *v = transformed;
    for (int t = 0; t < tiles; t += LANES) {
        vector d[WINOGRAD_POSITIONS];
        UNROLL for (int i = 0; i < WINOGRAD_POSITIONS; i++) d[i] = vload(x + tap_offset[i] + t);
        UNROLL for (int i = 0; i < 4; i++) NAME(transform_input)(d + i, 4);
        UNROLL for (int i = 0; i < 4; i++) NAME(transform_input)(d + 4 * i, 1);
        UNROLL for (int i = 0; i < WINOGRAD_POSITIONS; i++) vstore(v + i * stride + t, d[i]);
    }
}

/* IN packed[channels][9][width]   OUT transformed[xi][channels][width] */
static void NAME(winograd_weights)(const void *packed, void *transformed, ptrdiff_t channels, int width) {
    const ELEMENT *w = packed;
    ELEMENT *u = transformed;
    for (ptrdiff_t c = 0; c < channels; c++)
        for (int k = 0; k < width; k += LANES) {
            vector g[9], rows[12], out[WINOGRAD_POSITIONS];
            UNROLL for (int i = 0; i < 9; i++) g[i] = vload(w + (c * 9 + i) * width + k);
            UNROLL for (int i = 0; i < 3; i++) NAME(transform_weights)(g + i, rows + i, 3);
            UNROLL for (int i = 0; i < 4; i++) NAME(transform_weights)(rows + 3 * i, out + 4 * i, 1);
            UNROLL for (int i = 0; i < WINOGRAD_POSITIONS; i++) vstore(u + (i * channels + c) * width + k, out[i]);
        }
}

/* IN  products[xi * stride + tile] of one output channel, its bias
 * OUT out[row * out_row + pixel] for the first `rows` <= 2 rows and `pixels` <= 2 * tiles pixels
 * Returns whether some output may be infinite or NaN: the caller then looks closer. */
static int NAME(winograd_output)(const void *products, ptrdiff_t stride, int tiles, const void *bias, void *out,
                                 ptrdiff_t out_row, int rows, int pixels) {
    const ELEMENT *m = products;
    const vector b = broadcast(*(const ELEMENT *)bias);
    vector suspect = (vector){0};
    for (int t = 0; t < tiles; t += LANES) {
        vector p[WINOGRAD_POSITIONS], half[8], y[4];
        UNROLL for (int i = 0; i < WINOGRAD_POSITIONS; i++) p[i] = vload(m + i * stride + t);
        UNROLL for (int i = 0; i < 4; i++) NAME(transform_output)(p + i, half + i, 4);
        UNROLL for (int i = 0; i < 2; i++) NAME(transform_output)(half + 4 * i, y + 2 * i, 1);
        UNROLL for (int r = 0; r < 2; r++) {
            vector even = y[2 * r] + b, odd = y[2 * r + 1] + b;
            suspect += (even - even) + (odd - odd);
            interleave(&even, &odd);
            const int left = pixels - 2 * t;
            ELEMENT *line = (ELEMENT *)out + r * out_row + 2 * t;
            if (r >= rows)
                continue;
            store_first(line, even, left < LANES ? left : LANES);
            if (left > LANES)
                store_first(line + LANES, odd, left - LANES < LANES ? left - LANES : LANES);
        }
    }
    ELEMENT lanes[LANES];
    vstore(lanes, suspect);
    for (int i = 0; i < LANES; i++)
        if (!(lanes[i] == 0))
            return 1;
    return 0;
}

/* One output computed directly, for tiles whose transform overflowed or met infinities.
 * IN panel at the tile, tap_offset[16], weights[channels][depth][9]; `row`, `column`: in the tile */
static void NAME(winograd_direct)(const void *panel, ptrdiff_t channel_stride, ptrdiff_t depth_stride,
                                  const int32_t *tap_offset, int channels, int depth, const void *weights,
                                  const void *bias, int row, int column, void *out) {
    const ELEMENT *w = weights;
    ELEMENT total = 0;
    for (int c = 0; c < channels; c++) {
        ELEMENT sum = 0;
        for (int d = 0; d < depth; d++, w += 9) {
            const ELEMENT *x = (const ELEMENT *)panel + c * channel_stride + d * depth_stride;
            for (int i = 0; i < 9; i++)
                sum += w[i] * x[tap_offset[(row + i / 3) * WINOGRAD_INPUTS + column + i % 3]];
        }
        total += sum;
    }
    *(ELEMENT *)out = total + *(const ELEMENT *)bias;
}

static const winograd_kernels NAME(winograd) = {
    .input = NAME(winograd_input),
    .weights = NAME(winograd_weights),
    .output = NAME(winograd_output),
    .direct = NAME(winograd_direct),
};
