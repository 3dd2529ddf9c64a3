/* The contract between the framework of pooling (pool_cpu.pyx) and its kernels (pool_kernels.h).
 *
 * A window is reduced in two steps, first over the rows it touches, then along the row:
 *
 *     line[v] = op over r of row[r][v]                v: virtual column, padding included
 *     out[i]  = op over k of line[i * stride + k * dilation]
 *
 * A line is a panel row of panel.pxd: it lives in the first-level cache and holds the padding, so the
 * second step knows none. The first step reads the input in place; its padded columns are computed from
 * the columns they stand for, which is the same. Both steps go through the taps in their order, so an
 * output's bits depend neither on blocks nor on threads nor on how the padding came to be.
 *
 * op is the maximum (a NaN stays) or the sum. Indices of maxima cannot be found in that order, since the
 * first maximum of a window is wanted, row by row: pool_arg_function takes all taps of a window at once.
 *
 * Small windows that lie ready in memory are reduced in the same order without a line: pool_band.
 */
#ifndef IMPLICITPAD_POOL_H
#define IMPLICITPAD_POOL_H

#include "kernels.h"

enum pool_operation { POOL_MAX, POOL_SUM, POOL_OPERATIONS };
enum pool_element { POOL_F32, POOL_F64, POOL_I32, POOL_I64, POOL_U64, POOL_ELEMENTS };
enum { POOL_SLACK = 32 }; /* elements readable past a row, and past a line for each column from output to output */

/* OUT line[i] = op over r of rows[r][i * steps[r]], i < n. unit: all steps are 1.
 * Nothing outside these elements is read. */
typedef void pool_columns_function(void *line, const void *const *rows, const ptrdiff_t *steps, int n_rows, int unit,
                                   int n);

/* OUT out[i] = op over k of line[i * stride + tap_offset[k]], i < n.
 * A sum is divided by scale * count[i]. */
typedef void pool_windows_function(void *out, const void *line, int n, int stride, const int32_t *tap_offset, int taps,
                                   const void *count, double scale);

/* Maximum and its index over all taps of a window; of equal elements the first, of NaNs the last.
 *
 * IN  rows[r]: line r, with `lowest` wherever no element of the input is;
 *     columns: index of each column of the lines in its row of the input, in the padding anything;
 *     dense: tap_offset[0] is 0, and columns rise by 1 at most;
 *     row_index[r]: what to add to it for row r;
 *     first[i]: index that output i has if all its taps hold `lowest`, less first_row; -1: none
 * Indices are signed integers of the size of an element; `index` has room for a whole last vector. */
typedef void pool_arg_function(void *out, void *index, const void *const *rows, const int64_t *row_index, int n_rows,
                               const void *columns, int n, int stride, int dense, const int32_t *tap_offset, int taps,
                               const void *first, int64_t first_row, const void *lowest);

/* A band of output rows whose input rows lie ready in memory, without lines: for stride 1 or 2 and 2 or 3
 * taps side by side along the row. The padding along it is constant, or there is none. */
typedef struct {
    const void *const *slices; /* the input along D, at its first element; NULL: padding */
    int n_slices;
    const int32_t *source; /* input row of each virtual row; -1: padding, -2: nothing, nor are the next */
    int kernel, stride, dilation, first, last; /* along H; output rows first ... last - 1 */
    ptrdiff_t x_row, y_row, index_row;         /* elements from a row to the next */
    ptrdiff_t width;                           /* of the input; without padding */
    int far;                                   /* the input comes from memory, not from a cache */
    int before, out;                           /* padding before it; outputs of a row */
    const void *fill;                          /* a row of padding; for indices one element, which never wins */
    void *y;
    double divisor;          /* of all sums; if 0, they are divided by the product of three counts: */
    double slice_count;      /* of the slices, */
    const double *row_count; /* of the rows, for each output row, */
    const void *count;       /* of the columns, for each output of a row, as elements; 1 with a divisor; */
    double uniform;          /* this, where all are the same; else 0 */
    int64_t *index;
    const int64_t *slice_index; /* index of the first element of each slice */
    ptrdiff_t index_of_row;     /* from a row of the input to the next */
    const void *first_column;   /* first column in each output's window, -1: none; an index each */
    const void **rows;          /* room for n_slices * kernel pointers, and as many indices */
    int64_t *row_index;
} pool_band;
typedef void pool_strips_function(const pool_band *band, int stride, int taps);

/* Let the padding win where it is larger than the maximum: out[i] = fill, index[i] = -1.
 * IN padded[i]: whether output i has padding; NULL: all have. */
typedef void pool_fill_function(void *out, void *index, const char *padded, int n, const void *fill);

typedef struct {
    pool_columns_function *columns[POOL_OPERATIONS]; /* sums: of floats only */
    pool_windows_function *windows[POOL_OPERATIONS];
    pool_strips_function *strips[POOL_OPERATIONS];
    pool_arg_function *arg;
    pool_strips_function *strips_arg;
    pool_fill_function *fill;
} pool_kernels;

typedef struct {
    const char *name;
    const pool_kernels *element[POOL_ELEMENTS];
    /* [wide][storage]: wide ones compute in the 8-byte element of their kind */
    load_row_function *load_row[2][STORAGES];
    store_row_function *store_row[2][STORAGES];
    store_row_function *store_index[2]; /* of 4-byte and 8-byte indices, as int64 */
} pool_set;

/* NULL where this build has none. */
extern const pool_set *const implicitpad_pool_avx512, *const implicitpad_pool_avx2, *const implicitpad_pool_baseline;

#endif
