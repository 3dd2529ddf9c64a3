/* The register tiles of the contract in kernels.h, for one instruction set and one element type.
 *
 * needs  ELEMENT, ELEMENT_SIZE, ELEMENT_NAME, ELEMENT_FLOATS (0 or 1), VECTOR_BYTES, ISA
 *        MULTIPLY_ADD(sum, weight, value): how a product is summed, where it is not by `+=` and `*`
 *        TILE_PIXELS: accumulators = 2 * TILE_PIXELS; with 2 weight vectors and a broadcast they must fit the registers
 * Accumulator arrays stay in registers only because every loop over them is unrolled completely.
 */
#define NAME__(a, b, c) a##_##b##_##c
#define NAME_(a, b, c) NAME__(a, b, c)
#define NAME(a) NAME_(a, ELEMENT_NAME, ISA)

#include "vectors.h"

#ifndef MULTIPLY_ADD
#define MULTIPLY_ADD(sum, weight, value) ((sum) += (weight) * (value))
#endif
#define CHANNELS (CHANNEL_VECTORS * LANES)
#define NUMBER(x) broadcast((ELEMENT)(x))

/* Whether `suspect`, a sum of v - v over outputs v, tells of one that is infinite or NaN. */
INLINE int NAME(spoilt)(vector suspect) {
    ELEMENT lanes[LANES];
    vstore(lanes, suspect);
    for (int i = 0; i < LANES; i++)
        if (!(lanes[i] == 0))
            return 1;
    return 0;
}

INLINE int NAME(partial_channels)(int taps) { return taps < PARTIAL_TERMS ? PARTIAL_TERMS / taps : 1; }

INLINE void NAME(channel_tile)(const int rows, const int pixels, const ELEMENT *panel, ptrdiff_t channel_stride,
                               ptrdiff_t row_stride, const tap *used, int n_used, int channels, int taps,
                               const ELEMENT *weights, const ELEMENT *bias, ELEMENT *out, ptrdiff_t out_channel,
                               ptrdiff_t out_row, int out_channels) {
    const int n = rows * pixels;
    const int chunk = NAME(partial_channels)(taps);
    vector acc[CHANNEL_VECTORS][TILE_PIXELS], total[CHANNEL_VECTORS][TILE_PIXELS];

    for (int k = 0; k < out_channels; k++)
        UNROLL for (int r = 0; r < rows; r++) {
            PREFETCH(out + k * out_channel + r * out_row); /* lines of a fresh output come while sums are computed */
            PREFETCH(out + k * out_channel + r * out_row + pixels - 1);
        }
    for (int first = 0;; first += chunk) {
        const int last = first + chunk < channels ? first + chunk : channels;
        UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++) UNROLL for (int i = 0; i < n; i++) acc[v][i] = (vector){0};
        for (int c = first; c < last; c++, weights += taps * CHANNELS) {
            const ELEMENT *plane = panel + c * channel_stride;
            for (const tap *t = used; t < used + n_used; t++) {
                const ELEMENT *x = plane + t->slot, *w = weights + t->index * CHANNELS;
                const vector w0 = vload(w), w1 = vload(w + LANES);
                UNROLL for (int i = 0; i < n; i++) {
                    const vector value = broadcast(x[i / pixels * row_stride + i % pixels]);
                    MULTIPLY_ADD(acc[0][i], w0, value);
                    MULTIPLY_ADD(acc[1][i], w1, value);
                }
            }
        }
        if (first > 0)
            UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++) UNROLL for (int i = 0; i < n; i++) acc[v][i] +=
                total[v][i];
        if (last == channels)
            break;
        UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++) UNROLL for (int i = 0; i < n; i++) total[v][i] = acc[v][i];
        IN_MEMORY(total);
    }

    /* lanes are channels; the output wants pixels side by side */
    UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++) {
        const vector b = vload(bias + v * LANES);
        const int count = out_channels - v * LANES < LANES ? out_channels - v * LANES : LANES;
        UNROLL for (int r = 0; r < rows; r++) UNROLL for (int first = 0; first < pixels; first += LANES) {
            const int wide = pixels - first < LANES ? pixels - first : LANES;
            ELEMENT *line = out + v * LANES * out_channel + r * out_row + first;
            vector square[LANES];
            UNROLL for (int i = 0; i < LANES; i++) square[i] =
                i < wide ? acc[v][r * pixels + first + i] + b : (vector){0};
            transpose(square);
            if (count == LANES)
                UNROLL for (int i = 0; i < LANES; i++) store_first(line + i * out_channel, square[i], wide);
            else
                for (int i = 0; i < count; i++)
                    store_first(line + i * out_channel, square[i], wide);
        }
    }
}

