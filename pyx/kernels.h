/* The contract between the framework (Cython: blocks, panels, threads) and the micro-kernels (C).
 *
 * The framework gathers the input of one output block into a dense *panel*
 *
 *     panel[c][slot]        c: input channel of the group, slot: position in the block
 *
 * in which the padding is already written (load_row, through the index map), and in which the taps of
 * the output at slot q lie at q + tap_offset[t] whatever the stride and the dilation. The micro-kernels
 * compute one register tile of
 *
 *     out[k][q] = bias[k] + sum_c sum_t weights[k][c][t] * panel[c][q + tap_offset[t]]
 *
 * and know neither padding nor stride. Every output is summed in the same order, channels outside,
 * taps inside, in partial sums of about PARTIAL_TERMS terms, so that its bits depend neither on the
 * tile that computed it nor on the number of threads.
 *
 * Two tiles exist because vectors can run along either index of the output:
 *   channel tile   2 vectors of output channels x up to tile_pixels pixels; the panel is broadcast
 *   pixel tile     up to pixel_vectors vectors of pixels x 1, 2, 4 or 8 output channels; the weights
 *                  are broadcast
 *
 * One source (microkernels.h) is compiled for each instruction set and element type; the tile sizes
 * differ because the number of vector registers does.
 */
#ifndef IMPLICITPAD_KERNELS_H
#define IMPLICITPAD_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    PARTIAL_TERMS = 256, /* terms of one partial sum: keeps the rounding error near sqrt(256) units */
    MAX_TILE_PIXELS = 14,
    MAX_PIXEL_VECTORS = 8,
    CHANNEL_VECTORS = 2,
    PANEL_SLACK = 16 * MAX_PIXEL_VECTORS /* elements readable past a panel: unused lanes of a tile */
};

/* What an input holds (storage), what is computed with it (element), and what an output holds: the
 * element as it is, or a float rounded to 16 bits. */
enum storage {
    FLOAT32,
    FLOAT64,
    FLOAT16,
    BFLOAT16,
    INT8,
    UINT8,
    INT16,
    UINT16,
    INT32,
    UINT32,
    INT64,
    UINT64,
    STORAGES
};
enum element { F32, F64, I32, I64, ELEMENTS };
enum output { OUT_F32, OUT_F64, OUT_I32, OUT_I64, OUT_FLOAT16, OUT_BFLOAT16, OUT_U64, OUTPUTS };

/* A run of consecutive panel slots: `length` slots from `slot` on read input positions
 * source, source + step, ...; source < 0 means the fill value. Runs cover a row without gaps. */
typedef struct {
    int32_t slot, length, source, step;
} panel_run;

/* IN  source: position 0 of the row, or NULL if the whole row lies in the padding;
 *     stride: bytes from one position to the next; fill: one element.   OUT row */
typedef void load_row_function(void *row, const char *source, ptrdiff_t stride, const panel_run *runs, int n_runs,
                               const void *fill);

/* The same for several channels at once, interleaved: slot s of the row holds position s of all of them.
 * IN  source: that of the first channel, `channel_stride` bytes before the next; channels: how many there are, the
 *     others count as zero; fill: the first channel's, in storage type, `fill_stride` bytes before the next.
 * OUT row */
typedef void load_channels_function(void *row, const char *source, ptrdiff_t channel_stride, int channels,
                                    ptrdiff_t stride, const panel_run *runs, int n_runs, const void *fill,
                                    ptrdiff_t fill_stride);

/* IN values: `length` elements.  OUT target, `stride` bytes apart. */
typedef void store_row_function(char *target, ptrdiff_t stride, const void *values, ptrdiff_t length);

/* Residual and activation, documented in finish.h, in place on `rows` rows of `n` elements, `pitch` bytes apart.
 * IN residual: elements of the output's type, `residual_pitch` and `step` bytes apart, or NULL;
 *    limits: slope, low, high */
