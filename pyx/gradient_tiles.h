/* The register tiles of the weight gradient, for one instruction set and one floating element type.
 *
 *     sums[term][k] = or += sum over pixels of dy[pixel][k] * panel[slot(pixel) + offset[term]]
 *
 * A term is one tap of one input channel. The pixels are the inner loop: up to TILE_PIXELS terms times two vectors
 * of output channels stay in registers for all pixels of a block, and are then added to the sums of other blocks.
 */

INLINE void NAME(weight_tile)(const int terms, const ELEMENT *dy, const ELEMENT *panel, const int32_t *row_slot,
                              int rows, int pixels, const int32_t *offset, ELEMENT *sums, int add) {
    vector acc[CHANNEL_VECTORS][TILE_PIXELS];
    UNROLL for (int j = 0; j < terms; j++) acc[0][j] = acc[1][j] = (vector){0};
    for (int r = 0; r < rows; r++) {
        const ELEMENT *x = panel + row_slot[r];
        for (int i = 0; i < pixels; i++, x++, dy += CHANNELS) {
            const vector d0 = vload(dy), d1 = vload(dy + LANES);
            UNROLL for (int j = 0; j < terms; j++) {
                const vector value = broadcast(x[offset[j]]);
                acc[0][j] += d0 * value;
                acc[1][j] += d1 * value;
            }
        }
    }
    UNROLL for (int j = 0; j < terms; j++) UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++) {
        ELEMENT *sum = sums + j * CHANNELS + v * LANES;
        vstore(sum, add ? vload(sum) + acc[v][j] : acc[v][j]);
    }
}

/* The products of gradient_winograd.h at one position: whole channels of a vector, so that no lane is idle.
 * sums[j][k] = or += sum over tiles of dy[tile][k] * x[tile * LANES + j], j < GRADIENT_TERMS */
#undef GRADIENT_TERMS
#if TILE_PIXELS == 14
#define GRADIENT_TERMS (LANES < 8 ? LANES : 8)
#else
#define GRADIENT_TERMS (LANES < 4 ? LANES : 4)
#endif
static NOINLINE void NAME(gradient_products)(const void *gradients, const void *inputs, int tiles, void *sums,
                                             int add) {
    const ELEMENT *dy = gradients, *x = inputs;
    ELEMENT *sum = sums;
    vector acc[CHANNEL_VECTORS][GRADIENT_TERMS];
    UNROLL for (int j = 0; j < GRADIENT_TERMS; j++) {
        acc[0][j] = acc[1][j] = (vector){0};
        PREFETCH(sum + j * CHANNELS);
        PREFETCH(sum + j * CHANNELS + LANES);
    }
    for (int i = 0; i < tiles; i++, x += LANES, dy += CHANNELS) {
        const vector d0 = vload(dy), d1 = vload(dy + LANES);
        UNROLL for (int j = 0; j < GRADIENT_TERMS; j++) {
            const vector value = broadcast(x[j]);
            acc[0][j] += d0 * value;
            acc[1][j] += d1 * value;
        }
    }
    UNROLL for (int j = 0; j < GRADIENT_TERMS; j++) UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++) {
        ELEMENT *at = sum + j * CHANNELS + v * LANES;
        vstore(at, add ? vload(at) + acc[v][j] : acc[v][j]);
    }
}

#define WEIGHT_TILE(terms)                                                                                             \
    static NOINLINE void NAME(weight_tile_##terms)(const void *dy, const void *panel, const int32_t *row_slot,         \
                                                   int rows, int pixels, const int32_t *offset, void *sums, int add) { \
        NAME(weight_tile)(terms, dy, panel, row_slot, rows, pixels, offset, sums, add);                                \
    }
#if TILE_PIXELS == 14
#define EACH_WEIGHT_TILE(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14)
#else
#define EACH_WEIGHT_TILE(F) F(1) F(2) F(3) F(4) F(5) F(6)
#endif
EACH_WEIGHT_TILE(WEIGHT_TILE)
#define WEIGHT_ENTRY(terms) [terms] = NAME(weight_tile_##terms),