INLINE void NAME(pixel_tile)(const int width, const int vectors, const ELEMENT *panel, ptrdiff_t channel_stride,
                             const tap *used, int n_used, int channels, int taps, const ELEMENT *weights,
                             const ELEMENT *bias, ELEMENT *out, ptrdiff_t out_channel, int pixels) {
    const int chunk = NAME(partial_channels)(taps);
    vector acc[8][MAX_PIXEL_VECTORS], total[8][MAX_PIXEL_VECTORS];

    /* lines of a fresh output come while sums are computed */
    for (int k = 0; k < width; k++)
        UNROLL for (int i = 0; i < vectors; i++) PREFETCH(out + k * out_channel + (i + 1) * LANES - 1);
    for (int first = 0;; first += chunk) {
        const int last = first + chunk < channels ? first + chunk : channels;
        UNROLL for (int k = 0; k < width; k++) UNROLL for (int i = 0; i < vectors; i++) acc[k][i] = (vector){0};
        for (int c = first; c < last; c++, weights += taps * width) {
            const ELEMENT *plane = panel + c * channel_stride;
            for (const tap *t = used; t < used + n_used; t++) {
                const ELEMENT *p = plane + t->slot, *weight = weights + t->index * width;
                vector x[MAX_PIXEL_VECTORS];
                UNROLL for (int i = 0; i < vectors; i++) x[i] = vload(p + i * LANES);
                UNROLL for (int k = 0; k < width; k++) {
                    const vector w = broadcast(weight[k]);
                    UNROLL for (int i = 0; i < vectors; i++) MULTIPLY_ADD(acc[k][i], w, x[i]);
                }
            }
        }
        if (first > 0)
            UNROLL for (int k = 0; k < width; k++) UNROLL for (int i = 0; i < vectors; i++) acc[k][i] += total[k][i];
        if (last == channels)
            break;
        UNROLL for (int k = 0; k < width; k++) UNROLL for (int i = 0; i < vectors; i++) total[k][i] = acc[k][i];
        IN_MEMORY(total);
    }

    const int rest = pixels - (vectors - 1) * LANES;
    UNROLL for (int k = 0; k < width; k++) {
        const vector b = broadcast(bias[k]);
        ELEMENT *line = out + k * out_channel;
        UNROLL for (int i = 0; i < vectors - 1; i++) vstore(line + i * LANES, acc[k][i] + b);
        store_first(line + (vectors - 1) * LANES, acc[k][vectors - 1] + b, rest);
    }
}

#if ELEMENT_FLOATS
/* One position of a transform (winograd.h): lanes hold channels on both sides. */
INLINE void NAME(product_tile)(const int pixels, const ELEMENT *x, ptrdiff_t group_stride, int channels, int depth,
                               const ELEMENT *weights, ELEMENT *out) {
    const int chunk = (NAME(partial_channels)(depth) + LANES - 1) / LANES * LANES;
    vector acc[CHANNEL_VECTORS][TILE_PIXELS], total[CHANNEL_VECTORS][TILE_PIXELS];

    for (int first = 0;; first += chunk) {
        const int last = first + chunk < channels ? first + chunk : channels;
        UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++) UNROLL for (int i = 0; i < pixels; i++) acc[v][i] =
            (vector){0};
        for (int group = first; group < last; group += LANES) {
            const ELEMENT *lane = x + (ptrdiff_t)(group / LANES) * depth * group_stride;
            const ELEMENT *end = lane + (last - group < LANES ? last - group : LANES);
            for (; lane < end; lane++)
                for (int d = 0; d < depth; d++, weights += CHANNELS) {
                    const ELEMENT *value = lane + d * group_stride;
                    const vector w0 = vload(weights), w1 = vload(weights + LANES);
                    UNROLL for (int i = 0; i < pixels; i++) {
                        const vector a = broadcast(value[i * LANES]);
                        acc[0][i] += w0 * a;
                        acc[1][i] += w1 * a;
                    }
                }
        }
        if (first > 0)
            UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++) UNROLL for (int i = 0; i < pixels; i++) acc[v][i] +=
                total[v][i];
        if (last == channels)
            break;
        UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++) UNROLL for (int i = 0; i < pixels; i++) total[v][i] =
            acc[v][i];
        IN_MEMORY(total);
    }
    UNROLL for (int i = 0; i < pixels; i++) UNROLL for (int v = 0; v < CHANNEL_VECTORS; v++)
        vstore(out + i * CHANNELS + v * LANES, acc[v][i]);
}
#endif