typedef void finish_function(void *values, ptrdiff_t pitch, int rows, ptrdiff_t n, const char *residual,
                             ptrdiff_t residual_pitch, ptrdiff_t step, const void *limits);

/* A tap of the kernel: its slot from that of the output, its index among all taps. */
typedef struct {
    int32_t slot, index;
} tap;

/* rows x pixels outputs (both are in the function's name in the table), `row_stride` slots apart,
 * of `out_channels` <= CHANNEL_VECTORS * lanes channels. Of all taps only the `n_used` are summed: the
 * others meet zeros alone, which change no bit.
 * IN weights[channels][taps][CHANNEL_VECTORS * lanes], bias[CHANNEL_VECTORS * lanes]
 * OUT out[k * out_channel + row * out_row + pixel] */
typedef void channel_tile_function(const void *panel, ptrdiff_t channel_stride, ptrdiff_t row_stride, const tap *used,
                                   int n_used, int channels, int taps, const void *weights, const void *bias, void *out,
                                   ptrdiff_t out_channel, ptrdiff_t out_row, int out_channels);

/* `pixels` consecutive outputs of as many channels as the function is for.
 * IN weights[channels][taps][width], bias[width]   OUT out[k * out_channel + pixel] */
typedef void pixel_tile_function(const void *panel, ptrdiff_t channel_stride, const tap *used, int n_used, int channels,
                                 int taps, const void *weights, const void *bias, void *out, ptrdiff_t out_channel,
                                 int pixels);

/* IN weights[width][terms] (rows `row_stride` elements apart; rows >= `rows` count as zero)
 * OUT packed[terms][width] */
typedef void pack_weights_function(void *packed, const void *weights, ptrdiff_t row_stride, int rows, ptrdiff_t terms,
                                   int width);

/* One position of Winograd's transform, for as many tiles as the function is for:
 *     out[tile][k] = sum_c sum_d weights[c][d][k] x[c / lanes * depth + d][tile][c % lanes]
 * with `group_stride` elements from one vector of channels to the next. */
typedef void product_tile_function(const void *x, ptrdiff_t group_stride, int channels, int depth, const void *weights,
                                   void *out);

/* Winograd's F(m x m, 3x3) and F(1 x m, 1x3), documented in winograd.h. */
enum { WINOGRAD_DILATION = 24 }; /* largest along rows */
typedef struct {
    int tile; /* m */
    int rows; /* m or 1 */
    void (*input)(const void *panel, ptrdiff_t channel_stride, int channels, int row, int tile_rows, int row_step,
                  int tile_columns, int step, void *lines, void *transformed, ptrdiff_t stride);
    void (*weights)(const void *packed, void *transformed, ptrdiff_t stride, ptrdiff_t channels, int width);
    int (*output)(const void *products, ptrdiff_t stride, int tiles, const void *bias, void *out, ptrdiff_t out_channel,
                  ptrdiff_t out_row, int channels, int rows, int pixels, int step);
} winograd_kernels;

/* Winograd for transposed convolutions of stride 2, documented in winograd_phases.h. */
typedef struct {
    void (*input)(const void *panel, ptrdiff_t channel_stride, int channels, int row, int tile_rows, int tile_columns,
                  void *lines, void *transformed, ptrdiff_t stride);
    void (*weights)(const void *taps, const int *tap, const int *product, void *transformed, ptrdiff_t stride,
                    int width);
    int (*output)(const void *products, ptrdiff_t stride, const int *product, int tiles, const void *bias, void *out,
                  ptrdiff_t out_channel, ptrdiff_t out_row, int channels, int from, int to, int odd, int skip,
                  int pixels);
} phase_kernels;

/* row[i * n + r] = values[r * pitch + i] for r < n and i < pixels. */
typedef void interleave_function(void *row, const void *values, ptrdiff_t pitch, int n, int pixels);

