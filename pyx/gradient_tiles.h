/* The register tiles of the weight gradient, for one instruction set and one floating element type.
 *
 *     sums[term][k] += sum over pixels of dy[pixel][k] * panel[slot(pixel) + offset[term]]
 *
 * A term is one tap of one input channel. The pixels are the inner loop: up to TILE_PIXELS terms times two vectors
 * of output channels stay in registers for all pixels of a block, and are then added to sums in
 * double precision, so that the rounding error is that of one block however many there are.
 */

INLINE void NAME(weight_tile)(const int terms, const ELEMENT *dy, const ELEMENT *panel, const int32_t *row_slot,
                              int rows, int pixels, const int32_t *offset, double *sums) {
    vector acc[CHANNEL_VECTORS][TILE_PIXELS];
    ELEMENT line[LANES];
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
        vstore(line, acc[v][j]);
        for (int l = 0; l < LANES; l++)
            sums[j * CHANNELS + v * LANES + l] += (double)line[l];
    }
}

#define WEIGHT_TILE(terms)                                                                                             \
    static NOINLINE void NAME(weight_tile_##terms)(const void *dy, const void *panel, const int32_t *row_slot,         \
                                                   int rows, int pixels, const int32_t *offset, double *sums) {        \
        NAME(weight_tile)(terms, dy, panel, row_slot, rows, pixels, offset, sums);                                     \
    }
#if TILE_PIXELS == 14
#define EACH_WEIGHT_TILE(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14)
#else
#define EACH_WEIGHT_TILE(F) F(1) F(2) F(3) F(4) F(5) F(6)
#endif
EACH_WEIGHT_TILE(WEIGHT_TILE)

/* gradient[k * row_stride + term] = sums[term][k], rounded, for the first `rows` k. */
static void NAME(unpack_sums)(const double *sums, int terms, int rows, void *gradient, ptrdiff_t row_stride) {
    ELEMENT *out = gradient;
    for (int k = 0; k < rows; k += LANES) {
        const int count = rows - k < LANES ? rows - k : LANES;
        for (int t = 0; t < terms; t += LANES) {
            const int length = terms - t < LANES ? terms - t : LANES;
            vector square[LANES];
            ELEMENT line[LANES];
            UNROLL for (int i = 0; i < LANES; i++) {
                for (int l = 0; l < LANES; l++)
                    line[l] = (ELEMENT)sums[(t + (i < length ? i : 0)) * CHANNELS + k + l];
                square[i] = vload(line);
            }
            transpose(square);
            UNROLL for (int i = 0; i < LANES; i++) if (i < count)
                store_first(out + (k + i) * row_stride + t, square[i], length);
        }
    }
}

#define WEIGHT_ENTRY(terms) [terms] = NAME(weight_tile_##terms),
static const gradient_kernels NAME(gradient) = {
    .weight_tile = {EACH_WEIGHT_TILE(WEIGHT_ENTRY)},
    .unpack_sums = NAME(unpack_sums),
};