#define CHANNEL_TILE(rows, pixels)                                                                                     \
    static NOINLINE void NAME(channel_tile_##rows##_##pixels)(                                                         \
        const void *panel, ptrdiff_t channel_stride, ptrdiff_t row_stride, const tap *used, int n_used, int channels,  \
        int taps, const void *weights, const void *bias, void *out, ptrdiff_t out_channel, ptrdiff_t out_row,          \
        int out_channels) {                                                                                            \
        NAME(channel_tile)(rows, pixels, panel, channel_stride, row_stride, used, n_used, channels, taps, weights,     \
                           bias, out, out_channel, out_row, out_channels);                                             \
    }
#define PIXEL_TILE(width, vectors)                                                                                     \
    static NOINLINE void NAME(pixel_tile_##width##_##vectors)(                                                         \
        const void *panel, ptrdiff_t channel_stride, const tap *used, int n_used, int channels, int taps,              \
        const void *weights, const void *bias, void *out, ptrdiff_t out_channel, int pixels) {                         \
        NAME(pixel_tile)(width, vectors, panel, channel_stride, used, n_used, channels, taps, weights, bias, out,      \
                         out_channel, pixels);                                                                         \
    }
#define PRODUCT_TILE(pixels)                                                                                           \
    static NOINLINE void NAME(product_tile_##pixels)(const void *x, ptrdiff_t group_stride, int channels, int depth,   \
                                                     const void *weights, void *out) {                                 \
        NAME(product_tile)(pixels, x, group_stride, channels, depth, weights, out);                                    \
    }
/* Which tiles exist. */
/* clang-format off */
#if TILE_PIXELS == 14
#define EACH_CHANNEL_TILE(F) \
    F(1, 1) F(1, 2) F(1, 3) F(1, 4) F(1, 5) F(1, 6) F(1, 7) \
    F(1, 8) F(1, 9) F(1, 10) F(1, 11) F(1, 12) F(1, 13) F(1, 14) \
    F(2, 2) F(2, 3) F(2, 4) F(2, 5) F(2, 6) F(2, 7)
#define EACH_PRODUCT_TILE(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14)
#define EACH_PIXEL_TILE(F) \
    F(1, 1) F(1, 2) F(1, 3) F(1, 4) F(1, 5) F(1, 6) F(1, 7) F(1, 8) \
    F(2, 1) F(2, 2) F(2, 3) F(2, 4) F(2, 5) F(2, 6) F(2, 7) F(2, 8) \
    F(4, 1) F(4, 2) F(4, 3) F(4, 4) F(4, 5) \
    F(8, 1) F(8, 2) F(8, 3)
#define PIXEL_VECTORS {8, 8, 5, 3}
#else
#define EACH_CHANNEL_TILE(F) \
    F(1, 1) F(1, 2) F(1, 3) F(1, 4) F(1, 5) F(1, 6) F(2, 2) F(2, 3)
#define EACH_PRODUCT_TILE(F) F(1) F(2) F(3) F(4) F(5) F(6)
#define EACH_PIXEL_TILE(F) \
    F(1, 1) F(1, 2) F(1, 3) F(1, 4) F(1, 5) F(1, 6) F(1, 7) F(1, 8) \
    F(2, 1) F(2, 2) F(2, 3) F(2, 4) \
    F(4, 1) F(4, 2) F(4, 3)
#define PIXEL_VECTORS {8, 4, 3, 0}
#endif
/* clang-format on */
EACH_CHANNEL_TILE(CHANNEL_TILE)
EACH_PIXEL_TILE(PIXEL_TILE)

static void NAME(pack_weights)(void *packed, const void *weights, ptrdiff_t row_stride, int rows, ptrdiff_t terms,
                               int width) {
    ELEMENT *p = packed;
    const ELEMENT *w = weights;
    if (width % LANES == 0 && rows == width) {
        for (int k = 0; k < width; k += LANES) {
            ptrdiff_t t = 0;
            for (; t + LANES <= terms; t += LANES) {
                vector square[LANES];
                UNROLL for (int i = 0; i < LANES; i++) {
                    square[i] = vload(w + (k + i) * row_stride + t);
                    PREFETCH(w + (k + i) * row_stride + t + 4 * LANES); /* more rows than the hardware follows */
                }
                transpose(square);
                UNROLL for (int i = 0; i < LANES; i++) vstore(p + (t + i) * width + k, square[i]);
            }
            for (; t < terms; t++)
                for (int i = 0; i < LANES; i++)
                    p[t * width + k + i] = w[(k + i) * row_stride + t];
        }
        return;
    }
    for (ptrdiff_t t = 0; t < terms; t++)
        for (int k = 0; k < width; k++)
            p[t * width + k] = k < rows ? w[k * row_stride + t] : 0;
}