/* Weight gradients, documented in gradient_tiles.h and gradient_winograd.h. */
typedef struct {
    void (*gradients)(const void *dy, ptrdiff_t row_stride, int rows, int pixels, void *transformed, ptrdiff_t stride,
                      int tiles);
    int (*sums)(const void *sums, ptrdiff_t stride, int channels, int rows, void *gradient, ptrdiff_t row_stride,
                int add);
} gradient_winograd_kernels;

typedef struct {
    void (*weight_tile[MAX_TILE_PIXELS + 1])(const void *dy, const void *panel, const int32_t *row_slot, int rows,
                                             int pixels, const int32_t *offset, void *sums, int add); /* [terms] */
    int terms; /* of the products */
    void (*products)(const void *dy, const void *x, int tiles, void *sums, int add);
    void (*pack)(void *packed, const void *dy, ptrdiff_t row_stride, int rows, int pixels);
    void (*unpack_sums)(const void *sums, int terms, int rows, void *gradient, ptrdiff_t row_stride, int add);
    void (*copy_sums)(const void *sums, int terms, int rows, void *gradient, ptrdiff_t row_stride, int add);
    void (*lane_sums)(const void *dy, ptrdiff_t dy_row, const void *panel, const int32_t *row_slot, int rows,
                      int pixels, const int32_t *offset, int taps, double *sums);
    const gradient_winograd_kernels *winograd[2]; /* m = 2, 4 */
} gradient_kernels;

/* A strip of one plane, documented in planes.h. */
enum { PLANE_ROLLING = 7, PLANE_TALL_ROWS = 6, PLANE_AHEAD = 1024 /* bytes to prefetch ahead */ };
#define NO_ROW PTRDIFF_MIN
typedef struct {
    const char *x;         /* column 0 of the strip, at row offset 0 */
    const ptrdiff_t *rows; /* [row][depth]: bytes from x, or NO_ROW */
    const void *fill_row;  /* fills, as many as a row of the strip reads */
    const void *weights;   /* [depth][height][width] */
    const void *bias;      /* one */
    char *y;
    ptrdiff_t y_row, y_plane;                     /* bytes */
    ptrdiff_t x_plane, fill_plane, weights_plane; /* elements to the next plane's, for pairs */
    int depth, height, width, dilation;
    int n, count;  /* outputs: rows, columns */
    int from, to;  /* columns inside the image; the others are the fill */
    int stream;    /* store past the caches: y and y_row are aligned to vectors, all of which are full */
    uint32_t flip; /* of bytes: the bits in which they differ from unsigned ones */
} plane_strip;
typedef void plane_function(const plane_strip *strip);

/* One strip's products for a weight gradient, documented in plane_gradient.h. */
enum { PLANE_COLUMNS = 7 };
typedef struct {
    const char *x;         /* column 0 of the strip, at row offset 0 */
    const ptrdiff_t *rows; /* bytes from x, or NO_ROW; every rows_step-th */
    const void *fill_row;  /* fills, as many as a row of the strip reads */
    const char *dy;
    void *sums;                          /* [height][width][lanes] */
    ptrdiff_t x_ahead, dy_ahead;         /* bytes to the rows of the next band, to prefetch */
    ptrdiff_t dy_row, x_image, dy_image; /* bytes */
    int rows_step, width, dilation;
    int images, n, count; /* images; of the strip, rows and columns */
    int from, to;         /* columns inside the image; the others are the fill */
} plane_products;
typedef void plane_products_function(const plane_products *products);
typedef struct {
    int masks;                      /* are there masked functions? */
    int vectors[PLANE_ROLLING + 1]; /* of a wide strip, by kernel rows, 0 where they are tall; [0]: tall */
    plane_function *rolling[PLANE_ROLLING + 1][3][3][2];        /* [kernel rows][stride][kind][masked] */
    plane_function *tall[2][2];                                 /* [kind][masked], n <= PLANE_TALL_ROWS */
    plane_products_function *products[PLANE_ROLLING + 1][3][2]; /* [kernel rows][stride][masked] */
    void (*add_lanes)(void *sums, int taps, double *total);
    void (*fence)(void); /* after streaming */
} plane_kernels;