/* packed[pixel][k] = dy[k * row_stride + pixel] for the first `rows` k, 0 for the others. */
static void NAME(pack_gradients)(void *packed, const void *dy, ptrdiff_t row_stride, int rows, int pixels) {
    for (int k = 0; k < CHANNELS; k += LANES) {
        const ELEMENT *row = (const ELEMENT *)dy + k * row_stride;
        ELEMENT *out = (ELEMENT *)packed + k;
        for (int p = 0; p < pixels; p += LANES) {
            const int length = pixels - p < LANES ? pixels - p : LANES;
            vector square[LANES];
            if (rows >= k + LANES && length == LANES)
                UNROLL for (int i = 0; i < LANES; i++) square[i] = vload(row + i * row_stride + p);
            else
                UNROLL for (int i = 0; i < LANES; i++) square[i] =
                    k + i < rows ? load_first(row + i * row_stride + p, length) : (vector){0};
            transpose(square);
            UNROLL for (int i = 0; i < LANES; i++) if (i < length)
                vstore(out + (ptrdiff_t)(p + i) * CHANNELS, square[i]);
        }
    }
}

/* gradient[k * row_stride + term] = or += sums[term][k] for the first `rows` k; reads whole squares of sums. */
static void NAME(unpack_sums)(const void *sums, int terms, int rows, void *gradient, ptrdiff_t row_stride, int add) {
    for (int k = 0; k < rows; k += LANES) {
        const int count = rows - k < LANES ? rows - k : LANES;
        for (int t = 0; t < terms; t += LANES) {
            const ELEMENT *from = (const ELEMENT *)sums + (ptrdiff_t)t * CHANNELS + k;
            const int length = terms - t < LANES ? terms - t : LANES;
            vector square[LANES];
            UNROLL for (int i = 0; i < LANES; i++) square[i] = vload(from + i * CHANNELS);
            transpose(square);
            UNROLL for (int i = 0; i < LANES; i++) if (i < count) {
                ELEMENT *out = (ELEMENT *)gradient + (k + i) * row_stride + t;
                store_first(out, add ? square[i] + load_first(out, length) : square[i], length);
            }
        }
    }
}

/* gradient[term * row_stride + k] = or += sums[term][k] for the first `rows` k: the gradient of exchanged operands. */
static void NAME(copy_sums)(const void *sums, int terms, int rows, void *gradient, ptrdiff_t row_stride, int add) {
    for (int t = 0; t < terms; t++)
        for (int k = 0; k < rows; k += LANES) {
            const vector sum = vload((const ELEMENT *)sums + (ptrdiff_t)t * CHANNELS + k);
            ELEMENT *out = (ELEMENT *)gradient + t * row_stride + k;
            const int length = rows - k < LANES ? rows - k : LANES;
            store_first(out, add ? sum + load_first(out, length) : sum, length);
        }
}

/* Few filters of few channels, so that lanes are pixels:
 * sums[t] += sum over rows and pixels of dy[row * dy_row + pixel] * x[row_slot[row] + pixel + offset[t]]
 * LANE_TAPS taps at a time. */
#undef LANE_TAPS
#define LANE_TAPS 9
static void NAME(lane_sums)(const void *gradients, ptrdiff_t dy_row, const void *panel, const int32_t *row_slot,
                            int rows, int pixels, const int32_t *offset, int taps, double *sums) {
    for (int first = 0; first < taps; first += LANE_TAPS) {
        const int n = taps - first < LANE_TAPS ? taps - first : LANE_TAPS;
        int32_t at[LANE_TAPS];
        vector acc[LANE_TAPS];
        UNROLL for (int t = 0; t < LANE_TAPS; t++) {
            at[t] = offset[first + (t < n ? t : 0)];
            acc[t] = (vector){0};
        }
        for (int r = 0; r < rows; r++) {
            const ELEMENT *dy = (const ELEMENT *)gradients + r * dy_row, *x = (const ELEMENT *)panel + row_slot[r];
            int left = pixels;
            for (; left >= LANES; left -= LANES, dy += LANES, x += LANES) {
                const vector d = vload(dy);
                UNROLL for (int t = 0; t < LANE_TAPS; t++) acc[t] += d * vload(x + at[t]);
            }
            if (left > 0) {
                const vector d = load_first(dy, left);
                UNROLL for (int t = 0; t < LANE_TAPS; t++) acc[t] += d * load_first(x + at[t], left);
            }
        }
        UNROLL for (int t = 0; t < LANE_TAPS; t++) {
            ELEMENT lanes[LANES];
            double sum = 0;
            vstore(lanes, acc[t]);
            for (int l = 0; l < LANES; l++)
                sum += (double)lanes[l];
            if (t < n)
                sums[first + t] += sum;
        }
    }
}