static void NAME(interleave_rows)(void *row, const void *values, ptrdiff_t pitch, int n, int pixels) {
    ELEMENT *out = row;
    const ELEMENT *v = values;
    int done = 0;
    if (n == 2 && LANES > 1)
        for (; done + LANES <= pixels; done += LANES) {
            vector a = vload(v + done), b = vload(v + pitch + done);
            interleave(&a, &b);
            vstore(out + 2 * done, a);
            vstore(out + 2 * done + LANES, b);
        }
    for (int r = 0; r < n; r++)
        for (int i = done; i < pixels; i++)
            out[(ptrdiff_t)i * n + r] = v[r * pitch + i];
}

#if ELEMENT_FLOATS
EACH_PRODUCT_TILE(PRODUCT_TILE)
#include "gradient_tiles.h"
#define WINOGRAD_TILE 2
#define WINOGRAD_ROWS 2
#include "winograd.h"
#undef WINOGRAD_ROWS
#define WINOGRAD_ROWS 1
#include "winograd.h"
#undef WINOGRAD_ROWS
#undef WINOGRAD_TILE
#define WINOGRAD_TILE 4
#define WINOGRAD_ROWS 4
#include "winograd.h"
#undef WINOGRAD_ROWS
#define WINOGRAD_ROWS 1
#include "winograd.h"
#undef WINOGRAD_ROWS
#undef WINOGRAD_TILE
#include "fourier.h"
#include "plane_loads.h"
#include "winograd_phases.h"

#include "plane_gradient.h"
#include "planes.h"
#define PRODUCT_ENTRY(pixels) .product_tile[pixels] = NAME(product_tile_##pixels),
#define PRODUCTS EACH_PRODUCT_TILE(PRODUCT_ENTRY)
#define WINOGRAD                                                                                                       \
    {                                                                                                                  \
        {&NAME(winograd2x2), &NAME(winograd4x4)}, { &NAME(winograd1x2), &NAME(winograd1x4) }                           \
    }
static const gradient_kernels NAME(gradient) = {
    .terms = GRADIENT_TERMS,
    .weight_tile = {EACH_WEIGHT_TILE(WEIGHT_ENTRY)},
    .products = NAME(gradient_products),
    .pack = NAME(pack_gradients),
    .unpack_sums = NAME(unpack_sums),
    .copy_sums = NAME(copy_sums),
    .lane_sums = NAME(lane_sums),
    .winograd = {&NAME(gradient_winograd2x2), &NAME(gradient_winograd4x4)},
};
#define PHASES &NAME(phases)
#define GRADIENT &NAME(gradient)
#define PLANES &NAME(planes)
#define FOURIER &NAME(fourier)
#else
#define PRODUCTS
#define NO_WINOGRAD {NULL, NULL}
#define WINOGRAD {NO_WINOGRAD, NO_WINOGRAD}
#define PHASES NULL
#define GRADIENT NULL
#define PLANES NULL
#define FOURIER NULL
#endif

#define CHANNEL_ENTRY(rows, pixels) .channel_tile[rows][pixels] = NAME(channel_tile_##rows##_##pixels),
#define LOG2_1 0
#define LOG2_2 1
#define LOG2_4 2
#define LOG2_8 3
#define PIXEL_ENTRY(width, vectors) .pixel_tile[LOG2_##width][vectors] = NAME(pixel_tile_##width##_##vectors),
static const element_kernels NAME(kernels) = {
    .lanes = LANES,
    .tile_pixels = TILE_PIXELS,
    .pixel_vectors = PIXEL_VECTORS,
    EACH_CHANNEL_TILE(CHANNEL_ENTRY) EACH_PIXEL_TILE(PIXEL_ENTRY) PRODUCTS.pack_weights = NAME(pack_weights),
    .winograd = WINOGRAD,
    .phases = PHASES,
    .gradient = GRADIENT,
    .planes = PLANES,
    .fourier = FOURIER,
    .interleave_rows = NAME(interleave_rows),
};
#undef PRODUCTS
#undef WINOGRAD
#undef NO_WINOGRAD
#undef PHASES
#undef GRADIENT
#undef PLANES
#undef FOURIER