/* Planes of bytes, documented in kernels_vbmi.c: `x`, the fill and gathered rows are bytes, all else 32-bit elements.
 */
enum { PLANE_BYTES = 64 /* of a row that a vector of outputs may reach */ };
typedef struct {
    int (*usable)(void); /* does this processor have them? */
    plane_kernels strips;
    load_row_function *load_row;
} byte_planes;

/* Large filters, documented in fourier.h. Elements; every tile, spectrum and strip is two elements a value. */
enum { FOURIER_SIZE = 256 };
typedef struct {
    int tile; /* elements of a tile */
    void (*columns)(void *tile, const void *twiddles, int columns, int is_inverse);
    void (*multiply)(void *tile, const void *twiddles, const void *spectrum, void *strip);
    void (*spectrum)(void *tile, const void *twiddles, void *spectrum);
    void (*put)(void *tile, int row, int part, const void *values);
    int (*get)(const void *tile, int row, int part, const void *bias, void *values, int n);
} fourier_kernels;

typedef struct {
    int lanes;            /* elements in a vector */
    int tile_pixels;      /* of a channel tile, rows * pixels */
    int pixel_vectors[4]; /* of a pixel tile of 1 << i channels; 0 where it would not fit the registers */
    channel_tile_function *channel_tile[3][MAX_TILE_PIXELS + 1]; /* [rows][pixels] */
    pixel_tile_function *pixel_tile[4][MAX_PIXEL_VECTORS + 1];   /* [log2 channels][vectors] */
    product_tile_function *product_tile[MAX_TILE_PIXELS + 1];    /* [tiles]; NULL for integers */
    pack_weights_function *pack_weights;
    const winograd_kernels *winograd[2][2]; /* [3x3, 1x3][m = 2, 4]; NULL for integers: not exact in them */
    const phase_kernels *phases;            /* NULL for integers */
    const gradient_kernels *gradient;       /* NULL for integers */
    const plane_kernels *planes;            /* NULL for integers */
    const fourier_kernels *fourier;         /* NULL for integers */
    interleave_function *interleave_rows;
} element_kernels;

/* Dot products of narrow channels, several in a 32-bit element: panel and weights are interleaved, and the tiles sum
 * all products of an element at once.
 * bytes     four channels; the instruction takes unsigned values and signed weights: int8 values are loaded as
 *           x + 128, and the bias takes 128 times the sum of the weights back
 * bfloat16  two channels; products are exact and sums are float32, rounded to nearest even one product at a time, but
 *           numbers below the normal range (1.2e-38) count as zero */
typedef struct {
    int (*usable)(void); /* does this processor have the instruction? */
    int channels;        /* of an element */
    int offset;          /* added to every value */
    enum storage weights;
    const element_kernels *element;
    load_channels_function *load, *load_weights;
    const byte_planes *planes; /* of one filter a channel, or NULL */
} dot_kernels;

typedef struct {
    const char *name;
    int (*usable)(void); /* does this processor have it? */
    const element_kernels *element[ELEMENTS];
    load_row_function *load_row[STORAGES];
    store_row_function *store_row[OUTPUTS];
    finish_function *finish[OUTPUTS];
    const dot_kernels *dot[STORAGES]; /* by what an input holds; or NULL */
} kernel_set;

/* Only in builds that have AVX-512. */
extern const dot_kernels implicitpad_signed_bytes, implicitpad_unsigned_bytes, implicitpad_pairs;
extern const byte_planes implicitpad_byte_planes;
/* Best first; NULL where this build has none. */
extern const kernel_set *const implicitpad_avx512, *const implicitpad_avx2, *const implicitpad_baseline;

#endif
