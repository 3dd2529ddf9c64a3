/* Winograd for transposed convolutions of stride 2: along each axis, two phases of at most two taps.
 *
 * F(3x3, 2x2) has the points of F(2x2, 3x3), so both transform their inputs alike: one tile of 4 x 4 inputs
 * serves all four phases, whose 3 x 3 outputs interleave to 6 x 6 neighbours.
 *
 *     16 multiplications for 36 in a phase of 2 x 2 taps. Where an axis of a phase has one tap, a position
 *     of the transformed weights is zero and its product is left out: 12 for 18, 9 for 9.
 *
 * An input reaches all outputs of its tile, but for rounding errors: what stands in the padding is 0.
 *
 * Included once per instruction set and floating element type, after winograd.h.
 */
#define WINOGRAD_TILE 3
#define WINOGRAD_ROWS 3

/* G g and A^T m along one axis, elements `s` apart. */
INLINE void TILED(transform_weights)(const vector *g, vector *u, int s) {
    u[0] = g[0];
    u[s] = NUMBER(0.5) * (g[0] + g[s]);
    u[2 * s] = NUMBER(0.5) * (g[0] - g[s]);
    u[3 * s] = g[s];
}

INLINE void TILED(transform_output)(const vector *m, vector *y, int s) {
    const vector even = m[s] + m[2 * s];
    y[0] = m[0] + even;
    y[s] = m[s] - m[2 * s];
    y[2 * s] = even - m[3 * s];
}

/* The weights of one phase and one input channel.
 * IN  taps[tap][width], of a channel; tap[2 i + j]: that of row i and column j, or -1
 *     product[xi]: where position xi of this phase goes, or -1
 * OUT transformed[product * stride + k] */
static void NAME(phase_weights)(const void *taps, const int *tap, const int *product, void *transformed,
                                ptrdiff_t stride, int width) {
    for (int k = 0; k < width; k += LANES) {
        vector g[4], rows[2 * 4], u[16];
        UNROLL for (int i = 0; i < 4; i++) g[i] =
            tap[i] < 0 ? (vector){0} : vload((const ELEMENT *)taps + tap[i] * width + k);
        UNROLL for (int i = 0; i < 2; i++) TILED(transform_weights)(g + i, rows + i, 2);
        UNROLL for (int i = 0; i < 4; i++) TILED(transform_weights)(rows + 2 * i, u + 4 * i, 1);
        UNROLL for (int i = 0; i < 16; i++) if (product[i] >= 0)
            vstore((ELEMENT *)transformed + product[i] * stride + k, u[i]);
    }
}

/* One row of tiles of a block of output channels: the rows of one phase, whose columns interleave.
 * IN  products[product[16 b + xi] * stride + tile * CHANNELS + k] for phase b of the columns, bias[CHANNELS];
 *     odd: phase 1 comes first; skip: the first pixel, 0 or 1
 * OUT out[k * out_channel + row * out_row + pixel] for the first `channels` <= CHANNELS, rows `from` ... `to` - 1
 *     of 3, and `pixels` pixels from `skip` on
 * Returns whether some output may be infinite or NaN. */
static int NAME(phase_output)(const void *products, ptrdiff_t stride, const int *product, int tiles, const void *bias,
                              void *out, ptrdiff_t out_channel, ptrdiff_t out_row, int channels, int from, int to,
                              int odd, int skip, int pixels) {
    enum { M = WINOGRAD_TILE, GROUP = LANES > 1 ? LANES / 2 : 1, WIDTH = 2 * M * GROUP };
    vector suspect = (vector){0};
    vector lines[M][1 + WIDTH + LANES]; /* the first: of a pixel before `skip` */
    memset(lines, 0, sizeof lines);
    for (int first = 0; first < channels; first += LANES) {
        const ELEMENT *m = (const ELEMENT *)products + first;
        const vector b = vload((const ELEMENT *)bias + first);
        const int count = channels - first < LANES ? channels - first : LANES;
        int at = 0;
        for (int t = 0; t < tiles; t += GROUP) {
            const int dropped = t ? 0 : skip;
            const int width = pixels - at < WIDTH - dropped ? pixels - at : WIDTH - dropped;
            for (int g = 0; g < GROUP && t + g < tiles; g++)
                for (int phase = 0; phase < 2; phase++) {
                    const int *from_product = product + 16 * phase;
                    vector p[16], half[M * 4], y[M * M];
                    UNROLL for (int i = 0; i < 16; i++) p[i] =
                        from_product[i] < 0 ? (vector){0} : vload(m + from_product[i] * stride + (t + g) * CHANNELS);
                    UNROLL for (int i = 0; i < 4; i++) TILED(transform_output)(p + i, half + i, 4);
                    UNROLL for (int i = 0; i < M; i++) TILED(transform_output)(half + 4 * i, y + M * i, 1);
                    UNROLL for (int i = 0; i < M * M; i++) {
                        y[i] += b;
                        suspect += y[i] - y[i];
                        lines[i / M][1 + 2 * (g * M + i % M) + (phase ^ odd) - dropped] = y[i];
                    }
                }
            for (int r = from; r < to; r++) {
                ELEMENT *line = (ELEMENT *)out + first * out_channel + r * out_row + at;
                for (int i = 0; i < width; i += LANES) {
                    const int left = width - i < LANES ? width - i : LANES;
                    vector square[LANES];
                    UNROLL for (int k = 0; k < LANES; k++) square[k] = lines[r][1 + i + k];
                    transpose(square);
                    if (count == LANES && left == LANES)
                        UNROLL for (int k = 0; k < LANES; k++) vstore(line + i + k * out_channel, square[k]);
                    else
                        for (int k = 0; k < count; k++)
                            store_first(line + i + k * out_channel, square[k], left);
                }
            }
            at += width;
        }
    }
    return NAME(spoilt)(suspect);
}

static const phase_kernels NAME(phases) = {
    .input = NAME(phase_input),
    .weights = NAME(phase_weights),
    .output = NAME(phase_output),
};
#undef WINOGRAD_TILE
#undef WINOGRAD_ROWS
